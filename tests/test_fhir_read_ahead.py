"""What refines a card is read in the round that shows whether there is one, and no answer depends on that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds_service import Settings
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder
from cds_service.ehr.pace import PATIENCE_SECONDS, SLOW_ROUND_SECONDS, ServerPace
from tests.builders import NOW, SERVICES, Json, bundle, outcome, patient
from tests.fhir_decisions import CANCER, DECIDING, PAIN, TEMPLATES, decide, prefetch_without, queries
from tests.local_http_server import IDLE_SECONDS
from tests.wire_fhir_server import Exchange, Handler, WireFhirServer

REFINING = ("serviceRequests", "diagnosticReports", "procedures", "allergies", "encounters")
PATHS = {key: template.partition("?")[0] for key, template in TEMPLATES.items()}
EVERY = (*DECIDING, *REFINING)


class Gathering:
    """Handlers that answer when so many requests are under way at the same time, and count them."""

    def __init__(self, wanted: int) -> None:
        self.most = 0
        self.met = threading.Event()
        self._wanted, self._now, self._lock = wanted, 0, threading.Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)
            if self._now == self._wanted:
                self.met.set()
        self.met.wait(IDLE_SECONDS)
        with self._lock:
            self._now -= 1
        exchange.serve()

    def of(self, *keys: str) -> dict[str, Handler]:
        return {PATHS[key]: self for key in keys}


class Behind:
    """Handlers by which the conditions come after the procedures were asked for, in the first so many calls."""

    def __init__(self, calls: int) -> None:
        self.met = threading.Event()
        self._calls, self._asked = calls, threading.Semaphore(0)

    def conditions(self, exchange: Exchange) -> None:
        self._calls -= 1
        if self._calls >= 0:
            assert self._asked.acquire(timeout=IDLE_SECONDS)
        exchange.serve()

    def asked(self) -> None:
        self.met.set()
        self._asked.release()

    def procedures(self, exchange: Exchange) -> None:
        self.asked()
        exchange.serve()

    def handlers(self) -> dict[str, Handler]:
        return {PATHS["conditions"]: self.conditions, PATHS["procedures"]: self.procedures}


def ahead(choice: str, **settings: Any) -> dict[str, Any]:
    return {"fhir_read_ahead": choice, "fhir_deadline_seconds": 20.0} | settings


# --- In one round


def test_all_that_a_card_needs_is_asked_for_at_the_same_time() -> None:
    together = Gathering(len(EVERY))
    with WireFhirServer(patient(), CANCER, PAIN, handlers=together.of(*EVERY)) as server:
        decision = decide(server.base, settings=ahead("always"))
        assert server.asked == queries(*EVERY)
    assert together.met.is_set()
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {})


def test_a_server_that_makes_the_first_call_wait_is_asked_for_the_rest_meanwhile() -> None:
    together = Gathering(len(EVERY))
    with WireFhirServer(patient(), CANCER, PAIN, handlers=together.of(*EVERY)) as server:
        decision = decide(server.base, settings=ahead("slow"))
    assert together.met.is_set()
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {})


def test_a_visit_of_no_pain_on_record_is_read_in_the_same_round() -> None:
    together = Gathering(len(EVERY))
    with WireFhirServer(patient(), CANCER, handlers=together.of(*EVERY)) as server:
        decision = decide(server.base, settings=ahead("always"))
        assert server.asked == queries(*EVERY)
    assert decision.assessment.reason is Reason.NO_BACK_PAIN
    assert set(decision.reads) == {*DECIDING, "encounters"}


@pytest.mark.parametrize("parallel", [1, 2, 4])
def test_no_more_requests_are_under_way_than_the_setting_allows(parallel: int) -> None:
    together = Gathering(parallel)
    with WireFhirServer(patient(), CANCER, PAIN, handlers=together.of(*EVERY)) as server:
        decision = decide(server.base, settings=ahead("always", fhir_parallel=parallel))
        assert server.asked == queries(*EVERY)
    assert together.most == parallel
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {})


def test_what_decides_is_asked_for_before_what_refines() -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decide(server.base, settings=ahead("always", fhir_parallel=1))
        arrived = [item.target.rpartition("/fhir/")[2] for item in server.requests]
    assert sorted(arrived[: len(DECIDING)]) == queries(*DECIDING)


# Decision 6.2.
@pytest.mark.parametrize("choice", ["slow", "always", "never"])
def test_where_what_came_settles_the_answer_nothing_is_read_ahead(choice: str) -> None:
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        decide(server.base, {"conditions": bundle(PAIN), "patient": patient()}, settings=ahead(choice))
        assert server.asked == []


# --- The same answers


@pytest.fixture(scope="module")
def ehr() -> Iterator[WireFhirServer]:
    with WireFhirServer() as server:
        yield server


def _sends(value: object) -> Handler:
    return lambda exchange: exchange.resource(value)


def _holds(server: WireFhirServer, prefetch: Json, patient_id: str) -> None:
    """Let the server give what a call holds, in one page, and an error for what it does not."""
    server.handlers.clear()
    for key, template in TEMPLATES.items():
        path = f"Patient/{patient_id}" if key == "patient" else template.partition("?")[0]
        missing: Handler = lambda exchange: exchange.resource(outcome(), 500)  # noqa: E731
        server.handlers[path] = _sends(prefetch[key]) if prefetch.get(key) else missing


def _without(decision: Decision) -> tuple[object, ...]:
    """All of a decision but the addresses that were asked."""
    found = decision.assessment
    said = (found.outcome, found.reason, found.criteria, found.unchecked, found.partly, found.missing, found.unread)
    return (*said, found.cautions, found.groups, decision.gaps, decision.reads, decision.response)


FOLDERS = scenario_folders(scenarios_folder())


# Decision 6.2.
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_patient_gets_the_same_answer_read_ahead_or_in_rounds(ehr: WireFhirServer, folder: Path) -> None:
    call = read_scenario(folder, NOW).request
    _holds(ehr, call.get("prefetch", {}), call["context"]["patientId"])
    asked = {key: value for key, value in call.items() if key not in ("prefetch", "fhirAuthorization")}
    asked["fhirServer"] = ehr.base
    service = next(item for item in SERVICES.values() if item.hook == call["hook"])
    answers = [
        DecisionSupport(Settings(fhir_servers=(ehr.base,), **ahead(choice))).decide(HookCall(service, NOW), asked)
        for choice in ("always", "never")
    ]
    assert _without(answers[0]) == _without(answers[1])


def test_what_was_read_ahead_in_vain_is_no_part_of_the_decision() -> None:
    with WireFhirServer(patient(), PAIN, handlers=Behind(1).handlers()) as server:
        decision = decide(server.base, settings=ahead("always"))
        assert queries("procedures")[0] in server.asked
    assert decision.assessment.reason is Reason.NO_CANCER_HISTORY
    assert tuple(decision.reads) == DECIDING


@pytest.mark.parametrize("choice", ["always", "never"])
def test_what_is_read_ahead_takes_no_bytes_from_what_decides(choice: str) -> None:
    procedures_sent = threading.Event()

    def long(exchange: Exchange) -> None:
        exchange.body(b" " * 9_000 + b'{"resourceType": "Bundle"}')
        procedures_sent.set()

    def later(exchange: Exchange) -> None:
        procedures_sent.wait(0.3)
        exchange.body(b" " * 3_000 + orjson.dumps(bundle(CANCER, PAIN)))

    with WireFhirServer(handlers={"Procedure": long, "Condition": later}) as server:
        brought = prefetch_without("conditions", "procedures")
        decision = decide(server.base, brought, settings=ahead(choice, fhir_max_bytes=10_000))
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert decision.gaps == {"procedures": "more data than is read for one call"}


# --- What is not needed is ended


def test_a_call_does_not_wait_for_what_was_read_ahead_in_vain_and_leaves_no_reading_behind() -> None:
    behind, waited = Behind(1), []

    def silent(exchange: Exchange) -> None:
        if exchange.target.startswith(PATHS["procedures"]):
            behind.asked()
        exchange.be_silent()
        waited.append(exchange.target)

    handlers: dict[str, Handler] = {PATHS[key]: silent for key in REFINING}
    with WireFhirServer(patient(), PAIN, handlers=behind.handlers() | handlers) as server:
        # Its deadline lies beyond the time for which the handlers are silent.
        decision = decide(server.base, settings=ahead("always"))
        assert waited == []
        left = [thread for thread in threading.enumerate() if thread.name == "fhir-read"]
        for thread in left:
            thread.join(IDLE_SECONDS / 2)
        assert [thread for thread in left if thread.is_alive()] == []
    assert decision.assessment.reason is Reason.NO_CANCER_HISTORY


# --- The pace of a server


class Seconds:
    """A timer that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_server_of_which_nothing_is_known_is_not_called_slow() -> None:
    assert not ServerPace().is_slow()


def test_a_server_is_slow_while_none_of_its_last_rounds_was_fast() -> None:
    pace = ServerPace()
    pace.round_took(PATIENCE_SECONDS)
    assert pace.is_slow()
    pace.round_took(SLOW_ROUND_SECONDS / 2)
    assert not pace.is_slow()
    for _ in range(8):
        pace.round_took(PATIENCE_SECONDS)
    assert pace.is_slow()


def test_a_server_that_asked_for_a_pause_is_not_read_ahead_for_a_minute() -> None:
    seconds = Seconds()
    pace = ServerPace(seconds)
    pace.has_enough()
    assert not pace.begin_reading_ahead()
    seconds.now = 61.0
    assert pace.begin_reading_ahead()


def test_only_some_calls_at_the_same_time_read_ahead() -> None:
    pace = ServerPace()
    allowed = [pace.begin_reading_ahead() for _ in range(20)]
    assert 0 < sum(allowed) < 20
    pace.end_reading_ahead()
    assert pace.begin_reading_ahead()


@pytest.mark.parametrize("status", [429, 503])
def test_after_a_server_asked_for_a_pause_calls_ask_for_no_more_than_is_needed(status: int) -> None:
    failures, behind = [status], Behind(1)

    def fails_once(exchange: Exchange) -> None:
        behind.met.wait(IDLE_SECONDS)
        exchange.resource(outcome(), failures.pop()) if failures else exchange.serve()

    with WireFhirServer(patient(), handlers=behind.handlers() | {"Observation": fails_once}) as server:
        support = DecisionSupport(Settings(fhir_servers=(server.base,), **ahead("always")))
        for _ in range(2):
            _ask(support, server)
        assert server.asked.count(queries("conditions")[0]) == 2
        assert server.asked.count(queries("procedures")[0]) == 1


def test_a_call_that_is_over_lets_others_read_ahead() -> None:
    with WireFhirServer(patient(), handlers=Behind(20).handlers()) as server:
        support = DecisionSupport(Settings(fhir_servers=(server.base,), **ahead("always")))
        for _ in range(20):
            _ask(support, server)
        assert server.asked.count(queries("procedures")[0]) == 20


def _ask(support: DecisionSupport, server: WireFhirServer) -> Decision:
    call = {
        "hook": "patient-view",
        "hookInstance": "6a5b9d52-6a9b-4f0a-9ad0-0d1f1c2b3a4d",
        "context": {"userId": "Practitioner/1", "patientId": "pt-1"},
        "fhirServer": server.base,
    }
    return support.decide(HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW), call)
