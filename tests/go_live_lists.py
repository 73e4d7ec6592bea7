"""Check-lists of go-live for FHIR servers of the tests' own, which misbehave where a test says so."""

from __future__ import annotations

from datetime import datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Check
from cds_service.readiness.go_live import Asked, CheckList, go_live
from cds_service.readiness.vendors import vendors
from cds_service.settings import make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, PATIENT_ID, Json, condition, day, patient
from tests.token_maker import BASE_URL, ISSUER, KeyServer
from tests.wire_fhir_server import Handler, WireFhirServer

CANCER = condition(BREAST_CANCER, onset=day(4000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
LOCAL = "urn:oid:1.2.840.113619.21.1.7"
TYPES: tuple[str, ...] = ("Patient", "Condition", "Observation", "ServiceRequest", "DiagnosticReport", "Procedure")
TYPES += ("AllergyIntolerance", "Device", "Encounter")


def statement(*types: str, version: str = "4.0.1") -> Json:
    """A capability statement that names every search of these types."""
    names = ("patient", "code", "date", "authored")
    resources = [
        {
            "type": name,
            "interaction": [{"code": "read"}, {"code": "search-type"}],
            "searchParam": [{"name": item} for item in names],
        }
        for name in types
    ]
    return {"resourceType": "CapabilityStatement", "fhirVersion": version, "rest": [{"resource": resources}]}


def says(document: object, status: int = 200, **headers: str) -> Handler:
    return lambda exchange: exchange.resource(document, status, **headers)


def metadata(moment: datetime = NOW, document: Json | None = None) -> Handler:
    return says(document or statement(*TYPES), Date=format_datetime(moment, usegmt=True))


def a_server(*resources: Json, handlers: dict[str, Handler] | None = None, **options: Any) -> WireFhirServer:
    """A FHIR server with the patient of the tests."""
    found = resources or (CANCER, PAIN)
    return WireFhirServer(patient(), *found, handlers={"metadata": metadata()} | (handlers or {}), **options)


def checked(
    server: WireFhirServer, tmp_path: Path, *, vendor: str = "", asked: Any = None, **settings: Any
) -> CheckList:
    """The list for a server that the settings allow; `asked` are changes of what is asked."""
    usual: dict[str, Any] = {"fhir_servers": [server.base], "data_folder": str(tmp_path / "data")}
    support = DecisionSupport(make_settings(usual | settings))
    changes: dict[str, Any] = {"vendor": vendors()[vendor]} if vendor else {}
    values = {"server": server.base, "patients": (PATIENT_ID,)} | changes | (asked or {})
    return go_live(Asked(**values), support, lambda: NOW)


def of(found: CheckList, name: str) -> Check:
    return next(check for check in found.checks if check.id == name)


def words(check: Check) -> str:
    return " ".join(f"{item.text} {item.to_do}" for item in check.findings)


def client_of(keys: KeyServer, **changes: Any) -> Json:
    return {"issuer": ISSUER, "jwks_url": keys.url} | changes


def with_token(tmp_path: Path, keys: KeyServer, text: str, as_access_token: bool = False, **client: Any) -> CheckList:
    asked = {"token" if as_access_token else "call_token": text, "client": ISSUER}
    with a_server() as server:
        return checked(server, tmp_path, asked=asked, base_url=BASE_URL, clients=[client_of(keys, **client)])
