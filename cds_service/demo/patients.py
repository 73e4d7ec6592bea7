"""Put the synthetic patients of the scenarios on a FHIR server, each with ids of its own."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from cds_service.demo.processes import DemoError, plain_session
from cds_service.demo.scenarios import Scenario, read_scenario

# Where the resources of the scenarios say that they come from; references below it become relative.
EHR_BASE = "https://ehr.example.org/fhir/"

_RESPONSE_SECONDS = 60.0

# One transaction of so many patients stays well below a second, and a refused one is quickly sent again.
_PATIENTS_PER_TRANSACTION = 40


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What `load_patients` did.

    Attributes:
        patients: Patient resources that the server now holds.
        resources: all resources that the server took, the patients among them.
        refused: "scenario: Type/id: reason" for each resource that was not taken.
        renamed: for each resource whose Type/id several scenarios use, the new Type/id and the one in the scenario.
        without_patient: scenarios without a Patient resource; their other data was loaded.
    """

    patients: int
    resources: int
    refused: tuple[str, ...]
    renamed: Mapping[str, str]
    without_patient: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Chart:
    """The resources of one scenario by "Type/id"; unnamed counts those without type or id."""

    scenario: str
    patient_id: str
    resources: Mapping[str, dict[str, Any]]
    unnamed: int


def load_patients(base_url: str, scenarios_folder: Path, now: datetime, token: str | None = None) -> LoadReport:
    """Put the patients of all scenarios, as of `now` (with a time zone), into a FHIR server.

    Raises:
        DemoError: there are no scenarios, two of them have the same patient, or the server does not take part.
        ValueError: a scenario cannot be read.
    """
    folders = sorted(path.parent for path in scenarios_folder.glob("*/request.json"))
    if not folders:
        raise DemoError(f"no scenarios in {scenarios_folder}")
    charts, renamed = _with_own_ids([_chart(read_scenario(folder, now)) for folder in folders])
    refused = {f"{chart.scenario}: a resource without type or id": "" for chart in charts if chart.unnamed}
    with plain_session(token) as session:
        for first in range(0, len(charts), _PATIENTS_PER_TRANSACTION):
            refused |= _put(session, base_url, charts[first : first + _PATIENTS_PER_TRANSACTION])
    keys = [key for chart in charts for key in chart.resources if f"{chart.scenario}: {key}" not in refused]
    without_patient = [chart.scenario for chart in charts if f"Patient/{chart.patient_id}" not in chart.resources]
    return LoadReport(
        patients=sum(1 for key in keys if key.startswith("Patient/")),
        resources=len(keys),
        refused=tuple(f"{name}: {reason}" if reason else name for name, reason in refused.items()),
        renamed=renamed,
        without_patient=tuple(without_patient),
    )


def _chart(scenario: Scenario) -> _Chart:
    resources: dict[str, dict[str, Any]] = {}
    unnamed = 0
    for resource in _resources(scenario.request.get("prefetch") or {}):
        if not isinstance(resource.get("resourceType"), str) or not isinstance(resource.get("id"), str):
            unnamed += 1
            continue
        key = f"{resource['resourceType']}/{resource['id']}"
        if resources.setdefault(key, resource) != resource:
            raise DemoError(f"{scenario.name} has two different resources {key}")
    return _Chart(scenario.name, scenario.request["context"]["patientId"], resources, unnamed)


def _resources(prefetch: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What a server can hold: no error pages, and no OperationOutcome, which tells of a search and not of a patient."""
    for value in prefetch.values():
        if not isinstance(value, dict):
            continue
        is_bundle = value.get("resourceType") == "Bundle"
        found = [entry.get("resource") for entry in value.get("entry") or ()] if is_bundle else [value]
        for resource in found:
            if isinstance(resource, dict) and resource.get("resourceType") != "OperationOutcome":
                yield resource


def _with_own_ids(charts: Sequence[_Chart]) -> tuple[list[_Chart], dict[str, str]]:
    """The charts with every Type/id of their own, and the new names of those that were shared.

    A patient is not renamed: the hook call of the scenario names it.
    """
    uses = Counter(key for chart in charts for key in chart.resources)
    renamed: dict[str, str] = {}
    own: list[_Chart] = []
    for chart in charts:
        names = {key: _own_name(key, chart) for key in chart.resources if uses[key] > 1}
        moved = {names.get(key, key): _renamed(resource, key, names) for key, resource in chart.resources.items()}
        own.append(_Chart(chart.scenario, chart.patient_id, moved, chart.unnamed))
        renamed |= {new: old for old, new in names.items()}
    users: dict[str, str] = {}
    for chart in own:
        for key in chart.resources:
            if (first := users.setdefault(key, chart.scenario)) != chart.scenario:
                raise DemoError(f"{first} and {chart.scenario} both have {key}")
    return own, renamed


def _own_name(key: str, chart: _Chart) -> str:
    kind, _, name = key.partition("/")
    return key if kind == "Patient" else f"{kind}/{chart.patient_id}-{name}"


def _renamed(resource: dict[str, Any], key: str, names: Mapping[str, str]) -> dict[str, Any]:
    local: dict[str, Any] = _with_local_references(resource, names)
    return {**local, "id": names.get(key, key).partition("/")[2]}


def _with_local_references(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, list):
        return [_with_local_references(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: _with_local_references(item, names) for name, item in value.items()}
    if isinstance(reference := copy.get("reference"), str):
        relative = reference.removeprefix(EHR_BASE)
        copy["reference"] = names.get(relative, relative)
    return copy


def _put(session: requests.Session, base_url: str, charts: Sequence[_Chart]) -> dict[str, str]:
    """Put all resources of these charts; the answer is "scenario: Type/id" and reason for each that was refused."""
    names = [(chart.scenario, key) for chart in charts for key in chart.resources]
    entries = [
        {"resource": resource, "request": {"method": "PUT", "url": key}}
        for chart in charts
        for key, resource in chart.resources.items()
    ]
    response = _post(session, base_url, {"resourceType": "Bundle", "type": "transaction", "entry": entries})
    if response.ok:
        return {}
    # A transaction fails as a whole. One by one, the server takes the rest and says what is wrong with each.
    response = _post(session, base_url, {"resourceType": "Bundle", "type": "batch", "entry": entries})
    if not response.ok:
        raise DemoError(f"{base_url} refuses the patients (HTTP {response.status_code})")
    responses = [entry["response"] for entry in response.json()["entry"]]
    return {
        f"{scenario}: {key}": _reason(response)
        for (scenario, key), response in zip(names, responses, strict=True)
        if not response["status"].startswith("2")
    }


def _post(session: requests.Session, base_url: str, bundle: dict[str, Any]) -> requests.Response:
    try:
        response = session.post(base_url, data=json.dumps(bundle), timeout=_RESPONSE_SECONDS)
    except requests.RequestException as error:
        raise DemoError(f"{base_url} does not take the patients: {type(error).__name__}") from error
    if response.status_code in (401, 403) or response.status_code >= 500:
        raise DemoError(f"{base_url} refuses the patients (HTTP {response.status_code})")
    return response


def _reason(response: Mapping[str, Any]) -> str:
    issues = response.get("outcome", {}).get("issue") or [{}]
    return str(issues[0].get("diagnostics", response["status"]))
