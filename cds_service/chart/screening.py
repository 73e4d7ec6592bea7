"""The fast way of reading a chart: entries that cannot matter are told from their bytes and passed over.

Most of a chart says nothing about a rule's question. An entry is passed over where it is written as FHIR R4 writes it,
is this patient's, and carries a code of which the rule makes nothing. It is counted as what it is, irrelevant by a code
that is known or not understood, and its record can still be read. Every other entry is left to `resources`, which reads
what real EHRs send. Both ways give the same answer; a test holds them together.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal, Protocol, TypeAlias, TypeVar

import orjson
from msgspec import UNSET, Meta, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder

from cds_service.chart.elements import EARLIEST_YEAR, Reading
from cds_service.chart.records import Concept
from cds_service.chart.remembered import remembered
from cds_service.chart.resources import is_visit_diagnosis
from cds_service.chart.span import Span, read_date
from cds_service.chart.statuses import CONDITION, OBSERVATION, STUDIES
from cds_service.chart.undecoded import UndecodedEntry


@dataclass(frozen=True, slots=True)
class BareNumber:
    """A measurement that cannot matter to a rule where it is a number alone, and a low one.

    Attributes:
        counts_as: see `CodeScreen`.
        below: numbers below this cannot matter.
        units: in which the number is given (`Quantity.code`, else its `unit`); None for any.
    """

    counts_as: str
    below: float
    units: frozenset[str] | None = None


class CodeScreen(Protocol):
    """Tells, for one rule, which codes cannot matter to it."""

    def counted_as(self, code: bytes) -> str | BareNumber | None:
        """As what an entry with this code is counted where the rule makes nothing of it.

        Args:
            code: a CodeableConcept in JSON, as it was sent.

        Returns:
            An empty string: irrelevant by a code that is known. A name: understood, or not understood under this name.
            A `BareNumber`: so only where the entry is no more than that. None: it may matter.
        """


# The type of a member that an entry must not have to be passed over; where it has one, decoding fails.
_Absent: TypeAlias = None


class _Subject(Struct, gc=False):
    reference: str


class _Reference(Struct, gc=False):
    reference: str | None = None


class _Quantity(Struct, gc=False):
    value: float | None = None
    comparator: Literal["<", "<=", ">=", ">"] | None = None
    unit: str | None = None
    code: str | None = None


class _Value(Struct, gc=False):
    """The code and the `value[x]` of an Observation or of one of its components."""

    code: Raw
    valueQuantity: _Quantity | None = None
    valueCodeableConcept: Raw | UnsetType = UNSET
    valueString: str | None = None
    valueBoolean: bool | None = None
    valueInteger: Annotated[int, Meta(ge=-(2**31), lt=2**31)] | None = None
    valueCoding: _Absent = None
    valueDateTime: _Absent = None


class _Observation(_Value, gc=False, kw_only=True):
    resourceType: Literal["Observation"]
    id: str
    status: str
    subject: _Subject
    effectiveDateTime: str
    encounter: _Reference | None = None
    context: _Reference | None = None
    bodySite: Raw | UnsetType = UNSET
    interpretation: Raw | UnsetType = UNSET
    component: list[_Value] | None = None


class _Note(Struct, gc=False):
    text: str | None = None


class _Condition(Struct, gc=False):
    resourceType: Literal["Condition"]
    id: str
    subject: _Subject
    code: Raw
    clinicalStatus: Raw | UnsetType = UNSET
    verificationStatus: Raw | UnsetType = UNSET
    category: Raw | UnsetType = UNSET
    onsetDateTime: str | None = None
    recordedDate: str | None = None
    abatementDateTime: str | None = None
    encounter: _Reference | None = None
    context: _Reference | None = None
    note: list[_Note] | None = None
    bodySite: _Absent = None
    onsetPeriod: _Absent = None
    onsetAge: _Absent = None
    onsetRange: _Absent = None
    onsetString: _Absent = None
    assertedDate: _Absent = None
    dateRecorded: _Absent = None
    extension: _Absent = None


class _Period(Struct, gc=False):
    start: str | None = None
    end: str | None = None


class _Study(Struct, gc=False):
    resourceType: Literal["DiagnosticReport", "Procedure", "ServiceRequest"]
    id: str
    status: str
    subject: _Subject
    code: Raw
    reasonCode: Raw | UnsetType = UNSET
    basedOn: list[_Reference] | None = None
    effectiveDateTime: str | None = None
    effectivePeriod: _Period | None = None
    issued: str | None = None
    performedDateTime: str | None = None
    performedPeriod: _Period | None = None
    occurrenceDateTime: str | None = None
    occurrencePeriod: _Period | None = None
    authoredOn: str | None = None
    priority: str | None = None
    intent: str | None = None
    doNotPerform: bool | None = None


_as_observation = Decoder(_Observation).decode
_as_condition = Decoder(_Condition).decode
_as_study = Decoder(_Study).decode
_as_list = Decoder(list[Raw]).decode

# What is raised where an entry, or a member of it, is not what it should be, or holds what only a slower parser reads:
# a number beyond all bounds, a member nested too deeply. Such an entry is read with care.
_UNUSUAL = (MsgspecError, RecursionError, ValueError)

# A reference that is written as it is compared.
_PLAIN_REFERENCE = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9.\-]{1,64}")

# The zone of a time may move it to the next day or the one before: a date so near to a bound is read with care.
_MARGIN = timedelta(days=2)
_LAST_DAY = date(9990, 1, 1)

# Entries between two looks at the time: reading the names of so many new codes takes some milliseconds.
_ENTRIES_BETWEEN_LOOKS = 16

# Of a Condition without a category: it is taken for an entry of a list.
_NO_CATEGORY = False

# A Condition may end in elements that are not listed above, or written with escapes.
_END, _ESCAPE = b"abatement", b"\\u"


@dataclass(frozen=True, slots=True)
class Screened:
    """The entries of one Bundle, screened.

    Attributes:
        left: the places of the entries that are to be read.
        places: the places of those that are passed over.
        names: what these are called: `Observation/7`.
        counts: how many of these count as what (see `CodeScreen`).
        recorded: how many of these, but for the diagnoses of visits, were recorded on which day.
        fulfills: the references of orders that these answer.
    """

    left: Sequence[int]
    places: Sequence[int]
    names: Sequence[str]
    counts: Mapping[str, int]
    recorded: Mapping[date, int]
    fulfills: frozenset[str]


@dataclass(slots=True)
class _Told:
    """What the entries that are passed over tell beside their code."""

    recorded: list[date] = field(default_factory=list)
    fulfills: list[str] = field(default_factory=list)


# How entries of one type are decoded, and as what each is counted.
_Way: TypeAlias = tuple[Callable[[Raw], Any], Callable[[Any, Raw, _Told], str | None]]


_NOTHING = Screened((), (), (), {}, {}, frozenset())


class Screening:
    """Screens the entries of one call.

    Args:
        codes: of the rule.
        birth: of the patient, as far as it is known.
        is_own: whether a reference is to this patient, as it is usually written.
        still_wanted: called now and then; raises where nobody waits for the chart any more.
    """

    def __init__(
        self,
        codes: CodeScreen,
        birth: Span | None,
        is_own: Callable[[str], bool],
        still_wanted: Callable[[], None] = lambda: None,
    ) -> None:
        self._still_wanted = still_wanted
        born = birth.latest if birth else date.min
        self._first = max(min(born, _LAST_DAY), date(EARLIEST_YEAR, 1, 1)) + _MARGIN
        # What was found out about the bytes of a member, which are the same in entry after entry.
        self._counted = _Found(codes.counted_as)
        self._statuses = _Found(_is_plain_status)
        self._concepts = _Found(_is_plain_concept)
        self._lists = _Found(_are_plain_concepts)
        self._categories = _Found(_category)
        self._reasons = _Found(partial(_are_idle, self._counted))
        self._owned = _Found(is_own)

    def screen(self, resource_type: str, entries: Sequence[UndecodedEntry]) -> Screened:
        """The entries of one Bundle; those of another type than this are all left to be read."""
        if not entries:
            return _NOTHING
        left: list[int] = []
        places: list[int] = []
        names: list[str] = []
        counted: list[str] = []
        told = _Told()
        decode, counted_as = self._way(resource_type)
        for place, entry in enumerate(entries):
            if not place % _ENTRIES_BETWEEN_LOOKS:
                self._still_wanted()
            try:
                item = decode(entry.resource)
                counts_as = counted_as(item, entry.resource, told) if item.resourceType == resource_type else None
            except _UNUSUAL:
                counts_as = None
            if counts_as is None or not item.id:
                left.append(place)
                continue
            places.append(place)
            names.append(f"{resource_type}/{item.id}")
            counted.append(counts_as)
        return Screened(left, places, names, Counter(counted), Counter(told.recorded), frozenset(told.fulfills))

    def _way(self, resource_type: str) -> _Way:
        """How entries of a type are decoded and judged. Asked for each Bundle, and not kept: an object that holds its
        own methods, and through them the call, would stay in memory until garbage is collected."""
        if resource_type == "Observation":
            return _as_observation, self._observation
        if resource_type == "Condition":
            return _as_condition, self._condition
        return _as_study, self._study

    def _observation(self, item: _Observation, _: Raw, __: _Told) -> str | None:
        is_plain = (
            item.status in OBSERVATION.known
            and self._owned[item.subject.reference]
            and self._is_plain_date(item.effectiveDateTime)
            and (item.valueCodeableConcept is UNSET or self._concepts[bytes(item.valueCodeableConcept)])
            and (item.bodySite is UNSET or self._lists[bytes(item.bodySite)])
            and (item.interpretation is UNSET or self._lists[bytes(item.interpretation)])
            and (item.component is None or all(map(self._is_idle_part, item.component)))
        )
        counts_as = self._counted[bytes(item.code)] if is_plain else None
        if isinstance(counts_as, BareNumber):
            return counts_as.counts_as if _is_bare(item, counts_as) else None
        return counts_as

    def _is_idle_part(self, part: _Value) -> bool:
        """Whether a component of an Observation cannot matter."""
        value = part.valueCodeableConcept
        return isinstance(self._counted[bytes(part.code)], str) and (value is UNSET or self._concepts[bytes(value)])

    def _condition(self, item: _Condition, resource: Raw, told: _Told) -> str | None:
        category = _NO_CATEGORY if item.category is UNSET else self._categories[bytes(item.category)]
        is_plain = (
            self._owned[item.subject.reference]
            and (item.clinicalStatus is UNSET or self._statuses[bytes(item.clinicalStatus)])
            and (item.verificationStatus is UNSET or self._statuses[bytes(item.verificationStatus)])
            and category is not None
            and (item.onsetDateTime is None or self._is_plain_date(item.onsetDateTime))
            and (item.recordedDate is None or self._is_plain_date(item.recordedDate))
            and self._ends_plainly(item, bytes(resource))
        )
        counts_as = self._counted[bytes(item.code)] if is_plain else None
        if not isinstance(counts_as, str):
            return None
        if item.recordedDate and category == _NO_CATEGORY:
            told.recorded.append(read_date(item.recordedDate).earliest)
        return counts_as

    def _study(self, item: _Study, _: Raw, told: _Told) -> str | None:
        dates = (item.effectiveDateTime, item.issued, item.performedDateTime, item.occurrenceDateTime, item.authoredOn)
        periods = (item.effectivePeriod, item.performedPeriod, item.occurrencePeriod)
        answered = [part.reference for part in item.basedOn or () if part.reference]
        is_plain = (
            item.status in STUDIES[item.resourceType].known
            and self._owned[item.subject.reference]
            and all(text is None or self._is_plain_date(text) for text in dates)
            and all(period is None or self._is_plain_period(period) for period in periods)
            and all(map(_PLAIN_REFERENCE.fullmatch, answered))
            and (item.reasonCode is UNSET or self._reasons[bytes(item.reasonCode)])
        )
        counts_as = self._counted[bytes(item.code)] if is_plain else None
        if not isinstance(counts_as, str):
            return None
        told.fulfills.extend(answered)
        return counts_as

    def _is_plain_period(self, period: _Period) -> bool:
        return all(text is None or self._is_plain_date(text) for text in (period.start, period.end))

    def _ends_plainly(self, item: _Condition, resource: bytes) -> bool:
        """Whether no more is said of an end than, if anything, its date."""
        if _ESCAPE in resource:
            return False
        said = resource.count(_END)
        return said == 0 or (
            said == 1 and item.abatementDateTime is not None and self._is_plain_date(item.abatementDateTime)
        )

    def _is_plain_date(self, text: str) -> bool:
        """Whether a text is a day or a time in the patient's life, to which nothing is to be remarked."""
        try:
            day = datetime.fromisoformat(text).date()
        except ValueError:
            return False
        return self._first <= day <= _LAST_DAY


def _is_bare(item: _Observation, number: BareNumber) -> bool:
    """Whether an Observation is no more than a number below the one from which on it matters."""
    quantity = item.valueQuantity
    if quantity is None or quantity.value is None or quantity.comparator or quantity.value >= number.below:
        return False
    if number.units is not None and (quantity.code or quantity.unit) not in number.units:
        return False
    return item.component is None and item.bodySite is UNSET and not _has_another_value(item)


def _has_another_value(item: _Observation) -> bool:
    return item.valueCodeableConcept is not UNSET or any(
        value is not None for value in (item.valueString, item.valueBoolean, item.valueInteger)
    )


K = TypeVar("K")
V = TypeVar("V")


class _Found(dict[K, V]):
    """What was found out in one call about values that come again and again, such as the bytes of a member."""

    def __init__(self, find_out: Callable[[K], V]) -> None:
        self._find_out = find_out

    def __missing__(self, value: K) -> V:
        found = self[value] = self._find_out(value)
        return found


def _are_idle(counted: Mapping[bytes, object], reasons: bytes) -> bool:
    """Whether no reason in a list can matter, by what each counts as."""
    return all(isinstance(counted[bytes(item)], str) for item in _as_list(reasons))


def plain_concept(code: bytes) -> Concept | None:
    """A CodeableConcept in JSON; None where it is none, or something is to be remarked about it.

    Raises:
        ValueError: only a slower parser reads it.
    """
    reading = Reading("")
    written = orjson.loads(code)
    concept = reading.concept(written, "code")
    return None if reading.unread or not isinstance(written, dict) else concept


@remembered
def _is_plain_concept(member: bytes) -> bool:
    return plain_concept(member) is not None


@remembered
def _are_plain_concepts(member: bytes) -> bool:
    reading = Reading("")
    reading.concepts(orjson.loads(member), "concepts")
    return not reading.unread


@remembered
def _is_plain_status(member: bytes) -> bool:
    reading = Reading("")
    reading.status(orjson.loads(member), "status", CONDITION)
    return not (reading.unread or reading.unknown_statuses)


@remembered
def _category(member: bytes) -> bool | None:
    """Whether a Condition with these categories is the diagnosis of a visit; None where they are not plain."""
    reading = Reading("")
    of_visit = is_visit_diagnosis({"category": orjson.loads(member)}, reading)
    return None if reading.unread else bool(of_visit)
