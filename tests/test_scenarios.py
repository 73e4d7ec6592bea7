"""The rows of the clinical scenario table, each as a made-up patient: what the service must say of them.

The folders of `fixtures/scenarios` hold the calls and the expected answers. Their dates are relative, so that the
whole table is answered as of four days: an ordinary one, both ends of a year, and a leap day.
"""

from __future__ import annotations

import json
from collections import Counter
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
from cds_service.content.load import load_content
from cds_service.decision.support import DecisionSupport, service_for
from cds_service.demo.scenarios import Scenario, read_scenario
from cds_service.protocol.services import SERVICES, prefetch_templates
from cds_service.protocol.validation import problem
from cds_service.settings import make_settings

Json = dict[str, Any]

FOLDERS = sorted(Path(__file__).parents[1].joinpath("fixtures", "scenarios").glob("row-*"))

DAYS = {
    "an ordinary day": datetime(2026, 11, 22, 12, tzinfo=UTC),
    "1 January": datetime(2027, 1, 1, 12, tzinfo=UTC),
    "29 February": datetime(2028, 2, 29, 12, tzinfo=UTC),
    "31 December": datetime(2027, 12, 31, 12, tzinfo=UTC),
}

# Row 139 (5,000 conditions) is no folder: `test_pain` builds that chart.
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
every_day = pytest.mark.parametrize("day", DAYS)


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


@cache
def _answer(case: Case, day: str) -> tuple[int, Json]:
    """Status and body of the call over HTTP."""
    request = case.scenario(day).request
    service = service_for(request)
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


@every_day
@every_case
def test_every_patient_comes_to_the_outcome_of_the_table(case: Case, day: str) -> None:
    request = case.scenario(day).request
    service = service_for(request)
    assert service is not None
    assessment = _support(case.settings).decide(service, request, DAYS[day]).assessment
    expected = case.expected(day)
    assert (assessment.outcome, list(assessment.missing)) == (expected["outcome"], expected.get("missing", []))


@every_day
@every_case
def test_every_patient_gets_the_card_of_the_table_or_none(case: Case, day: str) -> None:
    expected = case.expected(day)
    status, body = _answer(case, day)
    assert status == expected["status"]
    fired = expected["outcome"] == "fired"
    assert [card["indicator"] for card in body.get("cards", ())] == ([expected["indicator"]] if fired else [])


@every_day
@every_case
def test_every_patient_is_offered_the_orders_of_the_table_in_their_order(case: Case, day: str) -> None:
    _, body = _answer(case, day)
    slugs = [_slugs()[order["code"]["coding"][0]["code"]] for order in _proposed(body)]
    assert slugs == case.expected(day).get("orders", [])


@every_day
@every_case
def test_every_draft_that_does_not_answer_the_question_may_be_removed_and_no_other(case: Case, day: str) -> None:
    removed = [action["resourceId"] for action in _actions(_answer(case, day)[1], "delete")]
    assert removed == case.expected(day).get("removes", [])


@every_day
@every_case
def test_every_card_and_refusal_says_what_the_table_wants_it_to_say(case: Case, day: str) -> None:
    expected = case.expected(day)
    _, body = _answer(case, day)
    said = (body["cards"][0]["detail"] if body.get("cards") else json.dumps(body)).lower()
    wanted = [*expected.get("detail_has", ()), *expected.get("missing", ())]
    assert [words for words in wanted if words.lower() not in said] == []
    assert [words for words in expected.get("detail_lacks", ()) if words.lower() in said] == []


@every_day
@every_case
def test_every_answer_follows_its_schema(case: Case, day: str) -> None:
    status, body = _answer(case, day)
    assert problem("response" if status == 200 else "operation-outcome", body) is None


@every_day
@every_case
def test_every_proposed_order_is_a_fhir_order_for_this_patient(case: Case, day: str) -> None:
    patient = case.scenario(day).request["context"]["patientId"]
    for order in _proposed(_answer(case, day)[1]):
        assert ServiceRequest.model_validate(order).subject.reference == f"Patient/{patient}"


@every_case
def test_no_patient_needs_an_observation_that_discovery_does_not_ask_for(case: Case) -> None:
    """An EHR sends what the prefetch template asks for, and no more: the answer must be the same without the rest."""
    day = "an ordinary day"
    request = case.scenario(day).request
    service = service_for(request)
    assert service is not None
    support = _support(case.settings)
    whole = support.decide(service, request, DAYS[day]).assessment
    observations = request["prefetch"].get("observations")
    if isinstance(observations, dict):
        template = prefetch_templates(support.content)["observations"]
        wanted = set(parse_qs(template.partition("?")[2])["code"][0].split(","))
        observations["entry"] = [entry for entry in observations.get("entry", ()) if _codes(entry) & wanted]
    asked_for = support.decide(service, request, DAYS[day]).assessment
    assert (asked_for.outcome, asked_for.studies) == (whole.outcome, whole.studies)


def _codes(entry: Json) -> set[str]:
    return {coding.get("code", "") for coding in entry["resource"].get("code", {}).get("coding", ())}


# --- The table itself


def test_every_row_of_the_table_has_a_patient() -> None:
    rows = {json.loads((folder / "scenario.json").read_text(encoding="utf-8"))["row"] for folder in FOLDERS}
    assert rows == ROWS_OF_THE_TABLE


@every_day
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_call_of_the_table_is_a_valid_call_of_a_service(folder: Path, day: str) -> None:
    request = read_scenario(folder, DAYS[day]).request
    assert request["hook"] in {service.hook for service in SERVICES.values()}
    assert problem(f"request-{request['hook']}", request) is None


def test_no_two_calls_of_the_table_share_an_instance() -> None:
    instances = [read_scenario(folder, DAYS["an ordinary day"]).request["hookInstance"] for folder in FOLDERS]
    assert [instance for instance, count in Counter(instances).items() if count > 1] == []


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_patient_of_the_table_is_marked_as_made_up(folder: Path) -> None:
    prefetch = read_scenario(folder, DAYS["an ordinary day"]).request["prefetch"]
    tags = prefetch["patient"]["meta"]["tag"]
    assert "HTEST" in {tag["code"] for tag in tags}
