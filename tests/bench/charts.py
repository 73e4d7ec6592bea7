"""Charts as EHRs export them: a hook call with so many resources, of some 630 bytes each.

The mixture is that of US Core exports and of Synthea: for the most part observations (vital signs, laboratory results,
social history, pain scores), visit diagnoses beside a short problem list, the visits themselves, and few orders,
reports, procedures and allergies. Next to nothing of it matters to the rule, as in real charts. All codes are those of
`fixtures/` and `cards/` or of calls recorded from the public sandbox (718-7, 4548-4); what a site records by codes of
its own has those of a made-up site.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any

Json = dict[str, Any]

PATIENT = "9c1d6a527e"

# Stands first in the body, so that a client can put another in its place.
HOOK_INSTANCE = "6a5b9d52-6a9b-4f0a-9ad0-0d1f1c2b3a4d"

SIZES = (50, 500, 5000)

_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_ICD = "http://hl7.org/fhir/sid/icd-10-cm"
_SITE = "https://ehr.example.org/codes"
_HL7 = "http://terminology.hl7.org/CodeSystem"

# Code, display, unit, lowest and highest value.
_VITAL_SIGNS = (
    (_LOINC, "8867-4", "Heart rate", "/min", 58, 96),
    (_LOINC, "8310-5", "Body temperature", "Cel", 36.1, 37.4),
    (_SITE, "FLO-10", "Respiratory rate", "/min", 12, 18),
    (_LOINC, "8867-4", "Heart rate", "/min", 58, 96),
    (_SITE, "FLO-14", "Body weight measured", "kg", 58, 91),
)
_HEMOGLOBIN = (_LOINC, "718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL", 11.4, 15.6)
_HBA1C = (_LOINC, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood", "%", 4.9, 7.2)
_LIPIDS = (_LOINC, "24331-1", "Lipid 1996 panel - Serum or Plasma", "mg/dL", 120, 210)
_CREATININE = (_LOINC, "2160-0", "Creatinine [Mass/volume] in Serum or Plasma", "mg/dL", 0.6, 1.1)
_EGFR = (
    _LOINC,
    "98979-8",
    "Glomerular filtration rate/1.73 sq M.predicted [Volume Rate/Area] in Serum, Plasma or Blood"
    " by Creatinine-based formula (CKD-EPI 2021)",
    "mL/min/{1.73_m2}",
    62,
    95,
)
# A panel has one creatinine and one eGFR among a dozen of others.
_LABORATORY = (*[_HEMOGLOBIN, _HBA1C, _LIPIDS, _HEMOGLOBIN, _LIPIDS] * 2, _CREATININE, _EGFR)
_PAIN_SCORE = (_LOINC, "72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported")
_SOCIAL_HISTORY = (
    ("SOC-01", "Tobacco smoking status", "Never smoked tobacco"),
    ("SOC-02", "Employment status", "Full-time employment"),
    ("SOC-03", "Stress level", "Only a little"),
)

_PROBLEMS = (
    ("I10", "Essential (primary) hypertension"),
    ("E78.5", "Hyperlipidemia, unspecified"),
    ("E03.9", "Hypothyroidism, unspecified"),
    ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
    ("M81.0", "Age-related osteoporosis without current pathological fracture"),
    ("F41.1", "Generalized anxiety disorder"),
    ("J45.909", "Unspecified asthma, uncomplicated"),
    ("E55.9", "Vitamin D deficiency, unspecified"),
    ("L40.9", "Psoriasis, unspecified"),
    ("H26.9", "Unspecified cataract"),
)
# For the most part what is on the list; some that the rule has to look at twice: an infection, a pain elsewhere, a
# screening.
_VISIT_DIAGNOSES = (
    *_PROBLEMS,
    ("N39.0", "Urinary tract infection, site not specified"),
    *_PROBLEMS,
    ("M25.552", "Pain in left hip"),
    *_PROBLEMS,
    ("Z12.31", "Encounter for screening mammogram for malignant neoplasm of breast"),
)
_CANCER = ("C50.911", "Malignant neoplasm of unspecified site of right female breast")
_BACK_PAIN = ("M54.50", "Low back pain, unspecified")

# Each sixtieth of a chart; the order spreads the kinds over small charts too.
_KINDS = (
    *["vital"] * 19,
    *["laboratory"] * 11,
    *["pain"] * 4,
    *["social"] * 4,
    *["diagnosis"] * 7,
    *["encounter"] * 6,
    *["procedure"] * 4,
    *["report"] * 2,
    *["order"] * 2,
    *["allergy"] * 1,
)


class _Chart:
    """Makes the resources of one patient, the same ones for the same size."""

    def __init__(self, now: datetime, seed: int) -> None:
        self._now = now
        self._random = random.Random(seed)
        self._diagnoses = cycle(_VISIT_DIAGNOSES)
        self._signs = cycle(_VITAL_SIGNS)
        self._results = cycle(_LABORATORY)
        self._answers = cycle(_SOCIAL_HISTORY)

    def resource(self, kind: str) -> Json:
        make: Callable[[], Json] = getattr(self, f"_{kind}")
        return make()

    def condition(self, code: tuple[str, str], category: str, days_ago: int) -> Json:
        """A problem of the list or the diagnosis of a visit."""
        return self._head("Condition") | {
            "clinicalStatus": _concept(f"{_HL7}/condition-clinical", "active"),
            "verificationStatus": _concept(f"{_HL7}/condition-ver-status", "confirmed"),
            "category": [_concept(f"{_HL7}/condition-category", category)],
            "code": _concept(_ICD, *code) | {"text": code[1]},
            **self._whose(),
            "onsetDateTime": self._moment(days_ago),
            "recordedDate": self._moment(days_ago),
        }

    def _diagnosis(self) -> Json:
        return self.condition(next(self._diagnoses), "encounter-diagnosis", self._days())

    def _vital(self) -> Json:
        return self._measured("vital-signs", *next(self._signs))

    def _laboratory(self) -> Json:
        return self._measured("laboratory", *next(self._results))

    def _pain(self) -> Json:
        return self._measured("survey", *_PAIN_SCORE, "{score}", 0, 0)

    def _social(self) -> Json:
        code, display, value = next(self._answers)
        answer = {"valueCodeableConcept": _concept(_SITE, f"{code}-1", value) | {"text": value}}
        return self._observation("social-history", _SITE, code, display) | answer

    def _measured(
        self, category: str, system: str, code: str, display: str, unit: str, low: float, high: float
    ) -> Json:
        value = round(self._random.uniform(low, high), 1)
        quantity = {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}
        return self._observation(category, system, code, display) | {"valueQuantity": quantity}

    def _observation(self, category: str, system: str, code: str, display: str) -> Json:
        return self._head("Observation") | {
            "status": "final",
            "category": [_concept(f"{_HL7}/observation-category", category)],
            "code": _concept(system, code, display),
            **self._whose(),
            "effectiveDateTime": self._moment(self._days()),
        }

    def _encounter(self) -> Json:
        days = self._days()
        return self._head("Encounter") | {
            "status": "finished",
            "class": {"system": f"{_HL7}/v3-ActCode", "code": "AMB"},
            "type": [_concept(_SITE, "VIS-1", "General examination of patient") | {"text": "Office visit"}],
            "subject": _reference("Patient", PATIENT),
            "participant": [{"individual": _reference("Practitioner", self._id())}],
            "period": {"start": self._moment(days), "end": self._moment(days)},
            "serviceProvider": _reference("Organization", self._id()),
        }

    def _procedure(self) -> Json:
        days = self._days()
        return self._head("Procedure") | {
            "status": "completed",
            "code": _concept(_SITE, "PRO-7", "Medication reconciliation") | {"text": "Medication reconciliation"},
            **self._whose(),
            "performedPeriod": {"start": self._moment(days), "end": self._moment(days)},
            "performer": [{"actor": _reference("Practitioner", self._id())}],
        }

    def _report(self) -> Json:
        days = self._days()
        return self._head("DiagnosticReport") | {
            "status": "final",
            "category": [_concept(f"{_HL7}/v2-0074", "LAB")],
            "code": _concept(_LOINC, "24331-1", "Lipid 1996 panel - Serum or Plasma"),
            **self._whose(),
            "effectiveDateTime": self._moment(days),
            "issued": self._moment(days),
            "result": [_reference("Observation", self._id()) for _ in range(2)],
        }

    def _order(self) -> Json:
        return self._head("ServiceRequest") | {
            "status": "completed",
            "intent": "order",
            "code": _concept(_LOINC, "24331-1", "Lipid 1996 panel - Serum or Plasma"),
            **self._whose(),
            "authoredOn": self._moment(self._days()),
            "requester": _reference("Practitioner", self._id()),
        }

    def _allergy(self) -> Json:
        return self._head("AllergyIntolerance") | {
            "clinicalStatus": _concept(f"{_HL7}/allergyintolerance-clinical", "active"),
            "verificationStatus": _concept(f"{_HL7}/allergyintolerance-verification", "confirmed"),
            "category": ["environment"],
            "code": _concept(_SITE, "ALG-3", "House dust mite") | {"text": "House dust mite"},
            "patient": _reference("Patient", PATIENT),
            "recordedDate": self._moment(self._days()),
        }

    def _head(self, resource_type: str) -> Json:
        return {"resourceType": resource_type, "id": self._id()}

    def _whose(self) -> Json:
        return {"subject": _reference("Patient", PATIENT), "encounter": _reference("Encounter", self._id())}

    def _days(self) -> int:
        """Some day of the last ten years, but not of the last months: these belong to the question."""
        return self._random.randrange(200, 3650)

    def _moment(self, days_ago: int) -> str:
        return (self._now - timedelta(days=days_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _id(self) -> str:
        return f"{self._random.getrandbits(40):010x}"


def resources(size: int, firing: bool, now: datetime) -> list[Json]:
    """A patient's resources, `size` with the patient itself.

    Args:
        firing: whether breast cancer and new low back pain are among them, so that a card is answered; else the
            patient is one of the many to whom the rule has nothing to say.
        now: all dates count back from it.
    """
    chart = _Chart(now, size)
    conditions = [chart.condition(code, "problem-list-item", 900 + 90 * n) for n, code in enumerate(_PROBLEMS[:4])]
    if size >= 500:
        conditions += [chart.condition(code, "problem-list-item", 2000 + n) for n, code in enumerate(_PROBLEMS[4:])]
    if firing:
        conditions[-2:] = [
            chart.condition(_CANCER, "problem-list-item", 3300),
            chart.condition(_BACK_PAIN, "encounter-diagnosis", 5),
        ]
    kinds = list(_KINDS)
    random.Random(7).shuffle(kinds)
    rest = [chart.resource(kind) for kind in islice(cycle(kinds), size - 1 - len(conditions))]
    # The two that matter stand somewhere among the others.
    return [_patient(now), *rest[: size // 3], *conditions, *rest[size // 3 :]]


def _patient(now: datetime) -> Json:
    return {
        "resourceType": "Patient",
        "id": PATIENT,
        "meta": {"tag": [{"system": f"{_HL7}/v3-ActReason", "code": "HTEST", "display": "test health data"}]},
        "name": [{"family": "Benchmark", "given": ["Anna"]}],
        "gender": "female",
        "birthDate": (now - timedelta(days=58 * 365)).date().isoformat(),
    }


# The prefetch key of each type.
KEYS = {
    "Condition": "conditions",
    "Observation": "observations",
    "ServiceRequest": "serviceRequests",
    "DiagnosticReport": "diagnosticReports",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "Encounter": "encounters",
}


def hook_call(size: int, firing: bool, now: datetime | None = None) -> bytes:
    """A `patient-view` call with a chart of so many resources in its prefetch, as compact JSON.

    See `resources`; without `now` the dates count back from this moment, as a running service wants them.
    """
    patient, *others = resources(size, firing, now or datetime.now(UTC))
    prefetch: Json = {"patient": patient}
    for resource_type, key in KEYS.items():
        prefetch[key] = _bundle(item for item in others if item["resourceType"] == resource_type)
    return encoded(call(prefetch=prefetch))


def call(**members: object) -> Json:
    """A `patient-view` call about the patient, with these members beside."""
    context = {"userId": "Practitioner/1", "patientId": PATIENT}
    return {"hookInstance": HOOK_INSTANCE, "hook": "patient-view", "context": context} | members


def encoded(value: Json) -> bytes:
    """Compact JSON, as servers send it."""
    return json.dumps(value, separators=(",", ":")).encode()


def _bundle(items: Iterable[Json]) -> Json:
    entries = [
        {"fullUrl": f"https://ehr.example.org/fhir/{item['resourceType']}/{item['id']}", "resource": item}
        for item in items
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _concept(system: str, code: str, display: str = "") -> Json:
    coding = {"system": system, "code": code}
    return {"coding": [coding | {"display": display} if display else coding]}


def _reference(resource_type: str, identity: str) -> Json:
    return {"reference": f"{resource_type}/{identity}"}
