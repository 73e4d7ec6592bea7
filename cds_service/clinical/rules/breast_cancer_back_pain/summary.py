"""The one line of the card: what was found and what to order; in an emergency, the sign first (decision 7.15)."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.clinical.rules.assessment import CoveredStudy, Outcome, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import FRACTURE, PAIN_EQUIVALENT
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import WITHOUT_IMAGING, Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.clinical.rules.breast_cancer_back_pain.studies import is_spine_mri, spine_mri_of
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet
from cds_service.clinical.rules.sentences import Listed, Sentence, Value
from cds_service.content.model import Content

# Where our own words or the chart's for a sign of the cord hold one of these, it is the cauda equina.
_CAUDA = ("cauda", "saddle")


def summary(assessment: Assessment, content: Content) -> Sentence:
    """One sentence of at most 139 characters, without a word from the EHR."""
    name, values = _summary(assessment, content)
    undated = Note.ONSET_NOT_RECORDED in assessment.notes
    pain = content.wording["pain_undated" if undated else "pain"].get(_pain(assessment), "")
    flag = content.wording["flag"][flag_of(assessment.flags)] if assessment.critical else ""
    return Sentence(content.wording["summary"][name], {"pain": pain, "flag": flag, **values})


def flag_of(flags: RedFlags) -> str:
    """What makes the card an emergency, by its name in the wording: the gravest sign, else what else there is."""
    if flags.cord:
        words = f"{flags.cord[0].label} {flags.cord[0].quote}".lower()
        is_cauda = flags.cord_sign == RuleValueSet.CORD_COMPRESSION and any(part in words for part in _CAUDA)
        return "cauda-equina" if is_cauda else flags.cord_sign
    if flags.nonspecific_is_critical:
        return "nonspecific"
    if flags.pathological_fracture:
        return RuleValueSet.PATHOLOGICAL_FRACTURE
    if flags.infection:
        return RuleValueSet.SPINAL_INFECTION if flags.infection_is_recorded else RuleValueSet.FEVER
    return RuleValueSet.METASTASIS_SPINAL_CORD


def _pain(assessment: Assessment) -> str:
    """The region of the pain; of a fracture that is named as the emergency already, that there is no pain."""
    is_named = assessment.critical and flag_of(assessment.flags) == RuleValueSet.PATHOLOGICAL_FRACTURE
    return PAIN_EQUIVALENT if assessment.region == FRACTURE and is_named else assessment.region


def _summary(assessment: Assessment, content: Content) -> tuple[str, Mapping[str, Value]]:
    """The name of the sentence, and what it says beside pain and flag."""
    if assessment.outcome is Outcome.UNDETERMINED:
        return "undetermined", {}
    if name := WITHOUT_IMAGING.get(Reason(assessment.reason)):
        return name, {}
    if slug := spine_mri_of(assessment.studies):
        return _imaging_sentence(assessment), {"study": content.orders[slug].title}
    spine = next((item for item in assessment.covered if is_spine_mri(item.slug)), None)
    if assessment.critical:
        return _emergency_sentence(assessment, spine), {}
    if not assessment.studies or spine is None or assessment.conflict:
        return "cautioned", {}
    modalities = Listed([content.orders[slug].modality for slug in assessment.studies])
    if spine.state is State.DONE and not assessment.flags.bone_metastasis:
        return "staging_after_mri", {"modalities": modalities}
    return "staging_only", {"modalities": modalities, "state": content.wording["state_short"][spine.state.value]}


def _emergency_sentence(assessment: Assessment, spine: CoveredStudy | None) -> str:
    """The sentence of an emergency whose MRI is not to be ordered any more."""
    if spine is not None and spine.state is State.DONE:
        return "critical_done"
    if Note.SIGN_AFTER_ORDER in assessment.notes:
        return "critical_upgrade"
    return "critical_at_once" if Note.MRI_AT_ONCE in assessment.notes else "critical_imaged"


def _imaging_sentence(assessment: Assessment) -> str:
    if assessment.critical:
        return "critical"
    if assessment.flags.bone_metastasis:
        return "known_bone"
    return "known_metastases" if assessment.flags.other_metastasis else "imaging"
