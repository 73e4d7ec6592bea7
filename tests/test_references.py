"""References between drafts, drugs, visits and diagnoses in every form in which clients send them (decision 6.8)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.clinical.reading.understanding import DRAFT_ORDERS, EMPTY, OTHER_PATIENTS
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    concept,
    condition,
    created,
    day,
    draft,
    prefetch,
    reference,
    request,
)
from tests.builders import assess as assessment_of

Json = dict[str, Any]

SERVER = "https://ehr.example.org/fhir"
ORDER_URN = "urn:uuid:6a0e7a54-96a1-4f0e-8f0b-0d1f2f3a4b5c"
DRUG_URN = "urn:uuid:0b9f3c1e-7d57-4b4c-9d0e-5c1f4b8a2d33"
VISIT_URN = "urn:uuid:c7e0a8c2-2f8e-4f55-8a39-3a2b0c9d1e77"

CANCER = condition(BREAST_CANCER, onset="2018")
PAIN = condition(LOW_BACK_PAIN, onset=day(6))
RADIOGRAPH = draft("cpt 72100") | {"id": "xr-1"}
LIPIDS = draft(text="Lipid panel") | {"id": "lipids"}
STANDARD = ["24967-2", "39818-0", "72254-6"]


SUPPORT = DecisionSupport()


def answer_to(call: Json) -> Any:
    """The response to a hook call."""
    service = next(item for item in SERVICES.values() if item.hook == call["hook"])
    return SUPPORT.decide(HookCall(service, NOW), call).response_or_error()


def without(resource: Json, *names: str) -> Json:
    return {name: value for name, value in resource.items() if name not in names}


def offered(*entries: Json, selections: list[object], hook: str = "order-select") -> list[str]:
    """The LOINC codes that a card on these Bundle entries offers; none where there is no card."""
    call = request(hook, prefetch(CANCER, PAIN))
    call["context"]["draftOrders"] = {"resourceType": "Bundle", "type": "collection", "entry": list(entries)}
    if hook == "order-select":
        call["context"]["selections"] = selections
    cards = answer_to(call)["cards"]
    return [order["code"]["coding"][0]["code"] for card in cards for order in created(card)]


# --- Codes of orders


@pytest.mark.parametrize(
    "code", ["72100-26", "72100 26", "7210026", "72100-26-LT", "72100-tc", "72100:26:LT", "72100.RT", " 72100-26 "]
)
def test_a_cpt_code_counts_with_its_modifiers(code: str) -> None:
    modified = RADIOGRAPH | {"code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]}}
    assert offered({"resource": modified}, selections=["xr-1"]) == STANDARD


@pytest.mark.parametrize("code", ["72100-", "72100-2", "721000", "72100-266", "X72100-26", "72100-26 lateral"])
def test_what_is_no_cpt_code_with_modifiers_is_no_code(code: str) -> None:
    modified = RADIOGRAPH | {"code": {"coding": [{"system": "http://www.ama-assn.org/go/cpt", "code": code}]}}
    assert offered({"resource": modified}, selections=["xr-1"]) == []


# --- Selections


@pytest.mark.parametrize(
    ("entry", "selection"),
    [
        ({"resource": RADIOGRAPH}, "ServiceRequest/xr-1"),
        ({"resource": RADIOGRAPH}, "xr-1"),
        ({"resource": RADIOGRAPH}, " ServiceRequest/xr-1 "),
        ({"resource": RADIOGRAPH}, "ServiceRequest/xr-1/_history/1"),
        ({"resource": RADIOGRAPH}, f"{SERVER}/ServiceRequest/xr-1"),
        ({"resource": RADIOGRAPH}, f"{SERVER}/ServiceRequest/xr-1/_history/2"),
        ({"resource": RADIOGRAPH, "fullUrl": f"{SERVER}/ServiceRequest/xr-1"}, f"{SERVER}/ServiceRequest/xr-1"),
        ({"resource": RADIOGRAPH, "fullUrl": ORDER_URN}, ORDER_URN),
        ({"resource": RADIOGRAPH, "fullUrl": ORDER_URN}, "ServiceRequest/xr-1"),
        ({"resource": without(RADIOGRAPH, "id"), "fullUrl": ORDER_URN}, ORDER_URN),
        ({"resource": without(RADIOGRAPH, "id"), "fullUrl": f"{SERVER}/ServiceRequest/9"}, "ServiceRequest/9"),
        ({"resource": RADIOGRAPH, "fullUrl": "http://draft/1"}, "http://draft/1"),
    ],
)
def test_a_selection_leads_to_its_draft_in_every_form(entry: Json, selection: str) -> None:
    beside = {"resource": LIPIDS, "fullUrl": f"{SERVER}/ServiceRequest/lipids"}
    assert offered(beside, entry, selections=[selection]) == STANDARD
    assert offered(beside, entry, selections=["ServiceRequest/lipids"]) == []


@pytest.mark.parametrize(
    "selection",
    [
        "ServiceRequest/elsewhere",
        ORDER_URN,
        "MedicationRequest/xr-1",
        "#xr-1",
        "",
        {"reference": "ServiceRequest/1"},
        None,
    ],
    ids=str,
)
def test_where_a_selection_leads_to_no_draft_every_draft_may_be_meant(selection: object) -> None:
    assert offered({"resource": LIPIDS}, {"resource": RADIOGRAPH}, selections=[selection]) == STANDARD
    assert offered({"resource": RADIOGRAPH}, {"resource": LIPIDS}, selections=["lipids", selection]) == STANDARD
    assert offered({"resource": LIPIDS}, selections=[selection]) == []


def test_a_selection_of_the_drug_instead_of_its_order_may_mean_every_draft() -> None:
    drug = {"resource": {"resourceType": "Medication", "id": "m", "code": concept("rxnorm 5640")}}
    order = {"resource": drug_order(reference("Medication", "m"))}
    assert offered(order, drug, selections=["Medication/m"]) == STANDARD


def test_selections_that_lead_nowhere_are_counted() -> None:
    known = build_chart(PATIENT_ID, {}, drafts=[RADIOGRAPH], selections=["a", "ServiceRequest/xr-1", "b"])
    assert known.drafts is not None
    assert (known.drafts.unmatched_selections, len(known.drafts.selected)) == (2, 1)


@pytest.mark.parametrize("selections", [None, ["ServiceRequest/xr-1"]], ids=["signed", "selected"])
def test_drafts_of_another_patient_and_entries_without_a_draft_are_counted(selections: list[str] | None) -> None:
    other = RADIOGRAPH | {"id": "xr-2", "subject": reference("Patient", "pt-2")}
    brought = prefetch(CANCER, PAIN)
    known = build_chart(PATIENT_ID, brought, drafts=[RADIOGRAPH, other], selections=selections, skipped_drafts=3)
    assert known.drafts is not None
    assert (known.drafts.of_others, known.drafts.unreadable) == (1, 3)
    assert [unread.where for unread in known.drafts.unread] == ["draftOrders.entry"] * 3
    (found,) = [item for item in assessment_of(known).understanding if item.key == DRAFT_ORDERS]
    assert (found.besides, found.not_understood) == ({OTHER_PATIENTS: 1}, {EMPTY: 3})


# --- Drugs


def drug_order(pointer: Json) -> Json:
    order = draft(kind="MedicationRequest", text="") | {"id": "rx-1", "medicationReference": pointer}
    return without(order, "code", "medicationCodeableConcept")


# The address of the drug's entry, how the prescription points to it, and whether the drug has an id.
DRUGS = [
    (DRUG_URN, DRUG_URN, True),
    (DRUG_URN, DRUG_URN, False),
    (DRUG_URN, "Medication/m-1", True),
    (f"{SERVER}/Medication/m-1", f"{SERVER}/Medication/m-1", True),
    (f"{SERVER}/Medication/m-1", f"{SERVER}/Medication/m-1", False),
    (f"{SERVER}/Medication/m-1", "Medication/m-1", True),
    (f"{SERVER}/Medication/m-1", "Medication/m-1", False),
    ("", "Medication/m-1", True),
    ("", f"{SERVER}/Medication/m-1/_history/3", True),
]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(("full_url", "pointer", "has_id"), DRUGS)
def test_a_prescription_leads_to_its_drug_in_every_form(hook: str, full_url: str, pointer: str, has_id: bool) -> None:
    drug: Json = {"resourceType": "Medication", "id": "m-1", "code": concept("rxnorm 5640")}
    entry = {"fullUrl": full_url, "resource": drug if has_id else without(drug, "id")}
    order = {"fullUrl": ORDER_URN, "resource": drug_order({"reference": pointer})}
    assert offered(order, entry, selections=["MedicationRequest/rx-1"], hook=hook) == STANDARD
    assert offered(entry, order, selections=[ORDER_URN], hook=hook) == STANDARD


# --- Whose a draft is


@pytest.mark.parametrize(
    ("subject", "counts"),
    [
        ({"reference": f"Patient/{PATIENT_ID}"}, True),
        ({"reference": "#patient"}, True),
        ({"display": "Somebody"}, True),
        ({"identifier": {"system": "x", "value": "1"}}, True),
        ({"reference": f"https://elsewhere.example.net/Patient/{PATIENT_ID}"}, True),
        (None, True),
        ({"reference": "Patient/pt-2"}, False),
    ],
    ids=str,
)
def test_a_draft_is_this_patients_unless_it_names_another(subject: object, counts: bool) -> None:
    entry = {"resource": RADIOGRAPH | {"subject": subject}}
    assert (offered(entry, selections=["ServiceRequest/xr-1"]) == STANDARD) is counts


# --- Visits


def visit(full_url: str, **elements: object) -> Json:
    made: Json = {"resourceType": "Encounter", "id": "v-1", "status": "finished"}
    made |= {"subject": reference("Patient", PATIENT_ID)}
    made |= {"period": {"start": day(6), "end": day(6)}} | elements
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"fullUrl": full_url, "resource": made}]}


@pytest.mark.parametrize(
    ("full_url", "pointer"),
    [
        (VISIT_URN, VISIT_URN),
        (f"{SERVER}/Encounter/v-1", f"{SERVER}/Encounter/v-1"),
        (f"{SERVER}/Encounter/v-1", "Encounter/v-1/_history/4"),
        ("", "Encounter/v-1"),
    ],
)
def test_a_diagnosis_leads_to_its_visit_in_every_form(full_url: str, pointer: str) -> None:
    pain = condition(LOW_BACK_PAIN, encounter={"reference": pointer})
    known = build_chart(PATIENT_ID, prefetch(CANCER, pain) | {"encounters": visit(full_url)})
    (finding,) = assessment_of(known).criterion("new-back-pain").findings
    assert str(finding.when) == day(6)


def test_a_visit_leads_to_its_diagnosis_by_the_address_of_the_entry() -> None:
    pain = condition(LOW_BACK_PAIN, id="p-1")
    pains = {"resourceType": "Bundle", "entry": [{"fullUrl": DRUG_URN, "resource": pain}, {"resource": CANCER}]}
    seen = visit("", diagnosis=[{"condition": {"reference": DRUG_URN}}])
    known = build_chart(PATIENT_ID, prefetch() | {"conditions": pains, "encounters": seen})
    (finding,) = assessment_of(known).criterion("new-back-pain").findings
    assert str(finding.when) == day(6)


@pytest.mark.parametrize(
    "named", ["v-1", "Encounter/v-1", f"{SERVER}/Encounter/v-1", "Encounter/v-1/_history/2", VISIT_URN]
)
def test_the_visit_of_the_call_is_known_in_every_form(named: str) -> None:
    here = visit(VISIT_URN, status="in-progress", reasonCode=[{"text": "low back pain for two days"}], period=None)
    call = request("patient-view", prefetch(CANCER) | {"encounters": here}, encounterId=named)
    assert len(answer_to(call)["cards"]) == 1


def test_a_visit_that_is_known_only_by_its_urn_stands_in_no_order() -> None:
    call = request("patient-view", prefetch(CANCER, PAIN), encounterId=VISIT_URN)
    (card,) = answer_to(call)["cards"]
    assert [order.get("encounter") for order in created(card)] == [None] * 3
    call["context"]["encounterId"] = "Encounter/v-1"
    (card,) = answer_to(call)["cards"]
    assert created(card)[0]["encounter"] == {"reference": "Encounter/v-1"}
