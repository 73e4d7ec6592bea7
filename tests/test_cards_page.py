"""docs/cards.md: true, and no kind of card is left out of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests import cards
from tests.cards import PAGE, cards_page

WORDS = load_content().wording

# Sentences of each kind that the page need not show, with the reason why not.
NOT_SHOWN: dict[tuple[str, str], str] = {
    ("unchecked", "partly"): "reads as `missing`, of a list that came in part",
    ("why", "more"): "counts entries that differ from those shown",
    ("why", "onset_imprecise"): "reads as `onset_not_recorded`, with the year",
    ("why", "pain_quality"): "reads as `course_words`",
    (
        "why",
        "spinal_procedure",
    ): "the line on infection names it; stands alone beside an infection, as `radiotherapy`",
}


def shown(section: str, name: str) -> bool:
    """Whether a sentence stands on the page, whatever its names in braces stand for."""
    fixed = [re.escape(part) for part in re.split(r"\{\w+\}", WORDS[section][name])]
    text = PAGE.read_text(encoding="utf-8").replace("\N{NO-BREAK SPACE}", " ")
    return re.search(".*?".join(fixed), text) is not None


# Decision 7.14.
def test_the_page_is_what_make_cards_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == cards_page()


def test_make_cards_writes_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cards, "PAGE", tmp_path / "cards.md")
    assert cards.main() == 0
    assert (tmp_path / "cards.md").read_text(encoding="utf-8") == cards_page()


@pytest.mark.parametrize(
    "section", ["flag", "chosen", "evidence", "summary", "now", "first", "unchecked", "proposed", "why"]
)
def test_every_sentence_of_the_kinds_of_card_stands_on_the_page_or_has_a_reason(section: str) -> None:
    missing = {name for name in WORDS[section] if not shown(section, name)}
    assert missing == {name for kind, name in NOT_SHOWN if kind == section}


def test_every_kind_has_a_title_of_its_own() -> None:
    titles = re.findall(r"^### (.+)$", cards_page(), re.MULTILINE)
    assert len(titles) == len(set(titles)) > 50
