"""What a replay is asked for: as the command was given, and as it is kept beside its work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

PATIENT_VIEW = "patient-view"

# The moments that are the end of the data only.
LAST = "last"


class Answers(StrEnum):
    """What becomes of the cards in the replay."""

    NONE = "none"
    IGNORE = "ignore"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class Options:
    """What decides on the answers of a replay, beside the export and the settings.

    Attributes:
        moments: `visits`, `last`, or `days:N`.
        since, until: the first and the last day (UTC) of the moments; by default all that the data has.
        hook: the hook that is called at each moment.
        answers: what becomes of the cards.
        with_ids: patients stand under their ids, not under pseudonyms.
        patients: the ids of the patients to replay; None for all.
        vary: by setting, the values that are tried beside the one in force.
        against: folder of the content to compare with; empty for none.
    """

    moments: str = "visits"
    since: date | None = None
    until: date | None = None
    hook: str = PATIENT_VIEW
    answers: Answers = Answers.NONE
    with_ids: bool = False
    patients: tuple[str, ...] | None = None
    vary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    against: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON."""
        found = asdict(self)
        found |= {name: value.isoformat() for name in ("since", "until") if (value := getattr(self, name))}
        return found | {
            "answers": self.answers.value,
            "vary": {name: list(values) for name, values in self.vary.items()},
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Options:
        """From what `plain` gave, decoded."""
        days = {name: date.fromisoformat(plain[name]) if plain[name] else None for name in ("since", "until")}
        patients = plain["patients"]
        return cls(
            **{
                **plain,
                **days,
                "answers": Answers(plain["answers"]),
                "patients": None if patients is None else tuple(patients),
                "vary": {name: tuple(values) for name, values in plain["vary"].items()},
            }
        )

    @property
    def step_days(self) -> int:
        """Days from one moment to the next; 0 where moments are not counted in days."""
        return int(self.moments.partition(":")[2] or 0)

    @property
    def has_orders(self) -> bool:
        """Whether the hook is called with draft orders."""
        return self.hook != PATIENT_VIEW
