"""What the EHR's FHIR server sends: page after page, of this patient alone, or a failure; nothing of it is logged."""

from __future__ import annotations

import logging

import pytest

from cds_service import Settings, create_app
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.errors import InvalidRequest
from tests.builders import (
    PATIENT_ID,
    SERVICES,
    Json,
    condition,
    day,
    only_card,
    outcome,
    patient,
    request,
)
from tests.fhir_decisions import (
    CANCER,
    DECIDING,
    OF_ANOTHER,
    PAIN,
    PAIN_OBSERVED,
    TOKEN,
    decide,
    fails,
    first_page,
    prefetch_without,
    queries,
    refusal,
)
from tests.wire_fhir_server import Exchange, Handler, WireFhirServer


def answers(*documents: Json) -> Handler:
    """A handler that sends these resources, one for each request, and then the last one again."""
    left = list(documents)
    return lambda exchange: exchange.resource(left.pop(0) if len(left) > 1 else left[0])


# --- Pages of the server


# Decision 11.6.
@pytest.mark.parametrize("with_total", [True, False], ids=["with total", "without total"])
@pytest.mark.parametrize("next_link", ["absolute", "relative", "path", "query"])
def test_every_page_is_read(next_link: str, with_total: bool) -> None:
    others = [condition("icd10cm I10", onset=day(900)) for _ in range(4)]
    with WireFhirServer(CANCER, *others, PAIN, page=2, next_link=next_link, with_total=with_total) as server:
        decision = decide(server.base, prefetch_without("conditions"))
        assert len(server.asked) == 3
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.assessment.unchecked == ()


def test_a_page_that_lacks_entries_is_not_the_whole_answer() -> None:
    short = first_page(None, condition("icd10cm I10"), total=3)
    with WireFhirServer(handlers={"Condition": answers(short)}) as server:
        decision = decide(server.base, prefetch_without("conditions"))
    assert decision.assessment.outcome is Outcome.UNDETERMINED


def test_a_server_that_does_not_know_a_parameter_is_asked_for_all_of_the_patient() -> None:
    with WireFhirServer(PAIN_OBSERVED, known=["patient", "code", "_count"]) as server:
        decision = decide(server.base, prefetch_without("observations", of=[CANCER]))
        assert server.asked == sorted([*queries("observations"), f"Observation?patient={PATIENT_ID}"])
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_a_server_that_refuses_the_simpler_search_too_is_not_asked_a_third_time() -> None:
    with WireFhirServer(handlers={"Condition": fails(400)}) as server:
        text = refusal(decide(server.base, prefetch_without("conditions")))
        assert len(server.asked) == 2
    assert "conditions: the EHR answered with an error" in text


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("information", Reason.NO_BACK_PAIN), ("warning", Reason.NO_BACK_PAIN), ("error", Reason.DATA_MISSING)],
)
def test_an_outcome_among_the_entries_counts_where_it_is_an_error(severity: str, expected: Reason) -> None:
    said = outcome(severity, "processing")
    with WireFhirServer(patient(), handlers={"Condition": answers(first_page(None, CANCER, said))}) as server:
        decision = decide(server.base, prefetch_without("conditions"))
    assert decision.assessment.reason is expected


def test_what_was_found_beside_an_error_counts_and_the_card_has_the_gap() -> None:
    with WireFhirServer(handlers={"Condition": answers(first_page(None, CANCER, outcome("error")))}) as server:
        decision = decide(server.base, prefetch_without("conditions", of=[PAIN_OBSERVED]))
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.gaps == {"conditions": "the EHR answered with an error"}


def test_an_error_on_a_later_page_leaves_a_gap_behind_what_was_read() -> None:
    def second_fails(exchange: Exchange) -> None:
        exchange.resource(outcome(), 500) if "page=2" in exchange.target else exchange.serve()

    with WireFhirServer(CANCER, PAIN, PAIN, page=1, handlers={"Condition": second_fails}) as server:
        decision = decide(server.base, prefetch_without("conditions", of=[PAIN_OBSERVED]))
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.gaps == {"conditions": "the EHR answered with an error"}


# --- Whose data, which server


@pytest.mark.parametrize("identity", [".", "..", "...."])
def test_a_patient_id_that_bends_addresses_is_refused(identity: str) -> None:
    with WireFhirServer() as server:
        with pytest.raises(InvalidRequest, match="context.patientId"):
            decide(server.base, patientId=identity)
        assert server.asked == []


def test_a_token_for_another_patient_is_refused() -> None:
    with WireFhirServer() as server:
        with pytest.raises(InvalidRequest, match="fhirAuthorization.patient") as raised:
            decide(server.base, token=TOKEN, authorization={"patient": "pt-2"})
        assert server.asked == []
    assert "pt-2" not in raised.value.text


@pytest.mark.parametrize("named", [PATIENT_ID, None])
def test_a_token_for_this_patient_or_for_none_in_particular_is_used(named: str | None) -> None:
    with WireFhirServer(patient(), token=TOKEN) as server:
        authorization = {"patient": named} if named else {}
        assert decide(server.base, token=TOKEN, authorization=authorization).gaps.get("patient") is None


def test_resources_of_another_patient_are_refused() -> None:
    others = [CANCER | OF_ANOTHER, PAIN | OF_ANOTHER]
    with WireFhirServer(handlers={"Condition": answers(first_page(None, *others))}) as server:
        text = refusal(decide(server.base, prefetch_without("conditions")))
    assert "conditions: holds data of another patient" in text


def test_the_record_of_another_patient_is_refused() -> None:
    with WireFhirServer(handlers={f"Patient/{PATIENT_ID}": answers(patient(id="pt-2"))}) as server:
        text = refusal(decide(server.base, prefetch_without("patient", of=[CANCER, PAIN])))
    assert "patient: holds data of another patient" in text


def test_a_server_that_is_not_allowed_is_not_asked_and_the_answer_says_so() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        text = refusal(decide(server.base, {}, token=TOKEN, settings={"fhir_servers": ()}))
        assert server.asked == []
    for key in DECIDING:
        assert f"{key}: not supplied, and reading from the FHIR server of the call is not allowed" in text


@pytest.mark.parametrize(
    "written",
    ["{base}/", "{base}/a", "{origin}", "{origin}/FHIR", "{origin}/fhirs", "http://user@{host}/fhir", "{base}?x=1"],
)
def test_only_an_allowed_base_address_itself_is_asked(written: str) -> None:
    with WireFhirServer(patient()) as server:
        named = written.format(base=server.base, origin=server.origin, host=server.origin.removeprefix("http://"))
        decide(named, settings={"fhir_servers": (server.base,)})
        assert (server.asked != []) is (written == "{base}/")


# --- Failures of the server


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_of_the_server_is_said(status: int) -> None:
    with WireFhirServer(handlers={"Condition": fails(status)}) as server:
        text = refusal(decide(server.base, prefetch_without("conditions")))
        assert len(server.asked) == 1
    assert "conditions: refused by the FHIR server" in text


@pytest.mark.parametrize("status", [404, 410, 500, 502, 504])
def test_an_error_of_the_server_is_said_and_not_asked_for_twice(status: int) -> None:
    with WireFhirServer(handlers={"Condition": fails(status)}) as server:
        text = refusal(decide(server.base, prefetch_without("conditions")))
        assert len(server.asked) == 1
    assert "conditions: the EHR answered with an error" in text


def test_what_could_be_read_decides_and_the_card_names_what_could_not() -> None:
    broken = dict.fromkeys(["Observation", "ServiceRequest", "DiagnosticReport", "Procedure"], fails(500))
    with WireFhirServer(patient(), CANCER, PAIN, handlers=broken) as server:
        decision = decide(server.base)
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert set(decision.gaps) == {"observations", "serviceRequests", "diagnosticReports", "procedures"}
    assert "earlier orders, earlier imaging" in only_card(decision)["detail"]


def test_what_the_call_brought_counts_where_the_server_fails() -> None:
    chart = prefetch_without("observations") | {"conditions": first_page(None, CANCER, total=9)}
    with WireFhirServer(PAIN_OBSERVED, handlers={"Condition": fails(500)}) as server:
        decision = decide(server.base, chart)
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert set(decision.gaps) == {"conditions"}


def test_an_unknown_answer_is_an_error_of_processing_where_the_server_was_asked() -> None:
    with WireFhirServer(handlers={"Condition": fails(500)}) as server:
        settings = Settings(fhir_servers=(server.base,))
        call = request(prefetch=prefetch_without("conditions")) | {"fhirServer": server.base}
        response = create_app(settings).test_client().post(f"/cds-services/{next(iter(SERVICES))}", json=call)
    assert response.status_code == 412
    assert [issue["code"] for issue in response.get_json()["issue"]] == ["processing"]


# --- Logs

MARKED = "mark-90210"


def marked_page(exchange: Exchange) -> None:
    exchange.resource(first_page(None, condition("icd10cm I10", id=MARKED, text=MARKED, onset=MARKED)))


def page_with_a_broken_header(exchange: Exchange) -> None:
    exchange.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\nno header at all\r\n\r\n{}")
    exchange.request.close_connection = True


@pytest.mark.parametrize("logger", [None, "urllib3"], ids=["of everything", "of urllib3 too"])
@pytest.mark.parametrize(
    "handler",
    [
        marked_page,
        page_with_a_broken_header,
        fails(500),
        fails(503),
        Exchange.reset,
        lambda exchange: exchange.body(f"<html>{MARKED}".encode()),
        lambda exchange: exchange.resource({}, 302, Location=f"/{MARKED}"),
        lambda exchange: exchange.resource(first_page(f"https://{MARKED}.example.org/{MARKED}", CANCER)),
    ],
    ids=["a page", "a broken header", "500", "503", "a reset", "HTML", "a redirect", "a foreign page"],
)
def test_no_token_no_id_and_no_body_is_logged(
    caplog: pytest.LogCaptureFixture, handler: Handler, logger: str | None
) -> None:
    caplog.set_level(logging.DEBUG)
    if logger:
        caplog.set_level(logging.DEBUG, logger=logger)
    with WireFhirServer(handlers={"Condition": handler}) as server:
        settings = Settings(fhir_servers=(server.base,))
        call = request(patientId="pt-4711") | {
            "fhirServer": server.base,
            "fhirAuthorization": {"access_token": TOKEN},
        }
        response = create_app(settings).test_client().post(f"/cds-services/{next(iter(SERVICES))}", json=call)
        assert server.asked != []
    logged = "\n".join([*(record.getMessage() for record in caplog.records), caplog.text])
    assert [word for word in (TOKEN, "pt-4711", MARKED) if word in logged] == []
    assert [word for word in (TOKEN, "pt-4711", MARKED) if word in response.get_data(as_text=True)] == []
