"""What a call lacks is read from the EHR's FHIR server: what is needed, and no more."""

from __future__ import annotations

import pytest

from cds_service import Settings
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from tests.builders import (
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    THORACIC_PAIN,
    Json,
    bundle,
    condition,
    day,
    draft,
    encounter,
    outcome,
    patient,
    prefetch,
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
from tests.wire_fhir_server import BASE_PATH, WireFhirServer

REFINING = ("serviceRequests", "diagnosticReports", "procedures", "allergies", "encounters")
OLD_PAIN = condition(LOW_BACK_PAIN, onset=day(900))
HOSPICE = condition("snomed 170935008", onset=day(20))
ALL_STUDIES = ("loinc 24967-2", "loinc 39818-0", "loinc 72254-6")


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


# What the call brings, what the server holds besides, and which prefetch keys are read.
COMPLETED: list[tuple[str, Json, tuple[Json, ...], tuple[str, ...]]] = [
    ("everything, with a card", prefetch(CANCER, PAIN), (), ()),
    ("everything, without pain", prefetch(CANCER), (), ()),
    ("no cancer, all else missing", {"conditions": bundle(PAIN)}, (), ()),
    # Nothing at hand shows that the server knows the patient.
    ("nothing at all, conditions null", {"conditions": None}, (patient(),), ("patient",)),
    (
        "cancer, no pain, observations missing",
        prefetch_without("observations", of=[CANCER]),
        (patient(),),
        ("observations", "patient"),
    ),
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


# --- Patients whom the server does not know (decision 6.7)

NOT_KNOWN = "patient: the patient is not known to the FHIR server"


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize(
    "brought",
    [
        {},
        {"patient": None},
        {"conditions": None, "observations": None},
        {key: bundle() for key in ("conditions", "observations", "encounters")},
        prefetch_without("patient", of=[CANCER, PAIN]),
        prefetch_without("conditions"),
        prefetch_without("observations", of=[CANCER]),
        prefetch_without("patient", "conditions"),
    ],
    ids=lambda brought: ",".join(brought) or "nothing",
)
def test_of_a_patient_whom_the_server_does_not_know_nothing_is_concluded(brought: Json, status: int) -> None:
    with WireFhirServer(handlers={f"Patient/{PATIENT_ID}": fails(status)}) as server:
        text = refusal(decide(server.base, brought))
        assert f"Patient/{PATIENT_ID}" in server.asked
    assert NOT_KNOWN in text


@pytest.mark.parametrize("of", [[], [CANCER], [CANCER, OLD_PAIN], [CANCER, PAIN]], ids=len)
def test_a_prefetch_with_the_patient_and_all_that_decides_needs_no_server_that_knows_him(of: list[Json]) -> None:
    with WireFhirServer(handlers={f"Patient/{PATIENT_ID}": fails(404)}) as server:
        decision = decide(server.base, prefetch_without(*REFINING, of=of))
        assert f"Patient/{PATIENT_ID}" not in server.asked
    assert decision.assessment.outcome is not Outcome.UNDETERMINED


def test_what_the_server_holds_of_a_patient_shows_that_it_knows_him() -> None:
    with WireFhirServer(CANCER, handlers={f"Patient/{PATIENT_ID}": fails(404)}) as server:
        decision = decide(server.base, prefetch_without("conditions"))
        assert f"Patient/{PATIENT_ID}" not in server.asked
    assert decision.assessment.reason is Reason.NO_BACK_PAIN


def test_a_patient_who_cannot_be_read_just_now_is_not_called_unknown() -> None:
    with WireFhirServer(handlers={f"Patient/{PATIENT_ID}": fails(500)}) as server:
        assert NOT_KNOWN not in refusal(decide(server.base, prefetch_without("patient", of=[CANCER, PAIN])))


def test_a_call_that_may_not_ask_the_server_is_answered_from_what_it_brought() -> None:
    with WireFhirServer() as server:
        decision = decide(server.base, {"conditions": None}, settings={"fhir_servers": ()})
        assert server.asked == []
    assert decision.assessment.reason is Reason.NO_CANCER_HISTORY


# --- Headers


@pytest.mark.parametrize("token", ["", " ", None, "two words", 7])
def test_an_empty_token_is_no_token_and_the_prefetch_is_evaluated(token: object) -> None:
    """Decision 6.8."""
    with WireFhirServer(PAIN_OBSERVED) as server:
        call = request(prefetch=prefetch_without("observations", of=[CANCER])) | {"fhirServer": server.base}
        call["fhirAuthorization"] = {"access_token": token, "token_type": "Bearer", "patient": "somebody else"}
        support = DecisionSupport(Settings(fhir_servers=(server.base,)))
        decision = support.decide(HookCall(next(iter(SERVICES.values())), NOW), call)
        assert [item for item in server.requests if "authorization" in item.headers] == []
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


@pytest.mark.parametrize("scheme", ["HTTP", "Http"])
def test_the_scheme_of_an_address_is_read_in_capitals(scheme: str) -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decision = decide(f"{scheme}{server.base[4:]}", settings={"fhir_servers": (server.base,)})
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


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
