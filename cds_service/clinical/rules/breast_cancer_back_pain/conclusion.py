"""Make an assessment of the answered criteria: indicator, findings beside them, and what of the chart is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cds_service.chart.records import Chart
from cds_service.clinical.rules.assessment import Criterion, FindingGroup, Indicator, Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import NEW_PAIN, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import visits_without_date
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import WITHOUT_IMAGING, Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.studies import spine_mri_of


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
        unchecked=tuple(key for key, item in results.items() if not item.complete and not item.items),
        partly=tuple(key for key, item in results.items() if not item.complete and item.items),
        unread=tuple(f"{entry.where}: {entry.why}" for entry in unread),
        unreadable=sum(result.unreadable for result in results.values()),
    )


def completed(answer: Assessment, chart: Chart) -> Assessment:
    """The assessment with its indicator, the findings beside the criteria, and what more of the chart could change."""
    open_keys = (*answer.unchecked, *answer.partly)
    advised = answer.reason == Reason.IMAGING_ADVISED
    return replace(
        answer,
        indicator=indicator(answer),
        groups=_groups(answer),
        deciding=_deciding(answer, open_keys),
        refining=open_keys if advised else (),
        visits=visits_without_date(chart, answer.criterion(NEW_PAIN).findings) if advised else (),
    )


def _deciding(answer: Assessment, open_keys: Sequence[str]) -> tuple[str, ...]:
    """The prefetch keys that could still turn the answer: what is missing, or visits where no new pain was found."""
    if answer.outcome is Outcome.UNDETERMINED:
        return answer.missing
    if answer.reason in (Reason.NO_BACK_PAIN, Reason.PAIN_NOT_NEW):
        return tuple(key for key in open_keys if key == "encounters")
    return ()


def indicator(answer: Assessment) -> Indicator:
    """`critical` where an emergency needs an MRI, `warning` where one is missing or something is wrong, or `info`."""
    if spine_mri_of(answer.studies) or Note.SIGN_AFTER_ORDER in answer.notes:
        return "critical" if answer.critical else "warning"
    without_imaging = answer.reason in WITHOUT_IMAGING
    return "warning" if answer.critical or not (answer.studies or without_imaging) else "info"


def _groups(answer: Assessment) -> tuple[FindingGroup, ...]:
    """Findings beside the criteria that are there: red flags, metastases, brain symptoms, injuries, radiographs."""
    named = [
        *answer.flags.named(),
        (f"brain_{answer.receptors.name.lower()}", answer.brain),
        ("injuries", answer.injuries),
        ("radiographs", answer.radiographs),
    ]
    return tuple(FindingGroup(name, findings) for name, findings in named if findings)
