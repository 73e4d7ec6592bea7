"""The answer of the rule to one call."""

from __future__ import annotations

from dataclasses import dataclass, field

from cds_service.clinical.reading.findings import Answered, Criterion, Finding, Note, Outcome, Present, Reason, Removal
from cds_service.clinical.rules.breast_cancer_back_pain.brain import Receptors
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.clinical.rules.cautions import Egfr, RaisedCaution


@dataclass(frozen=True, slots=True)
class Assessment:
    """The answer to one call, for the card, `explain` and the records alike.

    Attributes:
        outcome, reason: what was decided, and its stable code.
        criteria: every question with its answer and evidence, in the order in which they were asked.
        studies: slugs of the orders to propose, the first one first.
        present: wanted studies that are drafted, ordered or done already.
        removals: selected drafts that the card offers to remove.
        critical: there are signs of an emergency.
        region: the spine region of the new pain (`several`, `unspecified`), empty if there is none.
        flags: what is recorded beside the pain.
        brain: new symptoms that point to the brain, and `receptors` as far as they matter.
        pain_quality: the words that make the pain suspicious, from the EHR.
        cautions: what must be said beside the orders.
        vague_onset: an onset too vague to be used, as it is recorded (`2026`).
        egfr: the newest eGFR, if any, for what is not recent.
        answered: the earlier answer that keeps the card away, if one does.
        missing: prefetch keys without which nothing can be concluded (outcome `undetermined`).
        unchecked, partly: prefetch keys of which nothing, or not all, is known; they could refine the advice.
        unread: places in the chart that could not be read or were refused, and how many entries were not readable.
    """

    outcome: Outcome
    reason: Reason
    criteria: tuple[Criterion, ...]
    studies: tuple[str, ...] = ()
    present: tuple[Present, ...] = ()
    removals: tuple[Removal, ...] = ()
    critical: bool = False
    region: str = ""
    flags: RedFlags = field(default_factory=RedFlags)
    brain: tuple[Finding, ...] = ()
    receptors: Receptors = Receptors.UNKNOWN
    cautions: tuple[RaisedCaution, ...] = ()
    vague_onset: str = ""
    notes: frozenset[Note] = frozenset()
    pain_quality: str = ""
    injuries: tuple[Finding, ...] = ()
    radiographs: tuple[Finding, ...] = ()
    egfr: Egfr | None = None
    egfr_recent_days: int = 90
    answered: Answered | None = None
    missing: tuple[str, ...] = ()
    unchecked: tuple[str, ...] = ()
    partly: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unreadable: int = 0

    def criterion(self, criterion_id: str) -> Criterion:
        return next(item for item in self.criteria if item.id == criterion_id)
