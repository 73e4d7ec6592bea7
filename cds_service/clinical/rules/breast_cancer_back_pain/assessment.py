"""The answer of this rule to one call: what every rule answers, and what only this one knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.rules import assessment as every_rule
from cds_service.clinical.rules.assessment import RED_FLAG
from cds_service.clinical.rules.breast_cancer_back_pain.beside_pain import BesidePain
from cds_service.clinical.rules.breast_cancer_back_pain.brain import Receptors
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.clinical.rules.imaging_history import PainBegan, PriorStudy
from cds_service.clinical.rules.kidney import KidneyFunction

# The ids of the questions; their words stand in the content.
ORDER, PATIENT, CANCER_HISTORY, NEW_PAIN = "relevant-order", "current-patient", "breast-cancer-history", "new-back-pain"

# The kinds of evidence that an override reason may name (`back_with`).
PAIN, CANCER = "pain", "cancer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment(every_rule.Assessment):
    """The answer to one call.

    Attributes:
        region: the spine region of the new pain (`several`, `unspecified`), empty if there is none.
        flags: what is recorded beside the pain.
        brain: new symptoms that point to the brain, and `receptors` as far as they matter.
        listed: entries of the problem list that tell of earlier pain of a region that hurts anew.
        open_orders: orders of a spine MRI that are open though one is proposed: they do not answer this pain, or not
            all of it, or are from before the newest sign of an emergency (then in `outdated_orders` too).
        partial_orders: those of them that show another part of the spine than is wanted, or not all of it.
        outdated_mri, outdated_orders: spine MRI done, or ordered, before the newest sign of an emergency.
        chosen: what the user is about to order, by its name in the wording; empty on opening a chart.
        pain_evidence: what tells of new pain anew.
        pain_began: its first day, as far as it is recorded, and whether that is its onset.
        pain_quality: the words that make the pain suspicious, from the EHR.
        course_words: the words that call the pain worse, acute or new, from the EHR.
        vague_onset: an onset too vague to be used, as it is recorded (`2026`).
        beside: what else is recorded and named in a line each.
        results: the studies that were done since the pain began, to be quoted.
        kidneys: the newest laboratory results of the kidneys, and what they come to.
        read: what the chart says, read once at most; None where no chart was at hand.
    """

    region: str = ""
    flags: RedFlags = field(default_factory=RedFlags)
    brain: tuple[Finding, ...] = ()
    receptors: Receptors = Receptors.UNKNOWN
    vague_onset: str = ""
    chosen: str = ""
    pain_evidence: tuple[Finding, ...] = ()
    pain_began: PainBegan = field(default_factory=lambda: PainBegan(None))
    pain_quality: str = ""
    course_words: str = ""
    injuries: tuple[Finding, ...] = ()
    listed: tuple[Finding, ...] = ()
    radiographs: tuple[Finding, ...] = ()
    open_orders: tuple[Finding, ...] = ()
    partial_orders: tuple[Finding, ...] = ()
    outdated_mri: tuple[Finding, ...] = ()
    outdated_orders: tuple[Finding, ...] = ()
    beside: BesidePain = field(default_factory=BesidePain)
    results: tuple[PriorStudy, ...] = ()
    kidneys: KidneyFunction = field(default_factory=KidneyFunction)
    egfr_recent_days: int = 90
    read: Callable[[], Evidence] | None = field(repr=False, compare=False, default=None)

    @property
    def conflict(self) -> RaisedCaution | None:
        """The caution that forbids the contrast of the MRI that was chosen."""
        if self.chosen != "mri":
            return None
        return next((item for item in self.cautions if "MRI" in item.caution.without_contrast), None)

    def findings_by_kind(self) -> Mapping[str, Sequence[Finding]]:
        """The findings by kind of evidence.

        The reason on an order that is just being written is no evidence of its own: whoever writes it knows the answer.
        """
        asked = {item.id: item.findings for item in self.criteria}
        flags = [finding for _, findings in self.flags.named() for finding in findings]
        found = {
            PAIN: self.pain_evidence or asked.get(NEW_PAIN, ()),
            RED_FLAG: (*flags, *self.brain, *self.injuries),
            CANCER: asked.get(CANCER_HISTORY, ()),
        }
        return {
            kind: tuple(item for item in some if item.date_source is not DateSource.ORDERED)
            for kind, some in found.items()
        }
