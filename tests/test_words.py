"""The corpus of `fixtures/words` has the form that its README promises (decision 11.4); `tests/words.py` measures."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from cds_service.clinical.reading.free_text import TextReader
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests.words import CORPUS, MENDED, PARTS, SEEN, SET_ASIDE, Sentence, concepts, normalized, read, sentences

READER = TextReader(load_content().text_patterns)

BOTH = [*sentences(SEEN), *sentences(SET_ASIDE)]


def test_the_corpus_has_at_least_six_hundred_sentences_and_a_third_of_them_set_aside() -> None:
    assert len(BOTH) >= 600
    assert 0.3 <= len(sentences(SET_ASIDE)) / len(BOTH) <= 0.4


@pytest.mark.parametrize("part", PARTS)
def test_a_third_of_each_part_is_about_nothing_that_concerns_the_rule(part: str) -> None:
    about = Counter(sentence.about for sentence in sentences(part))
    assert 3 * about["nothing"] >= about.total()


def test_both_parts_hold_the_same_subjects_and_places() -> None:
    for field in ("about", "where"):
        assert {getattr(item, field) for item in sentences(SEEN)} == {
            getattr(item, field) for item in sentences(SET_ASIDE)
        }


def test_no_sentence_stands_twice_in_one_place_nor_in_both_parts() -> None:
    count = Counter((sentence.where, normalized(sentence.text)) for sentence in BOTH)
    assert [item for item, number in count.items() if number > 1] == []
    shared = {normalized(item.text) for item in sentences(SEEN)} & {
        normalized(item.text) for item in sentences(SET_ASIDE)
    }
    assert shared == set()


@pytest.mark.parametrize("sentence", sentences(MENDED), ids=lambda sentence: sentence.text)
def test_what_was_once_misread_is_read_as_it_is_meant(sentence: Sentence) -> None:
    assert read(READER, sentence).wrong == ()


def test_what_was_once_misread_stands_in_no_part_that_measures() -> None:
    mended = [normalized(item.text) for item in sentences(MENDED)]
    assert len(set(mended)) == len(mended)
    assert not set(mended) & {normalized(item.text) for item in BOTH}


# What stands around a complaint in a note, and takes nothing of it back.
FRAMES = (
    "61F with breast cancer diagnosed in 2015, presents with {}",
    "Pt with hx of breast cancer since 2016 presents with {}",
    "Breast ca s/p lumpectomy, on letrozole x 3 yrs. {}",
    "HTN, DM, breast ca 2018. {}",
    "CC: {}",
    "Pt states {}",
    "Daughter reports {}",
    "Return visit: {}",
    "No trauma. {}",
    "Denies chest pain or SOB. {}",
    "{}, no fever, no chills, no weight loss",
    "{}. No fever, chills, weight loss.",
    "{}; denies chest pain, sob",
    "{}. Advised to return if worse.",
    "{}. Red flags reviewed.",
    "{}, brought in by daughter",
)


def of_now(text: str) -> set[str]:
    """The pain of the spine and the signs that a text states, and whether the pain is chronic by it."""
    stated = [item.match for item in READER.read(text) if item.is_stated]
    pains = [match for match in stated if match.concept.startswith("back-pain-")]
    signs = {match.concept for match in stated if match.concept.startswith(("sign-", "cord-"))}
    return signs | {match.concept for match in pains} | {"chronic" for match in pains if "chronic" in match.flags}


@pytest.mark.parametrize("frame", FRAMES)
def test_what_a_line_states_of_pain_and_signs_it_states_in_a_longer_note_too(frame: str) -> None:
    lines = [item.text for item in BOTH if item.where in ("complaint", "note") and of_now(item.text)]
    assert len(lines) > 400
    lost = {line: of_now(line) - of_now(frame.format(line)) for line in lines}
    assert {line: what for line, what in lost.items() if what} == {}
    chronic = [line for line in lines if "chronic" in of_now(frame.format(line)) - of_now(line)]
    assert chronic == []


def test_every_id_is_a_value_set_or_a_text_pattern_or_listed_as_to_come() -> None:
    content = load_content()
    known = set(content.terminology.value_sets) | {concept.id for concept in content.text_patterns.concepts}
    listed = concepts()
    assert set(listed.places) - known == listed.to_come


def test_every_id_is_stated_somewhere_in_the_seen_part() -> None:
    stated = {concept for sentence in sentences(SEEN) for concept in sentence.states}
    assert set(concepts().places) - stated == set()


def test_sentences_are_of_the_length_of_a_line_and_name_nobody() -> None:
    for sentence in BOTH:
        assert len(sentence.text) <= 160
        assert not re.search(r"\b(Mr|Mrs|Ms|Dr)\b\.? [A-Z]|\bMRN\b|\b\d{6,}\b|@", sentence.text), sentence.text


def test_the_readme_names_every_field_and_flag() -> None:
    readme = (CORPUS / "README.md").read_text(encoding="utf-8")
    for word in ("states", "denies", "open", "flags", "onset", "where", "about", "chronic", "changed", "unremitting"):
        assert f"`{word}`" in readme
