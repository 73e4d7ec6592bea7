"""Scenario folders: synthetic patients whose dates are relative to the day they are used.

A scenario is a folder with `request.json` (a hook call) and `scenario.json` (what is expected, and why). Dates
stand in both as `{{5 days ago}}`, `{{1 day ahead}}`, `{{today}}`, `{{3 months ago, month only}}`,
`{{12 years ago, year only}}` or `{{2 hours ago, instant}}`.
"""

from __future__ import annotations

import json
import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from platformdirs import user_state_path

_TOKEN = re.compile(
    r"\{\{\s*(?:(?P<today>today|now)|(?P<count>\d+) (?P<unit>hour|day|week|month|year)s? (?P<way>ago|ahead))"
    r"(?:,\s*(?P<form>month only|year only|instant))?\s*\}\}"
)
_FORMS = {None: "%Y-%m-%d", "month only": "%Y-%m", "year only": "%Y", "instant": "%Y-%m-%dT%H:%M:%SZ"}


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scenario with its dates filled in: the hook call, and what is expected of it."""

    name: str
    request: dict[str, Any]
    about: dict[str, Any]


# In an installation the scenarios lie inside the package, in a checkout beside it.
_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent
_FOLDERS = (_PACKAGE / "scenarios", _CHECKOUT / "fixtures" / "scenarios")


class NoScenarios(Exception):
    """The synthetic patients are not where they should be; the message says so."""


def scenarios_folder() -> Path:
    """The synthetic patients that came with the service.

    Raises:
        NoScenarios: there are none.
    """
    for folder in _FOLDERS:
        if folder.is_dir():
            return folder
    raise NoScenarios(f"the synthetic patients are missing from this installation: there is no folder {_FOLDERS[0]}")


def demo_data_folder() -> Path:
    """Where the demo keeps its ledger: in a checkout `data/`, else apart from that of a service in real use."""
    return _CHECKOUT / "data" if (_CHECKOUT / "fixtures").is_dir() else user_state_path("cds-service-demo")


def scenario_folders(folder: Path) -> list[Path]:
    """The folders of all scenarios, the patients of the scenario table first, each part in the order of its names."""
    folders = (path.parent for path in folder.glob("*/request.json"))
    return sorted(folders, key=lambda found: (not found.name.startswith("row-"), found.name))


def read_scenario(folder: Path, now: datetime) -> Scenario:
    """Read a scenario folder as of `now` (with a time zone).

    Raises:
        OSError: a file is missing.
        ValueError: a file is not JSON, or a date in it is not one of the forms above.
    """
    request = read_request(folder / "request.json", now)
    about = json.loads(fill_dates((folder / "scenario.json").read_text(encoding="utf-8"), now))
    return Scenario(folder.name, request, about)


def read_request(path: Path, now: datetime) -> Any:
    """A JSON file with its dates filled in; `path` may also be a scenario folder."""
    if path.is_dir():
        path /= "request.json"
    return json.loads(fill_dates(path.read_text(encoding="utf-8"), now))


def fill_dates(text: str, now: datetime) -> str:
    """`text` with every date token replaced by the date it means as of `now`."""

    def date_of(token: re.Match[str]) -> str:
        moment = now.astimezone(UTC)
        if token["unit"]:
            count = int(token["count"]) * (1 if token["way"] == "ahead" else -1)
            moment = _shifted(moment, count, token["unit"])
        return moment.strftime(_FORMS[token["form"]])

    # `{{context…}}` and the like are prefetch tokens, not dates; anything else in braces is a mistake and is refused.
    filled = _TOKEN.sub(date_of, text)
    if malformed := re.search(r"\{\{(?!\s*context\.)[^}]*\}\}", filled):
        raise ValueError(f"not a date: {malformed.group()}")
    return filled


def _shifted(moment: datetime, count: int, unit: str) -> datetime:
    if unit in ("hour", "day", "week"):
        return moment + timedelta(**{f"{unit}s": count})
    months = moment.year * 12 + moment.month - 1 + count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
