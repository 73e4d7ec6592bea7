"""Plan the imaging once the criteria are met: studies that are wanted, studies that are there already, and cautions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from cds_service.chart.records import Order
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import CoveredStudy, Outcome, ProposedOrder, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import CANCER_HISTORY, NEW_PAIN, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.beside_pain import beside_pain
from cds_service.clinical.rules.breast_cancer_back_pain.brain import Receptors, brain_symptoms, receptors
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import SEVERAL
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.orders import (
    chosen_order,
    covered_studies,
    done_since,
    drafted_sets,
    inadequate_drafts,
    meaning,
)
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import injuries
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.studies import (
    is_spine_mri,
    spine_mri_of,
    spine_mri_sets,
    wanted_studies,
)
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BONE_SCANS,
    PREGNANCY_RECORDS,
    STUDIES_OF_THE_SPINE,
    WITH_OR_WITHOUT_CONTRAST,
    RuleValueSet,
)
from cds_service.clinical.rules.cautions import RaisedCaution, raised_cautions, withdrawn, without_contrast
from cds_service.clinical.rules.imaging_history import PainBegan, PriorStudy
from cds_service.clinical.rules.kidney import kidney_function
from cds_service.clinical.rules.study_results import newest_of_each_kind
from cds_service.content.model import Content

# Of each kind, so many findings go on an order as its reasons.
_MOST_REASONS = 3


def plan_imaging(evidence: Evidence, assessment: Assessment) -> Assessment:
    """Complete the assessment of met criteria with studies, cautions and notes, or with why there is no card."""
    flags, pain = evidence.flags, evidence.pain
    assessment = replace(
        assessment,
        region=pain.region,
        vague_onset=pain.vague_onset,
        pain_evidence=pain.evidence,
        pain_began=pain.began,
        listed=tuple(episode.listed for episode in pain.new if episode.listed),
        notes=_pain_notes(assessment, evidence),
        critical=flags.critical,
        flags=flags,
        egfr_recent_days=evidence.options.egfr_recent_days,
    )
    if not evidence.history.proven:
        return replace(assessment, reason=Reason.IN_SITU_ONLY)
    if (age := _age(evidence)) is not None and age < evidence.number(Threshold.ADULT_FROM_YEARS):
        return replace(assessment, reason=Reason.CHILD)
    if evidence.options.hospice_suppress and _in_hospice(evidence):
        return replace(assessment, outcome=Outcome.SUPPRESSED, reason=Reason.HOSPICE)
    return _with_studies(evidence, assessment)


def _with_studies(evidence: Evidence, assessment: Assessment) -> Assessment:
    """The studies to propose, those that are there, and what stands beside them."""
    chart, content, recognizer, calendar = evidence.chart, evidence.content, evidence.recognizer, evidence.calendar
    flags, pain = evidence.flags, evidence.pain
    asserted, cautions = evidence.asserted, content.cautions
    recent = evidence.options.egfr_recent_days
    kidneys = kidney_function(chart, asserted, cautions.kidneys, recognizer, calendar, recent)
    gadolinium = evidence.options.renal_gadolinium
    raised = raised_cautions(chart, asserted, cautions, recognizer, calendar, kidneys, gadolinium)
    status = receptors(chart, evidence.asserted, recognizer, evidence.number(Threshold.RECEPTOR_POSITIVE_PERCENT))
    brain = brain_symptoms(evidence.asserted, calendar, evidence.number(Threshold.BRAIN_POINT_DAYS))
    whole = flags.whole_spine or evidence.options.mri_extent == "whole-spine"
    region = SEVERAL if whole else pain.imaging_region
    wants_brain = _wants_brain_mri(brain, status, evidence)
    wanted = wanted_studies(region, content, evidence.options, raised, wants_brain)
    if flags.infection or (pain.is_injury_alone and not flags.critical):
        # Staging would delay the search for an infection, and is no answer to it; nor is an injury a reason for it.
        wanted = tuple(slug for slug in wanted if is_spine_mri(slug) or slug.startswith(content.rule.brain))
    prior = evidence.studies_since(pain.began)
    drafted = drafted_sets(chart, recognizer)
    covered = _covered(wanted, prior, drafted, brain, evidence)
    studies = tuple(slug for slug in wanted if slug not in {item.slug for item in covered})
    still_open = drafted.union(*(study.value_sets for study in prior if not study.done))
    relevant = _relevant_cautions(studies, still_open, raised, evidence)
    orders = proposed_orders(studies, assessment, content)
    sign_day = _first_day(flags.emergencies, calendar.today, newest=True)
    mri = [study for study in prior if study.value_sets & spine_mri_sets(content)]
    outdated = [study for study in mri if sign_day and _is_from_before(study, sign_day)]
    covered_mri = spine_mri_of(item.slug for item in covered if item.state is State.ORDERED)
    if covered_mri and all(study in outdated for study in mri if not study.done and not study.is_stale):
        assessment = replace(assessment, notes=assessment.notes | {Note.SIGN_AFTER_ORDER})
    assessment = replace(
        assessment, orders=orders, covered=covered, cautions=relevant, receptors=status, kidneys=kidneys
    )
    if not studies and not _must_be_said(assessment, prior, evidence):
        all_drafted = all(item.state is State.DRAFTED for item in covered)
        reason = Reason.ALREADY_DRAFTED if all_drafted else Reason.ALREADY_IMAGED
        return replace(assessment, outcome=Outcome.SUPPRESSED, reason=reason, cautions=())
    proposes_mri = any(is_spine_mri(slug) for slug in studies)
    wanted_mri = [names for slug in wanted if is_spine_mri(slug) for names in content.orders[slug].answered_by]
    partial = [study for study in mri if not study.done and not any(parts <= study.value_sets for parts in wanted_mri)]
    return replace(
        assessment,
        chosen=chosen_order(chart, wanted_mri, proposes_mri, spine_mri_sets(content), recognizer),
        removals=inadequate_drafts(chart, recognizer) if proposes_mri else (),
        open_orders=tuple(_with_order_date(study) for study in mri if not study.done) if proposes_mri else (),
        partial_orders=tuple(_with_order_date(study) for study in partial) if proposes_mri else (),
        results=_results(prior, content),
        beside=beside_pain(evidence, {item.source for item in assessment.criterion(NEW_PAIN).findings}),
        outdated_mri=tuple(study.finding for study in outdated if study.done) if proposes_mri else (),
        outdated_orders=tuple(_with_order_date(study) for study in outdated if not study.done) if proposes_mri else (),
        brain=brain if any(slug.startswith(content.rule.brain) for slug in studies) else (),
        notes=assessment.notes | _study_notes(studies, covered, prior, drafted, evidence),
        pain_quality=next((item.quality for new in pain.new for item in new.records if item.quality), ""),
        course_words=next((item.course_words for new in pain.new for item in new.records if item.course_words), ""),
        injuries=injuries(chart, recognizer, calendar),
        radiographs=tuple(
            study.finding for study in prior if RuleValueSet.SPINE_RADIOGRAPH in study.value_sets and study.done
        ),
    )


def proposed_orders(studies: Sequence[str], assessment: Assessment, content: Content) -> tuple[ProposedOrder, ...]:
    """The studies as orders: the MRI of the spine first among them, as soon as the findings demand.

    Signs of cord compression want it within 24 hours, suspicious pain within a week; staging has no date (decision
    3.11).
    """
    reasons = (
        *assessment.flags.emergencies[:_MOST_REASONS],
        *assessment.criterion(NEW_PAIN).findings[:_MOST_REASONS],
        *assessment.criterion(CANCER_HISTORY).findings[:_MOST_REASONS],
    )
    first = spine_mri_of(studies)
    numbers = content.rule.thresholds
    week = timedelta(days=numbers[Threshold.MRI_WITHIN_DAYS])
    day = timedelta(hours=numbers[Threshold.EMERGENCY_MRI_WITHIN_HOURS])
    orders = []
    for slug in studies:
        if slug == first:
            order = ProposedOrder(slug, "stat" if assessment.critical else "urgent", recommended=True)
            order = replace(order, within=day if assessment.critical else week)
        elif slug.startswith(content.rule.brain):
            # Never stat by this rule (decision 10.4); a new symptom waits no longer than the pain.
            order = ProposedOrder(slug, "urgent", within=week)
        else:
            order = ProposedOrder(slug, "urgent" if assessment.critical else "routine")
        orders.append(replace(order, reasons=reasons))
    return tuple(orders)


def _must_be_said(assessment: Assessment, prior: Sequence[PriorStudy], evidence: Evidence) -> bool:
    """Whether a card is needed though every study is there.

    An emergency whose MRI is only ordered or drafted, and not as an emergency; drafts that a caution forbids.
    """
    mri = [item.slug for item in assessment.covered if is_spine_mri(item.slug) and item.state is not State.DONE]
    if assessment.critical and mri:
        return Note.SIGN_AFTER_ORDER in assessment.notes or not _is_stat(mri, prior, evidence)
    return any(_draft_conflicts(order, assessment.cautions, evidence) for order in evidence.chart.draft_orders)


def _draft_conflicts(order: Order, raised: Sequence[RaisedCaution], evidence: Evidence) -> bool:
    """Whether a caution forbids a draft: all of it, or its contrast where the draft does not go without."""
    what = meaning(order, evidence.recognizer)
    orders = evidence.content.orders.values()
    modalities = {item.modality for item in orders if what & item.known_by}
    forbidden = {modality for modality in modalities if withdrawn(modality, raised)}
    if what.isdisjoint(WITH_OR_WITHOUT_CONTRAST):
        forbidden |= {modality for modality in modalities if without_contrast(modality, raised)}
    return bool(forbidden)


def _results(prior: Sequence[PriorStudy], content: Content) -> tuple[PriorStudy, ...]:
    """The studies of the spine and for staging that are quoted."""
    for_staging = (content.orders[slug].known_by for slug in content.rule.staging)
    return newest_of_each_kind(
        prior, STUDIES_OF_THE_SPINE.union(spine_mri_sets(content), *for_staging), WITH_OR_WITHOUT_CONTRAST
    )


def _is_from_before(study: PriorStudy, day: date) -> bool:
    """Whether a study was done, or an order written, before a day."""
    when = study.finding.when if study.done else study.written
    return when is not None and when.latest < day


def _with_order_date(study: PriorStudy) -> Finding:
    """An open order, dated by the day on which it was written."""
    return replace(study.finding, when=study.written or study.finding.when)


def _is_stat(slugs: Sequence[str], prior: Sequence[PriorStudy], evidence: Evidence) -> bool:
    """Whether one of these studies is ordered or drafted as an emergency; another stat order says nothing of them."""
    orders = evidence.content.orders
    covering = frozenset().union(*(orders[slug].known_by for slug in slugs))
    if any(study.is_stat and not study.done and study.value_sets & covering for study in prior):
        return True
    drafts = evidence.chart.draft_orders
    return any(order.is_stat and meaning(order, evidence.recognizer) & covering for order in drafts)


def _in_hospice(evidence: Evidence) -> bool:
    """Whether hospice or comfort care is in force: a diagnosis that holds, or a recent visit or procedure."""
    first = evidence.calendar.today - timedelta(days=evidence.number(Threshold.HOSPICE_DAYS))
    for item in evidence.asserted:
        if RuleValueSet.HOSPICE in item.value_sets and item.holds and not item.suspected:
            when = item.finding.when
            if item.finding.kind == "Condition" or when is None or when.latest >= first:
                return True
    return False


def _wants_brain_mri(symptoms: Sequence[Finding], status: Receptors, evidence: Evidence) -> bool:
    if not symptoms:
        return False
    first = status in (Receptors.HER2_POSITIVE, Receptors.TRIPLE_NEGATIVE)
    return first or evidence.options.brain_any_subtype == "consider"


def _covered(
    wanted: Sequence[str],
    prior: Sequence[PriorStudy],
    drafted: frozenset[str],
    brain: Sequence[Finding],
    evidence: Evidence,
) -> tuple[CoveredStudy, ...]:
    """The wanted studies that are there.

    An MRI of the spine from before an emergency sign does not answer the sign, nor one of the brain its symptom.
    """
    orders, brain_slug = evidence.content.orders, evidence.content.rule.brain
    today = evidence.calendar.today
    spine_prior = done_since(prior, _first_day(evidence.flags.emergencies, today, newest=True))
    brain_day = _first_day(brain, today, newest=False)
    brain_prior = evidence.studies_since(PainBegan(brain_day)) if brain_day else prior
    found: list[CoveredStudy] = []
    for slug in wanted:
        counted = spine_prior if is_spine_mri(slug) else brain_prior if slug.startswith(brain_slug) else prior
        found += covered_studies([slug], counted, drafted, orders, evidence.number(Threshold.CT_PARTS_DAYS))
    return tuple(found)


def _first_day(findings: Iterable[Finding], today: date, newest: bool) -> date | None:
    """The day from which a study answers these findings; an undated one is of today."""
    days = [item.when.earliest if item.when else today for item in findings]
    return (max if newest else min)(days) if days else None


def _relevant_cautions(
    studies: Sequence[str], still_open: frozenset[str], raised: Sequence[RaisedCaution], evidence: Evidence
) -> tuple[RaisedCaution, ...]:
    """The cautions that concern a study that is proposed, drafted or ordered, or are why one is not proposed."""
    orders = evidence.content.orders
    modalities = {orders[slug].modality for slug in studies}
    modalities |= {
        item.modality for item in orders.values() if any(value_sets <= still_open for value_sets in item.answered_by)
    }
    return tuple(item for item in raised if modalities & set(item.caution.concerns) or item.caution.withdraws)


def _pain_notes(assessment: Assessment, evidence: Evidence) -> frozenset[Note]:
    notes = set(evidence.pain.notes)
    for criterion in assessment.criteria:
        if criterion.findings and all(item.from_text for item in criterion.findings):
            notes.add(Note.TEXT_ONLY)
    return frozenset(notes)


def _study_notes(
    studies: Sequence[str],
    covered: Sequence[CoveredStudy],
    prior: Sequence[PriorStudy],
    drafted: frozenset[str],
    evidence: Evidence,
) -> frozenset[Note]:
    notes: set[Note] = set()
    suffix = evidence.content.rule.without_contrast_suffix
    spine = [item.slug for item in covered if is_spine_mri(item.slug)]
    if spine:
        covering = frozenset().union(*(evidence.content.orders[slug].known_by for slug in spine))
        held = [item.value_sets for item in prior if item.value_sets & covering] or [drafted]
        if all(RuleValueSet.SPINE_MRI_WITHOUT_CONTRAST in value_sets for value_sets in held) and not any(
            slug.endswith(suffix) for slug in spine
        ):
            notes.add(Note.MRI_WITHOUT_CONTRAST)
        if _is_stat(spine, prior, evidence):
            notes.add(Note.MRI_AT_ONCE)
    elif any(study.done and study.value_sets & BONE_SCANS for study in prior):
        notes.add(Note.BONE_SCAN_DONE)
    if evidence.pain.imaging_region == "sacral" and spine_mri_of(studies).startswith("mri-lumbar-spine" + suffix):
        notes.add(Note.INCLUDE_SACRUM)
    if _should_check_pregnancy(studies, evidence):
        notes.add(Note.CHECK_PREGNANCY)
    return frozenset(notes)


def _should_check_pregnancy(studies: Sequence[str], evidence: Evidence) -> bool:
    """Whether CT or bone scan is proposed to someone who may be pregnant, and nothing is recorded."""
    if not any(evidence.content.orders[slug].modality in ("CT", "bone scan") for slug in studies):
        return False
    patient = evidence.chart.patient.items[0]
    age = _age(evidence)
    youngest = evidence.number(Threshold.MAY_BE_PREGNANT_FROM_YEARS)
    oldest = evidence.number(Threshold.MAY_BE_PREGNANT_TO_YEARS)
    if patient.gender == "male" or (age is not None and not youngest <= age <= oldest):
        return False
    first = evidence.calendar.today - timedelta(days=evidence.number(Threshold.PREGNANCY_RECENT_DAYS))
    recent = [item for item in evidence.asserted if item.finding.when is None or item.finding.when.latest >= first]
    return not any(item.holds and item.value_sets & PREGNANCY_RECORDS for item in recent)


def _age(evidence: Evidence) -> int | None:
    """The age in whole years, at most: of a birth date that is not exact, the earliest day counts."""
    patient = evidence.chart.patient.items[0]
    if patient.birth is None:
        return None
    born, today = patient.birth.earliest, evidence.calendar.today
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
