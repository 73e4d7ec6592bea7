"""A pytest plugin: the service as a browser calls it, and the service broken.

A test module gets the fixtures by `pytest_plugins = ("tests.http_clients",)`.
"""

from __future__ import annotations

from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.support import DecisionSupport
from cds_service.settings import make_settings
from tests.http_calls import (
    MARK,
    NOW,
    ORIGIN,
)


@pytest.fixture
def browser_client() -> FlaskClient:
    """The service as it answers one web origin."""
    return make_app(make_settings({"cors_origins": [ORIGIN]}), lambda: NOW).test_client()


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours, with patient data in its text."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise RuntimeError(f"no such patient: {MARK}")

    monkeypatch.setattr(DecisionSupport, "decide", fail)
