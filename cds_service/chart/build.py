"""Build a `Chart` from what a hook call brought."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from cds_service.chart.elements import Json, Reading, short_reference
from cds_service.chart.prefetch import entries_of, is_about, name_of, read_prefetch
from cds_service.chart.records import Chart, Concept, Condition, Drafts, Order, PrefetchResult, Unread
from cds_service.chart.resources import (
    read_allergy,
    read_condition,
    read_encounter,
    read_observation,
    read_order,
    read_patient,
    read_study,
    subject_of,
)
from cds_service.chart.span import Span

# An EHR may put imaging studies beside the reports, and devices beside the procedures that placed them.
_REPORTS = ("DiagnosticReport", "ImagingStudy")
_PROCEDURES = ("Procedure", "Device", "ImagingStudy")


def build_chart(
    patient_id: str,
    prefetch: Mapping[str, Any],
    encounter_id: str | None = None,
    drafts: Sequence[Json] | None = None,
    selections: Sequence[str] | None = None,
) -> Chart:
    """Read a chart.

    Args:
        patient_id: the patient of the hook; data of any other is refused.
        prefetch: values by prefetch key, as they came.
        encounter_id: the encounter of the hook, if it named one.
        drafts: resources of `draftOrders`; None where the hook has no orders.
        selections: references of the selected drafts; None where the hook selects none (order-sign): then
            all drafts are looked at.
    """
    patient = read_prefetch(prefetch, "patient", ("Patient",), patient_id, read_patient)
    birth = patient.items[0].birth if patient.items else None
    conditions = _conditions(prefetch, patient_id, birth)
    return Chart(
        patient=patient,
        conditions=conditions,
        observations=read_prefetch(prefetch, "observations", ("Observation",), patient_id, read_observation),
        encounters=read_prefetch(prefetch, "encounters", ("Encounter",), patient_id, read_encounter),
        service_requests=read_prefetch(prefetch, "serviceRequests", ("ServiceRequest",), patient_id, read_study),
        diagnostic_reports=read_prefetch(prefetch, "diagnosticReports", _REPORTS, patient_id, read_study),
        procedures=read_prefetch(prefetch, "procedures", _PROCEDURES, patient_id, read_study),
        allergies=read_prefetch(prefetch, "allergies", ("AllergyIntolerance",), patient_id, read_allergy),
        devices=read_prefetch(prefetch, "devices", ("Device",), patient_id, read_study),
        current_encounter=f"Encounter/{encounter_id}" if encounter_id else "",
        drafts=None if drafts is None else read_drafts(drafts, selections, patient_id),
    )


def _conditions(prefetch: Mapping[str, Any], patient_id: str, birth: Span | None) -> PrefetchResult[Condition]:
    """All Conditions at hand: the `conditions` key, and those that stand in or beside Encounters.

    Where a Condition names no Encounter but an Encounter names it as its diagnosis, it belongs to that one.
    """
    read = partial(read_condition, birth=birth)
    result = read_prefetch(prefetch, "conditions", ("Condition",), patient_id, read)
    beside = read_prefetch(prefetch, "encounters", ("Condition",), patient_id, read)
    visits = _visits_by_diagnosis(prefetch)
    found = (*result.items, *beside.items, *_contained(prefetch, patient_id, read))
    dated = (
        replace(item, encounter=visits[item.reference]) if not item.encounter and item.reference in visits else item
        for item in found
    )
    # The same entry twice is one; two that differ stay two, whichever comes first.
    return replace(result, items=tuple(dict.fromkeys(dated)))


def _visits_by_diagnosis(prefetch: Mapping[str, Any]) -> dict[str, str]:
    """The Encounter that names a Condition as its diagnosis, by the Condition's reference."""
    visits = {}
    for where, resource in entries_of(prefetch, "encounters").resources:
        if resource["resourceType"] == "Encounter":
            reading = Reading(name_of(resource, where))
            for diagnosis in reading.items(resource.get("diagnosis"), "diagnosis"):
                visits[reading.reference(diagnosis.get("condition"), "diagnosis.condition")] = reading.where
    return visits


def _contained(
    prefetch: Mapping[str, Any], patient_id: str, read: Callable[[Json, Reading], Condition]
) -> Iterator[Condition]:
    """Conditions inside the patient's Encounters; one that names a subject of its own must name the patient."""
    for where, encounter in entries_of(prefetch, "encounters").resources:
        visit = Reading(name_of(encounter, where))
        if not is_about(encounter, patient_id, visit):
            continue
        for item in visit.items(encounter.get("contained"), "contained"):
            reading = Reading(f"{visit.where}#{item.get('id', '')}")
            if item.get("resourceType") == "Condition" and _may_be_about(item, patient_id, reading):
                yield replace(read(item, reading), encounter=visit.where)


def _may_be_about(resource: Json, patient_id: str, reading: Reading) -> bool:
    subject = subject_of(resource, reading)
    return not subject or subject.startswith("#") or is_about(resource, patient_id, reading)


# EHRs give drafts ids that FHIR would not allow (Epic: some 190 characters). Only one that would break a reference (a
# slash, white space) counts as none.
_ID = re.compile(r"[^\s/]+")


def _is_id(value: object) -> bool:
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def read_drafts(resources: Sequence[Json], selections: Sequence[str] | None, patient_id: str) -> Drafts:
    """The draft orders, and those that the selections point to."""
    unread: list[Unread] = []
    medications: dict[str, Concept] = {}
    for resource in resources:
        if resource.get("resourceType") == "Medication":
            reading = Reading(name_of(resource, "draftOrders"))
            medications[reading.where] = reading.concept(resource.get("code"), "code")
    orders: list[Order] = []
    for index, resource in enumerate(resources):
        if resource.get("resourceType") == "Medication":
            continue
        reading = Reading(name_of(resource, f"draftOrders.entry[{index}]"))
        order = read_order(resource, reading, medications)
        about = _may_be_about(resource, patient_id, reading)
        orders.append(replace(order, for_patient=about, has_id=_is_id(resource.get("id"))))
        unread += reading.unread
    wanted = None if selections is None else {short_reference(item) for item in selections}
    selected = orders if wanted is None else [order for order in orders if order.reference in wanted]
    return Drafts(tuple(orders), tuple(selected), tuple(unread))
