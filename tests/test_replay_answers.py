"""Each answer of a replay is the answer that a hook call gets for the same patient, moment and data."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.decision.hook_call import HookCall
from cds_service.decision.recording import not_understood
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder
from tests.builders import NOW, Json, bundle
from tests.metamorphic import fixtures
from tests.replays import Found, run, write_export

KEYS = {
    "Condition": "conditions",
    "Observation": "observations",
    "Encounter": "encounters",
    "ServiceRequest": "serviceRequests",
    "DiagnosticReport": "diagnosticReports",
    "ImagingStudy": "diagnosticReports",
    "Procedure": "procedures",
    "AllergyIntolerance": "allergies",
    "Device": "devices",
}


def resources_in(call: Json) -> Iterator[Json]:
    """What a FHIR server would hold of the prefetch of a call."""
    for value in (call.get("prefetch") or {}).values():
        if not isinstance(value, dict):
            continue
        held = value.get("entry") or () if value.get("resourceType") == "Bundle" else [{"resource": value}]
        for entry in held:
            resource = entry.get("resource") if isinstance(entry, dict) else None
            if isinstance(resource, dict) and resource.get("resourceType") in ("Patient", *KEYS):
                yield resource


def subject_of(resource: Json) -> str:
    """The id of the patient of a resource; empty where its reference is no relative one."""
    if resource["resourceType"] == "Patient":
        return str(resource.get("id", ""))
    subject = resource.get("subject") or resource.get("patient")
    reference = subject.get("reference") if isinstance(subject, dict) else None
    kind, _, identity = reference.partition("/") if isinstance(reference, str) else ("", "", "")
    return identity.partition("/")[0] if kind == "Patient" else ""


def hook_call(patient: str, resources: Sequence[Json], encounter: str = "") -> Json:
    """A hook call that brings all of these resources, every key being known."""
    prefetch: Json = {key: bundle() for key in KEYS.values()}
    for key in prefetch:
        prefetch[key] = bundle(*(item for item in resources if KEYS.get(item["resourceType"]) == key))
    prefetch["patient"] = next((item for item in resources if item["resourceType"] == "Patient"), None)
    context = {"userId": "Practitioner/1", "patientId": patient} | ({"encounterId": encounter} if encounter else {})
    instance = "8f1d6c52-7b0e-4c0a-9a53-0e6f0a4d7c11"
    return {"hook": "patient-view", "hookInstance": instance, "context": context, "prefetch": prefetch}


def answered(support: DecisionSupport, call: Json, at: datetime) -> Mapping[str, Any]:
    """What the service answers, under the names of the columns of `answers.parquet`."""
    service = support.service_for(call)
    assert service is not None
    decision = support.decide(HookCall(service, at), call)
    assessment = decision.assessment
    fired = assessment.outcome is Outcome.FIRED
    return {
        "outcome": assessment.outcome,
        "reason": assessment.reason,
        "indicator": decision.response["cards"][0]["indicator"] if fired else "",
        "orders": list(assessment.studies) if fired else [],
        "cautions": [item.caution.id for item in assessment.cautions],
        "covered": [item.slug for item in assessment.covered],
        "missing": list(assessment.missing),
        "unreadable": assessment.unreadable,
        "not_understood_by": [
            {"key": key, "system": system, "entries": count}
            for key, systems in not_understood(assessment).items()
            for system, count in sorted(systems.items())
        ],
    }


def differences(found: Found, resources: Sequence[Json]) -> list[str]:
    """Where the rows at the end of the data are not what the service answers to a call with all the resources."""
    support = DecisionSupport()
    by_patient: dict[str, list[Json]] = {}
    for resource in resources:
        by_patient.setdefault(subject_of(resource), []).append(resource)
    wrong = []
    for row in found.rows:
        call = hook_call(row["patient"], by_patient[row["patient"]])
        expected = answered(support, call, row["at"])
        if unlike := {name: (row[name], value) for name, value in expected.items() if row[name] != value}:
            wrong.append(f"{row['patient']}: {unlike}")
    return wrong


def test_the_answers_of_all_fixtures_are_those_to_hook_calls(tmp_path: Path) -> None:
    plain = [item for call in fixtures().values() for item in resources_in(call) if subject_of(item)]
    found = run(write_export(tmp_path / "export", plain), tmp_path / "out")
    assert len(found.rows) > 340
    assert not differences(found, plain)


def test_the_answers_of_the_fixtures_are_those_that_they_expect(tmp_path: Path) -> None:
    every = [item for call in fixtures().values() for item in resources_in(call)]
    found = run(write_export(tmp_path / "export", every), tmp_path / "out")
    compared = 0
    for folder in scenario_folders(scenarios_folder()):
        scenario = read_scenario(folder, NOW)
        expected = scenario.about["expected"]
        # An export has no pages and no errors, and the settings are the usual ones.
        if scenario.request["hook"] != "patient-view" or scenario.about.get("settings"):
            continue
        if expected.get("outcome") == "undetermined":
            continue
        (row,) = found.of(scenario.request["context"]["patientId"])
        assert row["outcome"] == expected["outcome"], scenario.name
        if row["outcome"] == "fired":
            assert (row["indicator"], row["orders"]) == (expected["indicator"], expected["orders"]), scenario.name
        compared += 1
    assert compared > 300


def mixed_charts(count: int, seed: int) -> list[Json]:
    """Patients who have the records of several fixtures, in any order."""
    drawn = random.Random(seed)
    charts = [list(resources_in(call)) for call in fixtures().values()]
    made: list[Json] = []
    for number in range(count):
        patient, own = f"mixed-{number}", []
        for place, chart in enumerate(drawn.sample(charts, drawn.choice((2, 3)))):
            own += [_moved(item, patient, f"-{number}-{place}") for item in chart if _is_kept(item, place)]
        drawn.shuffle(own)
        made += own
    return made


def _is_kept(resource: Json, place: int) -> bool:
    return bool(subject_of(resource)) and (resource["resourceType"] != "Patient" or place == 0)


def _moved(resource: Json, patient: str, suffix: str) -> Json:
    if resource["resourceType"] == "Patient":
        return resource | {"id": patient}
    moved = resource | {"id": f"{resource.get('id', 'none')}{suffix}"}
    element = "subject" if "subject" in resource else "patient"
    return moved | {element: {"reference": f"Patient/{patient}"}}


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_the_answers_of_mixed_charts_are_those_to_hook_calls(tmp_path: Path, seed: int) -> None:
    charts = mixed_charts(250, seed)
    found = run(write_export(tmp_path / "export", charts), tmp_path / "out")
    assert len(found.rows) == 250
    assert not differences(found, charts)


# When each resource of the histories below was on record, by the element that says so.
RECORDED = {
    "Condition": "recordedDate",
    "Observation": "issued",
    "ServiceRequest": "authoredOn",
    "DiagnosticReport": "issued",
    "AllergyIntolerance": "recordedDate",
}


def histories(count: int, seed: int) -> list[Json]:
    """Patients whose records came at known times, with visits between them."""
    drawn = random.Random(seed)
    charts = [list(resources_in(call)) for call in fixtures().values()]
    made: list[Json] = []
    for number in range(count):
        patient = f"history-{number}"
        own = [_moved(item, patient, f"-{number}") for item in drawn.choice(charts) if _is_kept(item, 0)]
        for item in own:
            # What changes later is told apart elsewhere.
            for element in ("abatementDateTime", "deceasedBoolean", "deceasedDateTime", "active", "link"):
                item.pop(element, None)
            if recorded := RECORDED.get(item["resourceType"]):
                item[recorded] = _some_time(drawn)
        made += [item for item in own if item["resourceType"] in ("Patient", *RECORDED)]
        made += [_visit(f"visit-{number}-{place}", patient, _some_time(drawn)) for place in range(3)]
    return made


def _some_time(drawn: random.Random) -> str:
    return f"2026-{drawn.randint(9, 11):02}-{drawn.randint(1, 21):02}T{drawn.randint(6, 20):02}:15:00Z"


def _visit(identity: str, patient: str, at: str) -> Json:
    period = {"start": at, "end": at}
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Encounter", "id": identity, "status": "finished", "subject": subject, "period": period}


def _is_known(resource: Json, at: datetime) -> bool:
    if resource["resourceType"] == "Patient":
        return True
    written = resource["period"]["start"] if "period" in resource else resource[RECORDED[resource["resourceType"]]]
    return datetime.fromisoformat(written) <= at


def test_at_each_visit_the_answer_is_that_to_a_call_with_what_was_known_then(tmp_path: Path) -> None:
    charts = [item for item in histories(200, 3) if item.get("status") != "completed"]
    found = run(write_export(tmp_path / "export", charts), tmp_path / "out", moments="visits")
    support = DecisionSupport()
    visits = {(subject_of(item), item["period"]["start"]): item["id"] for item in charts if "period" in item}
    wrong = []
    for row in found.rows:
        if row["moment"] == "end":
            continue
        encounter = visits[row["patient"], row["at"].strftime("%Y-%m-%dT%H:%M:%SZ")]
        known = [item for item in charts if subject_of(item) == row["patient"] and _is_known(item, row["at"])]
        expected = answered(support, hook_call(row["patient"], known, encounter), row["at"])
        if unlike := {name: (row[name], value) for name, value in expected.items() if row[name] != value}:
            wrong.append(f"{row['patient']} at {row['at']}: {unlike}")
    assert not wrong
    assert {row["outcome"] for row in found.rows} >= {"fired", "not-applicable"}
