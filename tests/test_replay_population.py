"""Every figure of a replay of a made-up population is the one that was put in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.population.write import write_clones, write_population
from tests.replays import run


def unlike(expected: Any, found: Any, where: str = "") -> Iterator[str]:
    """Where `found` differs from `expected`, as far as this goes: keys beside those that are expected say more."""
    if isinstance(expected, Mapping):
        for key, value in expected.items():
            yield from unlike(value, found.get(key) if isinstance(found, Mapping) else None, f"{where}.{key}")
    elif expected != found:
        yield f"{where}: {found} instead of {expected}"


@pytest.mark.slow
def test_every_figure_of_a_seeded_population_is_found_again(tmp_path: Path) -> None:
    expected = write_population(tmp_path / "export", 1500, seed=2)
    assert expected.card.found[365] > 2 and expected.no_card_at_risk.patients > 50
    found = run(tmp_path / "export", tmp_path / "out", moments="visits")
    assert not list(unlike(expected.plain(), found.summary))


@pytest.mark.slow
def test_clones_of_the_scenarios_get_at_their_visit_the_answer_that_the_scenario_expects(tmp_path: Path) -> None:
    clones = write_clones(tmp_path / "export", 1, seed=3)
    found = run(tmp_path / "export", tmp_path / "out", moments="visits")
    by_moment = {(row["patient"], row["at"]): row for row in found.rows}
    wrong = []
    for clone in clones:
        row = by_moment[clone.identity, clone.at]
        answer = {"outcome": row["outcome"]}
        if row["outcome"] == "fired":
            answer |= {"indicator": row["indicator"], "orders": row["orders"]}
        expected = {name: value for name, value in clone.expected.items() if name in answer}
        if answer != expected:
            wrong.append(f"{clone.identity}: {answer} instead of {expected}")
    assert len(clones) > 200
    assert not wrong
