"""The same patient gets the same card, however the data comes: sent, read from the EHR, or half of each.

All patients of the scenario table are asked about three times more: without prefetch, and with every second
prefetch key in both ways. The EHR is a real FHIR server that holds their resources.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.demo.patients import EHR_BASE
from cds_service.demo.scenarios import read_scenario, scenarios_folder
from cds_service.errors import CdsError
from cds_service.protocol.outcome import operation_outcome
from cds_service.settings import make_settings
from tests.builders import SERVICES, bundle, draft, name_of, reference, removed

if TYPE_CHECKING:
    from tests.fhir_server import LoadedServer

pytest_plugins = ("tests.fhir_server",)

Json = dict[str, Any]

FOLDERS = sorted(path.parent for path in scenarios_folder().glob("*/request.json"))

# Charts that say of themselves that something is missing. The server holds what they show, and lacks nothing.
SAYS_OTHER_THAN_THE_SERVER = {
    "row-073-1-conditions-not-sent": "the conditions are left out; the server has none and says so",
    "row-073-2-conditions-search-failed": "the search for conditions failed; on the server it does not",
    "row-073-3-conditions-more-pages": "a page is missing that the server does not have",
    "row-073-4-conditions-are-an-error-page": "the conditions are no FHIR; the server has none and says so",
    "row-134-1-more-pages-but-settled": "a page is missing that the server does not have; the card says so",
    "row-134-2-more-pages-no-pain-yet": "a page is missing that the server does not have",
}

# Which of its prefetch keys a call brings; the rest stands on the FHIR server.
WAYS: dict[str, Callable[[Sequence[str]], Sequence[str]]] = {
    "all from the server": lambda keys: (),
    "1st, 3rd, ... key sent": lambda keys: keys[::2],
    "2nd, 4th, ... key sent": lambda keys: keys[1::2],
}

WRONG_TOKEN = "another-token-of-the-tests"


@dataclass(frozen=True)
class Result:
    """Everything that a call comes to; the body holds the card with its words, orders and ids."""

    outcome: str
    reason: str
    critical: bool
    cautions: tuple[str, ...]
    missing: tuple[str, ...]
    status: int
    body: Json


@dataclass(frozen=True)
class Case:
    """One patient under one choice of settings."""

    folder: Path
    settings: str

    def __str__(self) -> str:
        return self.folder.name if self.settings == "{}" else f"{self.folder.name} {self.settings}"

    @property
    def differs(self) -> bool:
        return self.folder.name in SAYS_OTHER_THAN_THE_SERVER


def _cases() -> Iterator[Case]:
    for folder in FOLDERS:
        about = json.loads((folder / "scenario.json").read_text(encoding="utf-8"))
        yield Case(folder, "{}")
        for variant in about.get("with_settings", ()):
            yield Case(folder, json.dumps(variant["settings"]))


CASES = list(_cases())


# --- The calls


def _call(folder: Path, server: LoadedServer) -> Json:
    """The call of a scenario with its whole prefetch; every resource is named as the server names it."""
    request = read_scenario(folder, server.now).request
    identity = request["context"]["patientId"]
    names = {old: new for new, old in server.report.renamed.items() if new == _name_for(identity, old)}
    renamed: Json = _renamed(request, names)
    return renamed | {"fhirServer": server.base_url}


def _name_for(identity: str, name: str) -> str:
    """What the server calls a resource of this patient if other patients have one of the same name."""
    kind, _, rest = name.partition("/")
    return f"{kind}/{identity}-{rest}"


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    """JSON with other names for some resources, and references that follow."""
    if isinstance(value, list):
        return [_renamed(item, names) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {key: _renamed(item, names) for key, item in value.items()}
    if new := names.get(f"{copy.get('resourceType')}/{copy.get('id')}"):
        copy["id"] = new.partition("/")[2]
    if isinstance(target := copy.get("reference"), str):
        copy["reference"] = names.get(target.removeprefix(EHR_BASE), target)
    return copy


def _sending(call: Json, keys: Sequence[str]) -> Json:
    """The same call with these prefetch keys alone; without prefetch where there are none."""
    rest = {key: value for key, value in call.items() if key != "prefetch"}
    return rest | {"prefetch": {key: call["prefetch"][key] for key in keys}} if keys else rest


@cache
def _support(settings: str, fhir_server: str) -> DecisionSupport:
    """The service; with an empty address no FHIR server may be read."""
    servers = [fhir_server] if fhir_server else []
    # Machines under load are slow: no answer here may hang on that.
    reading = {"fhir_servers": servers, "fhir_deadline_seconds": 20, "fhir_connect_seconds": 20}
    return DecisionSupport(make_settings(json.loads(settings) | reading))


def _result(support: DecisionSupport, call: Json, now: datetime) -> Result:
    service = support.service_for(call)
    assert service is not None
    decision = support.decide(HookCall(service, now), call)
    status, body = 200, decision.response
    try:
        body = decision.response_or_error()
    except CdsError as error:
        status, body = error.status, operation_outcome(error)
    found = decision.assessment
    cautions = tuple(item.caution.id for item in found.cautions)
    return Result(found.outcome, found.reason, found.critical, cautions, found.missing, status, dict(body))


def _by_prefetch(case: Case, server: LoadedServer) -> Result:
    """The answer to the whole call, which names the server, as the ids of a card derive from it, unread."""
    return _result(_support(case.settings, ""), _call(case.folder, server), server.now)


def _by_way(way: str, case: Case, server: LoadedServer) -> Result:
    call = _call(case.folder, server)
    sent = _sending(call, WAYS[way](list(call["prefetch"])))
    return _result(_support(case.settings, server.base_url), sent, server.now)


# --- The same answer


@pytest.mark.parametrize("case", [case for case in CASES if not case.differs], ids=str)
def test_every_patient_gets_the_same_answer_whichever_way_the_data_comes(fhir_server: LoadedServer, case: Case) -> None:
    """Word for word, with what the card says was not checked: the server answers for every key."""
    answers = {way: _by_way(way, case, fhir_server) for way in WAYS}
    assert answers == dict.fromkeys(WAYS, _by_prefetch(case, fhir_server))


def test_advice_against_routine_imaging_comes_whichever_way_the_data_comes(fhir_server: LoadedServer) -> None:
    """No row of the table orders a search for metastases for a patient who is well: here is one."""
    call = _call(scenarios_folder() / "row-053-no-pain", fhir_server)
    bone_scan = draft("loinc 39818-0") | {"subject": reference("Patient", call["context"]["patientId"])}
    context = call["context"] | {"draftOrders": bundle(bone_scan)}
    call |= {"hook": "order-sign", "context": context}
    by_prefetch = _result(_support("{}", ""), call, fhir_server.now)
    assert [removed(card) for card in by_prefetch.body["cards"]] == [[name_of(bone_scan)]]
    by_server = _result(_support("{}", fhir_server.base_url), _sending(call, ()), fhir_server.now)
    assert by_server == by_prefetch


def test_the_table_of_those_that_differ_is_short_and_names_patients() -> None:
    assert SAYS_OTHER_THAN_THE_SERVER.keys() <= {folder.name for folder in FOLDERS}
    assert len(SAYS_OTHER_THAN_THE_SERVER) <= 12


@pytest.mark.parametrize("case", [case for case in CASES if case.differs], ids=str)
def test_a_chart_that_says_other_than_the_server_is_answered_otherwise(fhir_server: LoadedServer, case: Case) -> None:
    """Else it would not belong in the table."""
    assert _by_way("all from the server", case, fhir_server) != _by_prefetch(case, fhir_server)


def test_cards_of_every_kind_are_compared(fhir_server: LoadedServer) -> None:
    answers = [_by_prefetch(case, fhir_server) for case in CASES if not case.differs]
    kinds = [card["indicator"] for answer in answers for card in answer.body.get("cards", ())]
    assert set(kinds) == {"critical", "warning", "info"}
    assert len(kinds) > len(CASES) / 3


def test_the_server_holds_every_resource_of_every_patient(fhir_server: LoadedServer) -> None:
    assert fhir_server.report.refused == ()
    assert fhir_server.report.patients == len(FOLDERS)


# --- A server that wants a bearer token


def _ask(server: LoadedServer, token: str) -> tuple[int, Json]:
    """Status and body of a call without prefetch over HTTP; without a token no authorization is sent."""
    call = _sending(_call(scenarios_folder() / "row-001-lumbar-pain-icd10", server), ())
    if token:
        call["fhirAuthorization"] = {"access_token": token, "token_type": "Bearer"}
    service = next(item for item in SERVICES.values() if item.hook == call["hook"])
    response = _client(server.base_url, server.now).post(f"/cds-services/{service.id}", json=call)
    return response.status_code, response.get_json()


@cache
def _client(fhir_server: str, now: datetime) -> FlaskClient:
    settings = {"fhir_servers": [fhir_server], "fhir_deadline_seconds": 20, "fhir_connect_seconds": 20}
    return make_app(make_settings(settings), lambda: now).test_client()


def test_with_the_token_of_the_call_the_same_card_comes(
    fhir_server: LoadedServer, secured_fhir_server: LoadedServer
) -> None:
    assert secured_fhir_server.token is not None
    status, body = _ask(secured_fhir_server, secured_fhir_server.token)
    (card,) = body["cards"]
    (same,) = _ask(fhir_server, "")[1]["cards"]
    # The ids of a card are of one EHR.
    told = ("summary", "detail", "indicator")
    assert (status, [card[key] for key in told]) == (200, [same[key] for key in told])


@pytest.mark.parametrize("token", [WRONG_TOKEN, ""], ids=["a wrong token", "no token"])
def test_a_server_that_refuses_the_token_is_named_as_the_cause(secured_fhir_server: LoadedServer, token: str) -> None:
    status, body = _ask(secured_fhir_server, token)
    assert status == 412
    assert "conditions: refused" in body["issue"][0]["details"]["text"]


@pytest.mark.parametrize("is_right", [True, False], ids=["the right token", "a wrong token"])
def test_no_token_stands_in_a_log_or_an_answer(
    secured_fhir_server: LoadedServer, caplog: pytest.LogCaptureFixture, is_right: bool
) -> None:
    token = (secured_fhir_server.token if is_right else WRONG_TOKEN) or ""
    assert token
    caplog.set_level(logging.DEBUG)
    _, body = _ask(secured_fhir_server, token)
    assert token not in json.dumps(body)
    assert [record for record in caplog.records if token in f"{record.getMessage()} {vars(record)}"] == []
    assert token not in caplog.text
