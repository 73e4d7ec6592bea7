"""A real FHIR server with the fixture patients: open, and with bearer tokens. Each starts once in a test run.

A test module gets the fixtures by `pytest_plugins = ("tests.fhir_server",)`; it imports this module for type
checking only, since pytest wants to be the first to import a plugin.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from cds_service.demo.fhir_server import DemoFhirServer
from cds_service.demo.patients import LoadReport, load_patients
from cds_service.demo.scenarios import scenarios_folder

# The dates of the patients count from here; ask the service as of this moment.
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "a-token-of-the-tests"
SECURED = ("row-001-lumbar-pain-icd10", "row-053-no-pain")


@dataclass(frozen=True, slots=True)
class LoadedServer:
    """A running server, what it holds, the day its dates count from, and the bearer token that it wants, if any."""

    server: DemoFhirServer
    report: LoadReport
    now: datetime
    token: str | None = None

    @property
    def base_url(self) -> str:
        """The FHIR base address."""
        return self.server.base_url


@pytest.fixture(scope="session")
def fhir_server() -> Iterator[LoadedServer]:
    """All fixture patients as of NOW, open to everyone on this machine. Tests read it and do not write."""
    with DemoFhirServer() as server:
        yield LoadedServer(server, load_patients(server.base_url, scenarios_folder(), NOW), NOW)


@pytest.fixture(scope="session")
def secured_fhir_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoadedServer]:
    """The patients of SECURED as of NOW, for those who send TOKEN."""
    folder = tmp_path_factory.mktemp("scenarios")
    for name in SECURED:
        shutil.copytree(scenarios_folder() / name, folder / name)
    with DemoFhirServer(token=TOKEN) as server:
        yield LoadedServer(server, load_patients(server.base_url, folder, NOW, TOKEN), NOW, TOKEN)
