"""Every value set that this rule's code reads by name, and the groups in which it reads them.

The loader refuses content in which one of them is missing. Sets that only `orders.toml`, `cautions.toml` or
`rule.toml` name are read by those names and do not stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from cds_service.clinical.reading.value_sets import SharedValueSet


class RuleValueSet(StrEnum):
    """A value set by the name of its file in `cards/value-sets`."""

    BREAST_CANCER = "breast-cancer"
    BREAST_CANCER_IN_SITU = "breast-cancer-in-situ"
    BREAST_CANCER_EXCLUSION = "breast-cancer-exclusion"
    BREAST_CANCER_FAMILY_HISTORY = "breast-cancer-family-history"
    METASTASIS_TO_BREAST = "metastasis-to-breast"
    BREAST_CANCER_AMBIGUOUS = "breast-cancer-ambiguous"
    BREAST_CANCER_SUPPORTING = "breast-cancer-supporting"
    BREAST_CANCER_THERAPY = "breast-cancer-therapy"
    CANCER_WITHOUT_SITE = "cancer-without-site"
    IN_SITU_CANCER_WITHOUT_SITE = "in-situ-cancer-without-site"
    BREAST_SITE = "breast-site"
    OTHER_CANCER = "other-cancer"

    METASTASIS_BONE = "metastasis-bone"
    METASTASIS_BRAIN = "metastasis-brain"
    METASTASIS_OTHER = "metastasis-other"
    METASTASIS_SPINAL_CORD = "metastasis-spinal-cord"
    METASTASIS_HISTORY = "metastasis-history"
    METASTASIS_EXCLUSION = "metastasis-exclusion"

    BACK_PAIN_CERVICAL = "back-pain-cervical"
    BACK_PAIN_THORACIC = "back-pain-thoracic"
    BACK_PAIN_LUMBAR = "back-pain-lumbar"
    BACK_PAIN_SACRAL = "back-pain-sacral"
    BACK_PAIN_THORACOLUMBAR = "back-pain-thoracolumbar"
    BACK_PAIN_UNSPECIFIED = "back-pain-unspecified"
    BACK_PAIN_IN_PREGNANCY = "back-pain-in-pregnancy"
    BACK_PAIN_AMBIGUOUS = "back-pain-ambiguous"
    BACK_PAIN_EXCLUSION = "back-pain-exclusion"
    BACK_INJURY = "back-injury"
    BACK_DISORDER = "back-disorder"
    PAIN_NEEDING_SPINE_SITE = "pain-needing-spine-site"
    CHRONIC_BACK_PAIN_CERVICAL = "chronic-back-pain-cervical"
    CHRONIC_BACK_PAIN_THORACIC = "chronic-back-pain-thoracic"
    CHRONIC_BACK_PAIN_LUMBAR = "chronic-back-pain-lumbar"
    CHRONIC_BACK_PAIN_SACRAL = "chronic-back-pain-sacral"
    CHRONIC_BACK_PAIN_UNSPECIFIED = "chronic-back-pain-unspecified"
    CHRONIC_PAIN_ANY_SITE = "chronic-pain-any-site"
    CHRONIC_PAIN_BESIDE_A_SITE = "chronic-pain-beside-a-site"
    PAIN_ELSEWHERE = "pain-elsewhere"
    NEOPLASM_RELATED_PAIN = "neoplasm-related-pain"
    BACK_TREATMENT = "back-treatment"

    SPINE_SITE_CERVICAL = "spine-site-cervical"
    SPINE_SITE_CERVICOTHORACIC = "spine-site-cervicothoracic"
    SPINE_SITE_THORACIC = "spine-site-thoracic"
    SPINE_SITE_THORACOLUMBAR = "spine-site-thoracolumbar"
    SPINE_SITE_LUMBAR = "spine-site-lumbar"
    SPINE_SITE_SACRAL = "spine-site-sacral"
    SPINE_SITE_UNSPECIFIED = "spine-site-unspecified"
    NOT_SPINE_SITE = "not-spine-site"
    PAIN_LOCATION_OBSERVATION = "pain-location-observation"
    PAIN_SEVERITY_OBSERVATION = "pain-severity-observation"
    PAIN_SCORE_ABOVE_ZERO = "pain-score-above-zero"

    CORD_COMPRESSION = "cord-compression"
    SIGN_MOTOR = "sign-motor"
    SIGN_SPHINCTER = "sign-sphincter"
    SIGN_SENSORY = "sign-sensory"
    SIGN_GAIT = "sign-gait"
    NONSPECIFIC_SIGN_MOTOR = "nonspecific-sign-motor"
    NONSPECIFIC_SIGN_GAIT = "nonspecific-sign-gait"
    NONSPECIFIC_SIGN_SPHINCTER = "nonspecific-sign-sphincter"
    NONSPECIFIC_SIGN_SENSORY = "nonspecific-sign-sensory"
    NEUROPATHY = "neuropathy"
    FEVER = "fever"
    FEVER_WITH_A_CAUSE = "fever-with-a-cause"
    BODY_TEMPERATURE = "body-temperature"
    NEUTROPENIA = "neutropenia"
    BLOODSTREAM_INFECTION = "bloodstream-infection"
    INFECTION_ELSEWHERE = "infection-elsewhere"
    NONSPECIFIC_SIGN_FRACTURE = "nonspecific-sign-fracture"
    SPINAL_INFECTION = "spinal-infection"
    PATHOLOGICAL_FRACTURE = "pathological-fracture"
    PATHOLOGICAL_FRACTURE_NEEDING_SPINE_SITE = "pathological-fracture-needing-spine-site"
    VERTEBRAL_COLLAPSE = "vertebral-collapse"
    TRAUMATIC_VERTEBRAL_FRACTURE = "traumatic-vertebral-fracture"
    HEALED_FRACTURE = "healed-fracture"
    HIGH_ENERGY_CAUSE = "high-energy-cause"
    SPINE_FRACTURE_CERVICAL = "spine-fracture-cervical"
    SPINE_FRACTURE_CERVICOTHORACIC = "spine-fracture-cervicothoracic"
    SPINE_FRACTURE_THORACIC = "spine-fracture-thoracic"
    SPINE_FRACTURE_THORACOLUMBAR = "spine-fracture-thoracolumbar"
    SPINE_FRACTURE_LUMBAR = "spine-fracture-lumbar"
    SPINE_FRACTURE_SACRAL = "spine-fracture-sacral"
    SYSTEMIC_FLAG = "systemic-flag"
    RED_FLAG_EXCLUSION = "red-flag-exclusion"

    BRAIN_SYMPTOM = "brain-symptom"
    BRAIN_SYMPTOM_WEAK = "brain-symptom-weak"
    ER_TEST = "er-test"
    PR_TEST = "pr-test"
    ER_PR_TEST = "er-pr-test"
    HER2_PROTEIN_TEST = "her2-protein-test"
    HER2_GENE_TEST = "her2-gene-test"
    DX_ER_POSITIVE = "dx-er-positive"
    DX_ER_NEGATIVE = "dx-er-negative"
    DX_PR_POSITIVE = "dx-pr-positive"
    DX_PR_NEGATIVE = "dx-pr-negative"
    DX_HORMONE_RECEPTOR_POSITIVE = "dx-hormone-receptor-positive"
    DX_HORMONE_RECEPTOR_NEGATIVE = "dx-hormone-receptor-negative"
    DX_HER2_POSITIVE = "dx-her2-positive"
    DX_HER2_NEGATIVE = "dx-her2-negative"
    DX_TRIPLE_NEGATIVE = "dx-triple-negative"

    AORTIC_ANEURYSM = "aortic-aneurysm"
    PAIN_WITH_ANOTHER_CAUSE = "pain-with-another-cause"
    ANTICOAGULANT_USE = "anticoagulant-use"
    RADIOTHERAPY = "radiotherapy"
    SPINAL_PROCEDURE = "spinal-procedure"

    HOSPICE = "hospice"

    ANALGESIC_DRUG = "analgesic-drug"
    SPINE_RADIOGRAPH = "imaging-spine-radiograph"
    SPINE_CT = "imaging-spine-ct"
    MRI_WHOLE_BODY = "imaging-mri-whole-body"
    SPINE_MRI_WITHOUT_CONTRAST = "imaging-mri-spine-without-contrast"
    BONE_SCAN_WHOLE_BODY = "imaging-bone-scan-whole-body"
    BONE_SCAN_UNSTATED_EXTENT = "imaging-bone-scan-unstated-extent"
    BONE_SCAN_LIMITED = "imaging-bone-scan-limited"
    PET_CT_FDG = "imaging-pet-ct-fdg"
    PET_CT_SODIUM_FLUORIDE = "imaging-pet-ct-sodium-fluoride"


# Back pain by the regions of the spine that its code names.
BACK_PAIN: Mapping[str, tuple[str, ...]] = {
    RuleValueSet.BACK_PAIN_CERVICAL: ("cervical",),
    RuleValueSet.BACK_PAIN_THORACIC: ("thoracic",),
    RuleValueSet.BACK_PAIN_LUMBAR: ("lumbar",),
    RuleValueSet.BACK_PAIN_SACRAL: ("sacral",),
    RuleValueSet.BACK_PAIN_THORACOLUMBAR: ("thoracic", "lumbar"),
    RuleValueSet.BACK_PAIN_UNSPECIFIED: ("unspecified",),
}

CHRONIC_BACK_PAIN: Mapping[str, tuple[str, ...]] = {
    RuleValueSet.CHRONIC_BACK_PAIN_CERVICAL: ("cervical",),
    RuleValueSet.CHRONIC_BACK_PAIN_THORACIC: ("thoracic",),
    RuleValueSet.CHRONIC_BACK_PAIN_LUMBAR: ("lumbar",),
    RuleValueSet.CHRONIC_BACK_PAIN_SACRAL: ("sacral",),
    RuleValueSet.CHRONIC_BACK_PAIN_UNSPECIFIED: ("unspecified",),
}

# Body sites of the spine.
SPINE_SITE: Mapping[str, tuple[str, ...]] = {
    RuleValueSet.SPINE_SITE_CERVICAL: ("cervical",),
    RuleValueSet.SPINE_SITE_CERVICOTHORACIC: ("cervical", "thoracic"),
    RuleValueSet.SPINE_SITE_THORACIC: ("thoracic",),
    RuleValueSet.SPINE_SITE_THORACOLUMBAR: ("thoracic", "lumbar"),
    RuleValueSet.SPINE_SITE_LUMBAR: ("lumbar",),
    RuleValueSet.SPINE_SITE_SACRAL: ("sacral",),
    RuleValueSet.SPINE_SITE_UNSPECIFIED: ("unspecified",),
}

# Fractures of vertebrae by the regions of the spine that their code names.
SPINE_FRACTURE: Mapping[str, tuple[str, ...]] = {
    RuleValueSet.SPINE_FRACTURE_CERVICAL: ("cervical",),
    RuleValueSet.SPINE_FRACTURE_CERVICOTHORACIC: ("cervical", "thoracic"),
    RuleValueSet.SPINE_FRACTURE_THORACIC: ("thoracic",),
    RuleValueSet.SPINE_FRACTURE_THORACOLUMBAR: ("thoracic", "lumbar"),
    RuleValueSet.SPINE_FRACTURE_LUMBAR: ("lumbar",),
    RuleValueSet.SPINE_FRACTURE_SACRAL: ("sacral",),
}

# Whatever is a fracture of a vertebra, or may be one where the entry names the spine.
FRACTURES = frozenset(
    {
        RuleValueSet.PATHOLOGICAL_FRACTURE,
        RuleValueSet.PATHOLOGICAL_FRACTURE_NEEDING_SPINE_SITE,
        RuleValueSet.NONSPECIFIC_SIGN_FRACTURE,
        RuleValueSet.VERTEBRAL_COLLAPSE,
        RuleValueSet.TRAUMATIC_VERTEBRAL_FRACTURE,
    }
)

# NICE's signs of cord or cauda equina compression, the gravest first: so they stand on the card.
CORD_SIGNS = (
    RuleValueSet.CORD_COMPRESSION,
    RuleValueSet.SIGN_MOTOR,
    RuleValueSet.SIGN_SPHINCTER,
    RuleValueSet.SIGN_SENSORY,
    RuleValueSet.SIGN_GAIT,
)

# Signs that may be one of cord compression, by the group in which two make an emergency.
NONSPECIFIC_SIGNS: Mapping[str, str] = {
    RuleValueSet.NONSPECIFIC_SIGN_MOTOR: "motor",
    RuleValueSet.NONSPECIFIC_SIGN_GAIT: "gait",
    RuleValueSet.NONSPECIFIC_SIGN_SPHINCTER: "sphincter",
    RuleValueSet.NONSPECIFIC_SIGN_SENSORY: "sensory",
}

# Signs, fractures and infections: their date decides whether they are of now.
DATED_SIGNS = frozenset(
    {
        *CORD_SIGNS,
        *NONSPECIFIC_SIGNS,
        *FRACTURES,
        RuleValueSet.FEVER,
        RuleValueSet.SPINAL_INFECTION,
        RuleValueSet.BLOODSTREAM_INFECTION,
        RuleValueSet.SYSTEMIC_FLAG,
        RuleValueSet.BRAIN_SYMPTOM,
        RuleValueSet.BRAIN_SYMPTOM_WEAK,
    }
)

METASTASES = frozenset(
    {
        RuleValueSet.METASTASIS_BONE,
        RuleValueSet.METASTASIS_BRAIN,
        RuleValueSet.METASTASIS_OTHER,
        RuleValueSet.METASTASIS_SPINAL_CORD,
        RuleValueSet.METASTASIS_HISTORY,
        RuleValueSet.METASTASIS_EXCLUSION,
    }
)

# Receptors as a diagnosis tells them.
DIAGNOSED_RECEPTORS = frozenset(
    {
        RuleValueSet.DX_ER_POSITIVE,
        RuleValueSet.DX_ER_NEGATIVE,
        RuleValueSet.DX_PR_POSITIVE,
        RuleValueSet.DX_PR_NEGATIVE,
        RuleValueSet.DX_HORMONE_RECEPTOR_POSITIVE,
        RuleValueSet.DX_HORMONE_RECEPTOR_NEGATIVE,
        RuleValueSet.DX_HER2_POSITIVE,
        RuleValueSet.DX_HER2_NEGATIVE,
        RuleValueSet.DX_TRIPLE_NEGATIVE,
    }
)

BONE_SCANS = frozenset(
    {
        RuleValueSet.BONE_SCAN_WHOLE_BODY,
        RuleValueSet.BONE_SCAN_UNSTATED_EXTENT,
        RuleValueSet.BONE_SCAN_LIMITED,
    }
)

# Studies of the spine, and for staging, beside those that an order of this rule is answered by.
STUDIES_OF_THE_SPINE = frozenset(
    {RuleValueSet.SPINE_RADIOGRAPH, RuleValueSet.SPINE_CT, RuleValueSet.MRI_WHOLE_BODY, *BONE_SCANS}
)

# What says of a study only whether it is with contrast.
WITH_OR_WITHOUT_CONTRAST = frozenset(
    {RuleValueSet.SPINE_MRI_WITHOUT_CONTRAST, SharedValueSet.CT_CHEST_ABDOMEN_PELVIS_WITHOUT_CONTRAST}
)

# A concept of `text-patterns.toml` that no code says: PET/CT with a tracer that answers nothing here.
PET_OF_OTHER_TRACER = "imaging-pet-other-tracer"

# A bone scan of a foot is billed under the code of a whole one, and PET/CT under one code for every tracer.
NARROWED: Mapping[str, frozenset[str]] = {
    RuleValueSet.BONE_SCAN_LIMITED: frozenset(
        {RuleValueSet.BONE_SCAN_WHOLE_BODY, RuleValueSet.BONE_SCAN_UNSTATED_EXTENT}
    ),
    RuleValueSet.PET_CT_SODIUM_FLUORIDE: frozenset({RuleValueSet.PET_CT_FDG}),
    PET_OF_OTHER_TRACER: frozenset({RuleValueSet.PET_CT_FDG}),
}

# Whatever is recorded of pregnancy; then nobody is told to ask.
PREGNANCY_RECORDS = frozenset(
    {
        SharedValueSet.PREGNANT,
        SharedValueSet.PREGNANCY_COMPLICATION,
        SharedValueSet.NOT_PREGNANT,
        SharedValueSet.POSSIBLY_PREGNANT,
        SharedValueSet.PREGNANCY_LOST,
        RuleValueSet.BACK_PAIN_IN_PREGNANCY,
    }
)

# A concept of `text-patterns.toml` that no code says: words that make the pain suspicious.
PAIN_QUALITY = "pain-quality"

# Codes that call the pain chronic whose site another code of the same visit names.
CHRONIC_WITH_PAIN_CODE = frozenset({RuleValueSet.CHRONIC_PAIN_BESIDE_A_SITE})

# Concepts of `text-patterns.toml` that no code says: a fracture of whichever bone; a bone that is none of the spine.
FRACTURE_IN_WORDS = "fracture-in-words"
OTHER_BONE = "other-bone"

# An injection into the spine, or an operation on it.
SPINAL_PROCEDURE = frozenset({RuleValueSet.SPINAL_PROCEDURE})

# A concept of `text-patterns.toml` that no code says: an injection into the spine or its joints against pain.
SPINAL_INJECTION = "spinal-injection"

# Whatever may be why metastases are searched for: pain, signs, spread, another cancer, and codes that are unclear.
REASONS_TO_SEARCH = frozenset(
    {
        *BACK_PAIN,
        *CHRONIC_BACK_PAIN,
        *CORD_SIGNS,
        *NONSPECIFIC_SIGNS,
        *FRACTURES,
        OTHER_BONE,
        RuleValueSet.BACK_PAIN_IN_PREGNANCY,
        RuleValueSet.BACK_PAIN_AMBIGUOUS,
        RuleValueSet.BACK_PAIN_EXCLUSION,
        RuleValueSet.BACK_INJURY,
        RuleValueSet.PAIN_NEEDING_SPINE_SITE,
        RuleValueSet.CHRONIC_PAIN_ANY_SITE,
        RuleValueSet.SPINAL_INFECTION,
        RuleValueSet.FEVER,
        RuleValueSet.SYSTEMIC_FLAG,
        RuleValueSet.BRAIN_SYMPTOM,
        RuleValueSet.BRAIN_SYMPTOM_WEAK,
        *METASTASES,
        RuleValueSet.OTHER_CANCER,
    }
)

# Traces of treatment hint at breast cancer and never prove it; they are counted.
BREAST_CANCER_HINTS = frozenset({RuleValueSet.BREAST_CANCER_SUPPORTING, RuleValueSet.BREAST_CANCER_THERAPY})

# Codes that tell something of this rule only with the body site beside them.
NEEDS_SITE = frozenset(
    {
        RuleValueSet.PAIN_NEEDING_SPINE_SITE,
        RuleValueSet.PAIN_SEVERITY_OBSERVATION,
        RuleValueSet.CANCER_WITHOUT_SITE,
        RuleValueSet.IN_SITU_CANCER_WITHOUT_SITE,
    }
)

# What a cancer is, and where: one of them alone is no breast cancer, and may be half of one (decision 6.9).
BREAST_CANCER_HALVES = frozenset({RuleValueSet.CANCER_WITHOUT_SITE, RuleValueSet.BREAST_SITE})
