"""The workbench in a browser: what a newcomer, a physician and an integrator do there."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, Route, expect

from cds_service.demo.scenarios import scenarios_folder
from tests.workbench import CAUDA_EQUINA, opened_at, pick, sent_feedback, workbench_app

if TYPE_CHECKING:
    from tests.browser import Look, Serve, Watch

pytest_plugins = ("tests.browser",)

MOST_BYTES = 300_000

CHRONIC = "row-054-chronic-active-pain"
NOT_SENT = "row-073-1-conditions-not-sent"
ALL_DRAFTED = "row-084-all-three-drafted"

LUMBAR_PAIN = "row-001-lumbar-pain-icd10"

LUMBAR_MRI = "MRI lumbar spine without and with IV contrast"


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    return serve(workbench_app())


@pytest.fixture
def opened(page: Page, address: str) -> Page:
    """The workbench with its first patient: a warning for low back pain."""
    page.goto(address)
    expect(page.locator(".card")).to_contain_text("new low back pain")
    return page


def answer(page: Page) -> Any:
    return page.locator("#cards")


# --- Finding a patient


def test_the_first_patient_is_answered_without_a_click(opened: Page) -> None:
    expect(opened.locator("#patient-list [aria-selected=true]")).to_contain_text("Anna Marchetti")
    expect(opened.get_by_role("heading", name="Anna Marchetti")).to_be_visible()


def test_a_patient_is_found_by_any_of_its_words(opened: Page) -> None:
    opened.get_by_label("Search").fill("cauda  DELGADO critical")
    expect(opened.locator("#patient-list li:visible")).to_have_count(1)
    expect(opened.locator("#found")).to_contain_text("1 patient;")


def test_a_search_that_finds_nobody_says_so(opened: Page) -> None:
    opened.get_by_label("Search").fill("zebra")
    expect(opened.locator("#found")).to_have_text("No patient matches.")
    expect(opened.locator("#patient-list")).to_be_hidden()
    opened.get_by_label("Search").press("Enter")
    expect(opened.locator(".card")).to_contain_text("new low back pain")


def test_a_picked_patient_shows_its_card(opened: Page) -> None:
    pick(opened, "cauda equina found today")
    expect(opened.locator(".card .indicator")).to_have_text("Critical")
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")


def test_the_address_keeps_the_patient(opened: Page) -> None:
    pick(opened, "cauda equina found today")
    expect(opened).to_have_url(re.compile(f"#{CAUDA_EQUINA}$"))
    opened.reload()
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")


def test_another_patient_in_the_address_is_shown(opened: Page) -> None:
    opened.evaluate(f"window.location.hash = '{CAUDA_EQUINA}'")
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")


def test_an_answer_that_comes_late_does_not_replace_a_newer_one(page: Page, address: str) -> None:
    held: list[Route] = []
    page.route("**/workbench/why", lambda route: route.continue_() if held else held.append(route))
    with page.expect_request("**/workbench/why"):
        page.goto(address)
    pick(page, "cauda equina found today")
    expect(page.locator(".card")).to_contain_text("EMERGENCY")
    with page.expect_response("**/workbench/why"):
        held[0].continue_()
    page.evaluate("() => new Promise(done => setTimeout(done, 100))")
    expect(page.locator(".card")).to_contain_text("EMERGENCY")


def test_everything_can_be_done_with_the_keyboard(opened: Page) -> None:
    opened.get_by_label("Search").focus()
    opened.keyboard.type("cauda equina found today")
    opened.keyboard.press("ArrowDown")
    expect(opened.locator("#patient-list")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")
    order = opened.get_by_role("button", name=re.compile(r"^Order stat \(24 h\): MRI whole spine"))
    for _ in range(40):
        if order.evaluate("button => button === document.activeElement"):
            break
        opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    expect(opened.locator(".order")).to_contain_text("stat")
    expect(opened.get_by_role("button", name=re.compile(r"^Taken: Order stat \(24 h\): MRI"))).to_be_focused()


def test_the_arrow_keys_walk_through_the_list_to_its_ends(opened: Page) -> None:
    patients = opened.locator("#patient-list")
    patients.focus()
    for key, place in (("ArrowDown", 1), ("End", -1), ("ArrowDown", -1), ("ArrowUp", -2), ("Home", 0), ("ArrowUp", 0)):
        opened.keyboard.press(key)
        wanted = opened.locator("#patient-list li").nth(place).get_attribute("id")
        assert patients.get_attribute("aria-activedescendant") == wanted


# --- How it opens


@pytest.mark.parametrize("fragment", ["", f"#{CAUDA_EQUINA}", "#row-125-child"])
def test_the_page_opens_at_its_top_with_the_focus_in_the_search(page: Page, address: str, fragment: str) -> None:
    page.set_viewport_size({"width": 800, "height": 500})
    page.goto(f"{address}/{fragment}")
    expect(page.locator("#raw")).to_be_visible()
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.scrollY") == 0
    expect(page.get_by_label("Search")).to_be_focused()
    expect(page.locator("#patient-list [aria-selected=true]")).to_be_in_viewport()


@pytest.mark.parametrize(
    "patient", [LUMBAR_PAIN, CAUDA_EQUINA, "row-106-egfr-22", "row-007-two-regions", "row-079-1-draft-radiograph-cpt"]
)
def test_on_a_desktop_every_order_of_the_card_is_in_sight_without_scrolling(
    page: Page, address: str, patient: str
) -> None:
    page.set_viewport_size({"width": 1440, "height": 900})
    opened_at(page, address, patient)
    buttons = page.locator(".suggestions button")
    assert buttons.count() >= 2
    for button in buttons.all():
        expect(button).to_be_in_viewport(ratio=1)
    # The first line of the card, too: nothing was scrolled for it.
    expect(page.locator(".card h3")).to_be_in_viewport(ratio=1)


# --- An emergency


def test_an_emergency_is_told_from_a_warning_without_colors(page: Page, address: str) -> None:
    frames = []
    for patient in (LUMBAR_PAIN, CAUDA_EQUINA):
        opened_at(page, address, patient)
        page.emulate_media(forced_colors="active")
        tag = page.locator(".card .indicator .tag")
        sign = tag.evaluate("tag => getComputedStyle(tag, '::before').content")
        width = page.locator(".card").evaluate("card => getComputedStyle(card).borderTopWidth")
        frames.append((tag.inner_text().lower(), "!" in sign, width))
        page.goto("about:blank")
    assert frames == [("warning", False, "1px"), ("critical", True, "3px")]


# --- Another day


def test_another_day_than_today_is_said_and_ends_with_the_next_patient(opened: Page) -> None:
    expect(opened.locator("#day-note")).to_be_hidden()
    opened.get_by_role("button", name="+ 90 days").click()
    expect(opened.locator("#day-note")).to_have_text("Not today: everything is asked as of 2027-02-20, 90 days later.")
    expect(opened.locator("#answer-day")).to_have_text("as of 2027-02-20")
    pick(opened, "cauda equina found today")
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")
    expect(opened.get_by_label("As of")).to_have_value("2026-11-22")
    expect(opened.locator("#day-note")).to_be_hidden()
    expect(opened.locator("#answer-day")).to_be_hidden()


def test_an_answer_that_the_list_does_not_expect_is_explained_by_the_day(opened: Page) -> None:
    expect(opened.locator("#differs")).to_be_hidden()
    opened.get_by_role("button", name="+ 90 days").click()
    said = "The list expects “warning”, the answer is “silent”: the day asked about is 2027-02-20, 90 days later."
    expect(opened.locator("#differs")).to_have_text(said)
    opened.get_by_role("button", name="Today").click()
    expect(opened.locator("#differs")).to_be_hidden()


def test_an_answer_that_the_list_does_not_expect_is_explained_by_hook_and_drafts(page: Page, address: str) -> None:
    opened_at(page, address, LUMBAR_PAIN)
    page.get_by_label("selects an order").check()
    page.get_by_label("Lipid panel").check()
    page.get_by_label("Lumbar spine X-ray").uncheck()
    differs = page.locator("#differs")
    expect(differs).to_contain_text("the hook is order-select and not patient-view.")
    opened_at(page, address, "row-081-1-draft-ibuprofen")
    page.get_by_label("Lipid panel").check()
    page.get_by_label("drafted already: Ibuprofen").uncheck()
    expect(differs).to_contain_text("the draft orders are not those of the fixture.")


def test_an_answer_that_the_list_does_not_expect_is_explained_by_settings(page: Page, serve: Serve) -> None:
    opened_at(page, serve(workbench_app(new_window_days=30)), "row-070-1-day-84")
    said = "the answer is “silent”: the service runs with settings of its own (new_window_days)."
    expect(page.locator("#differs")).to_contain_text(said)


def test_every_expected_answer_needs_no_explanation(watch: Watch, address: str) -> None:
    watch.expect_error("status of 412")
    for patient in (CAUDA_EQUINA, CHRONIC, NOT_SENT, ALL_DRAFTED, "row-125-child"):
        opened_at(watch.page, address, patient)
        expect(watch.page.locator("#differs")).to_be_hidden()
        watch.page.goto("about:blank")


# --- The card and what is done with it


def test_the_card_is_read_aloud(opened: Page) -> None:
    expect(opened.locator("#said")).to_contain_text("warning card. Breast cancer history")


def test_the_detail_is_markdown_and_not_text(opened: Page) -> None:
    expect(opened.locator(".detail strong").first).to_have_text("Why this patient")
    expect(opened.locator(".detail")).not_to_contain_text("**")


def test_taking_a_suggestion_shows_the_order_and_sends_feedback(opened: Page) -> None:
    order = opened.get_by_role("button", name=f"Order: {LUMBAR_MRI}")
    feedback = sent_feedback(opened, order.click)
    card = json.loads(opened.locator("#raw-response").text_content() or "")["cards"][0]
    assert feedback["outcome"] == "accepted" and feedback["card"] == card["uuid"]
    assert feedback["acceptedSuggestions"] == [{"id": card["suggestions"][0]["uuid"]}]
    created = opened.locator(".order")
    expect(created.locator("dd").first).to_have_text(LUMBAR_MRI)
    expect(created).to_contain_text("24967-2 (LOINC)")
    created.get_by_text("The draft order as FHIR").click()
    assert json.loads(created.locator("pre").text_content() or "") == card["suggestions"][0]["actions"][0]["resource"]
    expect(opened.locator(".feedback")).to_contain_text("The service answered 200")


def test_a_suggestion_is_taken_once(opened: Page) -> None:
    sent_feedback(opened, opened.get_by_role("button", name=f"Order: {LUMBAR_MRI}").click)
    opened.get_by_role("button", name=re.compile("^Taken: ")).dispatch_event("click")
    expect(opened.locator(".order")).to_have_count(1)


def test_a_draft_that_the_card_removes_is_named(page: Page, address: str) -> None:
    opened_at(page, address, "row-079-1-draft-radiograph-cpt")
    sent_feedback(page, page.get_by_role("button", name=re.compile("^(Remove|Cancel|Delete)")).click)
    expect(page.locator(".order")).to_contain_text("Draft removed")
    expect(page.locator(".order")).to_contain_text("ServiceRequest/xray-draft")
    named = page.locator("#own-drafts").inner_text().removeprefix("drafted already: ").strip()
    expect(page.locator(".order")).to_contain_text(named)
    expect(page.locator("#own-drafts input")).not_to_be_checked()


def test_dismissing_with_a_reason_sends_it_and_folds_the_card(opened: Page) -> None:
    opened.get_by_label("Reason").select_option(label="Patient declines")
    feedback = sent_feedback(opened, opened.get_by_role("button", name="Dismiss").click)
    assert feedback["outcome"] == "overridden"
    assert feedback["overrideReason"]["reason"]["code"] == "patient-declines"
    expect(opened.locator(".feedback")).to_contain_text("Dismissed: Patient declines. The service answered 200")
    expect(opened.locator(".feedback")).to_be_focused()
    expect(opened.locator(".detail")).to_be_hidden()


def test_what_is_answered_on_another_day_is_told_of_that_day(opened: Page) -> None:
    opened.get_by_role("button", name="+ 30 days").click()
    expect(opened.locator(".detail")).to_contain_text("5 weeks ago")
    with opened.expect_request(re.compile("/feedback$")) as sent:
        opened.get_by_role("button", name="Dismiss").click()
    assert sent.value.header_value("X-As-Of") == "2026-12-22"
    (entry,) = json.loads(sent.value.post_data or "")["feedback"]
    assert entry["outcomeTimestamp"] == "2026-12-22T12:00:00.000Z"
    expect(opened.locator(".feedback")).to_contain_text("The service answered 200")


def test_asking_again_is_another_call(opened: Page) -> None:
    before = json.loads(opened.locator("#raw-request").text_content() or "")
    with opened.expect_response(re.compile("/workbench/why$")):
        opened.get_by_role("button", name="Ask again").click()
    expect(opened.locator("#raw-request")).not_to_contain_text(before["hookInstance"])


def test_a_card_that_was_turned_down_stays_away(page: Page, serve: Serve) -> None:
    opened_at(page, serve(workbench_app(pseudonym_key="a key of the tests, long enough for a hash")), LUMBAR_PAIN)
    page.get_by_label("Reason").select_option(label="Already imaged or ordered elsewhere")
    sent_feedback(page, page.get_by_role("button", name="Dismiss").click)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".panel.silent h3")).to_have_text("No card")
    expect(page.locator(".panel.silent")).to_contain_text("(“Already imaged or ordered elsewhere”)")
    expect(page.locator("#why")).not_to_contain_text("Proposed")


def test_a_card_that_is_kept_back_is_not_said_to_be_answered_or_silent_alone(page: Page, address: str) -> None:
    page.route("**/cds-services/*", lambda route: route.fulfill(json={"cards": []}))
    opened_at(page, address, LUMBAR_PAIN)
    expect(page.locator(".panel.silent")).to_contain_text("switched off, it runs silently, or the card was turned down")


def test_feedback_that_was_not_sent_is_not_called_sent(watch: Watch, address: str) -> None:
    watch.expect_error("ERR_FAILED")
    page = opened_at(watch.page, address, LUMBAR_PAIN)
    page.route("**/feedback", lambda route: route.abort())
    page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".feedback")).to_contain_text("The feedback could not be sent")
    expect(page.locator(".feedback summary")).to_have_text("The feedback that could not be sent")


def test_dismissing_without_a_reason_sends_none(opened: Page) -> None:
    feedback = sent_feedback(opened, opened.get_by_role("button", name="Dismiss").click)
    assert feedback["outcome"] == "overridden" and "overrideReason" not in feedback


# --- Why, and the chart


def test_the_why_gives_every_criterion_with_its_evidence(opened: Page) -> None:
    criteria = opened.locator(".criteria > li")
    expect(criteria).to_have_count(3)
    expect(criteria.nth(2)).to_contain_text("Does the patient have new back pain? yes")
    expect(criteria.nth(2)).to_contain_text("Condition/cond-001-2")


def test_the_why_gives_the_steps_to_each_answer_and_the_codes_in_plain_words(page: Page, address: str) -> None:
    opened_at(page, address, "row-072-new-region")
    steps = page.locator(".criteria > li").nth(2).locator(".steps li")
    expect(steps).to_contain_text(["thoracic: new since 2026-11-16", "lumbar: not new: it began on 2023-11-22"])
    said = re.compile(r"^There is a card: imaging advised\. \(outcome fired, reason imaging-advised, rule ")
    expect(page.locator(".outcome")).to_have_text(said)


def test_what_was_passed_over_stands_with_its_reason(page: Page, address: str) -> None:
    opened_at(page, address, "row-072-new-region")
    passed = page.locator(".passed-over li")
    expect(passed).to_have_text(re.compile(r"^Back pain, lumbar, in Condition/\S+: it began on 2023-11-22"))
    pick(page, "refuted after biopsy")
    expect(passed).to_have_text("Breast cancer in Condition/cond-043-1: verification status is refuted.")


def test_the_episodes_of_pain_stand_in_the_picture_with_region_and_reason(page: Page, address: str) -> None:
    opened_at(page, address, "row-072-new-region")
    shown = page.locator(".timeline text").all_text_contents()
    assert {"Episodes of pain", "Thoracic: new", "Lumbar: not new"} <= set(shown)
    assert "it began on 2023-11-22, more than 84 days ago" in shown


def test_on_paper_there_are_the_chart_and_the_answer(page: Page, address: str) -> None:
    opened_at(page, address, CAUDA_EQUINA)
    page.get_by_role("button", name="+ 30 days").click()
    expect(page.locator("#day-note")).to_be_visible()
    page.emulate_media(media="print")
    for kept in (".timeline", ".card .detail", ".suggestions", "#day-note", ".criteria"):
        expect(page.locator(kept)).to_be_visible()
    for left in (".patients", "#choices", ".dismiss", "#raw"):
        expect(page.locator(left)).to_be_hidden()
    assert page.locator(".answer").evaluate("pane => pane.scrollHeight - pane.clientHeight") <= 1


def test_the_chart_is_a_picture_and_a_table(opened: Page) -> None:
    expect(opened.get_by_role("img", name=re.compile("^Timeline of the chart"))).to_be_visible()
    opened.get_by_text("The chart as a table").click()
    expect(opened.get_by_role("row", name=re.compile("Back pain.*Low back pain.*counts: new"))).to_be_visible()


def test_with_time_the_card_vanishes(opened: Page) -> None:
    opened.get_by_role("button", name="+ 90 days").click()
    expect(answer(opened)).to_contain_text("No card")
    expect(answer(opened)).to_contain_text("more than 84 days ago")
    opened.get_by_role("button", name="Today").click()
    expect(opened.locator(".card")).to_contain_text("new low back pain")


def test_the_day_can_be_typed(opened: Page) -> None:
    opened.get_by_label("As of").fill("2027-11-22")
    expect(answer(opened)).to_contain_text("No card")


def test_a_day_that_is_half_typed_is_not_asked_about(opened: Page) -> None:
    calls: list[str] = []
    opened.on("request", lambda request: calls.append(request.url))
    opened.get_by_label("As of").fill("0002-11-22")
    opened.get_by_label("As of").fill("2027-11-22")
    expect(answer(opened)).to_contain_text("No card")
    assert len([url for url in calls if "/cds-services/" in url]) == 1


@pytest.mark.parametrize("typed", ["2026-11-21", "2076-11-10", ""])
def test_a_day_out_of_range_is_refused_by_the_page_and_nothing_is_sent(opened: Page, typed: str) -> None:
    calls: list[str] = []
    opened.on("request", lambda request: calls.append(request.url))
    opened.get_by_label("As of").fill(typed)
    message = re.compile("“As of” must be a day from 2026-11-22 to 2076-11-09")
    expect(opened.locator(".panel.refused")).to_contain_text(message)
    opened.get_by_role("button", name="Ask again").click()
    expect(opened.locator(".panel.refused")).to_contain_text(message)
    opened.get_by_role("button", name="Today").click()
    expect(opened.locator(".card")).to_contain_text("new low back pain")
    assert len([url for url in calls if "/cds-services/" in url]) == 1


def test_silence_and_not_knowing_are_told_apart(watch: Watch, address: str) -> None:
    watch.expect_error("status of 412")
    opened_at(watch.page, address, CHRONIC)
    expect(watch.page.locator(".panel.silent h3")).to_have_text("No card")
    pick(watch.page, "diagnoses were not sent")
    expect(watch.page.locator(".panel.unknown h3")).to_have_text("Cannot tell")
    expect(watch.page.locator(".panel.unknown")).to_contain_text("Missing: conditions.")
    expect(watch.page.locator(".criteria")).to_contain_text("cannot tell")


def test_a_suppressed_card_says_why(page: Page, address: str) -> None:
    opened_at(page, address, ALL_DRAFTED)
    expect(answer(page)).to_contain_text("The criteria are met, but every study to propose is drafted already.")


# --- Hooks and drafts


def test_selecting_ibuprofen_brings_the_card_and_a_lipid_panel_does_not(opened: Page) -> None:
    expect(opened.get_by_role("group", name="Draft orders")).to_be_hidden()
    opened.get_by_label("selects an order").check()
    opened.get_by_label("Lumbar spine X-ray").uncheck()
    expect(answer(opened)).to_contain_text("Choose a draft order.")
    opened.get_by_label("Lipid panel").check()
    question = "Does a selected order concern back pain or the search for metastases? No selected order does."
    expect(answer(opened).locator(".panel")).to_have_text(re.compile(question.replace("? ", r"\?\s*")))
    opened.get_by_label("Ibuprofen").check()
    expect(opened.locator(".card")).to_contain_text("new low back pain")
    expect(opened.locator("#answer-service")).to_have_text("breast-cancer-back-pain-order-select")


def test_the_drafts_of_a_patient_come_with_it(page: Page, address: str) -> None:
    opened_at(page, address, "row-081-1-draft-ibuprofen")
    expect(page.get_by_label("drafted already: Ibuprofen 400 mg tablet")).to_be_checked()
    pick(page, "row-001")
    page.get_by_label("signs orders").check()
    expect(page.locator("#own-drafts")).to_be_hidden()
    expect(page.get_by_label("Lumbar spine X-ray")).to_be_checked()


def sent_drafts(page: Page) -> list[Any]:
    call = json.loads(page.locator("#raw-request").text_content() or "")
    return [entry["resource"] for entry in call["context"]["draftOrders"]["entry"]]


def test_a_taken_order_is_a_draft_of_the_next_call(opened: Page) -> None:
    sent_feedback(opened, opened.get_by_role("button", name=f"Order: {LUMBAR_MRI}").click)
    opened.get_by_label("signs orders").check()
    expect(opened.locator("#answer-service")).to_have_text("breast-cancer-back-pain-order-sign")
    assert [draft["code"]["text"] for draft in sent_drafts(opened)] == ["Lumbar spine X-ray", LUMBAR_MRI]
    expect(opened.get_by_role("button", name=f"Order: {LUMBAR_MRI}")).to_have_count(0)
    opened.get_by_label(f"taken: {LUMBAR_MRI}").uncheck()
    expect(opened.get_by_role("button", name=f"Order: {LUMBAR_MRI}")).to_be_visible()
    pick(opened, "row-001")
    expect(opened.locator("#taken-drafts label")).to_have_count(0)


def test_a_removed_draft_is_unticked_and_sent_no_more(opened: Page) -> None:
    opened.get_by_label("signs orders").check()
    remove = opened.get_by_role("button", name=re.compile("^(Remove|Cancel|Delete)"))
    sent_feedback(opened, remove.click)
    expect(opened.locator(".order", has_text="Draft removed")).to_contain_text("Lumbar spine X-ray")
    expect(opened.get_by_label("Lumbar spine X-ray")).not_to_be_checked()
    opened.get_by_role("button", name="Ask again").click()
    expect(opened.locator("#raw-request")).not_to_contain_text("Lumbar spine X-ray")
    assert sent_drafts(opened) == []


# --- Every look


@pytest.mark.parametrize("percent", [100, 150, 200])
def test_larger_type_is_not_crushed_into_columns(opened: Page, percent: int) -> None:
    opened.set_viewport_size({"width": 1440, "height": 900})
    opened.evaluate(f"document.documentElement.style.fontSize = '{percent}%'")
    for column in ("patients", "chart", "answer"):
        box = opened.locator(f"section.{column}").bounding_box()
        # 14 rem hold a patient's name beside a tag.
        assert box and box["width"] >= 14 * 16 * percent / 100
    chart = opened.locator("section.chart").bounding_box()
    assert chart and chart["width"] >= 24 * 16 * percent / 100


def test_the_page_loads_lightly(watch: Watch, address: str) -> None:
    opened_at(watch.page, address, CAUDA_EQUINA)
    assert 50_000 < watch.loaded_bytes() <= MOST_BYTES


def test_the_list_stands_there_before_any_script_has_run(page: Page, address: str) -> None:
    page.route("**/*.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
    page.goto(address)
    expect(page.locator("#patient-list li")).to_have_count(len(list(scenarios_folder().glob("*/request.json"))))


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
@pytest.mark.parametrize("patient", [CAUDA_EQUINA, CHRONIC, NOT_SENT, "row-081-1-draft-ibuprofen"])
def test_every_look_is_accessible(watch: Watch, address: str, look: Look, patient: str) -> None:
    watch.expect_error("status of 412")
    watch.look(look)
    page = opened_at(watch.page, address, patient)
    for fold in page.locator("summary:visible").all():
        fold.click()
    if page.locator(".suggestions button").count():
        page.locator(".suggestions button").first.click()
        expect(page.locator(".feedback")).to_contain_text("answered 200")
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0


def test_on_a_side_panel_picking_a_patient_brings_its_answer_into_sight(watch: Watch, address: str) -> None:
    watch.look("narrow")
    page = opened_at(watch.page, address, CHRONIC)
    pick(page, "cauda equina found today")
    expect(page.locator(".card h3")).to_be_in_viewport()
