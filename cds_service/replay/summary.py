"""`summary.json`: what a replay found, under stable keys (docs/replay.md says what each means)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cds_service.clinical.rules.assessment import Outcome
from cds_service.replay.counting import END, OPENINGS
from cds_service.replay.course import YIELD_DAYS
from cds_service.replay.facts import Facts
from cds_service.replay.known import Doubt
from cds_service.replay.plan import Plan
from cds_service.replay.statistics import Share, quantile, wilson
from cds_service.replay.tally import Tally

# Rises where a key changes its meaning or goes; new keys may come at any time.
FORMAT = 1

_DAYS_OF_A_YEAR = 365.25

# From this share on most answers are open: then a count of cards says little.
MOSTLY = 0.5

# Figures are given to so many significant digits: more would promise what no count of patients keeps.
_DIGITS = 6

_QUANTILES = {"p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9}

# By what cards are told apart: the key, and the word of the tally.
_BY = {
    "by_indicator": "indicator",
    "by_reason": "reason",
    "by_age": "age",
    "by_place": "place",
    "by_order": "order",
    "by_caution": "caution",
}

_TIMES = ("complaint-to-card", "complaint-to-imaging", "complaint-to-disease", "card-to-imaging", "card-to-disease")


def summary_of(tally: Tally, export: dict[str, Any], plan: Plan, facts: Facts) -> dict[str, Any]:
    """The summary; the same counts give the same bytes."""
    period, rule = facts.period(plan), plan.variants[0].rule
    return {
        "format": FORMAT,
        "rule": {"id": rule.content.rule.id, "version": rule.content.version, "choices": dict(rule.choices)},
        "hook": plan.options.hook,
        "moments": plan.options.moments,
        "answers": plan.options.answers.value,
        "period": {
            "since": period.since.date().isoformat() if period.since else None,
            "until": period.until.date().isoformat(),
            "data_end": facts.data_end.date().isoformat(),
        },
        "export": export | {"missing_keys": sorted(set(rule.prefetch) - set(facts.supplied))},
        "patients": _patients(tally, plan),
        "cards": {scope: _cards(tally, scope) for scope in (OPENINGS, END)},
        "rates": _rates(tally),
        "outcomes": {scope: _outcomes(tally, scope) for scope in (OPENINGS, END)},
        "yield": {group: _yield(tally, ("yield", group)) for group in ("card", "no-card", "no-card-at-risk")},
        "time": {name: _times(tally, name) for name in _TIMES} | {"undated": tally.count("time-undated")},
        "not_understood": _not_understood(tally),
        "knowledge": {
            "known_by": _nested(tally, "known"),
            "could_not_be_told": tally.by_word("untold"),
            "visits_without_start": tally.count("visits-without-start"),
            **{doubt.value: tally.by_word("doubt", doubt) for doubt in Doubt},
        },
        "compared": [_compared(tally, variant.name, variant.rule.content.version) for variant in plan.variants[1:]],
    }


def _patients(tally: Tally, plan: Plan) -> dict[str, Any]:
    found = tally.count("patients") + sum(tally.by_word("failed").values())
    return {
        "all": tally.count("patients"),
        "listed_not_found": len(plan.patients) - found if plan.patients is not None else 0,
        "asked": tally.count("patients-asked"),
        "at_risk": tally.count("patients-at-risk"),
        "with_card": tally.count("patients-with-card"),
        "without_record": tally.count("patients-without-record"),
        "failed": tally.by_word("failed"),
        "merged": tally.count("patients-merged"),
        "resources_of_merged": tally.count("resources-of-merged"),
        "years_observed": _round(tally.count("days-observed") / _DAYS_OF_A_YEAR),
    }


def _cards(tally: Tally, scope: str) -> dict[str, Any]:
    kinds = tally.by_word("cards", scope, "kind")
    return {
        "all": sum(kinds.values()),
        "first": kinds.get("first", 0),
        "repeated": kinds.get("repeated", 0),
        **{key: tally.by_word("cards", scope, name) for key, name in _BY.items()},
        **{f"first_{key}": tally.by_word("first-cards", scope, name) for key, name in _BY.items()},
    }


def _rates(tally: Tally) -> dict[str, Any]:
    """Cards by patients and years, and by openings of a chart."""
    years = tally.count("days-observed") / _DAYS_OF_A_YEAR
    openings = sum(tally.below("outcome", OPENINGS).values())
    looked_at = sum(tally.below("outcome", END).values())
    outcomes = [found for scope in (OPENINGS, END) for found in tally.below("outcome", scope).items()]
    open_answers = sum(count for (outcome, _), count in outcomes if outcome == Outcome.UNDETERMINED)
    found: dict[str, Any] = {"openings": openings}
    found["undetermined"] = _round(open_answers / (openings + looked_at)) if openings + looked_at else None
    for kind in ("all", "first", "repeated"):
        kinds = tally.by_word("cards", OPENINGS, "kind")
        cards = sum(kinds.values()) if kind == "all" else kinds.get(kind, 0)
        found[f"{kind}_per_1000_patient_years"] = _round(1000 * cards / years) if years else None
        found[f"{kind}_per_100_openings"] = _share(wilson(cards, openings), 100)
    standing = sum(tally.by_word("cards", END, "kind").values())
    found["standing_at_end_per_1000_patients"] = _share(wilson(standing, looked_at), 1000)
    return found


def _outcomes(tally: Tally, scope: str) -> dict[str, Any]:
    return {
        "by_outcome": _nested(tally, "outcome", scope),
        "answered_earlier": tally.by_word("answered", scope),
        "missing": tally.by_word("missing", scope),
    }


def _yield(tally: Tally, name: tuple[str, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {
        key.replace("-", "_"): tally.count(*name, key) for key in ("patients", "known-before", "undated")
    }
    for days in YIELD_DAYS:
        followed, disease = tally.count(*name, "followed", str(days)), tally.count(*name, "found", str(days))
        found[f"within_{days}_days"] = {
            "followed": followed,
            "found": disease,
            "share": _share(wilson(disease, followed)),
        }
    return found


def _times(tally: Tally, name: str) -> dict[str, Any]:
    days = {int(word): count for word, count in tally.by_word("time", name).items()}
    counted = sum(days.values())
    found: dict[str, Any] = {"patients": counted}
    found["mean"] = _round(sum(day * count for day, count in days.items()) / counted) if counted else None
    return found | {key: quantile(days, share) if counted else None for key, share in _QUANTILES.items()}


def _not_understood(tally: Tally) -> dict[str, Any]:
    entries = tally.below("not-understood", "entries")
    patients = tally.below("not-understood", "patients")
    return {
        "entries": tally.by_word("entries"),
        "unreadable": tally.by_word("unreadable"),
        "by_system": [
            {"key": key, "system": system, "entries": count, "patients": patients[key, system]}
            for (key, system), count in sorted(entries.items(), key=lambda item: (-item[1], item[0]))
        ],
    }


def _compared(tally: Tally, name: str, version: str) -> dict[str, Any]:
    below = ("vary", name)
    return {
        "name": name,
        "content": version,
        "cards": {scope: tally.by_word(*below, "cards", scope) for scope in (OPENINGS, END)},
        "patients_with_card": tally.count(*below, "patients-with-card"),
        "patients_gained": tally.count(*below, "patients-gained"),
        "patients_lost": tally.count(*below, "patients-lost"),
        "yield": _yield(tally, (*below, "yield")),
    }


def _nested(tally: Tally, *name: str) -> dict[str, dict[str, int]]:
    """Counts of two more words, one below the other."""
    found: dict[str, dict[str, int]] = {}
    for (first, second), count in tally.below(*name).items():
        found.setdefault(first, {})[second] = count
    return found


def export_of(
    parts: Sequence[Mapping[str, Any]], plan: Plan, tally: Tally, late_bad: Mapping[str, int]
) -> dict[str, Any]:
    """What the export holds, and what of it was not used and why."""
    from cds_service.replay.ask import FOREIGN

    bad = Tally((("bad", why), count) for part in parts for why, count in part["bad"].items())
    bad.update(Tally((("bad", why), count) for why, count in late_bad.items()))
    types = Tally((("types", kind), count) for part in parts for kind, count in part["types"].items())
    nobody = Tally((("nobody", kind), count) for part in parts for kind, count in part["without_patient"].items())
    broken = [
        {"file": plan.files[plan.parts[number].file].name, "why": part["broken"]}
        for number, part in enumerate(parts)
        if part["broken"]
    ]
    return {
        "files": len(plan.files),
        "empty_files": sum(file.size == 0 for file in plan.files),
        "broken_files": broken,
        "lines": sum(part["lines"] for part in parts),
        "bad_lines": {why: count for why, count in bad.by_word("bad").items() if count},
        "resources": types.by_word("types"),
        "without_patient": nobody.by_word("nobody"),
        "of_another_server": tally.count(FOREIGN),
        "passed_over": list(plan.passed_over),
        "same_line_again": tally.count("same-line-again"),
    }


def _share(found: Share | None, of: int = 1) -> dict[str, float] | None:
    if found is None:
        return None
    return {"value": _round(of * found.value), "low": _round(of * found.low), "high": _round(of * found.high)}


def _round(value: float) -> float:
    """To six significant digits, so that the last bits of a division decide on nothing."""
    return float(f"{value:.{_DIGITS}g}")
