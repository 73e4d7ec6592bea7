"""A cancer that names no site, in an entry whose body site is the breast.

Registries and mCODE say apart what it is and where it is: a general code of cancer or the morphology of ICD-O-3, and
the breast as `bodySite` (or as topography in the same concept). Metastases, melanoma, lymphoma, cancer of the skin of
the breast and of lymph nodes are none: their codes or sites are others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cds_service.chart.records import Coding, Concept, Condition
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BREAST_CANCER
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import METASTASES, RuleValueSet

# Codes beside which a site makes no breast cancer: they say already what it is, or that it came from elsewhere.
_SETTLED = IS_BREAST_CANCER | METASTASES | {RuleValueSet.OTHER_CANCER}


@dataclass(frozen=True, slots=True)
class SitedCancer:
    """A cancer of the breast that code and body site say together.

    `label` is in our own words, `quote` in the chart's: one of them is empty. `coding` is that of the cancer, if any.
    """

    label: str = ""
    quote: str = ""
    coding: Coding | None = None
    in_situ: bool = False


@dataclass(frozen=True, slots=True)
class _Words:
    """What something is called: in our own words or, where we have none, in the chart's."""

    words: str
    are_ours: bool


def cancer_at_breast(
    condition: Condition, value_sets: Mapping[str, Coding], recognizer: Recognizer
) -> SitedCancer | None:
    """The cancer of an entry that its site makes one of the breast; None where there is none.

    Args:
        value_sets: the value sets of the condition's codes, each with its coding.
    """
    if not (condition.sites or RuleValueSet.BREAST_SITE in value_sets) or not _SETTLED.isdisjoint(value_sets):
        return None
    if (place := _breast(condition, value_sets, recognizer)) is None or _is_another(condition.concept, recognizer):
        return None
    for kind in (RuleValueSet.CANCER_WITHOUT_SITE, RuleValueSet.IN_SITU_CANCER_WITHOUT_SITE):
        if coding := value_sets.get(kind):
            what = _called(coding, condition.concept, recognizer)
            in_situ = kind is RuleValueSet.IN_SITU_CANCER_WITHOUT_SITE or _is_in_situ(condition.concept, recognizer)
            name = f"{what.words}, {place.words}"
            if what.are_ours and place.are_ours:
                return SitedCancer(label=name, coding=coding, in_situ=in_situ)
            return SitedCancer(quote=name, coding=coding, in_situ=in_situ)
    if words := _cancer_in_words(condition.concept, place, recognizer):
        return SitedCancer(quote=f"{words}, {place.words}")
    return None


def is_elsewhere(condition: Condition, words: str, recognizer: Recognizer) -> bool:
    """Whether the body site of an entry says that a cancer whose words do not name the breast is not one of it.

    Ductal and lobular carcinomas without a site are taken for breast cancer; the pancreas and the prostate have them
    too. A side alone is no site.
    """
    named = [" ".join(words_of(site)) for site in condition.sites]
    named = [name for name in named if name and not recognizer.has_words(WordList.SIDE, name)]
    return bool(named) and not any(recognizer.has_words(WordList.BREAST, text) for text in (words, *named))


def _is_another(concept: Concept, recognizer: Recognizer) -> bool:
    """Whether the words beside a code say which other cancer it is; those that name one of the breast say more."""
    words = words_of(concept)
    if any(_says_breast_cancer(text, recognizer) for text in words):
        return False
    return recognizer.has_words(WordList.OTHER_CANCER, *words)


def _is_in_situ(concept: Concept, recognizer: Recognizer) -> bool:
    return recognizer.has_words(WordList.IN_SITU, *words_of(concept))


def _called(coding: Coding, concept: Concept, recognizer: Recognizer) -> _Words:
    if label := recognizer.label(coding):
        return _Words(label, True)
    return _Words(coding.display or concept.text or coding.code, False)


def _breast(condition: Condition, value_sets: Mapping[str, Coding], recognizer: Recognizer) -> _Words | None:
    """Where an entry says that it is in the breast: by a code of the entry or of its site, or in words of its site."""
    if topography := value_sets.get(RuleValueSet.BREAST_SITE):
        return _Words(recognizer.label(topography) or "breast", True)
    for site in condition.sites:
        if coding := recognizer.value_sets(site).get(RuleValueSet.BREAST_SITE):
            return _Words(recognizer.label(coding) or "breast", True)
        for words in words_of(site):
            if _says_breast_cancer(f"cancer of {words}", recognizer):
                return _Words(words, False)
    return None


def _cancer_in_words(concept: Concept, place: _Words, recognizer: Recognizer) -> str:
    """The words of a concept that name breast cancer once its site is said with them, or an empty string."""
    site = "breast" if place.are_ours else place.words
    said = (words for words in words_of(concept) if _says_breast_cancer(f"{words} in {site}", recognizer))
    return next(said, "")


def _says_breast_cancer(words: str, recognizer: Recognizer) -> bool:
    return any(match.concept == RuleValueSet.BREAST_CANCER for match in recognizer.text(words))
