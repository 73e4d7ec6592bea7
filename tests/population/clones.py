"""Patients of the scenarios, cloned and shifted in time: the answer at one visit of each is known from the scenario."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder

Json = dict[str, Any]

_HOUR = timedelta(hours=1)
# What an export holds always, and what it never holds.
_DECIDE = {"patient", "conditions", "observations"}
_ERROR = "OperationOutcome"

_ANSWER = ("outcome", "indicator", "orders")


@dataclass(frozen=True)
class Clone:
    """One patient: the resources, and what the service answers when the chart is opened at the visit."""

    identity: str
    resources: tuple[Json, ...]
    at: datetime
    expected: Json


def clones(count: int, seed: int, end: datetime) -> Iterator[Clone]:
    """So many clones of each scenario whose data an export can hold, each as of another day of the two years before."""
    drawn = Random(seed)
    for folder in scenario_folders(scenarios_folder()):
        for number in range(count):
            at = (end - timedelta(days=drawn.randrange(1, 700))).replace(hour=12, minute=0, second=0)
            scenario = read_scenario(folder, at)
            if _is_complete(scenario.request) and not scenario.about.get("settings"):
                identity = f"{folder.name}-{number}"
                expected = {name: scenario.about["expected"].get(name) for name in _ANSWER}
                yield Clone(identity, tuple(_resources(scenario.request, identity, at)), at, expected)


def _is_complete(call: Json) -> bool:
    """Whether a call brings all data, and no errors, no pages and no drafts, as it is with an export."""
    values = [value for value in call["prefetch"].values() if value is not None]
    if not all(isinstance(value, dict) and value.get("resourceType") in ("Patient", "Bundle") for value in values):
        return False
    has_all = call["prefetch"].keys() >= _DECIDE and not any(value.get("link") for value in values)
    return call["hook"] == "patient-view" and has_all and _ERROR not in str(call)


def _resources(call: Json, identity: str, at: datetime) -> Iterator[Json]:
    """The resources of a call under another patient, settled before the visit, and the visit."""
    original = call["context"]["patientId"]
    current = call["context"].get("encounterId")
    for value in filter(None, call["prefetch"].values()):
        entries = value.get("entry", []) if value["resourceType"] == "Bundle" else [{"resource": value}]
        for entry in entries:
            yield _moved(entry["resource"], original, identity, at)
    start = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    subject = {"reference": f"Patient/{identity}"}
    if current is None:
        yield {"resourceType": "Encounter", "id": f"{identity}-visit", "status": "finished", "subject": subject,
               "period": {"start": start, "end": start}}  # fmt: skip


def _moved(resource: Json, original: str, identity: str, at: datetime) -> Json:
    text = orjson.dumps(resource).decode().replace(f"Patient/{original}", f"Patient/{identity}")
    moved: Json = orjson.loads(text) | {"meta": {"lastUpdated": (at - _HOUR).strftime("%Y-%m-%dT%H:%M:%SZ")}}
    return moved | {"id": identity} if (moved["resourceType"], moved["id"]) == ("Patient", original) else moved
