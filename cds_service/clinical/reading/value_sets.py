"""The value sets that every rule reads by name: observations, results, kidneys, pregnancy, contrast, CT studies."""

from __future__ import annotations

from enum import StrEnum


class SharedValueSet(StrEnum):
    """A value set that every rule reads, by the name of its file in `cards/value-sets`."""

    SYMPTOM_OBSERVATION = "symptom-observation"
    SYMPTOM_ABSENT_OBSERVATION = "symptom-absent-observation"
    COMPLAINT_OBSERVATION = "complaint-observation"
    PREGNANCY_STATUS_OBSERVATION = "pregnancy-status-observation"

    RESULT_POSITIVE = "result-positive"
    RESULT_NEGATIVE = "result-negative"

    EGFR_TEST = "egfr-test"
    CREATININE_TEST = "creatinine-test"
    DIALYSIS = "dialysis"
    KIDNEY_TRANSPLANT = "kidney-transplant"
    ACUTE_KIDNEY_INJURY = "acute-kidney-injury"
    CKD_SEVERE = "ckd-severe"

    HCG_TEST = "hcg-test"
    DELIVERY_DATE = "delivery-date"
    LAST_PERIOD = "last-menstrual-period"
    PREGNANT = "pregnant"
    PREGNANCY_COMPLICATION = "pregnancy-complication"
    NOT_PREGNANT = "not-pregnant"
    POSSIBLY_PREGNANT = "possibly-pregnant"
    IN_LABOR = "in-labor"
    PREGNANCY_ENDED = "pregnancy-ended"
    PREGNANCY_LOST = "pregnancy-lost"
    HYSTERECTOMY = "hysterectomy"

    NO_KNOWN_ALLERGY = "no-known-allergy"
    CONTRAST_ALLERGY_ANY_CLASS = "contrast-allergy-any-class"
    CONTRAST_ALLERGY_GADOLINIUM = "contrast-allergy-gadolinium"
    CONTRAST_ALLERGY_IODINATED = "contrast-allergy-iodinated"
    PHYSIOLOGIC_REACTION = "contrast-reaction-physiologic"

    CT_CHEST = "imaging-ct-chest"
    CT_CHEST_ABDOMEN = "imaging-ct-chest-abdomen"
    CT_ABDOMEN_PELVIS = "imaging-ct-abdomen-pelvis"
    CT_CHEST_ABDOMEN_PELVIS = "imaging-ct-chest-abdomen-pelvis"
    CT_CHEST_ABDOMEN_PELVIS_WITHOUT_CONTRAST = "imaging-ct-chest-abdomen-pelvis-without-contrast"


CONTRAST_ALLERGIES = frozenset(
    {
        SharedValueSet.CONTRAST_ALLERGY_ANY_CLASS,
        SharedValueSet.CONTRAST_ALLERGY_GADOLINIUM,
        SharedValueSet.CONTRAST_ALLERGY_IODINATED,
    }
)

CT_OF_TRUNK = frozenset(
    {
        SharedValueSet.CT_CHEST,
        SharedValueSet.CT_CHEST_ABDOMEN,
        SharedValueSet.CT_ABDOMEN_PELVIS,
        SharedValueSet.CT_CHEST_ABDOMEN_PELVIS,
        SharedValueSet.CT_CHEST_ABDOMEN_PELVIS_WITHOUT_CONTRAST,
    }
)
