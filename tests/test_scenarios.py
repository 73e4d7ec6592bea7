"""The rows of the clinical scenario table, each as a made-up patient: what the service must say of them.

The folders of `fixtures/scenarios` hold the calls and the expected answers. Their dates are relative, so that the
whole table is answered as of four days: an ordinary one, both ends of a year, and a leap day.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import Scenario, read_scenario
from cds_service.protocol.validation import problem
from cds_service.settings import make_settings
from tests.builders import SERVICES

Json = dict[str, Any]

SCENARIOS = Path(__file__).parents[1].joinpath("fixtures", "scenarios")
TABLE = sorted(SCENARIOS.glob("row-*"))
# Charts in the forms in which real EHRs write them; each names the clinical decision that it shows.
CHARTS = sorted(SCENARIOS.glob("chart-*"))
FOLDERS = [*TABLE, *CHARTS]

DAYS = {
    "an ordinary day": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "1 January": datetime(2027, 1, 1, 12, tzinfo=UTC),
    "29 February": datetime(2028, 2, 29, 12, tzinfo=UTC),
    "31 December": datetime(2027, 12, 31, 12, tzinfo=UTC),
}

# Row 139 (5,000 conditions) is no folder: `test_pain_sources` builds that chart.
ROWS_OF_THE_TABLE = {str(row) for row in range(1, 142)} - {"78", "139"} | {f"78{letter}" for letter in "abcdefghi"}


@dataclass(frozen=True)
class Case:
    """One folder under one choice of settings; `variant` is its place in `with_settings`, None the default."""

    folder: Path
    variant: int | None
    settings: str

    def __str__(self) -> str:
        return self.folder.name if self.variant is None else f"{self.folder.name} {self.settings}"

    def scenario(self, day: str) -> Scenario:
        return read_scenario(self.folder, DAYS[day])

    def expected(self, day: str) -> Json:
        about = self.scenario(day).about
        expected: Json = about["expected"] if self.variant is None else about["with_settings"][self.variant]["expected"]
        return expected


def _cases() -> list[Case]:
    cases = []
    for folder in FOLDERS:
        about = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
        cases.append(Case(folder, None, "{}"))
        for place, variant in enumerate(about.get("with_settings", ())):
            cases.append(Case(folder, place, json.dumps(variant["settings"])))
    return cases


every_case = pytest.mark.parametrize("case", _cases(), ids=str)


@cache
def _client(settings: str, day: str) -> FlaskClient:
    return make_app(make_settings(json.loads(settings)), lambda: DAYS[day]).test_client()


@cache
def _support(settings: str) -> DecisionSupport:
    return DecisionSupport(make_settings(json.loads(settings)))


@cache
def _slugs() -> dict[str, str]:
    """Slugs by the LOINC code that stands first in each order."""
    return {order.codings[0]["code"]: slug for slug, order in load_content().orders.items()}


def _answer(case: Case, day: str) -> tuple[int, Json]:
    """Status and body of the call over HTTP."""
    request = case.scenario(day).request
    service = _support(case.settings).service_for(request)
    assert service is not None
    response = _client(case.settings, day).post(f"/cds-services/{service.id}", json=request)
    return response.status_code, response.get_json()


def _actions(body: Json, kind: str) -> list[Json]:
    """The actions of one kind of all suggestions, in their order."""
    suggestions = [suggestion for card in body.get("cards", ()) for suggestion in card.get("suggestions", ())]
    return [action for suggestion in suggestions for action in suggestion["actions"] if action["type"] == kind]


def _proposed(body: Json) -> list[Json]:
    """The resources of all orders that are offered, in their order."""
    return [action["resource"] for action in _actions(body, "create")]


# --- The answers


def _differences(case: Case, day: str) -> Iterator[str]:
    """Every way in which the answer is not what the table says, one line each; none if all is as it should be."""
    for what, found, expected in _found_and_expected(case, day):
        if found != expected:
            yield f"as of {day}, {what}: {found!r} where the table says {expected!r}"


def _found_and_expected(case: Case, day: str) -> Iterator[tuple[str, object, object]]:
    """What the table speaks of, what the service came to, and what the table says."""
    request, expected = case.scenario(day).request, case.expected(day)
    service = _support(case.settings).service_for(request)
    assert service is not None
    assessment = _support(case.settings).decide(HookCall(service, DAYS[day]), request).assessment
    yield "the outcome", assessment.outcome, expected["outcome"]
    yield "what is missing", list(assessment.missing), expected.get("missing", [])

    status, body = _answer(case, day)
    cards = body.get("cards", ())
    fired = expected["outcome"] == "fired"
    yield "the HTTP status", status, expected["status"]
    yield "the indicators of the cards", [card["indicator"] for card in cards], [expected["indicator"]] if fired else []
    schema = "response" if status == 200 else "operation-outcome"
    yield f"what the schema '{schema}' objects to", problem(schema, body), None

    codes = [order["code"]["coding"][0]["code"] for order in _proposed(body)]
    yield "the proposed orders", [_slugs().get(code, code) for code in codes], expected.get("orders", [])
    patient = f"Patient/{request['context']['patientId']}"
    objections = [_objection(order, patient) for order in _proposed(body)]
    yield "what is no FHIR order for this patient", [objection for objection in objections if objection], []
    removed = [action["resourceId"] for action in _actions(body, "delete")]
    yield "the drafts to remove", removed, expected.get("removes", [])

    said = (cards[0]["detail"] if cards else json.dumps(body)).lower()
    wanted = [*expected.get("detail_has", ()), *expected.get("missing", ())]
    yield "words that are not said", [words for words in wanted if words.lower() not in said], []
    yield "words too many", [words for words in expected.get("detail_lacks", ()) if words.lower() in said], []


def _objection(order: Json, patient: str) -> str:
    """Why `order` is no FHIR order for `patient` (a reference); empty if it is one."""
    try:
        subject = ServiceRequest.model_validate(order).subject.reference
    except ValueError as error:
        return str(error)
    return "" if subject == patient else f"it is for {subject}"


@every_case
def test_every_patient_is_answered_on_every_day_as_the_table_says(case: Case) -> None:
    differences = [difference for day in DAYS for difference in _differences(case, day)]
    assert not differences, "\n".join([f"{case}:", *differences])


@every_case
def test_no_patient_needs_an_observation_that_discovery_does_not_ask_for(case: Case) -> None:
    """An EHR sends what the prefetch template asks for, and no more: the answer must be the same without the rest."""
    day = "an ordinary day"
    request = case.scenario(day).request
    service = _support(case.settings).service_for(request)
    assert service is not None
    support = _support(case.settings)
    whole = support.decide(HookCall(service, DAYS[day]), request).assessment
    observations = request["prefetch"].get("observations")
    if isinstance(observations, dict):
        template = support.rule_of(service).prefetch["observations"]
        wanted = set(parse_qs(template.partition("?")[2])["code"][0].split(","))
        observations["entry"] = [entry for entry in observations.get("entry", ()) if _codes(entry) & wanted]
    asked_for = support.decide(HookCall(service, DAYS[day]), request).assessment
    assert (asked_for.outcome, asked_for.studies) == (whole.outcome, whole.studies)


def _codes(entry: Json) -> set[str]:
    return {coding.get("code", "") for coding in entry["resource"].get("code", {}).get("coding", ())}


# --- The table itself


def test_every_row_of_the_table_has_a_patient() -> None:
    rows = {json.loads((folder / "scenario.json").read_text(encoding="utf-8"))["row"] for folder in TABLE}
    assert rows == ROWS_OF_THE_TABLE


def test_every_chart_beside_the_table_names_a_decision_of_the_page() -> None:
    page = (SCENARIOS.parents[1] / "docs" / "clinical-decisions.md").read_text(encoding="utf-8")
    named = {json.loads((folder / "scenario.json").read_text(encoding="utf-8"))["decision"] for folder in CHARTS}
    assert [number for number in sorted(named) if f"\n### {number} " not in page] == []


def test_every_folder_is_a_row_of_the_table_or_a_chart_beside_it() -> None:
    assert sorted(path for path in SCENARIOS.iterdir() if path.is_dir()) == sorted(FOLDERS)


def test_every_call_of_the_table_is_a_valid_call_of_a_service() -> None:
    hooks = {service.hook for service in SERVICES.values()}
    requests = [(folder.name, day, read_scenario(folder, DAYS[day]).request) for folder in FOLDERS for day in DAYS]
    assert [(name, day, call["hook"]) for name, day, call in requests if call["hook"] not in hooks] == []
    problems = [(name, day, problem(f"request-{call['hook']}", call)) for name, day, call in requests]
    assert [item for item in problems if item[2] is not None] == []


def test_no_two_calls_of_the_table_share_an_instance() -> None:
    instances = [read_scenario(folder, DAYS["an ordinary day"]).request["hookInstance"] for folder in FOLDERS]
    assert [instance for instance, count in Counter(instances).items() if count > 1] == []


def test_every_patient_of_the_table_is_marked_as_made_up() -> None:
    marks = {folder.name: _tags(folder) for folder in FOLDERS}
    assert [name for name, tags in marks.items() if "HTEST" not in tags] == []


def _tags(folder: Path) -> set[str]:
    prefetch = read_scenario(folder, DAYS["an ordinary day"]).request["prefetch"]
    return {tag["code"] for tag in prefetch["patient"]["meta"]["tag"]}
