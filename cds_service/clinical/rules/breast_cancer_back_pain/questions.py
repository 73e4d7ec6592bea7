"""The questions that this rule puts to an entry, each with the value sets and text concepts that answer it.

A code in any of these sets answers the question, also with no: a code of family history is no breast cancer, whatever
the words beside it say. What no code of the entry answers is left to its words.
"""

from __future__ import annotations

from functools import lru_cache

from cds_service.clinical.reading.recognition import Question
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BACK_PAIN,
    CHRONIC_BACK_PAIN,
    FRACTURES,
    PAIN_QUALITY,
    SPINAL_PROCEDURE,
    RuleValueSet,
)
from cds_service.clinical.rules.cautions import caution_questions
from cds_service.content.model import Content

IS_BREAST_CANCER: Question = frozenset(
    {
        RuleValueSet.BREAST_CANCER,
        RuleValueSet.BREAST_CANCER_IN_SITU,
        RuleValueSet.BREAST_CANCER_EXCLUSION,
        RuleValueSet.BREAST_CANCER_FAMILY_HISTORY,
        RuleValueSet.METASTASIS_TO_BREAST,
        RuleValueSet.BREAST_CANCER_AMBIGUOUS,
    }
)

# Whether an entry is back pain, of which region, and whether it is chronic. An injury is another question: words may
# say that it hurts, as they may of a disorder of the back.
IS_BACK_PAIN: Question = frozenset(
    {
        *BACK_PAIN,
        *CHRONIC_BACK_PAIN,
        RuleValueSet.CHRONIC_PAIN_ANY_SITE,
        RuleValueSet.PAIN_NEEDING_SPINE_SITE,
        RuleValueSet.BACK_PAIN_IN_PREGNANCY,
        RuleValueSet.BACK_PAIN_AMBIGUOUS,
        RuleValueSet.BACK_PAIN_EXCLUSION,
    }
)

IS_BACK_INJURY: Question = frozenset({RuleValueSet.BACK_INJURY})

# A code of any fracture answers it; where the bone is not stated, the words are read as its site.
IS_VERTEBRAL_FRACTURE: Question = FRACTURES | {RuleValueSet.HEALED_FRACTURE}

# What words may state beside the codes of an entry. Each sign is a question of its own: a foot drop says nothing of the
# bladder. Codes of unspecific signs (weakness, falls) leave theirs open, for words may be clearer.
_STATED_IN_WORDS: tuple[Question, ...] = (
    frozenset({RuleValueSet.CORD_COMPRESSION}),
    frozenset({RuleValueSet.SIGN_MOTOR}),
    frozenset({RuleValueSet.SIGN_SPHINCTER, RuleValueSet.RED_FLAG_EXCLUSION}),
    frozenset({RuleValueSet.SIGN_SENSORY}),
    frozenset({RuleValueSet.SIGN_GAIT}),
    frozenset({RuleValueSet.NONSPECIFIC_SIGN_SENSORY, RuleValueSet.SIGN_SENSORY, RuleValueSet.CORD_COMPRESSION}),
    frozenset({RuleValueSet.NONSPECIFIC_SIGN_GAIT, RuleValueSet.SIGN_GAIT}),
    frozenset({RuleValueSet.NEUROPATHY}),
    frozenset({RuleValueSet.FEVER, RuleValueSet.FEVER_WITH_A_CAUSE}),
    frozenset({RuleValueSet.SPINAL_INFECTION}),
    frozenset({RuleValueSet.NEUTROPENIA}),
    frozenset({RuleValueSet.BLOODSTREAM_INFECTION}),
    frozenset({RuleValueSet.INFECTION_ELSEWHERE}),
    frozenset({RuleValueSet.METASTASIS_BONE}),
    frozenset({RuleValueSet.METASTASIS_BRAIN}),
    SPINAL_PROCEDURE,
    frozenset({RuleValueSet.AORTIC_ANEURYSM}),
    frozenset({RuleValueSet.PAIN_WITH_ANOTHER_CAUSE}),
    frozenset({RuleValueSet.ANTICOAGULANT_USE}),
    frozenset({RuleValueSet.RADIOTHERAPY}),
    IS_VERTEBRAL_FRACTURE,
    IS_BACK_PAIN,
    IS_BACK_INJURY,
    frozenset({PAIN_QUALITY}),
)


@lru_cache(maxsize=8)
def stated_in_words(content: Content) -> tuple[Question, ...]:
    """What words may state beside the codes of an entry: pain, signs, and what the cautions ask."""
    return (*_STATED_IN_WORDS, *caution_questions(content.cautions))


@lru_cache(maxsize=8)
def what_is_ordered(content: Content) -> Question:
    """What says which order or study it is; a laboratory test is one, whatever its words say of imaging."""
    return frozenset().union(
        {RuleValueSet.MRI_WHOLE_BODY},
        content.rule.relevant_orders,
        content.rule.prefetch_observations,
        *(order.known_by for order in content.orders.values()),
    )
