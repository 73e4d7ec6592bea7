"""What this rule's code reads from `text-patterns.toml` by name."""

from __future__ import annotations

from enum import StrEnum

from cds_service.clinical.reading.value_sets import (
    CONTRAST_ALLERGIES,
)
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BACK_PAIN,
    FRACTURE_IN_WORDS,
    OTHER_BONE,
    PAIN_QUALITY,
    PET_OF_OTHER_TRACER,
    SPINAL_INJECTION,
    SPINE_SITE,
    RuleValueSet,
)
from cds_service.content.rule_source import TextNames
from cds_service.content.text_patterns import COURSES


class WordList(StrEnum):
    """A list of words by its name, `flag` in the file."""

    ADVANCED = "advanced"
    BREAST = "breast"
    NOT_FOR_THE_BACK = "not-for-the-back"
    SIDE = "side"
    OTHER_CANCER = "other-cancer"
    IN_SITU = "in-situ"
    CANCER_IN_DETAIL = "cancer-in-detail"
    RETENTION = "retention"
    FECES = "feces"
    INCONTINENCE = "incontinence"
    LEFT = "left"
    RIGHT = "right"
    REFLEX = "reflex"
    PARALYSIS = "paralysis"
    PLAIN_CANCER = "plain-cancer"
    HER2_POSITIVE = "her2-positive"
    HER2_NEGATIVE = "her2-negative"
    HER2_EQUIVOCAL = "her2-equivocal"


TEXT_NAMES = TextNames(
    concepts=frozenset(
        {
            RuleValueSet.BREAST_CANCER,
            RuleValueSet.BACK_INJURY,
            RuleValueSet.PAIN_ELSEWHERE,
            PAIN_QUALITY,
            FRACTURE_IN_WORDS,
            OTHER_BONE,
            PET_OF_OTHER_TRACER,
            SPINAL_INJECTION,
            *SPINE_SITE,
            *BACK_PAIN,
            *CONTRAST_ALLERGIES,
        }
    ),
    guards=frozenset(
        {
            "takes-back-before",
            "takes-back-after",
            "takes-back-alone",
            "screening-before",
            "screening-after",
            "screening-alone",
        }
    ),
    flags=COURSES | frozenset(WordList),
)
