"""The page of a replay in a real browser: self-contained, accessible, narrow, dark, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, condition, day, encounter, patient, study
from tests.replays import empty_files, run, write_export

if TYPE_CHECKING:
    from tests.browser import Look, Serve, Watch

pytest_plugins = ("tests.browser",)


@pytest.fixture(scope="module")
def address(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A page with all its parts: cards, imaging, metastases, another threshold, damage, and what was not understood."""
    folder = tmp_path_factory.mktemp("replay")
    made: list[dict[str, Any]] = []
    for number in range(12):
        own = [
            condition(LOW_BACK_PAIN, onset=day(405), recorded=day(400)),
            condition("local 4711", recorded=day(500)),
            *(
                encounter(period={"start": f"{day(back)}T10:00:00Z", "end": f"{day(back)}T10:00:00Z"})
                for back in (398, 0)
            ),
        ]
        own += [condition(BREAST_CANCER, recorded=day(900))] if number % 2 else []
        own += [
            condition("icd10cm C79.51", recorded=day(360)),
            study("DiagnosticReport", "loinc 24967-2", when=day(370)),
        ]
        subject = {"subject": {"reference": f"Patient/p-{number}"}}
        made.append(patient() | {"id": f"p-{number}"})
        made += [item | subject | {"id": f"{item['id']}-{number}"} for item in own]
    export = write_export(folder / "export", made)
    empty_files(export)
    with (export / "Observation.ndjson").open("ab") as file:
        file.write(b"cut o")
    found = run(export, folder / "out", moments="visits", vary={"new_window_days": (5,)})
    body = (found.folder / "report.html").read_bytes()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [body]

    return serve(app)


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_the_page_is_accessible_and_never_scrolls_sideways(page: Page, address: str, watch: Watch, look: Look) -> None:
    watch.look(look)
    page.goto(address)
    for summary in page.locator("summary").all():
        summary.click()
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0


def test_the_page_shows_the_figures_in_the_words_of_the_rule(page: Page, address: str) -> None:
    page.goto(address)
    assert page.locator(".tiles dt").all_inner_texts() == [
        "Patients", "With a card", "First cards", "Cards", "Yield", "Days",
    ]  # fmt: skip
    expect(
        page.get_by_role("img", name="Patients with a new code of metastasis of bone or spinal cord")
    ).to_be_visible()
    expect(page.get_by_role("row", name="new_window_days=5")).to_be_visible()
    expect(page.get_by_text("Lines: not JSON")).to_be_visible()
    expect(page.get_by_text("with only codes of https://ehr.example.org/codes")).to_be_visible()


def test_published_figures_stand_beside_with_their_sources(page: Page, address: str) -> None:
    page.goto(address)
    for figure in ("7 %", "33 %", "2.9 %", "29 days"):
        row = page.get_by_role("table", name="Published figures").get_by_role("row").filter(has_text=figure).first
        assert str(row.get_by_role("link").get_attribute("href")).startswith("https://")


def test_in_print_everything_is_dark_on_white_and_inside_the_sheet(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 700, "height": 1000})
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(address)
    colors = page.evaluate("() => { const s = getComputedStyle(document.body); return [s.color, s.backgroundColor]; }")
    assert colors == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert page.evaluate("() => document.documentElement.scrollWidth <= document.documentElement.clientWidth")
