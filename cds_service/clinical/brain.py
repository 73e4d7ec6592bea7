"""Receptor status of the breast cancer, and new symptoms that point to the brain (clinical rules A.5, A.6)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cds_service.clinical.dating import Calendar
from cds_service.clinical.findings import Finding
from cds_service.clinical.recognition import Recognizer
from cds_service.clinical.records import Chart, Observation
from cds_service.clinical.statements import Statement, sign_of

_FINAL = frozenset({"final", "amended", "corrected"})

# From 1 % of stained cells on a tumor counts as receptor positive ("low positive" up to 9 %).
_POSITIVE_CELLS_PERCENT = 1


class Receptors(StrEnum):
    """What the chart says of the receptors, as far as it matters for the brain."""

    HER2_POSITIVE = "HER2-positive"
    TRIPLE_NEGATIVE = "triple-negative"
    OTHER = "other"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class _Results:
    """The newest result of each test: positive, negative, or None (not done, or neither)."""

    er: bool | None
    pr: bool | None
    her2: bool | None


def receptors(chart: Chart, statements: Iterable[Statement], recognizer: Recognizer) -> Receptors:
    """The receptor status: by the newest final results, else by diagnosis codes."""
    results = _newest_results(chart, recognizer)
    coded = {name for item in statements for name in item.sets if name.startswith("dx-")}
    if results.her2 or (results.her2 is None and "dx-her2-positive" in coded):
        return Receptors.HER2_POSITIVE
    if (results.er, results.pr, results.her2) == (False, False, False):
        return Receptors.TRIPLE_NEGATIVE
    if "dx-triple-negative" in coded and not (results.er or results.pr):
        return Receptors.TRIPLE_NEGATIVE
    if results == _Results(None, None, None) and not coded:
        return Receptors.UNKNOWN
    return Receptors.OTHER


def _newest_results(chart: Chart, recognizer: Recognizer) -> _Results:
    newest: dict[str, tuple[int, bool]] = {}
    for observation in chart.observations.items:
        if observation.status not in _FINAL:
            continue
        sets = recognizer.sets(observation.concept)
        positive = _reading(observation, recognizer)
        if positive is None:
            continue
        day = observation.effective.latest.toordinal() if observation.effective else 0
        for receptor in _receptors_of(frozenset(sets)):
            # On the same day the positive result stands: nothing is missed.
            newest[receptor] = max(newest.get(receptor, (-1, False)), (day, positive))
    return _Results(*(newest[name][1] if name in newest else None for name in ("er", "pr", "her2")))


def _receptors_of(sets: frozenset[str]) -> tuple[str, ...]:
    if "er-pr-test" in sets:
        return ("er", "pr")
    if "er-test" in sets:
        return ("er",)
    if "pr-test" in sets:
        return ("pr",)
    return ("her2",) if sets & {"her2-protein-test", "her2-gene-test"} else ()


def _reading(observation: Observation, recognizer: Recognizer) -> bool | None:
    """Positive or negative; an equivocal IHC 2+ is neither."""
    value = observation.value
    words = (value.text or (value.concept.text if value.concept else "")).lower()
    if re.search(r"\b2\s*\+|equivocal|indeterminate", words):
        return None
    if re.search(r"\b3\s*\+|(?<!not )(?<!non-)\bamplified", words):
        return True
    if re.search(r"\b[01]\s*\+|not amplified|non-amplified|her2.?low", words):
        return False
    if value.number is not None and value.unit in ("%", "percent"):
        return value.number >= _POSITIVE_CELLS_PERCENT
    return sign_of(value, observation.interpretation, recognizer)


def brain_symptoms(statements: Iterable[Statement], calendar: Calendar) -> tuple[Finding, ...]:
    """New symptoms that point to the brain; weak ones (vomiting, syncope) only beside another."""
    fresh = [item for item in statements if item.is_new(calendar) and not item.suspected]
    strong = [item.finding for item in fresh if "brain-symptom" in item.sets]
    weak = [item.finding for item in fresh if "brain-symptom-weak" in item.sets]
    return tuple(strong + weak) if strong else ()
