"""Lines of triage notes in which one word decides: denied, of another person, of years ago, or an emergency of now."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tests.test_words_of_charts import answer, complaint

NOTES: dict[str, list[str]] = tomllib.loads((Path(__file__).parent / "triage_notes.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("words", NOTES["none"])
def test_what_is_denied_past_advised_or_of_another_person_brings_no_card(words: str) -> None:
    assert answer(complaint(words)) == "none"


@pytest.mark.parametrize("words", NOTES["warning"])
def test_new_pain_is_a_warning_and_no_emergency_where_no_sign_of_now_is_stated(words: str) -> None:
    assert answer(complaint(words)) == "warning"


@pytest.mark.parametrize("words", NOTES["critical"])
def test_a_sign_of_now_is_an_emergency_however_it_is_put(words: str) -> None:
    assert answer(complaint(words)) == "critical"
