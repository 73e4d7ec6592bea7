"""Read one prefetch value: what it holds for this patient, and why it may be incomplete.

The decision matrix follows CDS Hooks (prefetch) and what EHRs really send: a key that is absent is unknown, `null`
and an empty search result are known to be empty, an OperationOutcome with an error is unknown, a page with a `next`
link is incomplete. Resources of another patient are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cds_service.chart.elements import Json, Reading
from cds_service.chart.records import Gap, PrefetchResult, Unread
from cds_service.chart.resources import subject_of

_ABSENT = object()
_HARMLESS = frozenset({"information", "warning", "success"})

# So many places are named in full; more of the same do not help anyone.
_NAMED_PLACES = 50

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchedPrefetch:
    """A prefetch value that this service completed from the FHIR server, and why it may still not be all."""

    value: Any
    gap: Gap | None


Reader = Callable[[Json, Reading], T]


@dataclass(slots=True)
class Entries:
    """The resources found under one key, with the reasons why they may not be all."""

    resources: list[tuple[str, Json]] = field(default_factory=list)
    gap: Gap | None = None
    unread: list[Unread] = field(default_factory=list)


def read_prefetch(
    prefetch: Mapping[str, Any], key: str, resource_types: tuple[str, ...], patient_id: str, read: Reader[T]
) -> PrefetchResult[T]:
    """The records of one type under one prefetch key.

    Args:
        prefetch: the prefetch of the call.
        key: the prefetch key.
        resource_types: the FHIR types that count; others in the same Bundle are passed over.
        patient_id: the patient of the call; resources of any other are refused.
        read: makes a record of one resource.
    """
    entries = entries_of(prefetch, key)
    records: list[T] = []
    named = list(entries.unread)
    unreadable, refused, spoiled, wanted = len(named), 0, False, 0
    for where, resource in entries.resources:
        if resource.get("resourceType") not in resource_types:
            continue
        wanted += 1
        reading = Reading(name_of(resource, where))
        if not is_about(resource, patient_id, reading):
            refused += 1
            named.append(Unread(reading.where, "refused: not about this patient"))
            continue
        records.append(read(resource, reading))
        named += reading.unread
        unreadable += bool(reading.unread)
        spoiled = spoiled or reading.spoiled
    gap = entries.gap
    if refused and not records:
        gap = gap or Gap.OTHER_PATIENT
    elif spoiled:
        gap = gap or Gap.UNREADABLE
    elif entries.resources and not wanted:
        gap = gap or Gap.NOT_FHIR
    return PrefetchResult(tuple(records), gap, tuple(named[:_NAMED_PLACES]), unreadable)


def entries_of(prefetch: Mapping[str, Any], key: str) -> Entries:
    """The resources under one key, each with the place where it stands."""
    value = prefetch.get(key, _ABSENT)
    if isinstance(value, FetchedPrefetch):
        found = entries_of({key: value.value}, key) if value.value is not None else Entries()
        found.gap = value.gap or found.gap
        return found
    if value is _ABSENT:
        return Entries(gap=Gap.NOT_SUPPLIED)
    if value is None:
        return Entries()
    if not isinstance(value, dict):
        return Entries(gap=Gap.NOT_FHIR, unread=[Unread(key, "is neither a resource nor a Bundle")])
    kind = value.get("resourceType")
    if kind == "OperationOutcome":
        return Entries(gap=Gap.SOURCE_ERROR if _is_error(value) else None)
    if kind != "Bundle":
        if not isinstance(kind, str):
            return Entries(gap=Gap.NOT_FHIR, unread=[Unread(key, "has no resourceType")])
        return Entries(resources=[(key, value)])
    return _bundle(value, key)


def _bundle(bundle: Json, key: str) -> Entries:
    found = Entries(gap=Gap.FIRST_PAGE_ONLY if _has_more(bundle) else None)
    entries = bundle.get("entry")
    if entries is None:
        entries = []
    if not isinstance(entries, list):
        return Entries(gap=Gap.NOT_FHIR, unread=[Unread(f"{key}.entry", "is not a list")])
    for index, entry in enumerate(entries):
        where = f"{key}.entry[{index}]"
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if not isinstance(resource, dict) or not isinstance(resource.get("resourceType"), str):
            # An entry that holds no resource may have been the decisive one: the list is not complete.
            found.gap = found.gap or Gap.UNREADABLE
            found.unread.append(Unread(where, "holds no resource"))
        elif resource["resourceType"] == "OperationOutcome":
            if _is_error(resource):
                found.gap = Gap.SOURCE_ERROR
        else:
            found.resources.append((where, resource))
    return found


def next_page(bundle: Json) -> str:
    """The address of a Bundle's next page as it is given, or an empty string."""
    links = bundle.get("link")
    links = [links] if isinstance(links, dict) else links
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("relation") == "next":
            url = link.get("url")
            # A next link without an address still says that there is more.
            return url if isinstance(url, str) and url else "?"
    return ""


def _has_more(bundle: Json) -> bool:
    """Whether there is more: a `next` link, or a total above the entries that came."""
    if next_page(bundle):
        return True
    total, entries = bundle.get("total"), bundle.get("entry")
    return isinstance(total, int) and total > (len(entries) if isinstance(entries, list) else 0)


def _is_error(outcome: Json) -> bool:
    """Whether an OperationOutcome reports a failure; one without any issue counts as one."""
    issues = outcome.get("issue")
    if not isinstance(issues, list) or not issues:
        return True
    return any(not isinstance(issue, dict) or issue.get("severity") not in _HARMLESS for issue in issues)


def name_of(resource: Json, where: str) -> str:
    """`Condition/123`, or the place of a resource without an id."""
    identity = resource.get("id")
    return f"{resource['resourceType']}/{identity}" if isinstance(identity, str) and identity else where


def is_about(resource: Json, patient_id: str, reading: Reading) -> bool:
    """Whether a resource is about the patient: a Patient by its id, any other by its subject.

    References may be absolute (Epic) or `urn:uuid:`; only the id at their end is compared. A resource that
    names no subject is not known to be about the patient.
    """
    if resource.get("resourceType") == "Patient":
        return resource.get("id") == patient_id
    return subject_of(resource, reading) in (f"Patient/{patient_id}", f"urn:uuid:{patient_id}")
