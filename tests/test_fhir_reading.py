"""What a call lacks is read from the EHR's FHIR server: what is needed, and no more."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pytest

from cds_service import Settings, create_app
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import InvalidRequest, MissingData
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    bundle,
    concept,
    condition,
    day,
    draft,
    encounter,
    observation,
    only_card,
    outcome,
    patient,
    prefetch,
    reference,
    request,
    rule,
)
from tests.wire_fhir_server import BASE_PATH, Exchange, Handler, WireFhirServer

TOKEN = "token-5f0c7a"
TEMPLATES = {key: template.replace("{{context.patientId}}", PATIENT_ID) for key, template in rule().prefetch.items()}
DECIDING = ("patient", "conditions", "observations")
REFINING = ("serviceRequests", "diagnosticReports", "procedures", "allergies", "encounters")

CANCER = condition(BREAST_CANCER, onset=day(4000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
OLD_PAIN = condition(LOW_BACK_PAIN, onset=day(900))
PAIN_OBSERVED = observation(SYMPTOM, day(3), valueCodeableConcept=concept(LOW_BACK_PAIN))
HOSPICE = condition("snomed 170935008", onset=day(20))
ALL_STUDIES = ("loinc 24967-2", "loinc 39818-0", "loinc 72254-6")
OF_ANOTHER = {"subject": reference("Patient", "pt-2")}


def queries(*keys: str) -> list[str]:
    """What is asked of a server to complete these prefetch keys, sorted."""
    return sorted(TEMPLATES[key] for key in keys)


def decide(
    base: str,
    prefetch: Mapping[str, Any] | None = None,
    hook: str = "patient-view",
    drafts: Sequence[Json] = (),
    token: str = "",
    settings: Mapping[str, Any] | None = None,
    authorization: Mapping[str, str] | None = None,
    **context: object,
) -> Decision:
    """The answer to a call that names the FHIR server with this base address, which the settings allow."""
    call = request(hook, prefetch, drafts, None, **context) | {"fhirServer": base}
    if token:
        call["fhirAuthorization"] = {"access_token": token, "token_type": "Bearer"} | dict(authorization or {})
    service = next(item for item in SERVICES.values() if item.hook == hook)
    support = DecisionSupport(Settings(**{"fhir_servers": (base,)} | dict(settings or {})))
    return support.decide(HookCall(service, NOW), call)


def refusal(decision: Decision) -> str:
    """The text of the error of a call to which nothing can be concluded."""
    with pytest.raises(MissingData) as raised:
        decision.response_or_error()
    return raised.value.text


def answers(*documents: Json) -> Handler:
    """A handler that sends these resources, one for each request, and then the last one again."""
    left = list(documents)
    return lambda exchange: exchange.resource(left.pop(0) if len(left) > 1 else left[0])


def fails(status: int) -> Handler:
    return lambda exchange: exchange.resource(outcome(), status)


# --- What is asked for


def test_without_prefetch_and_without_cancer_only_what_decides_is_read() -> None:
    with WireFhirServer(patient(), PAIN) as server:
        decision = decide(server.base)
        assert server.asked == queries(*DECIDING)
    assert (decision.assessment.reason, decision.response) == (Reason.NO_CANCER_HISTORY, {"cards": []})


def test_without_prefetch_what_decides_is_read_first_and_what_refines_for_a_card_alone() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decision = decide(server.base)
        arrived = [item.target.removeprefix(f"{BASE_PATH}/") for item in server.requests]
    assert (sorted(arrived[:3]), sorted(arrived[3:])) == (queries(*DECIDING), queries(*REFINING))
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.assessment.unchecked == ()


def test_a_decision_names_every_address_that_was_asked() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decision = decide(server.base)
        assert sorted(decision.fetched) == sorted(f"{server.base}/{query}" for query in server.asked)


def prefetch_without(*keys: str, of: Collection[Json] = ()) -> Json:
    """A prefetch with these resources in which some keys are missing."""
    return {key: value for key, value in prefetch(*of).items() if key not in keys}


# What the call brings, what the server holds besides, and which prefetch keys are read.
COMPLETED: list[tuple[str, Json, tuple[Json, ...], tuple[str, ...]]] = [
    ("everything, with a card", prefetch(CANCER, PAIN), (), ()),
    ("everything, without pain", prefetch(CANCER), (), ()),
    ("no cancer, all else missing", {"conditions": bundle(PAIN)}, (), ()),
    ("no cancer, conditions null", {"conditions": None}, (), ()),
    ("cancer, no pain, observations missing", prefetch_without("observations", of=[CANCER]), (), ("observations",)),
    (
        "cancer, no pain, all else missing",
        {"conditions": bundle(CANCER)},
        (patient(), CANCER),
        # Visits are read last: the reason of one may be the pain that nothing else names.
        ("patient", "observations", "encounters"),
    ),
    (
        "cancer, pain among the missing observations",
        prefetch_without("observations", "allergies", of=[CANCER]),
        (PAIN_OBSERVED,),
        ("observations", "allergies"),
    ),
    (
        "cancer and pain, what refines missing",
        {"patient": patient(), "conditions": bundle(CANCER, PAIN), "observations": bundle()},
        (),
        REFINING,
    ),
    ("cancer and pain, one key missing", prefetch_without("procedures", of=[CANCER, PAIN]), (), ("procedures",)),
    ("cancer and pain, no observations", prefetch_without("observations", of=[CANCER, PAIN]), (), ("observations",)),
    ("an error instead of the conditions", prefetch() | {"conditions": outcome()}, (CANCER,), ("conditions",)),
    ("deceased, all else missing", {"patient": patient(deceasedBoolean=True)}, (CANCER, PAIN), ()),
    ("in hospice", prefetch_without(*REFINING, of=[CANCER, PAIN, HOSPICE]), (), ()),
    ("pain that is not new", prefetch_without(*REFINING, of=[CANCER, OLD_PAIN]), (), ("encounters",)),
]


# Decision 6.2.
@pytest.mark.parametrize(("brought", "held", "keys"), [row[1:] for row in COMPLETED], ids=[row[0] for row in COMPLETED])
def test_only_what_can_change_the_answer_is_read(brought: Json, held: tuple[Json, ...], keys: tuple[str, ...]) -> None:
    with WireFhirServer(*held) as server:
        decide(server.base, brought)
        assert server.asked == queries(*keys)


def test_a_deceased_patient_on_the_server_ends_the_reading() -> None:
    with WireFhirServer(patient(deceasedBoolean=True), CANCER, PAIN) as server:
        decision = decide(server.base)
        assert server.asked == queries(*DECIDING)
    assert decision.assessment.reason is Reason.DECEASED


def test_hospice_on_the_server_ends_the_reading() -> None:
    with WireFhirServer(patient(), CANCER, PAIN, HOSPICE) as server:
        decision = decide(server.base)
        assert server.asked == queries(*DECIDING)
    assert decision.assessment.reason is Reason.HOSPICE


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_for_an_unrelated_order_nothing_is_read(hook: str) -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decision = decide(server.base, hook=hook, drafts=[draft("loinc 2106-3")])
        assert server.asked == []
    assert decision.assessment.reason is Reason.UNRELATED_ORDER


def test_where_every_study_is_drafted_no_imaging_history_is_read() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decision = decide(server.base, hook="order-sign", drafts=[draft(study) for study in ALL_STUDIES])
        assert server.asked == queries(*DECIDING)
    assert decision.assessment.reason is Reason.ALREADY_DRAFTED


def test_what_was_asked_for_once_and_not_given_is_not_asked_for_again() -> None:
    with WireFhirServer(patient(), CANCER, PAIN, handlers={"Observation": fails(500)}) as server:
        decide(server.base)
        assert server.asked == queries(*DECIDING, *REFINING)


def test_without_a_fhir_server_nothing_is_read_and_nothing_is_said_of_one() -> None:
    decision = DecisionSupport(Settings()).decide(
        HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW), request()
    )
    assert "conditions: not supplied;" in refusal(decision)


# --- Truncated pages in the prefetch


def first_page(after: str | None, *resources: Json, **elements: object) -> Json:
    """The first page of a search; `after` is the address of the next one."""
    page = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources]}
    return page | ({"link": [{"relation": "next", "url": after}]} if after else {}) | elements


@pytest.mark.parametrize("link", ["{base}/Condition?patient=pt-1&page=2", "Condition?patient=pt-1&page=2"])
def test_of_a_truncated_page_only_the_rest_is_read(link: str) -> None:
    with WireFhirServer(CANCER, PAIN, page=1) as server:
        first = first_page(link.format(base=server.base), CANCER)
        decision = decide(server.base, prefetch() | {"conditions": first})
        assert server.asked == ["Condition?patient=pt-1&page=2"]
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.assessment.unchecked == ()


def test_a_page_that_lacks_entries_and_names_no_next_one_is_read_anew() -> None:
    with WireFhirServer(CANCER, PAIN) as server:
        decision = decide(server.base, prefetch() | {"conditions": first_page(None, CANCER, total=2)})
        assert server.asked == queries("conditions")
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_a_next_link_without_an_address_leads_to_the_whole_search() -> None:
    with WireFhirServer(CANCER, PAIN) as server:
        first = first_page(None, CANCER, link=[{"relation": "next"}])
        decision = decide(server.base, prefetch() | {"conditions": first})
        assert server.asked == queries("conditions")
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_a_next_page_that_has_expired_leads_to_no_search_beyond_the_patient() -> None:
    with WireFhirServer(handlers={"Condition": fails(400)}) as server:
        first = first_page(f"{server.base}/Condition?_getpages=41c0", CANCER)
        decision = decide(server.base, prefetch() | {"conditions": first})
        beyond = [query for query in server.asked if "_getpages" not in query and f"patient={PATIENT_ID}" not in query]
    assert beyond == []
    assert decision.assessment.outcome is Outcome.UNDETERMINED


# --- Headers


def test_the_token_of_the_call_is_sent_as_it_is() -> None:
    with WireFhirServer(patient(), CANCER, PAIN, token=TOKEN) as server:
        decision = decide(server.base, token=TOKEN)
        assert {item.headers.get("authorization") for item in server.requests} == {f"Bearer {TOKEN}"}
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_without_a_token_no_authorization_is_sent() -> None:
    with WireFhirServer(patient()) as server:
        decide(server.base)
        assert [item for item in server.requests if "authorization" in item.headers] == []


def test_fhir_json_is_asked_for_uncompressed_and_by_get_alone() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decide(server.base)
        sent = {(item.method, item.headers["accept"], item.headers["accept-encoding"]) for item in server.requests}
    assert sent == {("GET", "application/fhir+json", "identity")}


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
    with WireFhirServer(handlers={"Condition": answers(first_page(None, CANCER, outcome(severity)))}) as server:
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


# --- Visits that date a pain


def undated_pain(visit: str, **elements: object) -> Json:
    return condition(LOW_BACK_PAIN) | {"encounter": {"reference": visit}} | elements


@pytest.mark.parametrize(
    ("days_ago", "expected"), [(400, Reason.PAIN_NOT_NEW), (5, Reason.IMAGING_ADVISED)], ids=["old", "recent"]
)
def test_pain_without_a_date_is_dated_by_its_visit(days_ago: int, expected: Reason) -> None:
    visit = encounter(when=day(days_ago), id="e-1")
    with WireFhirServer(visit) as server:
        decision = decide(server.base, prefetch(CANCER, undated_pain("Encounter/e-1")))
        assert server.asked == ["Encounter/e-1"]
    assert decision.assessment.reason is expected


def test_visits_at_hand_still_count_when_another_is_read() -> None:
    thoracic = condition(THORACIC_PAIN, encounter={"reference": "Encounter/e-2"})
    chart = prefetch(CANCER, undated_pain("Encounter/e-1"), thoracic) | {"encounters": encounter(when=day(5), id="e-1")}
    with WireFhirServer(encounter(when=day(400), id="e-2")) as server:
        decision = decide(server.base, chart)
        assert server.asked == ["Encounter/e-2"]
    assert isinstance(decision.assessment, Assessment) and decision.assessment.region == "lumbar"
    assert Note.ONSET_NOT_RECORDED not in decision.assessment.notes


def test_a_visit_of_another_patient_dates_nothing() -> None:
    with WireFhirServer(encounter(when=day(400), id="e-1") | OF_ANOTHER) as server:
        decision = decide(server.base, prefetch(CANCER, undated_pain("Encounter/e-1")))
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


@pytest.mark.parametrize(
    "chart",
    [
        prefetch(CANCER, undated_pain("Encounter/e-1", onsetDateTime=day(5))),
        prefetch(CANCER, undated_pain("Encounter/e-1"), encounter(when=day(5), id="e-1")),
        prefetch(undated_pain("Encounter/e-1")),
    ],
    ids=["the pain has a date", "the visit is at hand", "there is no cancer"],
)
def test_a_visit_that_changes_nothing_is_not_read(chart: Json) -> None:
    with WireFhirServer() as server:
        decide(server.base, chart)
        assert server.asked == []


def test_no_more_than_a_few_visits_are_read() -> None:
    pains = [undated_pain(f"Encounter/e-{number}") for number in range(40)]
    with WireFhirServer() as server:
        decide(server.base, prefetch(CANCER, *pains))
        assert 1 <= len(server.asked) <= 5


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
