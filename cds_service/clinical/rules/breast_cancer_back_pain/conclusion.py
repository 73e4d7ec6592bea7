"""Make an assessment of the answered criteria: indicator, findings beside them, and what of the chart is not known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from cds_service.chart.records import Chart
from cds_service.clinical.rules.assessment import Answer, Criterion, FindingGroup, Indicator, Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import NEW_PAIN, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import visits_without_date
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import WITHOUT_IMAGING, Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.studies import spine_mri_of

# The reasons that say that nothing was found, and the prefetch keys that were searched.
_SEARCHED = {
    Reason.NO_CANCER_HISTORY: ("conditions",),
    Reason.NO_BACK_PAIN: ("conditions", "observations"),
}


def decided(outcome: Outcome, reason: Reason, criteria: Sequence[Criterion], chart: Chart) -> Assessment:
    """An assessment with what every one has: its criteria, and what of the chart is not known."""
    results = chart.by_prefetch_key()
    unread = [entry for result in results.values() for entry in result.unread]
    unread += chart.drafts.unread if chart.drafts else ()
    missing = dict.fromkeys(key for item in criteria for key in item.missing)
    return Assessment(
        outcome=outcome,
        reason=reason,
        criteria=tuple(criteria),
        missing=tuple(missing) if outcome is Outcome.UNDETERMINED else (),
        unchecked=tuple(key for key, item in results.items() if not item.complete and not item.has_records),
        partly=tuple(key for key, item in results.items() if not item.complete and item.has_records),
        unread=tuple(f"{entry.where}: {entry.why}" for entry in unread),
        unreadable=sum(result.unreadable for result in results.values()),
    )


def completed(assessment: Assessment, chart: Chart) -> Assessment:
    """The assessment with its indicator, the findings beside the criteria, and what more of the chart could change."""
    open_keys = (*assessment.unchecked, *assessment.partly)
    advised = assessment.reason == Reason.IMAGING_ADVISED
    return replace(
        assessment,
        indicator=indicator(assessment),
        groups=_groups(assessment),
        deciding=_deciding(assessment, open_keys),
        refining=open_keys if advised else (),
        silent=searched_in_vain(assessment.criteria) if assessment.outcome is Outcome.NOT_APPLICABLE else (),
        visits=visits_without_date(chart, assessment.criterion(NEW_PAIN).findings) if advised else (),
    )


def searched_in_vain(criteria: Iterable[Criterion]) -> tuple[str, ...]:
    """The prefetch keys in which nothing was found, where that alone refuses the card."""
    searched = [_SEARCHED.get(Reason(item.reason), ()) for item in criteria if item.answer is Answer.NOT_MET]
    return tuple(dict.fromkeys(key for keys in searched for key in keys)) if all(searched) else ()


def _deciding(assessment: Assessment, open_keys: Sequence[str]) -> tuple[str, ...]:
    """The prefetch keys that could still turn the answer: what is missing, or visits where no new pain was found."""
    if assessment.outcome is Outcome.UNDETERMINED:
        return assessment.missing
    if assessment.reason in (Reason.NO_BACK_PAIN, Reason.PAIN_NOT_NEW):
        return tuple(key for key in open_keys if key == "encounters")
    return ()


def indicator(assessment: Assessment) -> Indicator:
    """`critical` where an emergency needs an MRI, `warning` where one is missing or something is wrong, or `info`."""
    if assessment.outcome is Outcome.UNDETERMINED:
        return "info"
    if spine_mri_of(assessment.studies) or Note.SIGN_AFTER_ORDER in assessment.notes:
        return "critical" if assessment.critical else "warning"
    if assessment.conflict:
        return "warning"
    without_imaging = assessment.reason in WITHOUT_IMAGING
    return "warning" if assessment.critical or not (assessment.studies or without_imaging) else "info"


def _groups(assessment: Assessment) -> tuple[FindingGroup, ...]:
    """Findings beside the criteria that are there: red flags, metastases, brain symptoms, injuries, radiographs."""
    named = [
        *assessment.flags.named(),
        (f"brain_{assessment.receptors.name.lower()}", assessment.brain),
        ("injuries", assessment.injuries),
        ("radiographs", assessment.radiographs),
        *assessment.beside.named(),
    ]
    return tuple(FindingGroup(name, findings) for name, findings in named if findings)
