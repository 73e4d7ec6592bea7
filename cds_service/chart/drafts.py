"""Read the order session of a hook: the draft orders, and which of them were selected."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from cds_service.chart.elements import Json, Reading, short_reference
from cds_service.chart.prefetch import NAMED_PLACES, Entries, Entry, PrefetchReader
from cds_service.chart.records import Concept, Drafts, Order, Unread
from cds_service.chart.resources import read_order
from cds_service.chart.subjects import Owner

# EHRs give drafts ids that FHIR would not allow (Epic: some 190 characters). One that would bend a reference is none.
_ID = re.compile(r"[^\s/]+")


def read_drafts(
    resources: Sequence[Json],
    full_urls: Sequence[str],
    selections: Sequence[str] | None,
    reader: PrefetchReader,
    skipped: int = 0,
) -> Drafts:
    """The draft orders, and those that the selections point to.

    Clients point by `Type/id`, by the whole address, by `urn:uuid:`, by the bare id. A selection that leads to no draft
    is no sign that nothing was selected: then any draft may be meant. `skipped` entries held no resource at all.
    """
    entries = [
        Entry(f"draftOrders.entry[{index}]", resource, full_urls[index] if index < len(full_urls) else "")
        for index, resource in enumerate(resources)
    ]
    by_name = {name: entry.name for entry in entries for name in _names(entry)}
    medications = _medications(entries, reader)
    orders: list[Order] = []
    unread = [Unread("draftOrders.entry", "holds no resource")] * min(skipped, NAMED_PLACES)
    beside = Entries(entries)
    for entry in entries:
        if entry.resource.get("resourceType") == "Medication":
            continue
        reading = Reading(entry.name, lambda reference: by_name.get(reference) or reader.resolve(reference))
        order = read_order(entry.resource, reading, medications)
        # Drafts stand in the session of this patient: only one that names somebody else is not meant.
        about = reader.owner(entry, beside) is not Owner.ANOTHER
        orders.append(replace(order, for_patient=about, has_id=_has_id(entry.resource)))
        unread += reading.unread
    known = Drafts(
        tuple(orders),
        tuple(orders),
        tuple(unread),
        of_others=sum(not order.for_patient for order in orders),
        unreadable=skipped,
    )
    if selections is None:
        return known
    pointed = [by_name.get(item.strip()) or by_name.get(short_reference(item.strip()), "") for item in selections]
    unmatched = sum(all(order.reference != name for order in orders) for name in pointed)
    selected = [order for order in orders if unmatched or order.reference in pointed]
    return replace(known, selected=tuple(selected), unmatched_selections=unmatched)


def _names(entry: Entry) -> list[str]:
    """Everything by which a draft may be pointed to."""
    identity = entry.resource.get("id")
    names = [entry.name, entry.full_url, short_reference(entry.full_url), identity]
    return [name for name in names if isinstance(name, str) and name]


def _has_id(resource: Json) -> bool:
    identity = resource.get("id")
    return isinstance(identity, str) and _ID.fullmatch(identity) is not None


def _medications(entries: Sequence[Entry], reader: PrefetchReader) -> Mapping[str, Concept]:
    """What each Medication among the drafts is, by its name."""
    readings = [
        (entry.resource, Reading(entry.name, reader.resolve))
        for entry in entries
        if entry.resource.get("resourceType") == "Medication"
    ]
    return {reading.where: reading.concept(resource.get("code"), "code") for resource, reading in readings}
