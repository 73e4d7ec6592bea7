"""The application with the workbench, as the tests serve it, and what browser tests do with its page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Flask
from playwright.sync_api import Page, expect

from cds_service.app import make_app
from cds_service.settings import make_settings
from tests.builders import NOW

CAUDA_EQUINA = "row-022-cauda-equina-syndrome"


def workbench_app(clock: Callable[[], datetime] = lambda: NOW, **settings: Any) -> Flask:
    """The whole service in development, at the moment of `clock`."""
    return make_app(make_settings({"development": True, **settings}), clock)


def opened_at(page: Page, address: str, patient: str) -> Page:
    """The page, with the answer for this patient."""
    page.goto(f"{address}/#{patient}")
    expect(page.locator("#raw")).to_be_visible()
    return page


def pick(page: Page, words: str) -> None:
    """Search for a patient and pick the first one found."""
    page.get_by_label("Search").fill(words)
    page.locator("#patient-list li:visible").first.click()


def sent_feedback(page: Page, act: Callable[[], None]) -> dict[str, Any]:
    """What a deed on a card sends to the service."""
    with page.expect_response(re.compile("/feedback$")) as sent:
        act()
    assert sent.value.status == 200
    (entry,) = json.loads(sent.value.request.post_data or "")["feedback"]
    return dict(entry)
