"""Names of codes as plain text: matching codes are understood, excluding ones are not (decision 11.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cds_service.clinical.reading.free_text import TextReader
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import BACK_PAIN, CHRONIC_BACK_PAIN

CONTENT = load_content()
READER = TextReader(CONTENT.text_patterns)
CANCER = "breast-cancer"
CANCER_EXCLUDING = (
    "breast-cancer-exclusion", "breast-cancer-family-history", "metastasis-to-breast", "breast-cancer-ambiguous",
    "breast-cancer-in-situ", "breast-cancer-supporting",
    "breast-cancer-therapy", "metastasis-exclusion", "metastasis-other", "other-cancer",
)  # fmt: skip
PAIN_EXCLUDING = ("back-pain-exclusion", "chronic-pain-any-site", "pain-needing-spine-site", "breast-cancer-exclusion")
CONTRAST = ("contrast-allergy-gadolinium", "contrast-allergy-iodinated", "contrast-allergy-any-class")

# Names that say less than their code.
_TAG = re.compile(r" \([a-z/ ]+\)$")


def displays(*set_ids: str) -> Iterator[str]:
    for set_id in set_ids:
        for _, _, display in CONTENT.terminology.value_sets[set_id].concepts:
            if display:
                yield _TAG.sub("", display)


def stated(text: str) -> set[str]:
    return {match.concept for match in READER.find(text)}


def not_understood(names: Iterator[str], concepts: set[str]) -> list[str]:
    """The names that state none of the concepts."""
    return sorted({name for name in names if concepts.isdisjoint(stated(name))})


def test_every_display_of_breast_cancer_states_breast_cancer() -> None:
    assert not_understood(displays(CANCER), {CANCER}) == []


@pytest.mark.parametrize("set_id", sorted([*BACK_PAIN, *CHRONIC_BACK_PAIN]))
def test_every_display_of_spine_pain_states_spine_pain_of_its_region(set_id: str) -> None:
    region = {set_id.removeprefix("chronic-")}
    # "Back pain with sciatica" is lumbar by code; the words name a region besides.
    assert not_understood(displays(set_id), region if "unspecified" not in set_id else set(BACK_PAIN)) == []


@pytest.mark.parametrize("set_id", CONTRAST)
def test_every_display_of_a_contrast_medium_names_its_class(set_id: str) -> None:
    assert not_understood(displays(set_id), {set_id}) == []


@pytest.mark.parametrize("set_id", CANCER_EXCLUDING)
def test_no_display_of_a_code_that_is_no_breast_cancer_states_it(set_id: str) -> None:
    assert [name for name in displays(set_id) if CANCER in stated(name)] == []


@pytest.mark.parametrize("set_id", PAIN_EXCLUDING)
def test_no_display_of_a_code_that_is_no_spine_pain_states_it(set_id: str) -> None:
    assert [name for name in displays(set_id) if any(item.startswith("back-pain-") for item in stated(name))] == []


def test_no_display_of_a_code_that_is_no_sign_states_one() -> None:
    signs = ("cord-", "sign-")
    assert [
        name for name in displays("red-flag-exclusion") if any(item.startswith(signs) for item in stated(name))
    ] == []
