"""A marked patient, user and token go through every path; no mark is found in what is kept, counted, logged or refused.

The marks are a name, an id, a code, dates, a token and free text that occur nowhere else.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.support import DecisionSupport
from cds_service.settings import Settings, make_settings
from tests.builders import NOW, Json, condition, draft, observation, patient, request, study, supplied
from tests.token_maker import BASE_URL, ISSUER, Key, bearer, claims, key, key_set, token
from tests.wire_fhir_server import WireFhirServer

PATHS = {
    hook: f"/cds-services/breast-cancer-back-pain-{hook}" for hook in ("patient-view", "order-select", "order-sign")
}

MARK = "Zq7351Zq"
BIRTH, CANCER_DATE, PAIN_DATE = "1947-03-13", "2003-07-29", "2026-11-02"
CANCER_CODE, PAIN_CODE = "C50.412", "M54.59"
CONCLUDED = "Xv4489Xv"
KEY = "a key of the tests, that guards nothing"

# The day of the pain as the card and the program may write it in other forms.
MARKS = [
    MARK,
    CONCLUDED,
    BIRTH,
    CANCER_DATE,
    PAIN_DATE,
    CANCER_CODE,
    PAIN_CODE,
    "C50412",
    "M5459",
    "47-03-13",
    "20 days",
]


def marked_call(hook: str = "patient-view", **changes: Any) -> Json:
    about: Json = {"subject": {"reference": f"Patient/{MARK}"}, "note": [{"text": MARK}]}
    known = supplied(
        patient(BIRTH, id=MARK, name=[{"family": MARK}], identifier=[{"value": MARK}]),
        condition(f"icd10cm {CANCER_CODE}", onset=CANCER_DATE, text=MARK, id=MARK, **about),
        condition(f"icd10cm {PAIN_CODE}", onset=PAIN_DATE, text=MARK, id=f"{MARK}-2", **about),
        observation("loinc 75325-1", PAIN_DATE, valueString=f"low back pain {MARK}", **about),
        marked_report(about),
    )
    context: Json = {"patientId": MARK, "userId": f"Practitioner/{MARK}", "encounterId": MARK}
    ibuprofen = draft(kind="MedicationRequest", text=f"ibuprofen {MARK}") | about
    call = request(hook, known, [ibuprofen], **context)
    call["hookInstance"] = MARK
    return call | {"extension": {MARK: MARK}} | changes


def marked_report(about: Json) -> Json:
    """A report since the pain began that leaves the MRI to be proposed; its conclusion is marked (decision 5.11)."""
    told = {"conclusion": f"Nothing suspicious. {CONCLUDED}", "conclusionCode": [{"text": CONCLUDED}]}
    return study("DiagnosticReport", "loinc 72254-6", when=PAIN_DATE, text=MARK) | told | about


def in_marked_systems() -> Json:
    """A chart whose codes stand in code systems that are named after the patient, or after the codes."""
    systems = [f"https://ehr.example.org/Patient/{MARK}", f"urn:mrn:{MARK}", f"https://{CANCER_CODE}", BIRTH, MARK]
    about = {"subject": {"reference": f"Patient/{MARK}"}}
    return supplied(
        patient(BIRTH, id=MARK),
        *(condition() | about | {"code": {"coding": [{"system": name, "code": CANCER_CODE}]}} for name in systems),
    )


@pytest.fixture
def key_file(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(key()))
    yield file


class Site:
    """A service with everything switched on, and all that it says and keeps."""

    def __init__(self, folder: Path, key_file: Path, **settings: Any) -> None:
        trusted = {"issuer": ISSUER, "jwks_file": str(key_file), "cors_origins": ["https://ehr.example.org"]}
        values = {"data_folder": str(folder), "base_url": BASE_URL, "clients": [trusted], "pseudonym_key": KEY}
        self.folder = folder
        self.settings: Settings = make_settings(values | settings)
        self.client: FlaskClient = make_app(self.settings, lambda: NOW).test_client()
        self.refused: list[str] = []

    def send(self, path: str, body: Any, signer: Key | None = None, **changes: Any) -> Any:
        """One call with a token of its own, whose id is marked too."""
        about = claims(NOW, aud=f"{BASE_URL}{path}")
        headers = {"Authorization": bearer(token(signer, **{"jti": f"{MARK}-{about['jti']}", **about, **changes}))}
        content = {"data": body} if isinstance(body, bytes) else {"json": body}
        response = self.client.post(path, headers=headers, content_type="application/json", **content)
        if response.status_code != 200:
            self.refused.append(f"{response.text}{response.headers}")
        return response

    def everything_kept_and_said(self, log: str) -> dict[str, str]:
        files = {file.name: file.read_bytes().decode("latin-1") for file in self.folder.glob("ledger*")}
        return files | {"metrics": self.client.get("/metrics").text, "log": log, "refusals": "\n".join(self.refused)}


def assert_unmarked(kept: dict[str, str]) -> None:
    found = {place: [mark for mark in MARKS if mark in text] for place, text in kept.items()}
    assert not {place: marks for place, marks in found.items() if marks}


def test_the_marks_reach_the_card_so_that_the_tests_below_can_fail(tmp_path: Path, key_file: Path) -> None:
    response = Site(tmp_path, key_file).send(PATHS["patient-view"], marked_call())
    (card,) = response.get_json()["cards"]
    assert CANCER_CODE in card["detail"] and PAIN_DATE in card["detail"]
    assert CONCLUDED in card["detail"]


def test_no_mark_is_kept_counted_logged_or_refused(
    tmp_path: Path, key_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    site = Site(tmp_path, key_file, feedback_comments=False)
    view = PATHS["patient-view"]
    statuses = []
    for hook, path in PATHS.items():
        statuses.append(site.send(path, marked_call(hook)).status_code)
    statuses.append(site.send(view, marked_call(hook="order-sign")).status_code)
    statuses.append(site.send(view, marked_call(prefetch={})).status_code)
    statuses.append(site.send(view, marked_call(prefetch=in_marked_systems())).status_code)
    statuses.append(site.send(view, f'{{"{MARK}": '.encode()).status_code)
    statuses.append(site.send(view, marked_call(), aud=f"{BASE_URL}/{MARK}").status_code)
    statuses.append(site.send(view, marked_call(), tenant=MARK, exp=1).status_code)
    statuses.append(site.send(f"/cds-services/{MARK}", marked_call()).status_code)
    statuses.append(site.client.post(view, data=MARK, content_type=f"text/{MARK}").status_code)
    card = site.send(view, marked_call()).get_json()["cards"][0]["uuid"]
    reason = {"reason": {"code": MARK, "system": MARK, "display": MARK}, "userComment": MARK}
    for entry in (
        {"card": card, "outcome": "overridden", "overrideReason": reason},
        {"card": MARK, "outcome": "accepted", "acceptedSuggestions": [{"id": MARK}]},
        {"card": MARK, "outcome": MARK},
    ):
        statuses.append(site.send(f"{view}/feedback", {"feedback": [entry]}).status_code)

    def crash(*_: object, **__: object) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(DecisionSupport, "_assessed", crash)
    statuses.append(site.send(view, marked_call()).status_code)
    assert statuses == [200, 200, 200, 400, 412, 200, 400, 401, 401, 404, 401, 200, 200, 400, 500]
    assert_unmarked(site.everything_kept_and_said(caplog.text))


def test_no_mark_is_kept_or_logged_when_data_is_read_from_a_fhir_server(
    tmp_path: Path, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    resources = [
        patient(BIRTH, id=MARK, name=[{"family": MARK}]),
        condition(f"icd10cm {CANCER_CODE}", onset=CANCER_DATE, subject={"reference": f"Patient/{MARK}"}),
    ]
    with WireFhirServer(*resources) as server:
        site = Site(tmp_path, key_file, fhir_servers=[server.base])
        more: Json = {"fhirServer": server.base, "fhirAuthorization": {"access_token": MARK, "token_type": "Bearer"}}
        call = marked_call(**more)
        del call["prefetch"]
        assert site.send(PATHS["patient-view"], call).status_code in (200, 412)
        assert server.requests
    assert_unmarked(site.everything_kept_and_said(caplog.text))


def test_no_mark_is_logged_when_the_ledger_fails(
    tmp_path: Path, key_file: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError(MARK)

    monkeypatch.setattr("cds_service.ledger.store.Ledger.record_decision", fail)
    site = Site(tmp_path, key_file)
    assert site.send(PATHS["patient-view"], marked_call()).status_code == 200
    assert_unmarked(site.everything_kept_and_said(caplog.text))


def test_rows_of_the_ledger_name_patient_and_user_by_pseudonyms_of_fixed_length(tmp_path: Path, key_file: Path) -> None:
    site = Site(tmp_path, key_file)
    site.send(PATHS["patient-view"], marked_call())
    ledger = open_ledger(site.settings)
    (row,) = ledger.decisions(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    assert {len(row.patient), len(row.user)} == {32}
    assert {len(mark) for marks in row.evidence.values() for mark in marks} == {32}


def test_the_key_itself_is_kept_nowhere(tmp_path: Path, key_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    secret = "a-secret-of-the-site-0123456789abcdef"
    site = Site(tmp_path, key_file, pseudonym_key=secret)
    site.send(PATHS["patient-view"], marked_call())
    kept = site.everything_kept_and_said(caplog.text)
    assert not [place for place, text in kept.items() if secret in text]
    assert secret not in repr(site.settings)
