"""The values in which the rule thinks: findings, criteria, and the assessment they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from cds_service.clinical.records import Coding
from cds_service.clinical.span import Span


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
    ALREADY_DRAFTED = "already-drafted"
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
    PREGNANT = "pregnant"
    MRI_DRAFTED = "mri-drafted"
    MRI_WITHOUT_CONTRAST_DRAFTED = "mri-without-contrast-drafted"


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer to one call, for the card, `explain` and the records alike.

    Attributes:
        outcome, reason: what was decided, and its stable code.
        criteria: every question with its answer and evidence, in the order in which they were asked.
        studies: slugs of the orders to propose, the first one first.
        drafted: slugs that were wanted and are drafted already.
        region: the spine region of the new pain (`several`, `unspecified`), empty if there is none.
        vague_onset: an onset too vague to be used, as it is recorded (`2026`).
        missing: prefetch keys without which nothing can be concluded (outcome `undetermined`).
        unchecked: prefetch keys that were not wholly known and could refine the advice.
        unread: places in the chart that could not be read.
    """

    outcome: Outcome
    reason: Reason
    criteria: tuple[Criterion, ...]
    studies: tuple[str, ...] = ()
    drafted: tuple[str, ...] = ()
    region: str = ""
    vague_onset: str = ""
    notes: frozenset[Note] = frozenset()
    injuries: tuple[Finding, ...] = ()
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    def criterion(self, criterion_id: str) -> Criterion:
        return next(item for item in self.criteria if item.id == criterion_id)
