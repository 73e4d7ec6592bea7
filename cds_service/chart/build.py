"""Build a `Chart` from what a hook call brought."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

from cds_service.chart.drafts import read_drafts
from cds_service.chart.elements import Json, Reading
from cds_service.chart.prefetch import Entry, PrefetchReader, StillWanted, always_wanted
from cds_service.chart.records import Chart, Condition, Gap, PrefetchResult
from cds_service.chart.resource_types import resource_type_of
from cds_service.chart.resources import (
    read_allergy,
    read_condition,
    read_encounter,
    read_observation,
    read_patient,
    read_study,
    reason_parts,
)
from cds_service.chart.screening import CodeScreen
from cds_service.chart.span import Span
from cds_service.chart.subjects import Owner

# An EHR may put imaging studies beside the reports, and devices beside the procedures that placed them.
_REPORTS = ("DiagnosticReport", "ImagingStudy")
_PROCEDURES = ("Procedure", "Device", "ImagingStudy")


def build_chart(
    patient_id: str,
    prefetch: Mapping[str, Any],
    encounter_id: str | None = None,
    drafts: Sequence[Json] | None = None,
    selections: Sequence[str] | None = None,
    *,
    draft_urls: Sequence[str] = (),
    skipped_drafts: int = 0,
    fhir_server: str = "",
    accepted_gaps: Collection[str] = (),
    codes: CodeScreen | None = None,
    still_wanted: StillWanted = always_wanted,
) -> Chart:
    """Read a chart.

    Args:
        patient_id: the patient of the hook; data of any other is refused.
        prefetch: values by prefetch key, as they came.
        encounter_id: the encounter of the hook, if it named one, or its `urn:uuid:`.
        drafts: resources of `draftOrders`; None where the hook has no orders.
        selections: references of the selected drafts; None where the hook selects none (order-sign): then
            all drafts are looked at.
        draft_urls: the `fullUrl` of each draft, an empty string where it has none.
        skipped_drafts: how many entries of `draftOrders` hold no resource.
        fhir_server: the base address of the call's FHIR server, or an empty string.
        accepted_gaps: prefetch keys of which the site knows that its EHR never grants all.
        codes: tells which codes cannot matter to the rule; without it every entry is read.
        still_wanted: called before each entry; raises where nobody waits for the chart any more.
    """
    reader = PrefetchReader(prefetch, patient_id, fhir_server, accepted_gaps, still_wanted)
    patient = reader.read("patient", ("Patient",), read_patient)
    birth = patient.items[0].birth if patient.items else None
    if codes is not None:
        reader.pass_over(codes, birth)
    return Chart(
        patient=patient,
        conditions=_conditions(reader, birth),
        observations=reader.read("observations", ("Observation",), read_observation),
        encounters=reader.read("encounters", ("Encounter",), partial(read_encounter, sent=_Sent(prefetch, reader))),
        service_requests=reader.read("serviceRequests", ("ServiceRequest",), read_study),
        diagnostic_reports=reader.read("diagnosticReports", _REPORTS, read_study),
        procedures=reader.read("procedures", _PROCEDURES, read_study),
        devices=reader.read("devices", ("Device",), read_study),
        allergies=reader.read("allergies", ("AllergyIntolerance",), read_allergy),
        current_encounter=_encounter(encounter_id, reader),
        drafts=None if drafts is None else read_drafts(drafts, draft_urls, selections, reader, skipped_drafts),
    )


class _Sent:
    """The references of all entries that were sent, whoever's they are; gathered where somebody asks."""

    def __init__(self, prefetch: Iterable[str], reader: PrefetchReader) -> None:
        self._gathered = cache(lambda: frozenset(name for key in prefetch for name, _ in reader.entries(key).names()))

    def __contains__(self, reference: object) -> bool:
        return reference in self._gathered()


def _encounter(encounter_id: str | None, reader: PrefetchReader) -> str:
    """The reference of the encounter of the hook, or an empty string."""
    if not encounter_id:
        return ""
    return reader.resolve(encounter_id) if encounter_id.startswith("urn:") else f"Encounter/{encounter_id}"


def _conditions(reader: PrefetchReader, birth: Span | None) -> PrefetchResult[Condition]:
    """All Conditions at hand: the `conditions` key, and those that stand in or beside Encounters.

    Where a Condition names no Encounter but an Encounter names it as its diagnosis, it belongs to that one.
    """
    read = partial(read_condition, birth=birth)
    if any(map(_may_hold_conditions, reader.entries("encounters").found)):
        # The same Condition may stand among the others.
        reader.pass_over_none_of("conditions")
    result = reader.read("conditions", ("Condition",), read)
    beside = reader.read("encounters", ("Condition",), read)
    visits = _visits_by_diagnosis(reader)
    found = (*result.items, *beside.items, *_contained(reader, read))
    dated = (
        replace(item, encounter=visits[item.reference]) if not item.encounter and item.reference in visits else item
        for item in found
    )
    return replace(
        result,
        # The same entry twice is one; two that differ stay two, whichever comes first.
        items=tuple(dict.fromkeys(dated)),
        gap=result.gap or (Gap.SUBJECT_UNKNOWN if beside.of_nobody else None),
        of_others=result.of_others + beside.of_others,
        of_nobody=result.of_nobody + beside.of_nobody,
        unknown_statuses=result.unknown_statuses + beside.unknown_statuses,
    )


def _may_hold_conditions(entry: Entry) -> bool:
    return entry.resource["resourceType"] == "Condition" or "contained" in entry.resource


def _visits_by_diagnosis(reader: PrefetchReader) -> dict[str, str]:
    """The Encounter that names a Condition as its diagnosis, by the Condition's reference."""
    visits = {}
    for entry in reader.entries("encounters").found:
        if entry.resource["resourceType"] == "Encounter":
            reading = Reading(entry.name, reader.resolve)
            for diagnosis in reading.items(entry.resource.get("diagnosis"), "diagnosis"):
                for part in reason_parts(diagnosis.get("condition"), "diagnosis.condition", reading):
                    visits[reading.reference(part, "diagnosis.condition")] = reading.where
    return visits


def _contained(reader: PrefetchReader, read: Callable[[Json, Reading], Condition]) -> Iterator[Condition]:
    """Conditions inside the patient's Encounters."""
    entries = reader.entries("encounters")
    for entry in entries.found:
        if "contained" not in entry.resource or reader.owner(entry, entries) is not Owner.PATIENT:
            continue
        visit = Reading(entry.name, reader.resolve)
        for item in visit.items(entry.resource.get("contained"), "contained"):
            inner = Entry(f"{visit.where}#{item.get('id', '')}", item)
            # It is the patient's, as what contains it is, unless it names somebody else.
            if resource_type_of(item) == "Condition" and reader.owner(inner, entries) is not Owner.ANOTHER:
                yield replace(read(item, Reading(inner.where, reader.resolve)), encounter=visit.where)
