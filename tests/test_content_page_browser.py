"""The page of a content test in a real browser: accessible, narrow, dark."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page

from cds_service.content.difference import NUMBERS, SENTENCES, VALUE_SETS, Difference
from cds_service.readiness.content_page import trial_page
from cds_service.readiness.content_trial import OUTCOME, Change, ChangedScenario, ContentTrial
from tests.builders import NOW

if TYPE_CHECKING:
    from tests.browser import Look, Serve, Watch

pytest_plugins = ("tests.browser",)

LONG = "a-very-long-code-without-a-place-to-break" * 8

TRIAL = ContentTrial(
    3,
    (
        ChangedScenario("row-1", "58, low back pain", (Change("summary", ("Order MRI.",), (f"Order {LONG}.",)),)),
        ChangedScenario(
            "row-2",
            "63, low back pain for 60 days",
            (
                Change(OUTCOME, ("fired, imaging-advised",), ("not-applicable, no-back-pain",)),
                Change("card", ("x",), ()),
            ),
        ),
    ),
)
DIFFERENCES = [
    Difference(VALUE_SETS, "back-pain-lumbar", "", f"SNOMED CT {LONG}"),
    Difference(SENTENCES, "summary.imaging", "Order MRI.", "Order it."),
    Difference(NUMBERS, "new_window_days", "84", "56"),
]


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    body = trial_page(TRIAL, DIFFERENCES, "2.0.0+3f2a9c1b", "2.0.0+5d41402a", NOW).encode()

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [body]

    return serve(app)


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_the_page_is_accessible_and_never_scrolls_sideways(page: Page, address: str, watch: Watch, look: Look) -> None:
    watch.look(look)
    page.goto(address)
    assert page.locator("article").count() == len(TRIAL.changed)
    assert watch.accessibility_problems() == []
    assert watch.sideways_pixels() == 0
