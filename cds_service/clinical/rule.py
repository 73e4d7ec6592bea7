"""The rule: breast cancer history and new back pain, from a chart to an assessment.

Pure: the same chart, content, options and moment give the same assessment. Answers have three values; what is
unknown is never read as "no", and data that cannot change the answer is never missed.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from cds_service.clinical.cancer import CancerHistory, cancer_criterion, cancer_history
from cds_service.clinical.dating import Calendar
from cds_service.clinical.findings import Answer, Assessment, Criterion, Note, Outcome, Reason
from cds_service.clinical.options import RuleOptions
from cds_service.clinical.orders import already_answered, draft_notes, drafted_sets, order_criterion
from cds_service.clinical.pain import PainAnswer, new_back_pain, pain_criterion
from cds_service.clinical.pain_records import IN_PREGNANCY, PainRecord, injuries, pain_records
from cds_service.clinical.recognition import Recognizer, recognizer_for
from cds_service.clinical.records import Chart
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
    recognizer = recognizer_for(content, options.text_match)
    calendar = Calendar(now.astimezone(UTC), options.new_window_days, options.clean_days)
    criteria: list[Criterion] = []
    if chart.drafts is not None:
        criteria.append(order_criterion(chart.drafts, content.rule, recognizer))
        if criteria[0].answer is Answer.NOT_MET:
            return _decided(Outcome.NOT_APPLICABLE, Reason.UNRELATED_ORDER, criteria, chart)
    history = cancer_history(chart, recognizer, options, calendar)
    records = pain_records(chart, recognizer, calendar)
    pain = new_back_pain(records, calendar, options)
    cancer = cancer_criterion(chart, history)
    criteria += [patient_criterion(chart), cancer, pain_criterion(chart, records, pain)]
    in_situ = _in_situ_advice(criteria, cancer, history, options)
    if in_situ:
        criteria[criteria.index(cancer)] = in_situ
    if refusal := next((item for item in criteria if item.answer is Answer.NOT_MET), None):
        assert refusal.reason is not None
        return _decided(Outcome.NOT_APPLICABLE, refusal.reason, criteria, chart)
    if any(item.answer is Answer.UNKNOWN for item in criteria):
        return _decided(Outcome.UNDETERMINED, Reason.DATA_MISSING, criteria, chart)
    if in_situ:
        advice = _decided(Outcome.FIRED, Reason.IN_SITU_ONLY, criteria, chart)
        return replace(advice, region=pain.region, notes=pain.notes, vague_onset=pain.vague_onset)
    return _advise(chart, content, options, criteria, records, pain, recognizer, calendar)


def patient_criterion(chart: Chart) -> Criterion:
    """Deceased patients and records that were merged away get no card."""
    patient = next(iter(chart.patient.items), None)
    if patient is None:
        gap = chart.patient.gap or "the EHR knows no such patient"
        because = f"The patient record is not at hand: {gap}."
        return Criterion("current-patient", _PATIENT_QUESTION, Answer.UNKNOWN, because, missing=("patient",))
    if patient.deceased:
        because = "The patient is recorded as deceased."
        return Criterion("current-patient", _PATIENT_QUESTION, Answer.NOT_MET, because, reason=Reason.DECEASED)
    if patient.replaced or not patient.active:
        because = "The record is inactive or was merged into another."
        return Criterion(
            "current-patient", _PATIENT_QUESTION, Answer.NOT_MET, because, reason=Reason.RECORD_NOT_CURRENT
        )
    return Criterion("current-patient", _PATIENT_QUESTION, Answer.MET, "Nothing says otherwise.")


def _in_situ_advice(
    criteria: list[Criterion], cancer: Criterion, history: CancerHistory, options: RuleOptions
) -> Criterion | None:
    """The cancer criterion answered by in situ disease, where the site wants to hear of it."""
    if options.dcis_mode == "off" or cancer.answer is not Answer.NOT_MET or not history.in_situ:
        return None
    because = "Only in situ disease of the breast is recorded."
    return Criterion(cancer.id, cancer.question, Answer.MET, because, history.in_situ)


def _advise(
    chart: Chart,
    content: Content,
    options: RuleOptions,
    criteria: list[Criterion],
    records: list[PainRecord],
    pain: PainAnswer,
    recognizer: Recognizer,
    calendar: Calendar,
) -> Assessment:
    """Criteria are met: which studies are wanted, and which of them are drafted already."""
    pregnant = any(
        record.finding.coding and IN_PREGNANCY in content.terminology.sets(
            record.finding.coding.system, record.finding.coding.code
        )
        for regional in pain.new
        for record in regional.records
    )
    wanted = wanted_studies(pain.region, pregnant, content, options)
    present = drafted_sets(chart.drafts, recognizer)
    drafted = already_answered(wanted, present, content.orders)
    studies = tuple(slug for slug in wanted if slug not in drafted)
    if not studies:
        return replace(_decided(Outcome.SUPPRESSED, Reason.ALREADY_DRAFTED, criteria, chart), drafted=drafted)
    notes = pain.notes | draft_notes(drafted, present)
    if pregnant:
        notes |= {Note.PREGNANT}
    if any(all(item.from_text for item in criterion.findings) for criterion in criteria if criterion.findings):
        notes |= {Note.TEXT_ONLY}
    return replace(
        _decided(Outcome.FIRED, Reason.IMAGING_ADVISED, criteria, chart),
        studies=studies,
        drafted=drafted,
        region=pain.region,
        vague_onset=pain.vague_onset,
        notes=notes,
        injuries=injuries(chart, recognizer, calendar),
    )


def wanted_studies(region: str, pregnant: bool, content: Content, options: RuleOptions) -> tuple[str, ...]:
    """The slugs to propose for pain of `region`, the MRI first (clinical rules B.1, B.3)."""
    mri = content.rule.mri_of_region[region]
    slug = str(mri if isinstance(mri, str) else mri[options.region_unspecified])
    if pregnant:
        return (slug + content.rule.without_contrast_suffix,)
    return (slug, *content.rule.staging)


def _decided(outcome: Outcome, reason: Reason, criteria: list[Criterion], chart: Chart) -> Assessment:
    listings = chart.listings()
    unread = [entry for listing in listings.values() for entry in listing.unread]
    unread += chart.drafts.unread if chart.drafts else ()
    missing = dict.fromkeys(key for item in criteria for key in item.missing)
    return Assessment(
        outcome=outcome,
        reason=reason,
        criteria=tuple(criteria),
        missing=tuple(missing) if outcome is Outcome.UNDETERMINED else (),
        unchecked=tuple(key for key, listing in listings.items() if not listing.complete),
        unread=tuple(f"{entry.where}: {entry.why}" for entry in unread),
    )
