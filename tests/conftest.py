"""What every test has: no network but this machine, and a service with the settings as they come."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pytest_socket import socket_allow_hosts

from cds_service import Settings
from cds_service.app import make_app
from tests.builders import NOW
from tests.content_copies import copy_of_content
from tests.skips import ALOUD

# Fixtures that some modules name as their plugins and others import: pytest looks into their assertions either way.
pytest.register_assert_rewrite(
    *(
        f"tests.{name}"
        for name in ("browser", "fhir_server", "http_clients", "instances", "ledger_databases", "real_server")
    )
)

# The marker of a test by the fixture that brings what it needs. Modules that start processes themselves say so.
MARKERS = {
    "browser": "browser",
    "fhir_server": "server",
    "postgresql": "postgresql",
    "secured_fhir_server": "server",
    "standing_service": "server",
    "two": "server",
    "two_open": "server",
    "start_service": "server",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by what they need, before `-m` chooses among them."""
    for item in items:
        for fixture in MARKERS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKERS[fixture])
    if hasattr(config, "workerinput"):
        # Of several processes that take file after file, none may begin a long one when the others are done.
        long = {item.path for item in items if {mark.name for mark in item.iter_markers()} & {"slow", "browser"}}
        items.sort(key=lambda item: item.path not in long)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was skipped because this machine lacks a program: a quiet run shows no reasons.

    This stands here and not beside the fixtures since a run with workers loads test modules in the workers only.
    """
    reasons = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", ())]
    for lacking in ALOUD:
        skipped = [reason for reason in reasons if lacking in reason]
        if skipped:
            why = skipped[0].partition(lacking)[2].rstrip("')")
            terminalreporter.write_line(f"{lacking}{why} ({len(skipped)} tests)", red=True, bold=True)


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Connections lead to this machine only; pytest-socket lifts this after each test."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture(autouse=True, scope="session")
def _ledger_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger in the default place lies in a folder of this run, for the programs that tests start too."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "XDG_STATE_HOME", str(folder))
        # The demo would keep its own in the checkout.
        patch.setitem(os.environ, "CDS_DATA_FOLDER", str(folder / "cds-service"))
        yield folder


@pytest.fixture
def client() -> FlaskClient:
    """The service at a fixed moment, since the calls of the tests have fixed dates."""
    return make_app(Settings(), lambda: NOW).test_client()


@pytest.fixture
def content_copy(tmp_path: Path) -> Path:
    """A copy of the content, free to be broken."""
    return copy_of_content(tmp_path)
