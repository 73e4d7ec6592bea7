"""The evidence page, the page of code sets and the front page in a real browser: seen, searched, used by keyboard."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, Page, expect

from cds_service import Settings, create_app

if TYPE_CHECKING:
    from tests.browser import Look, Serve, Watch

pytest_plugins = ("tests.browser",)

PATHS = ("/", "/evidence", "/evidence/codes")


@pytest.fixture(scope="module")
def site(serve: Serve) -> str:
    return serve(create_app(Settings()))


@pytest.fixture
def codes(page: Page, site: str) -> Page:
    """The page of code sets, before anything was searched."""
    page.goto(f"{site}/evidence/codes")
    return page


def search(page: Page, text: str) -> None:
    page.get_by_role("searchbox", name="Find a code or a word").fill(text)


def status(page: Page) -> str:
    return page.get_by_role("status").inner_text()


def shown_codes(page: Page) -> set[str]:
    return set(page.locator(".set li:visible > code").all_inner_texts())


# --- Seen


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_and_never_scrolls_sideways(
    page: Page, site: str, watch: Watch, path: str, look: Look
) -> None:
    watch.look(look)
    page.goto(site + path)
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0


@pytest.mark.parametrize("path", PATHS)
def test_a_page_with_letters_of_twice_the_size_never_scrolls_sideways(
    page: Page, site: str, watch: Watch, path: str
) -> None:
    page.goto(site + path)
    before = page.locator("h1").evaluate("heading => parseFloat(getComputedStyle(heading).fontSize)")
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.locator("h1").evaluate("heading => parseFloat(getComputedStyle(heading).fontSize)") == 2 * before
    assert watch.sideways_pixels() == 0


@pytest.mark.parametrize("path", PATHS)
def test_all_that_a_page_loads_is_small(page: Page, site: str, watch: Watch, path: str) -> None:
    page.goto(site + path)
    # 300 kB, so that the first paint waits for nothing on a slow line, either; 150 bytes for each of the listed codes.
    most = 150 * page.locator("li").count() if path == "/evidence/codes" else 300_000
    assert 1_000 < watch.loaded_bytes() < most


def test_colors_follow_the_choice_of_the_reader(page: Page, site: str, watch: Watch) -> None:
    page.goto(f"{site}/evidence")
    grounds = []
    for look in ("light", "dark"):
        watch.look(look)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(21, 24, 28)"]


def test_on_paper_the_navigation_is_left_out(codes: Page) -> None:
    navigation = codes.get_by_role("navigation", name="Pages")
    expect(navigation).to_be_visible()
    codes.emulate_media(media="print")
    expect(navigation).to_be_hidden()
    expect(codes.get_by_role("search")).to_be_hidden()


def test_the_picture_is_read_out_with_its_figures(page: Page, site: str) -> None:
    page.goto(f"{site}/evidence")
    picture = page.get_by_role("img", name="Finding bone metastases, per patient")
    expect(picture).to_be_visible()
    expect(picture).to_have_accessible_name(re.compile("MRI: Sensitivity 90.6 %, Specificity 95.4 %"))
    expect(page.get_by_role("table", name="Finding bone metastases, per patient")).to_be_visible()


def test_in_a_narrow_panel_every_cell_names_its_column(page: Page, site: str, watch: Watch) -> None:
    page.goto(f"{site}/evidence")
    cell = page.locator(".statements td[data-name=Grade]").first
    before = "cell => getComputedStyle(cell, '::before').content"
    assert cell.evaluate(before) == "none"
    watch.look("narrow")
    assert "Grade" in cell.evaluate(before)


# --- Folds


def open_folds(page: Page) -> int:
    return page.locator("details.fold[open]").count()


def test_on_a_desktop_every_section_is_open(page: Page, site: str) -> None:
    page.goto(f"{site}/evidence")
    assert open_folds(page) == page.locator("details.fold").count() == page.locator("h2").count()


def test_on_a_phone_the_sections_are_folded_and_their_headings_stay(page: Page, site: str, watch: Watch) -> None:
    watch.look("narrow")
    page.goto(f"{site}/evidence")
    assert open_folds(page) == 0
    # The whole page is no longer than some screens.
    assert page.evaluate("document.documentElement.scrollHeight") < 5 * 700
    for heading in page.locator("h2").all():
        expect(heading).to_be_visible()
    page.get_by_role("heading", name="Limits").click()
    expect(page.get_by_text("It diagnoses nothing")).to_be_visible()
    assert watch.accessibility_problems() == []


def test_a_link_within_the_page_opens_the_section_it_leads_to(page: Page, site: str, watch: Watch) -> None:
    watch.look("narrow")
    page.goto(f"{site}/evidence#limits")
    expect(page.get_by_text("It diagnoses nothing")).to_be_visible()
    page.evaluate("window.location.hash = 'version'")
    expect(page.get_by_text("SHA-256 of all content files")).to_be_in_viewport()
    assert open_folds(page) == 2


def test_on_paper_every_section_is_open_and_then_folded_again(page: Page, site: str, watch: Watch) -> None:
    watch.look("narrow")
    page.goto(f"{site}/evidence")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert open_folds(page) == page.locator("details.fold").count()
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert open_folds(page) == 0
    page.emulate_media(media="print")
    expect(page.get_by_text("It diagnoses nothing")).to_be_visible()


def test_without_script_every_section_is_open(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 320, "height": 700})
    page = context.new_page()
    page.goto(f"{site}/evidence")
    expect(page.get_by_text("It diagnoses nothing")).to_be_visible()
    context.close()


# --- Without a mouse


@pytest.mark.parametrize("path", PATHS)
def test_the_first_stop_of_the_keyboard_skips_to_the_content(page: Page, site: str, path: str) -> None:
    page.goto(site + path)
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).not_to_be_in_viewport()
    page.keyboard.press("Tab")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()


def test_what_has_the_focus_is_outlined(page: Page, site: str) -> None:
    page.goto(f"{site}/evidence")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_the_evidence_page_leads_to_the_codes_and_marks_where_one_is(page: Page, site: str) -> None:
    page.goto(f"{site}/evidence")
    page.get_by_role("link", name="See and search all codes").click()
    expect(page.get_by_role("heading", level=1, name="Code sets")).to_be_visible()
    expect(page.get_by_role("navigation").get_by_role("link", name="Code sets")).to_have_attribute(
        "aria-current", "page"
    )


# --- Searched


def test_nothing_asked_shows_everything_and_says_nothing(codes: Page) -> None:
    assert len(shown_codes(codes)) > 1_000
    assert status(codes) == ""


@pytest.mark.parametrize("text", ["N17.9", "n179", " n17 9 "])
def test_a_code_is_found_however_it_is_spelled(codes: Page, text: str) -> None:
    search(codes, text)
    # The categories of ICD-10-CM and of the WHO's ICD-10 that hold it are found too, and say so.
    assert shown_codes(codes) == {"N17.9", "N17"}
    assert status(codes) == "3 codes in 1 set"
    held_by = codes.locator("#acute-kidney-injury li.category:visible")
    expect(held_by).to_have_text([re.compile("all below it"), re.compile("all below it")])
    expect(codes.locator("#acute-kidney-injury")).to_be_visible()
    expect(codes.locator("#acute-kidney-injury h4", has_text="SNOMED CT")).to_be_hidden()
    expect(codes.locator("#breast-cancer")).to_be_hidden()
    expect(codes.locator("#breast-cancer-exclusion")).to_be_hidden()


def test_a_code_is_found_through_the_category_that_holds_it(codes: Page) -> None:
    search(codes, "C50.911")
    assert shown_codes(codes) == {"C50"}
    expect(codes.locator("#breast-cancer")).to_be_visible()


def test_a_long_number_is_not_taken_for_a_code_of_a_category(codes: Page) -> None:
    search(codes, "1741234")
    assert shown_codes(codes) == {"174"}
    search(codes, "17412345")
    assert shown_codes(codes) == set()


def test_the_beginning_of_a_code_finds_all_that_begin_so(codes: Page) -> None:
    search(codes, "M54.5")
    assert {"M54.50", "M54.51", "M54.59"} <= shown_codes(codes)
    assert all(code.startswith("M54.5") for code in shown_codes(codes))


def test_words_are_found_in_any_order_and_case(codes: Page) -> None:
    search(codes, "quadrant SARCOMA")
    found = codes.locator(".set li:visible").all_inner_texts()
    assert len(found) > 1
    assert all("sarcoma" in text.lower() and "quadrant" in text.lower() for text in found)


def test_the_name_of_a_set_shows_all_of_it(codes: Page) -> None:
    search(codes, "physical-therapy")
    shown = codes.locator("#physical-therapy li")
    assert shown.count() == codes.locator(".set li:visible").count() > 1


def test_what_is_not_there_is_said_not_to_be_there_and_can_be_taken_back(codes: Page) -> None:
    everything = shown_codes(codes)
    search(codes, "no such word")
    assert shown_codes(codes) == set()
    assert status(codes) == "No code and no set matches."
    search(codes, "")
    assert shown_codes(codes) == everything
    assert status(codes) == ""


def test_enter_searches_on_and_leaves_the_page_where_it_is(codes: Page) -> None:
    search(codes, "M54.50")
    address = codes.url
    codes.keyboard.press("Enter")
    assert codes.url == address
    assert "M54.50" in shown_codes(codes)


def test_the_narrowed_page_is_accessible(codes: Page, watch: Watch) -> None:
    search(codes, "spine")
    assert watch.accessibility_problems() == []


def test_without_script_everything_is_listed_and_no_search_is_offered(browser: Browser, site: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/evidence/codes")
    expect(page.get_by_role("searchbox")).to_have_count(0)
    expect(page.get_by_role("heading", name="Exclusions")).to_be_visible()
    expect(page.locator("#breast-cancer")).to_contain_text("C50 Malignant")
    context.close()
