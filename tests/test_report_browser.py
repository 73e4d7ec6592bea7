"""The page of a report in a real browser: self-contained, accessible, narrow, dark, enlarged, printed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.sync_api import Page, expect

from cds_service.ledger.entries import Mode
from cds_service.reporting.control_chart import charts
from cds_service.reporting.report_page import report_page
from cds_service.reporting.report_text import Words
from cds_service.reporting.summary import summarize
from tests.ledger_entries import NOON, feedback_to, fired, quiet

if TYPE_CHECKING:
    from tests.browser import Look, Serve, Watch

pytest_plugins = ("tests.browser",)


LONG_ISSUER = "https://ehr.example.org/" + "a-very-long-path-without-a-place-to-break" * 4


def _report() -> str:
    """Ninety days with cards of every fate and every outcome, and a control chart with limits."""
    days = [NOON - timedelta(days=number) for number in range(90)]
    modes = [Mode.SILENT if number > 80 else Mode.LIVE for number in range(90)]
    decisions = [fired(number, at=day, mode=mode) for number, (day, mode) in enumerate(zip(days, modes, strict=True))]
    others = ("not-applicable", "suppressed", "undetermined", "failed", "off")
    decisions += [fired(200 + number, client=LONG_ISSUER) for number in range(3)]
    decisions += [quiet(100 + number, outcome, at=days[number]) for number, outcome in enumerate(others)]
    decisions += [quiet(300 + number, at=days[number % 63], missing=("conditions",)) for number in range(1200)]
    feedback = [feedback_to(number, "overridden" if number % 3 else "accepted") for number in range(0, 60, 2)]
    report = summarize(decisions, feedback, days[-1], NOON + timedelta(seconds=1))
    drawn = charts(decisions, NOON, 7, 56)
    return report_page(report, Words(), "1.0.0+3f2a9c1b", NOON, drawn, NOON, 7)


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    body = _report().encode()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [body]

    return serve(app)


# Six plots, the control chart, and the days behind the weeks.
TABLES_FOLDED = 8


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_the_report_is_accessible_with_all_its_tables_open_and_never_scrolls_sideways(
    page: Page, address: str, watch: Watch, look: Look
) -> None:
    watch.look(look)
    page.goto(address)
    for summary in page.locator("summary").all():
        summary.click()
    assert page.locator("details[open] table").count() == TABLES_FOLDED
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0


@pytest.mark.parametrize("width", [380, 600, 1024, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_scrolls_sideways_at_any_width_not_even_a_table(
    page: Page, address: str, watch: Watch, width: int, scheme: Literal["light", "dark"]
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.goto(address)
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0
    wider = page.evaluate(
        """() => [...document.querySelectorAll('.plot-scroll')]
            .filter(box => box.clientWidth && box.scrollWidth > box.clientWidth).map(box => box.ariaLabel)"""
    )
    assert wider == []


@pytest.mark.parametrize(("width", "columns"), [(380, 1), (600, 1), (1024, 2), (1440, 2)])
def test_plots_stand_side_by_side_where_the_page_is_wide_enough(
    page: Page, address: str, width: int, columns: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    left = page.evaluate(
        """() => [...document.querySelectorAll('.plots:not(.charts) > *')]
            .map(plot => plot.getBoundingClientRect().left)"""
    )
    assert len(set(left)) == columns


def test_the_tiles_stand_above_everything_else_without_scrolling(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 380, "height": 900})
    page.goto(address)
    lowest = page.locator(".tiles").evaluate("tiles => tiles.getBoundingClientRect().bottom")
    assert lowest < 900
    assert page.locator(".tiles dt").all_inner_texts() == [
        "Cards shown", "Accepted", "Overridden", "Unanswered", "Undetermined calls"
    ]  # fmt: skip


def test_every_plot_has_a_name_and_shows_its_words_inside_its_own_box(page: Page, address: str, watch: Watch) -> None:
    watch.look("narrow")
    page.goto(address)
    expect(page.get_by_role("img", name="Cards per day")).to_be_visible()
    outside = page.evaluate(
        """() => [...document.querySelectorAll('svg.plot text')].filter(text => {
            const word = text.getBoundingClientRect(), box = text.closest('.plot').getBoundingClientRect();
            return word.right > box.right + 1 || word.left < box.left - 1 || word.bottom > box.bottom + 1;
        }).map(text => text.textContent)"""
    )
    assert outside == []


def test_a_bar_keeps_its_share_of_the_width_while_its_text_keeps_its_size(
    page: Page, address: str, watch: Watch
) -> None:
    seen = []
    looks: tuple[Look, ...] = ("light", "narrow")
    for look in looks:
        watch.look(look)
        page.goto(address)
        seen.append(page.evaluate(
            """() => {
                const plots = [...document.querySelectorAll("svg[aria-labelledby^='orders']")];
                const plot = plots.find(one => one.getBoundingClientRect().width);
                const bar = plot.querySelectorAll('.plot-track + .plot-series-1')[0].getBoundingClientRect();
                return [bar.width / plot.getBoundingClientRect().width, getComputedStyle(plot).fontSize];
            }"""
        ))  # fmt: skip
    (wide, size), (narrow, same_size) = seen
    assert wide == pytest.approx(narrow, abs=0.01)
    assert size == same_size


def test_on_paper_the_report_is_dark_on_white_also_for_readers_of_dark_pages(
    page: Page, address: str, watch: Watch
) -> None:
    watch.look("dark")
    page.goto(address)
    page.emulate_media(media="print", color_scheme="dark")
    colors = page.evaluate("() => { const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]; }")
    assert colors == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    expect(page.locator("summary").first).to_be_hidden()


def test_labels_run_on_a_wide_page_and_break_on_a_narrow_one(page: Page, address: str, watch: Watch) -> None:
    lines = []
    looks: tuple[Look, ...] = ("light", "narrow")
    for look in looks:
        watch.look(look)
        page.goto(address)
        lines.append(page.evaluate(
            """() => [...document.querySelectorAll("svg[aria-labelledby^='orders'] text")]
                .filter(text => text.getBoundingClientRect().width && text.textContent.startsWith("accepted\\u00a0"))
                .map(text => text.querySelectorAll("tspan[x='0']").length)"""
        ))  # fmt: skip
    wide, narrow = lines
    assert wide == [1, 1, 1]
    assert len(narrow) == 3 and min(narrow) > 1


def test_a_long_issuer_breaks_before_its_table_leaves_the_paper(page: Page, address: str) -> None:
    # A4 at 96 pixels an inch, less margins of 12 mm.
    page.set_viewport_size({"width": 703, "height": 1000})
    page.goto(address)
    page.emulate_media(media="print")
    tables = page.evaluate(
        """() => [...document.querySelectorAll('main .plot-scroll')].filter(box => box.clientWidth).map(
            box => [box.querySelector('table').offsetWidth, box.clientWidth])"""
    )
    # Days, indicators, patients, hooks, versions and clients.
    assert len(tables) == 6
    assert [table for table, box in tables if table > box] == [], tables
