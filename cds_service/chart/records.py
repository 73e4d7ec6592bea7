"""What a chart holds, once FHIR has been read: plain records without JSON, and how much of it is known.

The records keep only what a rule asks about. What they mean is for `cds_service.clinical` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Generic, TypeVar

from cds_service.chart.span import Span


@dataclass(frozen=True, slots=True)
class Coding:
    """One FHIR Coding; an element that was missing is an empty string."""

    system: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Concept:
    """One FHIR CodeableConcept: every coding, and the text."""

    codings: tuple[Coding, ...] = ()
    text: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """FHIR Patient. `replaced` means that the record was merged into another."""

    birth: Span | None = None
    gender: str = ""
    deceased: bool = False
    active: bool = True
    replaced: bool = False


# FHIR R4 verification statuses of a condition that is not there, and of one that is only suspected.
_OVER = frozenset({"inactive", "remission", "resolved"})
_NOT_TRUE = frozenset({"refuted", "entered-in-error"})
_SUSPECTED = frozenset({"provisional", "differential"})

# Statuses of results: reported, and final. A missing status hides no observation.
_REPORTED = frozenset({"", "final", "amended", "corrected", "preliminary"})
_FINAL = frozenset({"final", "amended", "corrected"})

_NO_VISIT = frozenset({"cancelled", "entered-in-error", "noshow"})
_VISIT_NOT_HELD = _NO_VISIT | {"planned"}
_VISIT_OPEN = frozenset({"arrived", "triaged", "in-progress", "onleave"})

# Intents of a request that authorizes nobody to act.
_NO_AUTHORITY = frozenset({"proposal", "plan", "option"})

# Priorities of a request that cannot wait.
_STAT = frozenset({"stat", "asap"})


@dataclass(frozen=True, slots=True)
class Condition:
    """FHIR Condition. Statuses are bare codes or empty.

    Attributes:
        is_past: marked as a state of before (letter Z of an ICD-10-GM diagnosis).
        onset_text: an onset that could not be dated.
        recorded: when it was recorded, or asserted, whichever came first.
        is_visit_diagnosis: it is a diagnosis of one visit and no entry of the problem list; None without a category.
    """

    reference: str
    concept: Concept
    sites: tuple[Concept, ...] = ()
    clinical_status: str = ""
    verification_status: str = ""
    onset: Span | None = None
    onset_text: str = ""
    recorded: Span | None = None
    encounter: str = ""
    is_visit_diagnosis: bool | None = None
    abated: bool = False
    is_past: bool = False
    abatement: Span | None = None
    note: str = ""

    @property
    def is_over(self) -> bool:
        """Whether its status says that it is over."""
        return self.clinical_status in _OVER

    @property
    def is_refuted(self) -> bool:
        """Whether it was refuted, or entered in error."""
        return self.verification_status in _NOT_TRUE

    @property
    def is_suspected(self) -> bool:
        """Whether it is provisional, or one of several possibilities."""
        return self.verification_status in _SUSPECTED


@dataclass(frozen=True, slots=True)
class Value:
    """An Observation's (or component's) value, in whichever form it came; `absent` is a dataAbsentReason."""

    concept: Concept | None = None
    text: str = ""
    boolean: bool | None = None
    number: float | None = None
    comparator: str = ""
    unit: str = ""
    day: Span | None = None
    absent: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.text and all(item is None for item in (self.concept, self.boolean, self.number, self.day))


@dataclass(frozen=True, slots=True)
class Component:
    """One Observation.component."""

    concept: Concept
    value: Value


@dataclass(frozen=True, slots=True)
class Observation:
    """FHIR Observation."""

    reference: str
    status: str
    concept: Concept
    value: Value
    sites: tuple[Concept, ...] = ()
    components: tuple[Component, ...] = ()
    interpretation: tuple[Concept, ...] = ()
    effective: Span | None = None
    encounter: str = ""

    @property
    def is_reported(self) -> bool:
        """Whether it counts as observed: reported, even if not yet final."""
        return self.status in _REPORTED

    @property
    def is_final(self) -> bool:
        return self.status in _FINAL


@dataclass(frozen=True, slots=True)
class Encounter:
    """FHIR Encounter. The Conditions it names as reasons or diagnoses are read with the others.

    Attributes:
        conditions: references of these Conditions.
    """

    reference: str
    status: str
    reasons: tuple[Concept, ...] = ()
    conditions: tuple[str, ...] = ()
    period: Span | None = None

    @property
    def is_open(self) -> bool:
        """Whether the visit is taking place."""
        return self.status in _VISIT_OPEN

    @property
    def is_planned(self) -> bool:
        return self.status == "planned"

    @property
    def was_held(self) -> bool:
        """Whether the visit took place, or is taking place."""
        return self.status not in _VISIT_NOT_HELD

    @property
    def did_not_take_place(self) -> bool:
        """Whether the visit was cancelled, missed or entered in error; one that is planned is still to come."""
        return self.status in _NO_VISIT


_NOT_AN_ORDER = frozenset({"entered-in-error", "revoked", "cancelled"})


@dataclass(frozen=True, slots=True)
class Order:
    """A draft order of the session: ServiceRequest, MedicationRequest and the like.

    `concepts` say what it is (order code, drug, study code), `reasons` why it was ordered, `reason_references` where
    that stands.
    """

    reference: str
    kind: str
    status: str
    concepts: tuple[Concept, ...] = ()
    reasons: tuple[Concept, ...] = ()
    reason_given: bool = False
    reason_references: tuple[str, ...] = ()
    when: Span | None = None
    priority: str = ""
    for_patient: bool = True
    has_id: bool = True
    not_to_be_done: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is an order for this patient to do something."""
        return self.for_patient and not self.not_to_be_done and self.status not in _NOT_AN_ORDER

    @property
    def is_stat(self) -> bool:
        """Whether it is written as an emergency."""
        return self.priority in _STAT


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What a report concludes, to be shown to the reader of the chart: evidence of nothing.

    No `repr` shows its words, so that none of them reaches a log.

    Attributes:
        text: as written.
        codes: the coded conclusions, each in the words of its author.
        is_restricted: security labels restrict the record; then nothing of it was read.
    """

    text: str = field(default="", repr=False)
    codes: tuple[str, ...] = field(default=(), repr=False)
    is_restricted: bool = False


@dataclass(frozen=True, slots=True)
class Study:
    """A study or intervention that was done, or an order for one outside the order session.

    FHIR DiagnosticReport, Procedure, ImagingStudy, Device or ServiceRequest. `when` is when it was done, or for
    an order when it is due, else when it was written.

    Attributes:
        written, due: of an order, as far as it says.
        fulfills: references of the orders that this report or study answers (`basedOn`).
        same_study: references of other records that it says to be of the same study.
        intent: of an order.
    """

    reference: str
    kind: str
    status: str
    concepts: tuple[Concept, ...] = ()
    when: Span | None = None
    priority: str = ""
    written: Span | None = None
    due: Span | None = None
    fulfills: tuple[str, ...] = ()
    reasons: tuple[Concept, ...] = ()
    not_to_be_done: bool = False
    conclusion: Conclusion = field(default_factory=Conclusion)
    same_study: tuple[str, ...] = ()
    intent: str = ""

    @property
    def is_stat(self) -> bool:
        """Whether it was written as an emergency."""
        return self.priority in _STAT

    @property
    def is_waiting(self) -> bool:
        """Whether nobody acts on an order: it is on hold, or only proposed or planned (FHIR R4 RequestIntent)."""
        return self.status == "on-hold" or self.intent in _NO_AUTHORITY


@dataclass(frozen=True, slots=True)
class Allergy:
    """FHIR AllergyIntolerance.

    Attributes:
        concepts: what it is to, and every substance of its reactions.
        reactions: how they showed.
        is_severe: a reaction is recorded as severe, or the risk of one as high.
    """

    reference: str
    clinical_status: str = ""
    verification_status: str = ""
    concepts: tuple[Concept, ...] = ()
    recorded: Span | None = None
    reactions: tuple[Concept, ...] = ()
    is_severe: bool = False


class Gap(StrEnum):
    """Why a part of the chart is not, or not wholly, known. The values are stable and shown to integrators."""

    NOT_SUPPLIED = "not supplied"
    SOURCE_ERROR = "the EHR answered with an error"
    LEFT_OUT = "the EHR says that something may have been left out"
    FIRST_PAGE_ONLY = "only the first page was supplied"
    NOT_FHIR = "not a FHIR resource or Bundle of the expected type"
    OTHER_PATIENT = "holds data of another patient"
    SUBJECT_UNKNOWN = "holds an entry of which nobody knows whose it is"
    PATIENT_UNKNOWN = "the patient is not known to the FHIR server"
    UNREADABLE = "holds an entry that could not be read"
    TIMED_OUT = "timed out"
    REFUSED = "refused by the FHIR server"
    NOT_ALLOWED = "not allowed"
    UNREACHABLE = "the FHIR server could not be reached"
    TOO_MUCH = "more data than is read for one call"
    ENDLESS = "the FHIR server's pages lead in a circle"

    @property
    def code(self) -> str:
        """As metrics name it: `timed-out`."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Unread:
    """One entry, or one element of it, that could not be read: where, and why, without its content."""

    where: str
    why: str


T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class PassedOver(Generic[T]):
    """Entries of this patient that cannot matter to the rule; their records are read only where somebody asks.

    Attributes:
        read: their records.
        counts: how many count as what: an empty string for those with an irrelevant code that is known, else a name
            for those that are not understood.
        recorded: how many of them, but for the diagnoses of visits, were recorded on which day.
        fulfills: references of the orders that they answer (`basedOn`).
    """

    read: Callable[[], Sequence[T]] = field(repr=False, compare=False, default=tuple)
    counts: Mapping[str, int] = field(default_factory=dict)
    recorded: Mapping[date, int] = field(default_factory=dict)
    fulfills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PrefetchResult(Generic[T]):
    """One prefetch key, read: the records at hand, and why they may not be all (`gap`).

    Attributes:
        items: the records of this patient.
        gap: why there may be more.
        unread: places that could not be read, or were refused (not all, where there are many).
        unreadable: how many entries could not be read wholly.
        of_others: how many entries are another patient's, and were passed over.
        of_nobody: how many entries are nobody knows whose, and were passed over.
        unknown_statuses: how many statuses said something that nobody understands, and count as missing.
        accepted_gap: why there may be more, where the site has accepted it (`accepted_gaps`).
        passed_over: further entries, which cannot matter.

    A result without a gap is complete: what is not in it is known not to be there. With a gap, its items
    count, but nothing may be concluded from what is missing.
    """

    items: tuple[T, ...] = ()
    gap: Gap | None = Gap.NOT_SUPPLIED
    unread: tuple[Unread, ...] = ()
    unreadable: int = 0
    of_others: int = 0
    of_nobody: int = 0
    unknown_statuses: int = 0
    accepted_gap: Gap | None = None
    passed_over: PassedOver[T] = field(default_factory=PassedOver)

    @property
    def complete(self) -> bool:
        return self.gap is None

    @property
    def has_records(self) -> bool:
        """Whether any entry of this patient was found, whatever it says."""
        return bool(self.items or self.passed_over.counts)

    def all_records(self) -> Sequence[T]:
        """The records of all entries, those that cannot matter too."""
        return (*self.items, *self.passed_over.read())


@dataclass(frozen=True, slots=True)
class Drafts:
    """The order session of the hook: all draft orders, and those the user has just selected.

    `unmatched_selections` counts the selections that lead to no draft: then any draft may be meant, and all are taken
    to be selected. `of_others` counts the drafts that name another patient, `unreadable` the entries without a draft.
    """

    orders: tuple[Order, ...] = ()
    selected: tuple[Order, ...] = ()
    unread: tuple[Unread, ...] = ()
    unmatched_selections: int = 0
    of_others: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything known about one patient at one hook call. `drafts` is None where the hook has no orders.

    `devices` may also stand among `procedures`; its own prefetch key is optional.
    """

    patient: PrefetchResult[Patient] = field(default_factory=PrefetchResult)
    conditions: PrefetchResult[Condition] = field(default_factory=PrefetchResult)
    observations: PrefetchResult[Observation] = field(default_factory=PrefetchResult)
    encounters: PrefetchResult[Encounter] = field(default_factory=PrefetchResult)
    service_requests: PrefetchResult[Study] = field(default_factory=PrefetchResult)
    diagnostic_reports: PrefetchResult[Study] = field(default_factory=PrefetchResult)
    procedures: PrefetchResult[Study] = field(default_factory=PrefetchResult)
    allergies: PrefetchResult[Allergy] = field(default_factory=PrefetchResult)
    devices: PrefetchResult[Study] = field(default_factory=PrefetchResult)
    current_encounter: str = ""
    drafts: Drafts | None = None

    @property
    def draft_orders(self) -> tuple[Order, ...]:
        """The drafts that count, selected or not; none where the hook has no orders."""
        return tuple(order for order in self.drafts.orders if order.counts) if self.drafts else ()

    @property
    def selected_orders(self) -> tuple[Order, ...]:
        """The drafts that count and are about to be ordered: those selected, or all where the hook selects none."""
        return tuple(order for order in self.drafts.selected if order.counts) if self.drafts else ()

    def by_prefetch_key(self) -> Mapping[str, PrefetchResult[object]]:
        """What was read of each prefetch key; of the optional one, where it came."""
        known: dict[str, PrefetchResult[object]] = {
            "patient": self.patient,
            "conditions": self.conditions,
            "observations": self.observations,
            "encounters": self.encounters,
            "serviceRequests": self.service_requests,
            "diagnosticReports": self.diagnostic_reports,
            "procedures": self.procedures,
            "allergies": self.allergies,
        }
        if self.devices.gap is not Gap.NOT_SUPPLIED:
            known["devices"] = self.devices
        return known
