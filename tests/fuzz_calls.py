"""The valid calls from which fuzzing starts: each brings a card, and together they hold every kind of record read."""

from __future__ import annotations

from collections.abc import Mapping

from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    HOOK_INSTANCE,
    LOW_BACK_PAIN,
    LOWER_BACK,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    allergy,
    concept,
    condition,
    day,
    device,
    draft,
    encounter,
    name_of,
    observation,
    patient,
    request,
    study,
    supplied,
)


def _chart(*more: Json) -> Json:
    """A prefetch in which every key has something, in many of the forms that FHIR allows."""
    visit = encounter(concept(LOW_BACK_PAIN), when=day(4))
    return supplied(
        patient(name=[{"family": "Test", "given": ["Ada"]}], deceasedBoolean=False),
        condition(BREAST_CANCER, onset="2014", text="Carcinoma of the right breast"),
        condition("snomed 254837009", onsetAge={"value": 45, "unit": "a"}, clinical="resolved"),
        condition(LOW_BACK_PAIN, onset=day(5), encounter={"reference": name_of(visit)}),
        condition(THORACIC_PAIN, onsetPeriod={"start": day(20), "end": day(10)}, sites=[LOWER_BACK]),
        condition("icd10cm R29.898", recorded=day(2), text="new leg weakness"),
        observation(SYMPTOM, when=f"{day(3)}T08:30:00+02:00", valueCodeableConcept=concept(LOW_BACK_PAIN)),
        observation(CHIEF_COMPLAINT, when=day(3), valueString="Back pain at night for a week"),
        observation("loinc 98979-8", when=day(30), valueQuantity={"value": 38, "unit": "mL/min/1.73m2"}),
        study("ServiceRequest", "cpt 72148", when=day(400), status="completed"),
        study("DiagnosticReport", "loinc 24967-2", when=day(700), conclusion="No metastasis."),
        study("ImagingStudy", "cpt 78306", when=day(900)),
        study("Procedure", "cpt 19303", when=day(4000)),
        device("snomed 14106009", text="cardiac pacemaker"),
        allergy("snomed 293637006", text="Gadolinium", reaction=[{"manifestation": [concept(text="hives")]}]),
        visit,
        *more,
    )


def _orders() -> list[Json]:
    ibuprofen = draft("rxnorm 5640", kind="MedicationRequest", text="Ibuprofen 400 MG Oral Tablet")
    contained = draft(kind="MedicationRequest")
    del contained["medicationCodeableConcept"]
    contained |= {
        "contained": [{"resourceType": "Medication", "id": "m", "code": concept("rxnorm 5640")}],
        "medicationReference": {"reference": "#m"},
    }
    radiograph = draft("cpt 72100", text="Radiograph of the lumbar spine", reasons=[concept(LOW_BACK_PAIN)])
    return [radiograph, ibuprofen, contained]


def _call(hook: str) -> Json:
    call = request(hook, _chart(), _orders() if hook != "patient-view" else ())
    return call | {
        "fhirServer": "https://ehr.example.org/fhir",
        "fhirAuthorization": {"access_token": "token-1", "token_type": "Bearer", "expires_in": 300, "scope": "x"},
        "extension": {"com.example.site": "north"},
    }


# By service.
CALLS: Mapping[str, Json] = {
    f"breast-cancer-back-pain-{hook}": _call(hook) for hook in ("patient-view", "order-select", "order-sign")
}

FEEDBACK: Json = {
    "feedback": [
        {
            "card": "f0000000-0000-4000-8000-000000000001",
            "outcome": "accepted",
            "acceptedSuggestions": [{"id": "f0000000-0000-4000-8000-000000000002"}],
            "outcomeTimestamp": "2026-11-22T11:59:30.250Z",
        },
        {
            "card": HOOK_INSTANCE,
            "outcome": "overridden",
            "overrideReason": {
                "reason": {"code": "patient-declines", "system": "https://cds.example.org/reasons"},
                "userComment": "Will come back in spring.",
            },
            "outcomeTimestamp": "2026-11-22T11:59:30Z",
        },
    ]
}
