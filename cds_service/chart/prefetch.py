"""Read one prefetch value: what it holds for this patient, and why it may be incomplete.

The decision matrix follows CDS Hooks (prefetch) and what EHRs really send: a key that is absent is unknown, `null`
and an empty search result are known to be empty, an OperationOutcome may be a gap (`outcomes`), a page with a `next`
link is incomplete. Another patient's entries are passed over; one of which nobody knows whose it is leaves a gap.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple, TypeVar
from weakref import proxy

from cds_service.chart.elements import Json, Reading, short_reference
from cds_service.chart.outcomes import judge
from cds_service.chart.pages import gap_of
from cds_service.chart.records import Gap, PassedOver, PrefetchResult, Unread
from cds_service.chart.resource_types import resource_type_of
from cds_service.chart.screening import CodeScreen, Screened, Screening
from cds_service.chart.span import Span
from cds_service.chart.subjects import Identifier, Owner, Subjects, bases_of, identifier_of
from cds_service.chart.undecoded import UndecodedBundle, UndecodedEntry

_ABSENT = object()

# So many places are named in full; more of the same do not help anyone.
NAMED_PLACES = 50

# A batch of searches is one Bundle in another; nobody needs more than a few.
_DEEPEST = 4

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class FetchedPrefetch:
    """A prefetch value that this service completed from the FHIR server, and why it may still not be all."""

    value: Any
    gap: Gap | None


Reader = Callable[[Json, Reading], T]

# Called now and then while a chart is read; raises what ends the reading.
StillWanted = Callable[[], None]


def always_wanted() -> None:
    """Somebody waits for the chart, however long it takes."""


class Entry(NamedTuple):
    """One resource, the place where it stands, and its `fullUrl` (empty where it has none)."""

    where: str
    resource: Json
    full_url: str = ""

    @property
    def name(self) -> str:
        """`Condition/123`; the place of a resource without an id."""
        identity, kind = self.resource.get("id"), self.resource["resourceType"]
        if isinstance(identity, str) and identity:
            return f"{kind}/{identity}"
        at_end = short_reference(self.full_url)
        return at_end if at_end.startswith(f"{kind}/") else self.where


@dataclass(slots=True)
class Entries:
    """The resources found under one key, with the reasons why they may not be all.

    Attributes:
        passed_over: further resources, which cannot matter to the rule.
    """

    found: list[Entry] = field(default_factory=list)
    gap: Gap | None = None
    accepted_gap: Gap | None = None
    unread: list[Unread] = field(default_factory=list)
    passed_over: PassedOverEntries | None = None
    _bases: frozenset[str] | None = None

    def bases(self) -> frozenset[str]:
        """The base addresses at which the entries stand."""
        if self._bases is None:
            self._bases = bases_of(full_url for _, full_url in self.names())
        return self._bases

    def names(self) -> Iterator[tuple[str, str]]:
        """The name and the `fullUrl` of every resource."""
        yield from ((entry.name, entry.full_url) for entry in self.found)
        if self.passed_over:
            yield from zip(self.passed_over.screened.names, self.passed_over.full_urls(), strict=True)


@dataclass(frozen=True, slots=True)
class PassedOverEntries:
    """The entries of a Bundle that cannot matter to the rule."""

    resource_type: str
    bundle: UndecodedBundle
    screened: Screened

    def full_urls(self) -> Iterator[str]:
        """The `fullUrl` of each, or an empty string."""
        return (_full_url(self.bundle.entries[place]) for place in self.screened.places)

    def read(self, read: Reader[T], resolve: Callable[[str], str]) -> Iterator[T]:
        """Their records."""
        for place, name in zip(self.screened.places, self.screened.names, strict=True):
            yield read(self.bundle.decode(bytes(self.bundle.entries[place].resource)), Reading(name, resolve))


def _full_url(entry: UndecodedEntry) -> str:
    return entry.fullUrl if isinstance(entry.fullUrl, str) else ""


class PrefetchReader:
    """Reads the prefetch of one call for one patient; each key is unfolded once.

    Args:
        prefetch: values by prefetch key, as they came.
        patient_id: the patient of the call.
        server: the base address of the call's FHIR server, or an empty string.
        accepted_gaps: keys of which the site knows that its EHR never grants all.
        still_wanted: called before each entry; raises where nobody waits for the chart any more.
    """

    def __init__(
        self,
        prefetch: Mapping[str, Any],
        patient_id: str,
        server: str = "",
        accepted_gaps: Collection[str] = (),
        still_wanted: StillWanted = always_wanted,
    ) -> None:
        self._prefetch = prefetch
        self._still_wanted = still_wanted
        self._accepted = frozenset(accepted_gaps)
        self._unfolded: dict[str, Entries] = {}
        self._names: dict[str, str] | None = None
        self._identifiers: frozenset[Identifier] | None = None
        self._screening: Screening | None = None
        self._read_whole: set[str] = set()
        # Weakly: what refers to itself keeps its call, of up to 10 MB, in memory until garbage is collected.
        me: PrefetchReader = proxy(self)
        self.subjects = Subjects(patient_id, server, lambda url: me.name_behind(url), lambda: me.identifiers())

    def pass_over(self, codes: CodeScreen, birth: Span | None) -> None:
        """From now on, pass over entries whose codes cannot matter to the rule.

        Args:
            codes: of the rule.
            birth: of the patient, as far as it is known.
        """
        self._screening = Screening(codes, birth, self.subjects.is_own, self._still_wanted)

    def pass_over_none_of(self, key: str) -> None:
        """Read every entry of a key."""
        self._read_whole.add(key)
        self._unfolded.pop(key, None)

    def read(self, key: str, resource_types: tuple[str, ...], read: Reader[T]) -> PrefetchResult[T]:
        """The records of one kind under one prefetch key.

        Args:
            key: the prefetch key.
            resource_types: the FHIR types that count; others in the same Bundle are passed over.
            read: makes a record of one resource.
        """
        entries, resolve = self.entries(key), self.resolve
        records: list[T] = []
        named = list(entries.unread)
        unreadable, others, nobodys, statuses, spoiled, wanted = len(named), 0, 0, 0, False, 0
        for entry in entries.found:
            if entry.resource.get("resourceType") not in resource_types:
                continue
            wanted += 1
            self._still_wanted()
            owner = self.owner(entry, entries)
            if owner is not Owner.PATIENT:
                others += owner is Owner.ANOTHER
                nobodys += owner is Owner.UNKNOWN
                named.append(Unread(entry.name, f"refused: {_REFUSED[owner]}"))
                continue
            reading = Reading(entry.name, resolve)
            records.append(read(entry.resource, reading))
            named += reading.unread
            unreadable += bool(reading.unread)
            spoiled = spoiled or reading.spoiled
            statuses += reading.unknown_statuses
        passed = (
            entries.passed_over if entries.passed_over and entries.passed_over.resource_type in resource_types else None
        )
        wanted += passed is not None
        gap = entries.gap
        if nobodys:
            gap = gap or Gap.SUBJECT_UNKNOWN
        elif others and not (records or passed):
            gap = gap or Gap.OTHER_PATIENT
        elif spoiled:
            gap = gap or Gap.UNREADABLE
        elif (entries.found or entries.passed_over) and not wanted:
            gap = gap or Gap.NOT_FHIR
        return PrefetchResult(
            items=tuple(records),
            gap=gap,
            unread=tuple(named[:NAMED_PLACES]),
            unreadable=unreadable,
            of_others=others,
            of_nobody=nobodys,
            unknown_statuses=statuses,
            accepted_gap=entries.accepted_gap,
            passed_over=_passed_over(passed, read, resolve) if passed else PassedOver(),
        )

    def entries(self, key: str) -> Entries:
        """The resources under one key."""
        if (found := self._unfolded.get(key)) is None:
            found = self._unfolded[key] = self._unfold(self._prefetch.get(key, _ABSENT), key)
        return found

    def owner(self, entry: Entry, beside: Entries) -> Owner:
        """Whose an entry is; `beside` are the entries that came with it."""
        if entry.resource.get("resourceType") == "Patient":
            return self.subjects.of_patient_record(entry.resource, entry.full_url)
        return self.subjects.of_entry(entry.resource, beside.bases)

    def resolve(self, reference: str) -> str:
        """The name of what a reference points to: `Type/id`, `#id`, or a `urn:` that leads nowhere."""
        if reference.startswith("urn:"):
            return self.name_behind(reference) or reference
        return short_reference(reference)

    def name_behind(self, full_url: str) -> str:
        """The name of the entry with this `fullUrl` under any key, or an empty string."""
        if self._names is None:
            names = (pair for key in self._prefetch for pair in self.entries(key).names())
            self._names = {full_url: name for name, full_url in names if full_url}
        return self._names.get(full_url, "")

    def identifiers(self) -> frozenset[Identifier]:
        """The identifiers in the records of the patient."""
        if self._identifiers is None:
            self._identifiers = frozenset(self._identifiers_of_patient())
        return self._identifiers

    def _identifiers_of_patient(self) -> list[Identifier]:
        records = [
            entry.resource
            for entry in self.entries("patient").found
            if entry.resource.get("resourceType") == "Patient"
            and self.subjects.of_patient_record(entry.resource, entry.full_url) is Owner.PATIENT
        ]
        values = [record.get("identifier") for record in records]
        listed = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return [found for item in listed if (found := identifier_of(item)) is not None]

    def _unfold(self, value: object, key: str) -> Entries:
        if isinstance(value, FetchedPrefetch):
            found = self._unfold(value.value, key) if value.value is not None else Entries()
            found.gap = value.gap or found.gap
            return found
        if value is _ABSENT:
            return Entries(gap=Gap.NOT_SUPPLIED)
        if value is None:
            return Entries()
        if isinstance(value, UndecodedBundle):
            return self._screened(value, key)
        if not isinstance(value, dict):
            return Entries(gap=Gap.NOT_FHIR, unread=[Unread(key, "is neither a resource nor a Bundle")])
        kind = resource_type_of(value)
        if kind == "OperationOutcome":
            verdict = judge(value, in_place=True, accepts=key in self._accepted)
            return Entries(gap=verdict.gap, accepted_gap=verdict.accepted)
        if kind == "Bundle":
            return self._bundle(value, key)
        if not kind:
            return Entries(gap=Gap.NOT_FHIR, unread=[Unread(key, "has no resourceType of FHIR R4")])
        return Entries(found=[Entry(key, _typed(value, kind))])

    def _screened(self, bundle: UndecodedBundle, key: str) -> Entries:
        """The entries of a Bundle of which those that cannot matter are passed over."""
        resource_type = _SCREENED.get(key)
        if self._screening is None or resource_type is None or key in self._read_whole:
            return self._unfold(bundle.decoded(), key)
        screened = self._screening.screen(resource_type, bundle.entries)
        left = [
            (place, {"resource": bundle.decode(bytes(entry.resource)), "fullUrl": _full_url(entry)})
            for place in screened.left
            for entry in (bundle.entries[place],)
        ]
        found = self._entries_of(bundle.head, left, key, key, 0)
        if not screened.places:
            return found
        found.passed_over = PassedOverEntries(resource_type, bundle, screened)
        # The same entry twice is one, and of two at one address the last counts: for those to see who read all of them.
        names, addresses = zip(*found.names(), strict=True)
        addresses = tuple(filter(None, addresses))
        if len(set(names)) < len(names) or len(set(addresses)) < len(addresses):
            return self._unfold(bundle.decoded(), key)
        return found

    def _bundle(self, bundle: Json, key: str, where: str = "", depth: int = 0) -> Entries:
        """The entries of a Bundle, and of the Bundles in it (a batch-response holds search results)."""
        where = where or key
        entries = bundle.get("entry")
        entries = [] if entries is None else [entries] if isinstance(entries, dict) else entries
        if not isinstance(entries, list):
            return Entries(gap=Gap.NOT_FHIR, unread=[Unread(f"{where}.entry", "is not a list")])
        return self._entries_of(bundle, enumerate(entries), key, where, depth)

    def _entries_of(
        self, bundle: Json, entries: Iterable[tuple[int, Any]], key: str, where: str, depth: int
    ) -> Entries:
        """Entries of a Bundle, each with its place there."""
        found = Entries(gap=gap_of(bundle))
        in_place = bundle.get("type") == "batch-response"
        for index, entry in entries:
            at = f"{where}.entry[{index}]"
            resource = entry.get("resource") if isinstance(entry, dict) else None
            kind = resource_type_of(resource)
            if kind is None or resource is None:
                _cannot_read(found, at, "holds no resource")
            elif not kind:
                _cannot_read(found, at, "has a resourceType that FHIR R4 does not know")
            elif kind == "OperationOutcome":
                verdict = judge(resource, in_place=in_place, accepts=key in self._accepted)
                found.gap = verdict.gap or found.gap
                found.accepted_gap = verdict.accepted or found.accepted_gap
            elif kind != "Bundle":
                full_url = entry.get("fullUrl")
                found.found.append(Entry(at, _typed(resource, kind), full_url if isinstance(full_url, str) else ""))
            elif depth == _DEEPEST:
                _cannot_read(found, at, "is nested too deep")
            else:
                _add(found, self._bundle(resource, key, f"{at}.resource", depth + 1))
        return found


def _typed(resource: Json, kind: str) -> Json:
    """A resource with its type as FHIR writes it."""
    return resource if resource["resourceType"] == kind else {**resource, "resourceType": kind}


def _cannot_read(found: Entries, where: str, why: str) -> None:
    """Note an entry that cannot be read: it may have been the decisive one, so the list is not complete."""
    found.gap = found.gap or Gap.UNREADABLE
    found.unread.append(Unread(where, why))


def _add(found: Entries, inner: Entries) -> None:
    """Add the entries of a Bundle in a Bundle."""
    found.found += inner.found
    found.unread += inner.unread
    found.gap = found.gap or inner.gap
    found.accepted_gap = found.accepted_gap or inner.accepted_gap


def _passed_over(entries: PassedOverEntries, read: Reader[T], resolve: Callable[[str], str]) -> PassedOver[T]:
    screened = entries.screened
    records = cache(lambda: tuple(entries.read(read, resolve)))
    return PassedOver(records, screened.counts, screened.recorded, screened.fulfills)


# The keys whose entries are screened, with the type of resource that they are for.
_SCREENED = {
    "conditions": "Condition",
    "observations": "Observation",
    "serviceRequests": "ServiceRequest",
    "diagnosticReports": "DiagnosticReport",
    "procedures": "Procedure",
}

_REFUSED = {Owner.ANOTHER: "not about this patient", Owner.UNKNOWN: "nobody knows whose it is"}
