"""Connections to the EHR's FHIR server are kept from call to call, and nothing else is."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from cds_service.chart.records import Gap
from cds_service.ehr import connections
from cds_service.ehr.connections import HeldConnection
from cds_service.ehr.limits import FhirLimits
from cds_service.ehr.reader import FhirReader, FhirServer
from tests.builders import outcome, patient
from tests.local_http_server import IDLE_SECONDS
from tests.wire_fhir_server import Exchange, Handler, WireFhirServer

QUERY = "Patient/pt-1"


class Clients:
    """A handler that keeps from which connection each request came, and then answers, or has `then` answer."""

    def __init__(self, then: Callable[[Exchange, int], None] | None = None) -> None:
        self.ports: list[int] = []
        self._then, self._lock = then, Lock()

    def __call__(self, exchange: Exchange) -> None:
        with self._lock:
            self.ports.append(exchange.request.client_address[1])
            number = len(self.ports)
        if self._then:
            self._then(exchange, number)
        else:
            exchange.serve()


def serving(handler: Handler) -> WireFhirServer:
    return WireFhirServer(patient(), handlers={QUERY: handler})


def read(wire: WireFhirServer, server: FhirServer, token: str = "", **limits: Any) -> Gap | None:
    """Read the patient in a call of its own."""
    reader = FhirReader(wire.base, token, FhirLimits(**limits), server)
    gap = reader.fetch({"patient": QUERY})["patient"].gap
    reader.close()
    return gap


def test_calls_one_after_another_use_one_connection() -> None:
    clients, server = Clients(), FhirServer()
    with serving(clients) as wire:
        assert [read(wire, server) for _ in range(5)] == [None] * 5
    assert len(clients.ports) == 5
    assert len(set(clients.ports)) == 1


def test_a_server_that_is_not_the_same_has_connections_of_its_own() -> None:
    clients = Clients()
    with serving(clients) as wire:
        assert read(wire, FhirServer()) is read(wire, FhirServer()) is None
    assert len(set(clients.ports)) == 2


def test_cookies_of_one_call_are_not_sent_by_another() -> None:
    clients = Clients(lambda exchange, number: exchange.resource(patient(), Set_Cookie="session=of-one-user; Path=/"))
    server = FhirServer()
    with serving(clients) as wire:
        for _ in range(2):
            assert read(wire, server) is None
        assert [item.headers.get("cookie") for item in wire.requests] == [None, None]
    assert len(set(clients.ports)) == 1


def test_each_call_sends_its_own_token() -> None:
    server = FhirServer()
    with serving(Clients()) as wire:
        for token in ("first", "", "second"):
            assert read(wire, server, token) is None
        sent = [item.headers.get("authorization") for item in wire.requests]
    assert sent == ["Bearer first", None, "Bearer second"]


def test_a_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_LONGEST_IDLE_SECONDS", 0.0)
    clients, server = Clients(), FhirServer()
    with serving(clients) as wire:
        assert read(wire, server) is read(wire, server) is None
    assert len(set(clients.ports)) == 2


def test_a_connection_that_the_server_ended_meanwhile_is_made_anew() -> None:
    def ends(exchange: Exchange, number: int) -> None:
        exchange.serve()
        exchange.request.close_connection = True

    clients, server = Clients(ends), FhirServer()
    with serving(clients) as wire:
        assert [read(wire, server) for _ in range(3)] == [None] * 3
    assert len(set(clients.ports)) == 3


def test_a_kept_connection_that_is_lost_costs_no_attempt() -> None:
    """The second request is lost on the kept connection; of the two attempts on new ones the first is answered 503."""

    def fails(exchange: Exchange, number: int) -> None:
        if number == 2:
            exchange.reset()
        elif number == 3:
            exchange.resource(outcome(), 503)
        else:
            exchange.serve()

    clients, server = Clients(fails), FhirServer()
    with serving(clients) as wire:
        assert [read(wire, server), read(wire, server)] == [None, None]
    assert len(clients.ports) == 4


def test_an_error_of_the_server_is_not_asked_for_anew_on_a_kept_connection() -> None:
    def fails(exchange: Exchange, number: int) -> None:
        exchange.resource(outcome(), 500) if number > 1 else exchange.serve()

    clients, server = Clients(fails), FhirServer()
    with serving(clients) as wire:
        assert [read(wire, server), read(wire, server)] == [None, Gap.SOURCE_ERROR]
    assert len(clients.ports) == 2


def test_a_kept_connection_on_which_nothing_comes_ends_at_the_deadline() -> None:
    def is_silent(exchange: Exchange, number: int) -> None:
        exchange.be_silent() if number > 1 else exchange.serve()

    server = FhirServer()
    with serving(Clients(is_silent)) as wire:
        gaps = [read(wire, server, deadline_seconds=0.5) for _ in range(2)]
    assert gaps == [None, Gap.TIMED_OUT]


def test_what_the_deadline_ended_is_called_timed_out_also_where_its_thread_is_quick(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end_all = FhirReader._end_all

    def ends_and_waits(reader: FhirReader) -> None:
        end_all(reader)
        for thread in threading.enumerate():
            if thread.name == "fhir-read":
                thread.join(IDLE_SECONDS)

    monkeypatch.setattr(FhirReader, "_end_all", ends_and_waits)
    with serving(Exchange.be_silent) as wire:
        assert read(wire, FhirServer(), deadline_seconds=0.3) is Gap.TIMED_OUT


def test_calls_at_the_same_time_each_get_their_own_answer() -> None:
    calls, everyone = 40, Barrier(40)

    def together(exchange: Exchange) -> None:
        everyone.wait(IDLE_SECONDS)
        exchange.resource({"resourceType": "Patient", "id": exchange.target.rpartition("/")[2]})

    server = FhirServer()

    def read_patient(number: int) -> object:
        reader = FhirReader(wire.base, "", FhirLimits(deadline_seconds=20, connect_seconds=20), server)
        return reader.fetch({"patient": f"Patient/{number}"})["patient"].resources[0]["id"]

    handlers: dict[str, Handler] = {f"Patient/{number}": together for number in range(calls)}
    with WireFhirServer(handlers=handlers) as wire, ThreadPoolExecutor(calls) as callers:
        # Twice: the second time on the connections that were kept.
        for _ in range(2):
            assert list(callers.map(read_patient, range(calls))) == [str(number) for number in range(calls)]


# --- Ending a read from outside


class Pair:
    """Something with a socket, as a connection is."""

    def __init__(self) -> None:
        self.sock, self.other = socket.socketpair()
        self.held_by: HeldConnection | None = None

    def is_ended(self) -> bool:
        self.other.settimeout(0.1)
        try:
            return self.other.recv(1) == b""
        except TimeoutError:
            return False

    def close(self) -> None:
        self.sock.close()
        self.other.close()


def test_a_connection_ends_with_its_read_and_not_with_an_earlier_one() -> None:
    pair, first, second = Pair(), HeldConnection(), HeldConnection()
    first.take(pair, was_kept=False)  # type: ignore[arg-type]
    second.take(pair, was_kept=True)  # type: ignore[arg-type]
    first.end()
    assert not pair.is_ended()
    second.end()
    assert pair.is_ended()
    pair.close()


def test_a_read_that_has_ended_takes_no_connection() -> None:
    pair, held = Pair(), HeldConnection()
    held.end()
    with pytest.raises(ConnectionAbortedError):
        held.take(pair, was_kept=False)  # type: ignore[arg-type]
    pair.close()
