"""Differences of content, and what they change for the synthetic patients, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from cds_service.content.difference import Difference
from cds_service.readiness.content_trial import ContentTrial

NOTHING = "(nothing)"

# As many changes of words as are read in a terminal.
_MOST_CHANGES = 20


def difference_lines(differences: Sequence[Difference]) -> Iterator[str]:
    """What two bodies of content differ in: a heading for each kind, and below it one place after the other."""
    if not differences:
        yield "No difference."
    for kind, listed in groupby(differences, key=lambda item: item.kind):
        yield kind
        for place, items in groupby(listed, key=lambda item: item.place):
            yield f"  {place}"
            for item in items:
                yield from _signed(item)


def _signed(item: Difference) -> Iterator[str]:
    if item.before:
        yield f"    - {item.before}"
    if item.after:
        yield f"    + {item.after}"


def trial_lines(trial: ContentTrial) -> Iterator[str]:
    """How many patients are concerned, how outcomes and words change, and for whom."""
    yield summary_of(trial)
    if trial.outcomes:
        yield "\nOutcomes that change"
    for (before, after), count in trial.outcomes.items():
        yield f"  {count:>4}  {before} -> {after}"
    if trial.wording:
        yield "\nWhat cards say otherwise"
    for change, count in list(trial.wording.items())[:_MOST_CHANGES]:
        yield f"  {count:>4}  {change.what}"
        yield from (f"        - {line}" for line in change.before)
        yield from (f"        + {line}" for line in change.after)
    if len(trial.wording) > _MOST_CHANGES:
        yield f"  and {len(trial.wording) - _MOST_CHANGES} more; the page (--page) has all of them"
    if trial.changed:
        yield "\nPatients whose answer changes"
    width = max((len(scenario.name) for scenario in trial.changed), default=0)
    for scenario in trial.changed:
        yield f"  {scenario.name:<{width}}  {', '.join(change.what for change in scenario.changes)}"


def summary_of(trial: ContentTrial) -> str:
    """In one sentence, for how many patients something changes."""
    if not trial.changed:
        return f"{trial.scenarios} synthetic patients: every answer stays as it is."
    outcomes = sum(trial.outcomes.values())
    return (
        f"{trial.scenarios} synthetic patients: {len(trial.changed)} get another answer"
        f" (another outcome: {outcomes}, another card: {trial.cards})."
    )
