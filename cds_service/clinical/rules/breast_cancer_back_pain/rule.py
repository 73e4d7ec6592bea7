"""The rule: breast cancer history and new back pain, from a chart to an assessment.

Pure: the same chart, content, options and moment give the same assessment. Answers have three values; what is
unknown is never read as "no", and data that cannot change the answer is never missed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cds_service.chart.records import Chart
from cds_service.clinical.reading.findings import Answer, Criterion, Outcome, Reason
from cds_service.clinical.reading.recognition import MOST_TEXT
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.cancer import cancer_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence, read_evidence, reading_tools
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.orders import order_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.pain import pain_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.surveillance import routine_searches
from cds_service.clinical.rules.breast_cancer_back_pain.work_up import work_up
from cds_service.content.model import Content

_PATIENT_QUESTION = "Is this the current record of a living patient?"


def assess(chart: Chart, content: Content, options: RuleOptions, now: datetime) -> Assessment:
    """Answer the rule for one patient.

    Args:
        chart: what is known.
        content: value sets, orders and thresholds of `cards/`.
        options: the site's choices.
        now: the moment of the call, with a time zone; days are counted in UTC.
    """
    recognizer, calendar = reading_tools(content, options, now)
    criteria: list[Criterion] = []
    if chart.drafts is not None:
        criteria.append(order_criterion(chart.drafts, content.rule, recognizer))
        if criteria[0].answer is Answer.NOT_MET:
            return decided(Outcome.NOT_APPLICABLE, Reason.UNRELATED_ORDER, criteria, chart)
    evidence = read_evidence(chart, content, options, recognizer, calendar)
    answer = _answered(evidence, criteria)
    if recognizer.has_read_all:
        return answer
    return replace(answer, unread=(*answer.unread, f"free text: the rest beyond {MOST_TEXT:,} characters"))


def _answered(evidence: Evidence, criteria: list[Criterion]) -> Assessment:
    """The three criteria about the patient, and what they come to."""
    chart = evidence.chart
    cancer = _cancer(evidence)
    patient = patient_criterion(chart)
    pain = pain_criterion(chart, list(evidence.records), evidence.pain)
    criteria += [patient, cancer, pain]
    if any(item.answer is Answer.NOT_MET for item in criteria):
        return _refused(evidence, criteria)
    if any(item.answer is Answer.UNKNOWN for item in criteria):
        return decided(Outcome.UNDETERMINED, Reason.DATA_MISSING, criteria, chart)
    return work_up(evidence, decided(Outcome.FIRED, Reason.IMAGING_ADVISED, criteria, chart))


def patient_criterion(chart: Chart) -> Criterion:
    """Deceased patients and records that were merged away get no card."""
    patients = chart.patient.items
    if not patients:
        gap = chart.patient.gap or "it was supplied, but is empty"
        because = f"The patient record is not at hand: {gap}."
        return Criterion("current-patient", _PATIENT_QUESTION, Answer.UNKNOWN, because, missing=("patient",))
    if any(patient.deceased for patient in patients):
        because = "The patient is recorded as deceased."
        return Criterion("current-patient", _PATIENT_QUESTION, Answer.NOT_MET, because, reason=Reason.DECEASED)
    if any(patient.replaced or not patient.active for patient in patients):
        because = "The record is inactive or was merged into another."
        return Criterion(
            "current-patient", _PATIENT_QUESTION, Answer.NOT_MET, because, reason=Reason.RECORD_NOT_CURRENT
        )
    return Criterion("current-patient", _PATIENT_QUESTION, Answer.MET, "Nothing says otherwise.")


def _cancer(evidence: Evidence) -> Criterion:
    """The cancer criterion; in situ disease alone meets it where the site wants to hear of it."""
    cancer = cancer_criterion(evidence.chart, evidence.history)
    in_situ = evidence.history.in_situ
    if evidence.options.dcis_mode == "off" or cancer.answer is not Answer.NOT_MET or not in_situ:
        return cancer
    because = "Only in situ disease of the breast is recorded."
    return Criterion(cancer.id, cancer.question, Answer.MET, because, in_situ)


def _refused(evidence: Evidence, criteria: Sequence[Criterion]) -> Assessment:
    """A criterion is not met: silence, but for routine imaging without symptoms that is just being ordered."""
    refusals = [item for item in criteria if item.answer is Answer.NOT_MET]
    reason = refusals[0].reason
    assert reason is not None
    no_pain = [item.reason for item in refusals] == [Reason.NO_BACK_PAIN]
    met = all(item.answer is Answer.MET for item in criteria if item not in refusals)
    if no_pain and met and (searches := routine_searches(evidence)):
        advice = decided(Outcome.FIRED, Reason.NO_SYMPTOMS, criteria, evidence.chart)
        return replace(advice, removals=searches)
    return decided(Outcome.NOT_APPLICABLE, reason, criteria, evidence.chart)


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
