"""How well free text is understood: the corpus of `fixtures/words`, read by the patterns of today.

`python -m tests.words` prints precision and recall per concept for both parts of the corpus, and the sentences of the
seen part that are read worst. The sentences set aside are counted and never shown: they measure the patterns, nobody
tunes on them.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from cds_service.clinical.reading.free_text import TextReader
from cds_service.clinical.reading.onset_text import date_onset_text
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content

CORPUS = Path(__file__).parents[1] / "fixtures" / "words"
SEEN, SET_ASIDE = "seen", "set-aside"
PARTS = (SEEN, SET_ASIDE)
# What was once misread; it measures nothing, since the patterns were written for it.
MENDED = "mended"

PLACES = frozenset(
    ["problem", "complaint", "order-reason", "note", "allergy", "device", "order", "report", "onset"],
)
SUBJECTS = frozenset(
    [
        "cancer",
        "pain",
        "emergency",
        "contrast",
        "pregnancy",
        "device",
        "infection",
        "beside",
        "study",
        "onset",
        "nothing",
    ]
)
FLAGS = frozenset(["chronic", "changed", "new", "night", "mechanical", "unremitting"])
ONSETS = frozenset(["recent", "old", "open"])

# The day on which the onsets of the corpus were written, and how far back an onset is recent.
WRITTEN = date(2026, 11, 27)
RECENT_DAYS = 84

_PAIN = "back-pain-"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the corpus: where it stands in a chart, and what it says (`fixtures/words/README.md`)."""

    part: str
    text: str
    where: str
    about: str
    states: frozenset[str] = frozenset()
    denies: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    flags: frozenset[str] = frozenset()
    onset: str = ""


@dataclass(frozen=True, slots=True)
class Concepts:
    """The ids of `concepts.toml`: in which places each is asked for, and which no pattern bears yet."""

    places: dict[str, frozenset[str]]
    groups: dict[str, frozenset[str]]
    to_come: frozenset[str]

    def asked_in(self, place: str) -> frozenset[str]:
        return frozenset(concept for concept, places in self.places.items() if place in places)


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence, and what the reader takes from it: the concepts that it states, the flags of its spine pain."""

    sentence: Sentence
    stated: frozenset[str]
    flags: frozenset[str]
    onset: str = ""

    @property
    def wrong(self) -> tuple[str, ...]:
        """What differs from the corpus: `+id` is read and not there, `-id` is there and not read."""
        said = [*self.stated, *self.flags, *([self.onset] if self.onset else [])]
        there = [*self.sentence.states, *self.sentence.flags, *([self.sentence.onset] if self.sentence.onset else [])]
        return tuple(
            sorted({f"+{item}" for item in said if item not in there})
            + sorted({f"-{item}" for item in there if item not in said})
        )


@cache
def sentences(part: str) -> tuple[Sentence, ...]:
    """Every sentence of one part, in the order of its files.

    Raises:
        ValueError: where a file does not have the form of the corpus.
    """
    return tuple(sentence for path in sorted((CORPUS / part).glob("*.toml")) for sentence in _sentences_of(path, part))


@cache
def concepts() -> Concepts:
    """The ids that the corpus annotates."""
    groups = tomllib.loads((CORPUS / "concepts.toml").read_text(encoding="utf-8"))
    places: dict[str, frozenset[str]] = {}
    for group in groups.values():
        for concept in group["concepts"]:
            places[concept] = places.get(concept, frozenset()) | frozenset(group["places"])
    by_group = {name: frozenset(group["concepts"]) for name, group in groups.items()}
    return Concepts(places, by_group, frozenset(item for group in groups.values() for item in group.get("to-come", ())))


def normalized(text: str) -> str:
    """A sentence without case, spacing and most punctuation, to find it twice; marks that change its sense stay."""
    return " ".join(re.findall(r"[^\W_]+|[-+?☐☒]|\[.?\]|\(.?\)", text.lower()))


def read(reader: TextReader, sentence: Sentence) -> Reading:
    """What the reader takes from a sentence, as far as its place is asked for it."""
    if sentence.where == "onset":
        return Reading(sentence, frozenset(), frozenset(), _onset(sentence.text))
    asked = concepts().asked_in(sentence.where)
    matches = [mention.match for mention in reader.read(sentence.text) if mention.is_stated]
    stated = {match.concept for match in matches} & asked
    if "breast-cancer" in stated:
        # Neither a hint nor disease in situ is anything beside the diagnosis itself.
        stated -= {"breast-cancer-hint", "breast-cancer-in-situ"}
    pains = [match for match in matches if match.concept in stated and match.concept.startswith(_PAIN)]
    flags = {flag for match in pains for flag in match.flags}
    return Reading(sentence, frozenset(stated), frozenset(flags))


def _onset(text: str) -> str:
    span = date_onset_text(text, WRITTEN)
    window = WRITTEN - timedelta(days=RECENT_DAYS)
    if span is None or span.earliest < window <= span.latest:
        return "open"
    return "recent" if span.earliest >= window else "old"


def _sentences_of(path: Path, part: str) -> Iterator[Sentence]:
    content = tomllib.loads(path.read_text(encoding="utf-8"))
    about = content.pop("about", None)
    if about not in SUBJECTS or about != path.stem or set(content) != {"sentence"}:
        raise ValueError(f"{path.name}: needs `about` as its file is named, and tables [[sentence]]")
    for item in content["sentence"]:
        yield _sentence(item, about, part, path.name)


def _sentence(item: dict[str, Any], about: str, part: str, file: str) -> Sentence:
    def refuse(reason: str) -> ValueError:
        return ValueError(f"{file}: {item.get('text', item)!r}: {reason}")

    lists = {name: item.get(name, []) for name in ("states", "denies", "open", "flags")}
    if unknown := set(item) - {"text", "where", "onset", *lists}:
        raise refuse(f"unknown field {', '.join(sorted(unknown))}")
    if not isinstance(item.get("text"), str) or not item["text"].strip() or item.get("where") not in PLACES:
        raise refuse("needs a text, and a place where it stands")
    if (item["where"] == "onset") != (item.get("onset") in ONSETS):
        raise refuse("an onset, and only an onset, says when the pain began")
    if not set(lists["flags"]) <= FLAGS:
        raise refuse("unknown flag")
    asked = concepts().asked_in(item["where"])
    said = [*lists["states"], *lists["denies"], *lists["open"]]
    if len(said) != len(set(said)) or not set(said) <= asked:
        raise refuse("a concept twice, or one that this place is not asked for")
    if lists["flags"] and not any(concept.startswith(_PAIN) for concept in lists["states"]):
        raise refuse("flags without pain of the spine")
    if about == "nothing" and said:
        raise refuse("is about nothing and says something")
    return Sentence(
        part, item["text"], item["where"], about,
        onset=item.get("onset", ""), **{name: frozenset(value) for name, value in lists.items()},
    )  # fmt: skip


@dataclass(slots=True)
class Score:
    """How often a concept was read rightly (`found`), in vain (`invented`), and not at all (`missed`)."""

    found: int = 0
    invented: int = 0
    missed: int = 0

    @property
    def precision(self) -> float | None:
        return self.found / (self.found + self.invented) if self.found + self.invented else None

    @property
    def recall(self) -> float | None:
        return self.found / (self.found + self.missed) if self.found + self.missed else None

    def add(self, other: Score) -> None:
        self.found += other.found
        self.invented += other.invented
        self.missed += other.missed


def scores(readings: Iterable[Reading]) -> dict[str, Score]:
    """The score of every concept, flag (`flag: chronic`) and kind of onset (`onset: old`)."""
    result: dict[str, Score] = {}
    for reading in readings:
        there, said = (
            _items(reading.sentence.states, reading.sentence.flags, reading.sentence.onset),
            _items(reading.stated, reading.flags, reading.onset),
        )
        for item in there | said:
            score = result.setdefault(item, Score())
            score.found += item in there and item in said
            score.invented += item not in there
            score.missed += item not in said
    return result


def _items(stated: frozenset[str], flags: frozenset[str], onset: str) -> set[str]:
    return {*stated, *(f"flag: {flag}" for flag in flags), *([f"onset: {onset}"] if onset else [])}


def whole(parts: Iterable[Score]) -> Score:
    """All scores as one: precision and recall over every statement."""
    total = Score()
    for score in parts:
        total.add(score)
    return total


def table(by_part: dict[str, dict[str, Score]]) -> str:
    """Precision and recall per concept, then per group of concepts and over all; one column for each part."""
    names = sorted({name for part in by_part.values() for name in part})
    lines = [f"{'':<38}" + "".join(f"{part + ': n  prec. recall':>30}" for part in by_part)]
    for name in names:
        lines.append(f"{name:<38}" + "".join(_cell(part.get(name, Score())) for part in by_part.values()))
    lines.append("")
    for group, members in {**concepts().groups, "all": frozenset(names)}.items():
        totals = (whole(score for name, score in part.items() if name in members) for part in by_part.values())
        lines.append(f"{group.upper():<38}" + "".join(_cell(total) for total in totals))
    return "\n".join(lines)


def _cell(score: Score) -> str:
    precision, recall = ("     –" if value is None else f"{value:6.2f}" for value in (score.precision, score.recall))
    return f"{score.found + score.missed:>16} {precision} {recall}"


def main(limit: int = 40) -> int:
    """Print the table and the worst sentences of the seen part."""
    reader = TextReader(load_content().text_patterns)
    readings = {part: [read(reader, sentence) for sentence in sentences(part)] for part in PARTS}
    print(table({part: scores(items) for part, items in readings.items()}), end="\n\n")
    for part, items in readings.items():
        wrong = sum(bool(item.wrong) for item in items)
        alarms = sum(bool(item.stated) for item in items if item.sentence.about == "nothing")
        idle = sum(item.sentence.about == "nothing" for item in items)
        print(f"{part}: {len(items)} sentences, {wrong} read wrongly; {alarms} of {idle} about nothing state something")
    worst = sorted((item for item in readings[SEEN] if item.wrong), key=lambda item: -len(item.wrong))
    print(f"\nThe worst of the seen part ({min(limit, len(worst))} of {len(worst)}):")
    for item in worst[:limit]:
        print(f"  {item.sentence.where}: {item.sentence.text!r}: {' '.join(item.wrong)}")
    kinds = Counter(name for item in readings[SEEN] for name in item.wrong)
    print("\nMost frequent:", ", ".join(f"{name} {count}" for name, count in kinds.most_common(12)))
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 40))
