"""What a replay must find in a made-up population: counted while it is made, without asking the rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cds_service.replay.statistics import quantile

DAYS = (30, 90, 365)


@dataclass
class Group:
    """Patients with or without a card: who was followed for how long, and in whom the disease was recorded then."""

    patients: int = 0
    known_before: int = 0
    followed: Counter[int] = field(default_factory=Counter)
    found: Counter[int] = field(default_factory=Counter)

    def add(self, index: datetime, disease: datetime | None, end: datetime) -> None:
        self.patients += 1
        if disease is not None and disease <= index:
            self.known_before += 1
            return
        for days in DAYS:
            limit = index + timedelta(days=days)
            if limit <= end:
                self.followed[days] += 1
                self.found[days] += disease is not None and disease <= limit

    def plain(self) -> dict[str, Any]:
        found: dict[str, Any] = {"patients": self.patients, "known_before": self.known_before}
        return found | {
            f"within_{days}_days": {"followed": self.followed[days], "found": self.found[days]} for days in DAYS
        }


@dataclass
class Expected:
    """All figures that are known beforehand.

    Attributes:
        end: the last second of the data.
    """

    end: datetime
    patients: int = 0
    at_risk: int = 0
    days_observed: int = 0
    openings: int = 0
    cards: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    card: Group = field(default_factory=Group)
    no_card: Group = field(default_factory=Group)
    no_card_at_risk: Group = field(default_factory=Group)
    times: dict[str, Counter[int]] = field(default_factory=dict)
    unknown_entries: int = 0
    unknown_patients: int = 0

    def add_patient(self, first_record: datetime, at_risk: bool) -> None:
        """Count a patient, observed from the first visit or own date of recording to the end of the data."""
        self.patients += 1
        self.at_risk += at_risk
        self.days_observed += (self.end - first_record).days + 1

    def add_time(self, name: str, days: int) -> None:
        self.times.setdefault(name, Counter())[days] += 1

    def plain(self) -> dict[str, Any]:
        """As it must stand in `summary.json`, as far as it is known."""
        outcomes: dict[str, dict[str, dict[str, int]]] = {"openings": {}, "end": {}}
        for (scope, outcome, reason), count in self.outcomes.items():
            outcomes[scope].setdefault(outcome, {})[reason] = count
        return {
            "period": {"data_end": self.end.date().isoformat()},
            "patients": {
                "all": self.patients,
                "at_risk": self.at_risk,
                "with_card": self.card.patients,
                "years_observed": float(f"{self.days_observed / 365.25:.6g}"),
            },
            "cards": {
                "openings": {kind: self.cards[f"openings-{kind}"] for kind in ("first", "repeated")},
                "end": {kind: self.cards[f"end-{kind}"] for kind in ("first", "repeated")},
            },
            "rates": {"openings": self.openings},
            "outcomes": {scope: {"by_outcome": found} for scope, found in outcomes.items()},
            "yield": {
                "card": self.card.plain(),
                "no-card": self.no_card.plain(),
                "no-card-at-risk": self.no_card_at_risk.plain(),
            },
            "time": {
                name: {"patients": days.total(), "median": quantile(days, 0.5), "p90": quantile(days, 0.9)}
                for name, days in self.times.items()
            },
            "not_understood": {
                "by_system": [
                    {"key": "conditions", "system": "https://ehr.example.org/codes", "entries": self.unknown_entries,
                     "patients": self.unknown_patients}
                ] if self.unknown_entries else []
            },
        }  # fmt: skip
