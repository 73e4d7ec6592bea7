"""Every synthetic patient answered with two bodies of content: which outcomes, cards and sentences change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import Scenario, read_scenario, scenario_folders
from cds_service.errors import CdsError

# The outcome of a call that is no valid one, and is answered with an error.
REFUSED = "refused"

OUTCOME = "outcome"

_NO_CARD: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Change:
    """What differs in the answer to one patient; `before` and `after` are lines, none where there is nothing."""

    what: str
    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedScenario:
    """A synthetic patient whose answer changes: the folder, who it is, and what changes, the outcome first."""

    name: str
    title: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class ContentTrial:
    """How many patients were asked of, those whose answer changes, and how often each outcome becomes another."""

    scenarios: int
    changed: tuple[ChangedScenario, ...]

    @property
    def outcomes(self) -> Mapping[tuple[str, str], int]:
        """By outcome before and after, where they differ: how many patients."""
        return Counter(
            (" ".join(change.before), " ".join(change.after))
            for scenario in self.changed
            for change in scenario.changes
            if change.what == OUTCOME
        )

    @property
    def wording(self) -> Mapping[Change, int]:
        """What is said otherwise on cards that are there before and after, the most frequent first: how many patients.

        The same change in the words of another patient is another one.
        """
        said = Counter(
            change
            for scenario in self.changed
            for change in scenario.changes
            if change.what != OUTCOME and change.before and change.after
        )
        return dict(said.most_common())

    @property
    def cards(self) -> int:
        """How many patients get a card that says something else, or a card instead of none, or none instead of one."""
        return sum(any(change.what != OUTCOME for change in scenario.changes) for scenario in self.changed)


def try_content(before: DecisionSupport, after: DecisionSupport, folder: Path, now: datetime) -> ContentTrial:
    """The answers of two services to all scenarios of a folder, as of `now` (with a time zone).

    Raises:
        ValueError, OSError: a scenario cannot be read.
    """
    folders = scenario_folders(folder)
    changed = []
    for place in folders:
        scenario = read_scenario(place, now)
        if changes := tuple(_changes(_answer(before, scenario, now), _answer(after, scenario, now))):
            changed.append(ChangedScenario(scenario.name, str(scenario.about.get("title", "")), changes))
    return ContentTrial(len(folders), tuple(changed))


# What is compared, with its lines.
_Answer = Mapping[str, Sequence[str]]


def _answer(support: DecisionSupport, scenario: Scenario, now: datetime) -> _Answer:
    service = support.service_for(scenario.request)
    if service is None:
        return {OUTCOME: (REFUSED,)}
    try:
        decision = support.decide(HookCall(service, now), scenario.request)
    except CdsError as error:
        return {OUTCOME: (f"{REFUSED} ({error.status})",)}
    assessment = decision.assessment
    card = next(iter(decision.response["cards"]), _NO_CARD)
    said: dict[str, Sequence[str]] = {OUTCOME: (f"{assessment.outcome}, {assessment.reason}",)}
    if card:
        said |= {
            "indicator": (card["indicator"],),
            "summary": (card["summary"],),
            "card": card["detail"].splitlines(),
            "suggestions": [line for item in card.get("suggestions", ()) for line in _suggestion(item)],
            "override reasons": [item["display"] for item in card["overrideReasons"]],
            "source": (card["source"]["label"],),
        }
    else:
        said["missing"] = assessment.missing
    return said


def _suggestion(suggestion: Mapping[str, Any]) -> Iterator[str]:
    """What is said of one suggestion, and of the order that it creates."""
    yield suggestion["label"]
    for action in suggestion["actions"]:
        yield f"{suggestion['label']}: {action['description']}"
        resource = action.get("resource", {})
        for note in resource.get("note", ()):
            yield f"{suggestion['label']}, question: {note['text']}"
        for coding in resource.get("code", {}).get("coding", ()):
            yield f"{suggestion['label']}, code: {coding['system']} {coding['code']}"


def _changes(before: _Answer, after: _Answer) -> Iterator[Change]:
    for what in dict.fromkeys([*before, *after]):
        were, are = before.get(what, ()), after.get(what, ())
        if list(were) != list(are):
            gone = tuple(line for line in were if line not in are)
            new = tuple(line for line in are if line not in were)
            # The same lines in another order are shown as they stand.
            yield Change(what, *((gone, new) if gone or new else (tuple(were), tuple(are))))
