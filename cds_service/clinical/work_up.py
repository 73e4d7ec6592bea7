"""Both criteria are met: which studies are wanted, which are there already, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from cds_service.clinical.assessment import Assessment
from cds_service.clinical.brain import Receptors, brain_symptoms, receptors
from cds_service.clinical.cautions import RaisedCaution, newest_egfr, raised_cautions, withdrawn, without_contrast
from cds_service.clinical.evidence import Evidence
from cds_service.clinical.findings import Finding, Note, Outcome, Present, Reason, State
from cds_service.clinical.imaging_history import PastStudy, studies_since
from cds_service.clinical.options import RuleOptions
from cds_service.clinical.orders import (
    RADIOGRAPH,
    drafted_sets,
    inadequate_drafts,
    present_studies,
    since,
)
from cds_service.clinical.pain import SEVERAL
from cds_service.clinical.pain_records import injuries
from cds_service.content.model import Content

_HOSPICE = "hospice"
_BONE_SCAN = "imaging-bone-scan-"
_WITHOUT_CONTRAST = "imaging-mri-spine-without-contrast"

# Imaging of adults is meant throughout; breast cancer in a child is nearly always an error of coding.
_ADULT_FROM_YEARS = 18

# Between these ages pregnancy is asked for before CT and bone scan, where nothing is recorded.
_MAY_BE_PREGNANT_YEARS = range(12, 56)


def work_up(evidence: Evidence, advice: Assessment) -> Assessment:
    """Complete `advice` (criteria met) with studies, cautions and notes, or with why there is no card."""
    flags, pain = evidence.flags, evidence.pain
    advice = replace(advice, region=pain.region, vague_onset=pain.vague_onset, notes=_pain_notes(advice, evidence))
    if not evidence.history.proven:
        return replace(advice, reason=Reason.IN_SITU_ONLY)
    if (age := _age(evidence)) is not None and age < _ADULT_FROM_YEARS:
        return replace(advice, reason=Reason.CHILD)
    if evidence.options.hospice_suppress and any(_HOSPICE in item.sets and item.holds for item in evidence.statements):
        return replace(advice, outcome=Outcome.SUPPRESSED, reason=Reason.HOSPICE)
    chart, content, recognizer, calendar = evidence.chart, evidence.content, evidence.recognizer, evidence.calendar
    egfr = newest_egfr(chart, content.cautions, recognizer, calendar, evidence.options.egfr_recent_days)
    raised = raised_cautions(evidence.statements, chart, content.cautions, recognizer, calendar, egfr)
    status = receptors(chart, evidence.statements, recognizer)
    brain = brain_symptoms(evidence.statements, calendar)
    region = SEVERAL if flags.whole_spine else pain.region
    wants_brain = _wants_brain_mri(brain, status, evidence)
    wanted = wanted_studies(region, content, evidence.options, raised, wants_brain)
    past = studies_since(pain.onset, chart, recognizer, calendar)
    drafted = drafted_sets(chart.drafts, recognizer)
    present = _present(wanted, past, drafted, evidence)
    studies = tuple(slug for slug in wanted if slug not in {item.slug for item in present})
    advice = replace(advice, studies=studies, present=present)
    if not studies:
        all_drafted = all(item.state is State.DRAFTED for item in present)
        reason = Reason.ALREADY_DRAFTED if all_drafted else Reason.ALREADY_IMAGED
        return replace(advice, outcome=Outcome.SUPPRESSED, reason=reason)
    proposes_mri = any(is_spine_mri(slug) for slug in studies)
    return replace(
        advice,
        critical=flags.critical,
        removals=inadequate_drafts(chart.drafts, recognizer) if proposes_mri else (),
        flags=flags,
        brain=brain if any(slug.startswith(content.rule.brain) for slug in studies) else (),
        receptors=status,
        cautions=_beside(studies, raised, evidence),
        notes=advice.notes | _study_notes(studies, present, past, drafted, evidence),
        pain_quality=next((item.quality for new in pain.new for item in new.records if item.quality), ""),
        injuries=injuries(chart, recognizer, calendar),
        radiographs=tuple(study.finding for study in past if RADIOGRAPH in study.sets and study.done),
        egfr=egfr,
    )


def is_spine_mri(slug: str) -> bool:
    """Whether a slug is an MRI of the spine."""
    return slug.startswith("mri-") and "spine" in slug


def wanted_studies(
    region: str, content: Content, options: RuleOptions, raised: Sequence[RaisedCaution] = (), brain: bool = False
) -> tuple[str, ...]:
    """The slugs to propose for pain of `region`, the MRI of the spine first (clinical rules B.1, B.3, C.7).

    Args:
        region: a spine region, `several` or `unspecified`.
        content, options: orders and the site's choices.
        raised: cautions; they turn a study into the one without contrast, or withdraw CT and bone scan.
        brain: whether an MRI of the brain is wanted too.
    """
    rule, orders = content.rule, content.orders
    mri = rule.mri_of_region[region]
    slugs = [str(mri if isinstance(mri, str) else mri[options.region_unspecified]), *rule.staging]
    if brain:
        slugs.append(rule.brain)
    wanted = []
    for slug in slugs:
        modality = orders[slug].modality
        if withdrawn(modality, raised):
            continue
        plain = slug + rule.without_contrast_suffix
        wanted.append(plain if without_contrast(modality, raised) and plain in orders else slug)
    return tuple(wanted)


def _wants_brain_mri(symptoms: Sequence[Finding], status: Receptors, evidence: Evidence) -> bool:
    if not symptoms:
        return False
    first = status in (Receptors.HER2_POSITIVE, Receptors.TRIPLE_NEGATIVE)
    return first or evidence.options.brain_any_subtype == "consider"


def _present(
    wanted: Sequence[str], past: Sequence[PastStudy], drafted: frozenset[str], evidence: Evidence
) -> tuple[Present, ...]:
    """The wanted studies that are there. An MRI from before an emergency sign does not answer the sign."""
    orders = evidence.content.orders
    spine = [slug for slug in wanted if is_spine_mri(slug)]
    rest = [slug for slug in wanted if not is_spine_mri(slug)]
    recent = since(past, _emergency_day(evidence.flags.emergencies))
    return (*present_studies(spine, recent, drafted, orders), *present_studies(rest, past, drafted, orders))


def _emergency_day(emergencies: Iterable[Finding]) -> date | None:
    return max((item.when.earliest for item in emergencies if item.when), default=None)


def _beside(
    studies: Sequence[str], raised: Sequence[RaisedCaution], evidence: Evidence
) -> tuple[RaisedCaution, ...]:
    """The cautions that concern a proposed study, or are the reason why one is not proposed."""
    modalities = {evidence.content.orders[slug].modality for slug in studies}
    return tuple(
        item for item in raised if modalities & set(item.caution.concerns) or item.caution.withdraws
    )


def _pain_notes(advice: Assessment, evidence: Evidence) -> frozenset[Note]:
    notes = set(evidence.pain.notes)
    for criterion in advice.criteria:
        if criterion.findings and all(item.from_text for item in criterion.findings):
            notes.add(Note.TEXT_ONLY)
    return frozenset(notes)


def _study_notes(
    studies: Sequence[str],
    present: Sequence[Present],
    past: Sequence[PastStudy],
    drafted: frozenset[str],
    evidence: Evidence,
) -> frozenset[Note]:
    notes: set[Note] = set()
    if any(is_spine_mri(item.slug) for item in present):
        held = drafted.union(*(study.sets for study in past))
        if _WITHOUT_CONTRAST in held and not any(
            item.slug.endswith(evidence.content.rule.without_contrast_suffix) for item in present
        ):
            notes.add(Note.MRI_WITHOUT_CONTRAST)
    elif any(name.startswith(_BONE_SCAN) for study in past if study.done for name in study.sets):
        notes.add(Note.BONE_SCAN_DONE)
    if _should_check_pregnancy(studies, evidence):
        notes.add(Note.CHECK_PREGNANCY)
    return frozenset(notes)


def _should_check_pregnancy(studies: Sequence[str], evidence: Evidence) -> bool:
    """Whether CT or bone scan is proposed to someone who may be pregnant, and nothing is recorded."""
    if not any(evidence.content.orders[slug].modality in ("CT", "bone scan") for slug in studies):
        return False
    patient = evidence.chart.patient.items[0]
    age = _age(evidence)
    if patient.gender == "male" or (age is not None and age not in _MAY_BE_PREGNANT_YEARS):
        return False
    return not any(item.sets & {"pregnant", "not-pregnant", "possibly-pregnant"} for item in evidence.statements)


def _age(evidence: Evidence) -> int | None:
    """The age in whole years, at most: of a birth date that is not exact, the earliest day counts."""
    patient = evidence.chart.patient.items[0]
    if patient.birth is None:
        return None
    born, today = patient.birth.earliest, evidence.calendar.today
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
