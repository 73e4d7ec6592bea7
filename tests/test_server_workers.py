"""Two workers of the real server act as one service: they share ledger, modes and metrics, and one may be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier, Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import requests

from cds_service.ledger.entries import EVERY, Mode, ModeChange
from cds_service.ledger.store import Ledger
from cds_service.server.worker import THREADS
from tests.builders import patient, request
from tests.server_calls import FEEDBACK, a_call, comes_true, everything_from, feedback, is_running, post, times_of_now
from tests.token_maker import BASE_URL, ISSUER, key, key_set, token
from tests.wire_fhir_server import Exchange, WireFhirServer

if TYPE_CHECKING:
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server",)

PSEUDONYM_KEY = "a-key-of-the-tests-with-32-letters"

# Connections come to either worker by chance; among so many, both have answered but once in 2 ** 39 runs.
ENOUGH_CALLS = 40


@pytest.fixture
def service(start_service: StartService) -> RealServer:
    """Two workers without trusted clients, which remember answers."""
    return start_service(workers=2, pseudonym_key=PSEUDONYM_KEY)


@pytest.fixture
def closed_service(start_service: StartService, tmp_path: Path) -> RealServer:
    """Two workers with one trusted client."""
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(key()))
    return start_service(workers=2, base_url=BASE_URL, clients=[{"issuer": ISSUER, "jwks_file": str(file)}])


def ledger_of(service: RealServer) -> Ledger:
    return Ledger.sqlite(service.data)


def switch(service: RealServer, mode: Mode) -> None:
    """Set the mode of everything, as somebody at another terminal does."""
    ledger = ledger_of(service)
    ledger.set_mode(ModeChange(datetime.now(UTC), EVERY, EVERY, mode, "a test", "to see it"))
    ledger.close()


def cards(service: RealServer) -> list[int]:
    """How many cards each of ENOUGH_CALLS calls gives."""
    return [len(service.call().json()["cards"]) for _ in range(ENOUGH_CALLS)]


def at_once(count: int, action: Callable[[], Any]) -> list[Any]:
    """The results of an action of several threads that begin at the same moment."""
    gate = Barrier(count)

    def run(_: int) -> Any:
        gate.wait()
        return action()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


# --- What workers share


def test_of_two_uses_of_a_token_at_the_same_moment_exactly_one_passes(closed_service: RealServer) -> None:
    for _ in range(60):
        assert sorted(statuses(closed_service, 2)) == [200, 401]


def test_of_many_uses_of_a_token_at_the_same_moment_exactly_one_passes(closed_service: RealServer) -> None:
    assert sorted(statuses(closed_service, 16)) == [200, *[401] * 15]


def statuses(service: RealServer, uses: int) -> list[int]:
    """What so many uses of one token at once are answered."""
    used = token(None, "ES384", None, **times_of_now())
    return at_once(uses, lambda: service.call(token=used).status_code)


def test_a_mode_that_is_switched_reaches_all_workers_within_seconds(service: RealServer) -> None:
    assert set(cards(service)) == {1}
    switch(service, Mode.OFF)
    assert comes_true(lambda: set(cards(service)) == {0})
    assert set(cards(service)) == {0}
    switch(service, Mode.LIVE)
    assert comes_true(lambda: set(cards(service)) == {1})


def test_feedback_that_one_worker_took_is_remembered_by_all(service: RealServer) -> None:
    card = service.call().json()["cards"][0]
    reason = {"reason": {"code": "patient-declines", "system": card["overrideReasons"][0]["system"]}}
    assert service.call(feedback(card["uuid"], "overridden", overrideReason=reason), FEEDBACK).status_code == 200
    assert set(cards(service)) == {0}


def test_the_metrics_are_the_sum_of_all_workers(service: RealServer) -> None:
    at_once(8, lambda: [service.call() for _ in range(10)])
    service.get("/nothing-here")
    # Whichever worker is asked.
    assert {service.metric("cds_calls_total") for _ in range(ENOUGH_CALLS)} == {80.0}
    assert (service.metric("cds_call_seconds_count"), service.metric("cds_http_errors_total")) == (80.0, 1.0)


# --- A worker that is killed


def test_a_killed_worker_is_replaced_and_the_service_goes_on(service: RealServer) -> None:
    killed, other = service.workers()
    os.kill(killed, signal.SIGKILL)
    assert comes_true(lambda: len(service.workers()) == 2)
    assert comes_true(lambda: service.started() == 3)
    assert other in service.workers() and killed not in service.workers()
    assert set(cards(service)) == {1}


def test_what_a_killed_worker_counted_still_counts(service: RealServer) -> None:
    at_once(4, lambda: [service.call() for _ in range(10)])
    os.kill(service.workers()[0], signal.SIGKILL)
    assert comes_true(lambda: service.started() == 3)
    for _ in range(ENOUGH_CALLS):
        service.call()
    assert {service.metric("cds_calls_total") for _ in range(ENOUGH_CALLS)} == {40.0 + ENOUGH_CALLS}


def test_feedback_that_was_acknowledged_outlives_a_killed_worker(service: RealServer) -> None:
    acknowledged: list[UUID] = []
    stop = Event()

    def send() -> None:
        while not stop.is_set():
            card = uuid4()
            try:
                if service.call(feedback(str(card)), FEEDBACK).status_code == 200:
                    acknowledged.append(card)
            except requests.ConnectionError:
                # The killed worker had it, and said nothing.
                continue

    with ThreadPoolExecutor(4) as pool:
        senders = [pool.submit(send) for _ in range(4)]
        try:
            assert comes_true(lambda: len(acknowledged) >= 20)
            os.kill(service.workers()[0], signal.SIGKILL)
            before = len(acknowledged)
            assert comes_true(lambda: len(acknowledged) >= before + 20)
        finally:
            stop.set()
    assert all(sender.exception() is None for sender in senders)
    ledger = ledger_of(service)
    assert [card for card in acknowledged if len(ledger.card_feedback(card)) != 1] == []
    ledger.close()


# --- A service that is told to stop


def test_calls_under_way_are_answered_when_the_service_is_told_to_stop(service: RealServer) -> None:
    answered: list[int] = []
    told, lost = Event(), []

    def call_until_refused() -> None:
        while True:
            try:
                connection = service.connection()
            except ConnectionRefusedError:
                return
            with connection:
                try:
                    connection.sendall(post(json.dumps(a_call()).encode()))
                    received = everything_from(connection)
                except ConnectionError:
                    received = b""
            if is_whole(received):
                answered.append(1)
            elif received or not told.is_set():
                lost.append(received)
            else:
                # The worker had stopped listening before it took this connection.
                return

    with ThreadPoolExecutor(8) as pool:
        callers = [pool.submit(call_until_refused) for _ in range(8)]
        assert comes_true(lambda: len(answered) >= 100)
        told.set()
        service.tell_to_stop()
        assert service.exit_status() == 0
    assert all(caller.exception() is None for caller in callers)
    assert lost == []
    # Every answer of the log reached its client.
    assert len([line for line in service.lines() if line["status"] == 200]) == len(answered)


def is_whole(response: bytes) -> bool:
    """Whether an answer is a whole card."""
    head, _, content = response.partition(b"\r\n\r\n")
    length = f"content-length: {len(content)}\r\n".encode()
    return head.startswith(b"HTTP/1.1 200 ") and length in head and content.endswith(b"}") and b'"uuid"' in content


def test_a_call_that_waits_for_a_slow_fhir_server_is_answered_although_the_service_is_told_to_stop(
    start_service: StartService,
) -> None:
    asked, told = Event(), Event()

    def slow(exchange: Exchange) -> None:
        asked.set()
        told.wait(5.0)
        exchange.serve()

    with WireFhirServer(patient(), handlers={"Condition": slow}) as fhir:
        # A busy machine needs more than the usual second to connect.
        unhurried = {"fhir_deadline_seconds": 20, "fhir_connect_seconds": 20}
        service = start_service(workers=2, fhir_servers=[fhir.base], call_seconds=20, **unhurried)
        waiting = request("patient-view", {"patient": None, "observations": None}) | {"fhirServer": fhir.base}
        with ThreadPoolExecutor(1) as pool:
            response = pool.submit(service.call, waiting)
            assert asked.wait(20)
            service.tell_to_stop()
            assert comes_true(lambda: service.errors().count("Stopping worker-") == 2)
            assert not response.done()
            told.set()
            assert response.result().status_code == 200
        assert service.exit_status() == 0


def test_calls_that_wait_for_a_thread_are_answered_although_the_service_is_told_to_stop(
    start_service: StartService,
) -> None:
    calls = 2 * THREADS
    with WireFhirServer(handlers={"Condition": Exchange.be_silent}) as fhir:
        service = start_service(fhir_servers=[fhir.base], fhir_deadline_seconds=2, call_seconds=20)
        waiting = post(json.dumps(a_call(fhirServer=fhir.base, prefetch={"patient": None})).encode())
        with ExitStack() as opened:
            connections = [opened.enter_context(service.connection()) for _ in range(calls)]
            for connection in connections:
                connection.sendall(waiting)
            # This connection is taken after all others.
            assert service.get("/health/live").status_code == 200
            assert comes_true(lambda: len(fhir.requests) >= THREADS)
            service.tell_to_stop()
            responses = [everything_from(connection) for connection in connections]
        assert service.exit_status() == 0
    assert {response[:13] for response in responses} == {b"HTTP/1.1 412 "}
    assert "refused to gracefully stop" not in service.errors()


def test_a_client_that_never_ends_its_request_does_not_keep_the_service_from_stopping(
    start_service: StartService,
) -> None:
    service = start_service(workers=1, call_seconds=1, fhir_deadline_seconds=1)
    with service.connection() as half_open:
        half_open.sendall(post(b"{", length=1000))
        assert service.call().status_code == 200
        service.tell_to_stop()
        assert service.exit_status() == 0


def test_no_worker_outlives_a_service_that_is_killed(service: RealServer) -> None:
    workers = service.workers()
    service.kill_alone()
    assert comes_true(lambda: not any(map(is_running, workers)))
    with pytest.raises(requests.ConnectionError):
        service.call()


def test_a_second_service_on_the_same_port_does_not_start(service: RealServer) -> None:
    command = [sys.executable, "-m", "cds_service", "serve", "--port", str(service.port)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr == f"Error: Cannot listen on 127.0.0.1:{service.port}: Address already in use.\n"
