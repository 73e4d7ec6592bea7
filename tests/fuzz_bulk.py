"""Calls that are valid and as large as the limits allow, each shaped to make some part of the service work hard."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    PATIENT_ID,
    Json,
    bundle,
    coding,
    concept,
    condition,
    day,
    draft,
    encounter,
    name_of,
    observation,
    patient,
    request,
    study,
    supplied,
)
from tests.fuzz_calls import FEEDBACK

# The default of `max_bundle_entries`.
ENTRIES = 20_000

CANCER = condition(BREAST_CANCER, onset="2014")
PAIN = condition(LOW_BACK_PAIN, onset=day(5))


def _seen(*resources: Json) -> Json:
    return request("patient-view", supplied(CANCER, PAIN, *resources))


def _with_text(text: str) -> Json:
    return _seen(condition(text=text, onset=day(3)), observation("loinc 10154-3", when=day(3), valueString=text))


def _signed(orders: list[Json], *resources: Json) -> Json:
    return request("order-sign", supplied(CANCER, PAIN, *resources), orders)


def _pains() -> Json:
    pains = [{**PAIN, "id": f"pain-{number}", "onsetDateTime": day(number % 400)} for number in range(6_000)]
    return request("patient-view", supplied(CANCER, *pains))


def _visits() -> Json:
    visits = [{**encounter(concept(LOW_BACK_PAIN), when=day(5)), "id": f"visit-{number}"} for number in range(2_000)]
    undated = condition(LOW_BACK_PAIN)
    pains = [{**undated, "id": f"p-{n}", "encounter": {"reference": name_of(visit)}} for n, visit in enumerate(visits)]
    return request("patient-view", supplied(CANCER, *visits, *pains))


def _contained() -> Json:
    """Many prescriptions, each of which points into a long list of contained drugs."""
    drugs = [{"resourceType": "Medication", "id": f"m{number}", "code": concept("rxnorm 1")} for number in range(300)]
    order = draft(kind="MedicationRequest") | {"contained": drugs, "medicationReference": {"reference": "#m299"}}
    del order["medicationCodeableConcept"]
    return _signed([{**order, "id": f"order-{number}"} for number in range(200)])


def _pointing() -> Json:
    """As many prescriptions as drugs, in the same drafts."""
    drugs = [{"resourceType": "Medication", "id": f"m{n}", "code": concept("rxnorm 1")} for n in range(3_000)]
    order = draft(kind="MedicationRequest")
    del order["medicationCodeableConcept"]
    orders = [{**order, "id": f"o{n}", "medicationReference": {"reference": f"Medication/m{n}"}} for n in range(3_000)]
    return _signed([*drugs, *orders])


def _selected() -> Json:
    orders = [{**draft(text="Complete blood count"), "id": f"order-{number}"} for number in range(10_000)]
    return request("order-select", supplied(CANCER, PAIN), orders, [name_of(order) for order in orders[-1_000:]])


def _codings(count: int) -> Json:
    return {"coding": [coding(f"icd10cm Z{number}") for number in range(count)]}


# By what makes them hard; made when they are needed, for each has megabytes.
BULK: Mapping[str, Callable[[], Json]] = {
    "6,000 pains": _pains,
    "2,000 visits and pains": _visits,
    "20,000 reports": lambda: _seen(*[study("DiagnosticReport", "loinc 24967-2", when=day(9))] * ENTRIES),
    "20,000 scores": lambda: _seen(*[observation("loinc 72514-3", when=day(3), valueInteger=7)] * ENTRIES),
    "60,000 codings": lambda: _seen(condition(onset=day(3)) | {"code": _codings(60_000)}),
    "2 MB of words": lambda: _with_text("back pain and breast cancer, " * 70_000),
    "2 MB of denials": lambda: _with_text("no denies without negative for " * 65_000),
    "2 MB without a word": lambda: _with_text("a" * 2_000_000),
    "2 MB of blanks": lambda: _with_text("back" + " " * 2_000_000 + "pain"),
    "2 MB of brackets": lambda: _with_text("(" * 2_000_000),
    "2 MB of accents": lambda: _with_text("e\u0301" * 600_000),
    "6,000 short notes": lambda: _seen(
        *[observation("loinc 10154-3", when=day(3), valueString="denies back pain, mother had breast cancer")] * 6_000
    ),
    "200 orders with 300 contained drugs": _contained,
    "3,000 orders for 3,000 drugs": _pointing,
    "1,000 selections in 10,000 drafts": _selected,
    "50,000 unknown keys": lambda: request("patient-view", {f"key-{number}": None for number in range(50_000)}),
    "90,000 members of a patient": lambda: request(
        "patient-view", supplied(patient() | {f"member-{number}": 1 for number in range(90_000)}, CANCER, PAIN)
    ),
    "200,000 entries without resource": lambda: request(
        "patient-view", supplied(CANCER, PAIN) | {"conditions": bundle() | {"entry": [None] * 200_000}}
    ),
}

MOST_FEEDBACK: Json = {"feedback": FEEDBACK["feedback"] * 500}
TOO_MUCH_FEEDBACK: Json = {"feedback": FEEDBACK["feedback"] * 501}
MANY_ACCEPTED: Json = {"feedback": [FEEDBACK["feedback"][0] | {"acceptedSuggestions": [{"id": PATIENT_ID}] * 100_000}]}
