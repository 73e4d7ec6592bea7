"""Small builders of FHIR R4 resources and hook calls, so that a test shows only what it is about.

Codes are written as `"icd10cm C50.911"`: the short name of the code system, a blank, the code. All dates count
back from `NOW`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import count
from typing import Any

from cds_service.chart.build import build_chart
from cds_service.chart.records import Chart
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.rule import BreastCancerBackPain
from cds_service.clinical.rules.breast_cancer_back_pain.services import SERVICES as _SERVICES
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.protocol.services import Service
from cds_service.settings import make_settings

# The services by id.
SERVICES: dict[str, Service] = {service.id: service for service in _SERVICES}


Json = dict[str, Any]

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PATIENT_ID = "pt-1"
HOOK_INSTANCE = "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11"

SYSTEMS = {
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "icd10": "http://hl7.org/fhir/sid/icd-10",
    "icdo": "http://terminology.hl7.org/CodeSystem/icd-o-3",
    "icd10gm": "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "icd9cm": "http://hl7.org/fhir/sid/icd-9-cm",
    "snomed": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
    "cpt": "http://www.ama-assn.org/go/cpt",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "local": "https://ehr.example.org/codes",
    "": "",
}

# Diagnoses and symptoms that many tests need.
BREAST_CANCER = "icd10cm C50.911"
BREAST_CANCER_HISTORY = "icd10cm Z85.3"
IN_SITU = "icd10cm D05.11"
LOW_BACK_PAIN = "icd10cm M54.50"
THORACIC_PAIN = "icd10cm M54.6"
NECK_PAIN = "icd10cm M54.2"
BACK_PAIN = "icd10cm M54.9"
PAIN_ANYWHERE = "snomed 22253000"
SYMPTOM = "loinc 75325-1"
CHIEF_COMPLAINT = "loinc 10154-3"
PAIN_SCORE = "loinc 72514-3"
PAIN_LOCATION = "loinc 38204-4"
LOWER_BACK = "snomed 37822005"
LUMBAR_SPINE = "snomed 122496007"
THORACIC_SPINE = "snomed 122495006"

_serial = count(1)


# A Condition of one visit, and one of the problem list.
OF_A_VISIT: Json = {"category": [{"coding": [{"code": "encounter-diagnosis"}]}]}
ON_THE_LIST: Json = {"category": [{"coding": [{"code": "problem-list-item"}]}]}


# --- Days


def day(days_ago: int) -> str:
    """The ISO date so many days before `NOW`; a negative number is a day to come."""
    return (NOW - timedelta(days=days_ago)).date().isoformat()


# --- Elements


def coding(code: str, display: str = "") -> Json:
    """One Coding: `icd10cm C50.911`; `" C50.911"` is a code without a system."""
    system, _, value = code.partition(" ")
    made: Json = {"code": value}
    if SYSTEMS[system]:
        made["system"] = SYSTEMS[system]
    if display:
        made["display"] = display
    return made


def concept(*codes: str, text: str = "", display: str = "") -> Json:
    """A CodeableConcept of any number of codes, each with the same display, and a text."""
    made: Json = {}
    if codes:
        made["coding"] = [coding(code, display) for code in codes]
    if text:
        made["text"] = text
    return made


def status(kind: str, code: str) -> Json:
    """A coded status: `status("clinical", "resolved")`, `status("ver-status", "refuted")`."""
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/condition-{kind}", "code": code}]}


def reference(resource_type: str, identity: str) -> Json:
    return {"reference": f"{resource_type}/{identity}"}


# --- Resources


def patient(birth: str = "1968-05-04", gender: str = "female", **elements: object) -> Json:
    return {"resourceType": "Patient", "id": PATIENT_ID, "gender": gender, "birthDate": birth} | elements


def condition(
    *codes: str,
    onset: str | None = None,
    recorded: str | None = None,
    clinical: str | None = "active",
    verification: str | None = "confirmed",
    text: str = "",
    display: str = "",
    sites: Sequence[str] = (),
    **elements: object,
) -> Json:
    """A Condition of the patient; an element that is None is left out, `elements` are added as they are."""
    made: Json = {
        "resourceType": "Condition",
        "id": f"condition-{next(_serial)}",
        "code": concept(*codes, text=text, display=display),
        "subject": reference("Patient", PATIENT_ID),
    }
    if clinical is not None:
        made["clinicalStatus"] = status("clinical", clinical)
    if verification is not None:
        made["verificationStatus"] = status("ver-status", verification)
    if onset is not None:
        made["onsetDateTime"] = onset
    if recorded is not None:
        made["recordedDate"] = recorded
    if sites:
        made["bodySite"] = [concept(site) for site in sites]
    return made | elements


def observation(
    code: str, when: str | None = None, status: str = "final", site: str | None = None, **elements: object
) -> Json:
    """An Observation of the patient; its value is given as FHIR names it: `valueString="no"`."""
    made: Json = {
        "resourceType": "Observation",
        "id": f"observation-{next(_serial)}",
        "status": status,
        "code": concept(code),
        "subject": reference("Patient", PATIENT_ID),
    }
    if when is not None:
        made["effectiveDateTime"] = when
    if site is not None:
        made["bodySite"] = concept(site)
    return made | elements


def encounter(*reasons: Json, when: str | None = None, status: str = "finished", **elements: object) -> Json:
    """An Encounter of the patient for reasons made by `concept`."""
    made: Json = {
        "resourceType": "Encounter",
        "id": f"encounter-{next(_serial)}",
        "status": status,
        "subject": reference("Patient", PATIENT_ID),
    }
    if reasons:
        made["reasonCode"] = list(reasons)
    if when is not None:
        made["period"] = {"start": when, "end": when}
    return made | elements


def draft(*codes: str, kind: str = "ServiceRequest", text: str = "", reasons: Sequence[Json] = ()) -> Json:
    """A draft order of the patient: a ServiceRequest, or a MedicationRequest with `kind`."""
    made: Json = {
        "resourceType": kind,
        "id": f"draft-{next(_serial)}",
        "status": "draft",
        "intent": "order",
        "subject": reference("Patient", PATIENT_ID),
    }
    made["code" if kind == "ServiceRequest" else "medicationCodeableConcept"] = concept(*codes, text=text)
    if reasons:
        made["reasonCode"] = list(reasons)
    return made


def name_of(resource: Json) -> str:
    """The reference to a resource: `Condition/condition-7`."""
    return f"{resource['resourceType']}/{resource['id']}"


def bundle(*resources: Json, next_page: bool = False) -> Json:
    """A searchset Bundle; with `next_page` it is the first page of more."""
    made: Json = {"resourceType": "Bundle", "type": "searchset", "total": len(resources)}
    if resources:
        made["entry"] = [_entry(item) for item in resources]
    if next_page:
        made["link"] = [{"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}]
    return made


def _entry(resource: Json) -> Json:
    if "id" not in resource:
        return {"resource": resource, "search": {"mode": "outcome"}}
    return {"fullUrl": f"https://ehr.example.org/fhir/{name_of(resource)}", "resource": resource}


def outcome(severity: str = "error", code: str = "exception") -> Json:
    """An OperationOutcome, as EHRs send it in the place of data."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code}]}


# --- Prefetch, charts, calls

# The prefetch key of each type of resource.
KEYS = {
    "Condition": "conditions",
    "Observation": "observations",
    "ServiceRequest": "serviceRequests",
    "DiagnosticReport": "diagnosticReports",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "Encounter": "encounters",
}


def prefetch(*resources: Json) -> Json:
    """A prefetch in which every key is known, and holds those of `resources` that belong there."""
    patients = [item for item in resources if item["resourceType"] == "Patient"]
    filled: Json = {"patient": patients[0] if patients else patient()}
    for resource_type, key in KEYS.items():
        filled[key] = bundle(*(item for item in resources if item["resourceType"] == resource_type))
    return filled


def chart(*resources: Json, encounter_id: str | None = None, drafts: Sequence[Json] | None = None) -> Chart:
    """The chart of the patient that holds exactly these resources; `drafts` are all selected."""
    return build_chart(PATIENT_ID, prefetch(*resources), encounter_id, drafts)


def rule(options: RuleOptions | None = None) -> BreastCancerBackPain:
    """The rule with the content that came with the service."""
    return BreastCancerBackPain(load_content(), options or RuleOptions())


def assess(known: Chart, now: datetime = NOW, options: RuleOptions | None = None) -> Assessment:
    """What the rule says of a chart."""
    asked = rule(options)
    found = asked.assess(known, asked.reader(), now)
    assert isinstance(found, Assessment)
    return found


def assessment(
    *resources: Json,
    now: datetime = NOW,
    options: RuleOptions | None = None,
    encounter_id: str | None = None,
    drafts: Sequence[Json] | None = None,
) -> Assessment:
    """What the rule says of the patient with exactly these resources, all else being known to be empty."""
    known = chart(*resources, encounter_id=encounter_id, drafts=drafts)
    return assess(known, now, options)


def request(
    hook: str = "patient-view",
    prefetch: Mapping[str, Any] | None = None,
    drafts: Sequence[Json] = (),
    selections: Sequence[str] | None = None,
    **context: object,
) -> Json:
    """A hook call for the patient; without `prefetch` it has none, without `selections` all drafts are selected."""
    made: Json = {"userId": "Practitioner/practitioner-1", "patientId": PATIENT_ID} | context
    if hook != "patient-view":
        made["draftOrders"] = bundle(*drafts) | {"type": "collection"}
    if hook == "order-select":
        made["selections"] = list(selections) if selections is not None else [name_of(item) for item in drafts]
    call: Json = {"hookInstance": HOOK_INSTANCE, "hook": hook, "context": made}
    if prefetch is not None:
        call["prefetch"] = dict(prefetch)
    return call


# --- Studies, allergies, decisions

_DATE_OF = {
    "DiagnosticReport": "effectiveDateTime",
    "Procedure": "performedDateTime",
    "ImagingStudy": "started",
}
_DONE_AS = {"DiagnosticReport": "final", "ImagingStudy": "available"}


def study(
    kind: str,
    *codes: str,
    when: str | None = None,
    status: str | None = None,
    text: str = "",
    **elements: object,
) -> Json:
    """A DiagnosticReport, Procedure, ServiceRequest or ImagingStudy; done by default, dated `when`."""
    what = concept(*codes, text=text)
    made: Json = {
        "resourceType": kind,
        "id": f"study-{next(_serial)}",
        "status": status or _DONE_AS.get(kind, "completed"),
        "subject": reference("Patient", PATIENT_ID),
    }
    made |= {"procedureCode": [what]} if kind == "ImagingStudy" else {"code": what}
    if kind == "ServiceRequest":
        made["intent"] = "order"
    if when is not None:
        made[_DATE_OF.get(kind, "authoredOn")] = when
    return made | elements


def device(*codes: str, status: str = "active", text: str = "", **elements: object) -> Json:
    """A Device of the patient; R4 calls the element `patient`."""
    made: Json = {
        "resourceType": "Device",
        "id": f"device-{next(_serial)}",
        "status": status,
        "type": concept(*codes, text=text),
        "patient": reference("Patient", PATIENT_ID),
    }
    return made | elements


def allergy(
    *codes: str,
    clinical: str | None = "active",
    verification: str | None = "confirmed",
    text: str = "",
    display: str = "",
    **elements: object,
) -> Json:
    """An AllergyIntolerance of the patient; `elements` replace what they name, None removes it."""
    made: Json = {
        "resourceType": "AllergyIntolerance",
        "id": f"allergy-{next(_serial)}",
        "code": concept(*codes, text=text, display=display),
        "patient": reference("Patient", PATIENT_ID),
        "clinicalStatus": allergy_status("clinical", clinical) if clinical else None,
        "verificationStatus": allergy_status("verification", verification) if verification else None,
    }
    return {name: value for name, value in (made | elements).items() if value is not None}


def allergy_status(kind: str, code: str) -> Json:
    """A coded status of an AllergyIntolerance."""
    system = f"http://terminology.hl7.org/CodeSystem/allergyintolerance-{kind}"
    return {"coding": [{"system": system, "code": code}]}


def supplied(*resources: Json, without: Sequence[str] = ()) -> Json:
    """As `prefetch`, with devices and imaging studies where EHRs put them, and `without` some keys."""
    filled = prefetch(*resources)
    mixed = {
        "procedures": ("Procedure", "Device"),
        "diagnosticReports": ("DiagnosticReport", "ImagingStudy"),
    }
    for key, kinds in mixed.items():
        filled[key] = bundle(*(item for item in resources if item["resourceType"] in kinds))
    return {key: value for key, value in filled.items() if key not in without}


def assessed(
    *resources: Json,
    now: datetime = NOW,
    options: RuleOptions | None = None,
    encounter_id: str | None = None,
    replaced: Mapping[str, Any] | None = None,
) -> Assessment:
    """As `assessment`, with devices and imaging studies; keys in `replaced` have the value given there."""
    known = build_chart(PATIENT_ID, supplied(*resources) | dict(replaced or {}), encounter_id)
    return assess(known, now, options)


@lru_cache(maxsize=32)
def _support(settings: tuple[tuple[str, Any], ...]) -> DecisionSupport:
    return DecisionSupport(make_settings(dict(settings)))


def decision(
    *resources: Json,
    hook: str = "patient-view",
    drafts: Sequence[Json] = (),
    selections: Sequence[str] | None = None,
    encounter_id: str | None = None,
    without: Sequence[str] = (),
    replaced: Mapping[str, Any] | None = None,
    now: datetime = NOW,
    **settings: Any,
) -> Decision:
    """The service's whole answer to a hook call for the patient with exactly these resources.

    Keys in `without` are not in the prefetch, those in `replaced` have the value given there.
    """
    context = {"encounterId": encounter_id} if encounter_id else {}
    known = supplied(*resources, without=without) | dict(replaced or {})
    call = request(hook, known, drafts, selections, **context)
    service = next(item for item in SERVICES.values() if item.hook == hook)
    return _support(tuple(sorted(settings.items()))).decide(HookCall(service, now), call)


def only_card(decided: Decision) -> Json:
    """The one card of a response."""
    (card,) = decided.response["cards"]
    return dict(card)


def section(card: Json, heading: str) -> str:
    """The lines of the card's detail under a heading (`Proposed`), or behind one that ends in a colon (`Not checked:`).

    Blanks that do not break are given as blanks; tests/test_card_text.py holds where they stand.
    """
    _, _, behind = card["detail"].replace("\N{NO-BREAK SPACE}", " ").partition(f"**{heading}**")
    return str(behind.strip().split("\n\n", 1)[0])


def created(card: Json) -> list[Json]:
    """The orders that a card offers to create, in its order."""
    actions = [action for item in card.get("suggestions", []) for action in item["actions"]]
    return [action["resource"] for action in actions if action["type"] == "create"]


def removed(card: Json) -> list[str]:
    """The references of the drafts that a card offers to remove."""
    actions = [action for item in card.get("suggestions", []) for action in item["actions"]]
    return [action["resourceId"] for action in actions if action["type"] == "delete"]
