"""The value sets that every rule reads by name: kinds of observations, test results, contrast allergies, CT studies."""

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

    NO_KNOWN_ALLERGY = "no-known-allergy"
    CONTRAST_ALLERGY_ANY_CLASS = "contrast-allergy-any-class"
    CONTRAST_ALLERGY_GADOLINIUM = "contrast-allergy-gadolinium"
    CONTRAST_ALLERGY_IODINATED = "contrast-allergy-iodinated"

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
