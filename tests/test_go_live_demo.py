"""The check-list on a real FHIR server with the synthetic patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Result
from cds_service.readiness.go_live import Asked, CheckList, go_live
from cds_service.settings import make_settings

if TYPE_CHECKING:
    from tests.fhir_server import LoadedServer

pytest_plugins = ("tests.fhir_server",)


def checked(server: LoadedServer, tmp_path: Path, *patients: str, token: str = "") -> CheckList:
    settings = {"fhir_servers": [server.base_url], "data_folder": str(tmp_path), "fhir_deadline_seconds": 20}
    asked = Asked(server.base_url, patients, token=token)
    return go_live(asked, DecisionSupport(make_settings(settings)), lambda: server.now)


def test_the_demo_server_passes_every_check_of_a_fhir_server(fhir_server: LoadedServer, tmp_path: Path) -> None:
    found = {check.id: check for check in checked(fhir_server, tmp_path, "pt-001", "patient-022", "pt-054").checks}
    passed = ("fhir-server-allowed", "capability-statement", "prefetch-patient", "prefetch-conditions")
    for name in (*passed, "prefetch-encounters", "post-search", "patients", "coverage"):
        assert found[name].result is Result.PASS, found[name]
    told = " ".join(item.text for item in found["patients"].findings)
    assert "patient pt-001: fired (imaging-advised)" in told
    assert "patient pt-054: not-applicable (back-pain-not-new)" in told


def test_a_secured_server_is_read_with_the_token_only(secured_fhir_server: LoadedServer, tmp_path: Path) -> None:
    token = secured_fhir_server.token or ""
    with_it = {check.id: check for check in checked(secured_fhir_server, tmp_path, "pt-001", token=token).checks}
    without = {check.id: check for check in checked(secured_fhir_server, tmp_path, "pt-001").checks}
    assert with_it["prefetch-conditions"].result is with_it["patients"].result is Result.PASS
    assert without["prefetch-conditions"].result is without["patients"].result is Result.FAIL
    assert token not in str([check.to_json() for check in (*with_it.values(), *without.values())])
