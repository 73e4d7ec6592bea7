"""The values in which the rule thinks: findings, criteria, and the assessment they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cds_service.chart.records import Coding
from cds_service.chart.span import Span


class Basis(StrEnum):
    """What a finding's date is: the key of its sentence in `wording.toml`, section `when`."""

    ONSET = "onset"
    RECORDED = "recorded"
    ENCOUNTER = "encounter"
    OBSERVED = "observed"
    ORDERED = "ordered"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One clinical fact of this patient and where it stands.

    `label` is our own display of the matching code and safe to print. `quote` is text from the EHR: the
    words that matched where no code did, or the EHR's display of a code for which we have none.
    """

    source: str
    kind: str
    label: str = ""
    quote: str = ""
    coding: Coding | None = None
    when: Span | None = None
    basis: Basis = Basis.UNKNOWN
    from_text: bool = False


class Answer(StrEnum):
    """The three answers to a criterion."""

    MET = "met"
    NOT_MET = "not met"
    UNKNOWN = "unknown"


class Outcome(StrEnum):
    """What a call comes to."""

    FIRED = "fired"
    SUPPRESSED = "suppressed"
    NOT_APPLICABLE = "not-applicable"
    UNDETERMINED = "undetermined"


class Reason(StrEnum):
    """Why an assessment came out as it did. The values are stable: logs and reports count them."""

    IMAGING_ADVISED = "imaging-advised"
    IN_SITU_ONLY = "in-situ-only"
    CHILD = "child"
    NO_SYMPTOMS = "no-symptoms"
    ALREADY_DRAFTED = "already-drafted"
    ALREADY_IMAGED = "already-imaged-or-ordered"
    HOSPICE = "hospice"
    ANSWERED_EARLIER = "answered-earlier"
    NO_CANCER_HISTORY = "no-breast-cancer-history"
    NO_BACK_PAIN = "no-back-pain"
    PAIN_NOT_NEW = "back-pain-not-new"
    DECEASED = "patient-deceased"
    RECORD_NOT_CURRENT = "patient-record-not-current"
    UNRELATED_ORDER = "unrelated-order"
    DATA_MISSING = "data-missing"


@dataclass(frozen=True, slots=True)
class Criterion:
    """One question of the rule.

    `because` says in one plain sentence how it was answered; `missing` names the prefetch keys that could
    still change an unknown answer.
    """

    id: str
    question: str
    answer: Answer
    because: str
    findings: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    reason: Reason | None = None


class Note(StrEnum):
    """What the card must say beside its findings."""

    TEXT_ONLY = "text-only"
    ONSET_NOT_RECORDED = "onset-not-recorded"
    ONSET_IMPRECISE = "onset-imprecise"
    PAIN_CHANGED = "pain-changed"
    CHECK_PREGNANCY = "check-pregnancy"
    BONE_SCAN_DONE = "bone-scan-done"
    MRI_WITHOUT_CONTRAST = "mri-without-contrast"
    MRI_AT_ONCE = "mri-at-once"


class State(StrEnum):
    """How far a study that is not offered again has come."""

    DRAFTED = "drafted"
    ORDERED = "ordered"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Present:
    """A wanted study that is there already: its slug, how far it has come, and its date if it was done."""

    slug: str
    state: State
    when: Span | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """An earlier answer that keeps the card away: the override reason's code, when it was given, and until when.

    `until` is None where only newer evidence ends it.
    """

    reason: str
    at: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Removal:
    """A selected draft that the card offers to remove: its reference, and what it is (a key of the wording)."""

    reference: str
    kind: str
