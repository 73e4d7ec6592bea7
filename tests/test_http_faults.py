"""The service over HTTP: faults of ours, and what no answer and no log may tell."""

from __future__ import annotations

import json
import logging
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.http_calls import (
    MARK,
    ORDER_SELECT,
    ORDER_SIGN,
    PAIN,
    PATIENT,
    PATIENT_VIEW,
    Json,
    a_call,
    assert_refused,
    bundle,
    post,
    with_context,
)

pytest_plugins = ("tests.http_clients",)


@pytest.mark.usefixtures("broken")
def test_mistake_1_a_fault_of_ours_is_an_error_and_never_an_empty_answer(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = post(client, a_call())
    assert_refused(response, 500, "nothing was concluded")
    decision = UUID(response.headers["X-Decision-Id"])
    assert str(decision) in response.get_data(as_text=True)
    told = [record for record in caplog.records if str(decision) in record.getMessage()]
    assert [record.levelname for record in told if record.name == "cds_service.web.failures"] == ["ERROR"]


@pytest.mark.usefixtures("broken")
def test_mistake_16_the_answer_to_a_fault_shows_neither_its_text_nor_its_trace(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    text = post(client, a_call()).get_data(as_text=True)
    assert [word for word in (MARK, "Traceback", "RuntimeError", ".py") if word in text] == []
    assert MARK not in caplog.text


def marked(call: Json) -> Json:
    """The call with the mark in everything that identifies the patient, the user or the session."""
    text = json.dumps(call).replace(PATIENT, f"pt-{MARK}").replace("dr-1", f"dr-{MARK}")
    text = text.replace('"code": {"coding"', f'"code": {{"text": "words {MARK}", "coding"')
    call = json.loads(text)
    call["fhirServer"] = "https://ehr.example.org/fhir"
    call["fhirAuthorization"] = {"access_token": f"token-{MARK}", "token_type": "Bearer", "scope": MARK}
    call["prefetch"]["patient"]["name"] = [{"family": MARK}]
    return call


MARKED_CALLS: list[tuple[str, int, str, str, object]] = [
    ("card", 200, "POST", PATIENT_VIEW, marked(a_call())),
    ("silence", 200, "POST", PATIENT_VIEW, marked(a_call(conditions=bundle(PAIN)))),
    ("order", 200, "POST", ORDER_SELECT, marked(a_call("order-select"))),
    ("missing data", 412, "POST", PATIENT_VIEW, marked(a_call(conditions=bundle(PAIN, link=[{"relation": "next"}])))),
    ("an error page", 412, "POST", PATIENT_VIEW, marked(a_call()) | {"prefetch": {"conditions": f"<p>{MARK}"}}),
    ("another patient", 412, "POST", PATIENT_VIEW, with_context(marked(a_call()), patientId=f"other-{MARK}")),
    ("wrong hook", 400, "POST", ORDER_SIGN, marked(a_call()) | {"hook": MARK}),
    ("wrong patient id", 400, "POST", PATIENT_VIEW, with_context(marked(a_call()), patientId=f"{MARK}/")),
    ("wrong user", 200, "POST", PATIENT_VIEW, with_context(marked(a_call()), userId=MARK)),
    ("wrong encounter", 200, "POST", PATIENT_VIEW, with_context(marked(a_call()), encounterId=f"{MARK} ")),
    ("wrong instance", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"hookInstance": f"{MARK} {MARK}"}),
    ("wrong server", 200, "POST", PATIENT_VIEW, marked(a_call()) | {"fhirServer": MARK}),
    ("wrong token", 200, "POST", PATIENT_VIEW, marked(a_call()) | {"fhirAuthorization": {MARK: MARK}}),
    ("prefetch a text", 400, "POST", PATIENT_VIEW, marked(a_call()) | {"prefetch": MARK}),
    ("a text", 400, "POST", PATIENT_VIEW, MARK),
    ("unknown service", 404, "POST", MARK, marked(a_call())),
    ("wrong method", 405, "PUT", PATIENT_VIEW, marked(a_call())),
    ("too large", 413, "POST", PATIENT_VIEW, marked(a_call()) | {"pad": MARK * 2_000_000}),
]


def _without_a_mark(response: TestResponse, caplog: pytest.LogCaptureFixture) -> bool:
    said = response.get_data(as_text=True) if response.status_code != 200 else ""
    written = [caplog.text, *(str(record.__dict__) for record in caplog.records)]
    headers = str(response.headers)
    return all(MARK.lower() not in text.lower() for text in (said, headers, *written))


@pytest.mark.parametrize(
    ("status", "method", "service", "call"), [row[1:] for row in MARKED_CALLS], ids=[row[0] for row in MARKED_CALLS]
)
def test_a_patient_leaves_no_mark_in_any_error_or_log(
    browser_client: FlaskClient,
    caplog: pytest.LogCaptureFixture,
    status: int,
    method: str,
    service: str,
    call: object,
) -> None:
    caplog.set_level(logging.DEBUG)
    response = browser_client.open(
        f"/cds-services/{service}", method=method, json=call, headers={"Authorization": f"Bearer {MARK}"}
    )
    assert response.status_code == status
    assert _without_a_mark(response, caplog)


@pytest.mark.parametrize(
    ("status", "body", "media_type"),
    [(400, f'{{"name": "{MARK}"', "application/json"), (415, MARK, f"text/{MARK}"), (400, MARK, "application/json")],
    ids=["malformed", "wrong media type", "bare words"],
)
def test_a_body_that_cannot_be_read_leaves_no_mark_either(
    client: FlaskClient, caplog: pytest.LogCaptureFixture, status: int, body: str, media_type: str
) -> None:
    caplog.set_level(logging.DEBUG)
    response = client.post(f"/cds-services/{PATIENT_VIEW}", data=body, content_type=media_type)
    assert response.status_code == status
    assert _without_a_mark(response, caplog)
