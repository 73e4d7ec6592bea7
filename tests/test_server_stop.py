"""The end of the service and of its workers: in good order, in bounded time, and told as it was."""

from __future__ import annotations

import os
import signal
import socket
import time
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest
import requests

from cds_service.ledger.entries import Mode
from cds_service.server.run import stop_seconds
from cds_service.server.stopping import READING_SECONDS, RECEIVING_SECONDS
from cds_service.settings import make_settings
from tests.server_calls import HOST, PATH, comes_true, post
from tests.test_server_workers import cards, switch

if TYPE_CHECKING:
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server",)

# What clients can hold up is far less than that time; a loaded machine takes some seconds more.
assert stop_seconds(make_settings({})) > RECEIVING_SECONDS + READING_SECONDS + 15


@pytest.fixture
def service(start_service: StartService) -> RealServer:
    return start_service(workers=2)


def unexpected(service: RealServer) -> list[int]:
    """The workers of which the log says that they ended unexpectedly."""
    return [event["pid"] for event in service.events() if event["event"] == "a worker ended unexpectedly"]


def is_answered(service: RealServer) -> bool:
    """Whether a call is answered; the connection of a worker that was just killed is reset."""
    try:
        return service.call().status_code == 200
    except requests.ConnectionError:
        return False


def stops_in_order(service: RealServer) -> None:
    """Wait for the end of a service that was told to stop: no worker is killed, which would be after the longest time
    that calls may take, and none is called unexpected."""
    assert service.exit_status() == 0
    for word in ("refused to gracefully stop", "Unexpected", "Traceback"):
        assert word not in service.errors()


# --- Told to stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_every_process_is_told_of_is_no_unexpected_end(service: RealServer, number: int) -> None:
    assert service.call().status_code == 200
    service.tell_all_to_stop(number)
    stops_in_order(service)
    assert unexpected(service) == []


def test_a_stop_at_the_moment_when_a_worker_is_started_again_is_not_lost(start_service: StartService) -> None:
    for pause in (0.0, 0.002, 0.01, 0.05, 0.3):
        service = start_service(workers=2)
        os.kill(service.workers()[0], signal.SIGKILL)
        time.sleep(pause)
        service.tell_to_stop()
        stops_in_order(service)


@pytest.mark.parametrize("part", [b"", b"POST /cds", post(b"{", length=1000)], ids=["silent", "head", "body"])
def test_a_request_that_never_comes_in_whole_does_not_hold_up_the_stop(service: RealServer, part: bytes) -> None:
    with ExitStack() as opened:
        for _ in range(8):
            opened.enter_context(service.connection()).sendall(part)
        assert service.call().status_code == 200
        service.tell_to_stop()
        stops_in_order(service)


def test_a_client_whose_body_is_not_waited_for_is_told_to_send_it_again(service: RealServer) -> None:
    with service.connection() as connection:
        connection.sendall(post(b"{", length=1000))
        assert service.call().status_code == 200
        service.tell_to_stop()
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 503 ") and b"\r\nretry-after: 5\r\n" in answer
    stops_in_order(service)


def test_a_client_that_does_not_read_its_answers_does_not_hold_up_the_stop(service: RealServer) -> None:
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        connection.connect((HOST, service.port))
        # Pages of a hundred kilobytes and more, many more than fit into what the system keeps for a connection.
        connection.sendall(b"GET /evidence/codes HTTP/1.1\r\nHost: cds\r\n\r\n" * 60)
        assert comes_true(lambda: len(service.lines()) >= 2)
        service.tell_to_stop()
        stops_in_order(service)


def test_a_connection_that_is_kept_open_does_not_hold_up_the_stop(service: RealServer) -> None:
    with service.connection() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: cds\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 ")
        service.tell_to_stop()
        stops_in_order(service)


# --- Workers that end


def test_a_worker_that_ends_alone_is_told_and_started_again(service: RealServer) -> None:
    ended = service.workers()[0]
    os.kill(ended, signal.SIGTERM)
    assert comes_true(lambda: service.started() == 3)
    (event,) = [event for event in service.events() if event["event"] == "a worker ended unexpectedly"]
    assert (event["level"], event["pid"], event["exit_status"], event["worker"]) == ("error", ended, 0, 1)


def test_a_worker_that_crashes_says_where_and_is_started_again(service: RealServer) -> None:
    crashed = service.workers()[0]
    os.kill(crashed, signal.SIGSEGV)
    assert comes_true(lambda: service.started() == 3)
    assert unexpected(service) == [crashed]
    assert "Fatal Python error: Segmentation fault" in service.errors()
    assert service.call().status_code == 200


def test_workers_that_are_killed_at_the_same_moment_are_all_started_again(start_service: StartService) -> None:
    service = start_service(workers=4)
    killed = service.workers()
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    assert comes_true(lambda: service.started() == 8)
    assert len(service.workers()) == 4
    assert sorted(unexpected(service)) == sorted(killed)
    assert service.call().status_code == 200


def test_a_worker_that_ends_again_and_again_does_not_end_the_service(service: RealServer) -> None:
    first, other = service.workers()
    os.kill(first, signal.SIGKILL)
    assert comes_true(lambda: service.started() == 3)
    os.kill(next(pid for pid in service.workers() if pid != other), signal.SIGKILL)
    assert comes_true(lambda: is_answered(service))
    assert comes_true(lambda: service.started() == 4)
    assert other in service.workers()


def test_all_workers_that_are_killed_again_and_again_are_started_again(start_service: StartService) -> None:
    service = start_service(workers=2)
    for round_number in range(1, 4):
        for pid in service.workers():
            service.end_worker(pid)
        assert comes_true(partial(has_started, service, 2 * (round_number + 1)))
    assert service.call().status_code == 200


def has_started(service: RealServer, workers: int) -> bool:
    return service.started() == workers


# --- What is told


def test_every_line_of_standard_output_is_json_from_the_start_to_the_stop(service: RealServer) -> None:
    assert set(cards(service)) == {1}
    service.get("/nothing-here")
    service.call({"hook": "nonsense"})
    switch(service, Mode.OFF)
    assert comes_true(lambda: any(event["event"] == "mode changed" for event in service.events()))
    os.kill(service.workers()[0], signal.SIGKILL)
    assert comes_true(lambda: service.started() == 3)
    with service.connection() as connection:
        connection.sendall(post(b"{", PATH, length=1000))
        assert service.call().status_code == 200
        service.tell_to_stop()
        stops_in_order(service)
    # Reading them would fail at any line that is no JSON.
    events = service.events()
    assert {event["event"] for event in events} == {"request", "mode changed", "a worker ended unexpectedly"}
    assert all({"timestamp", "level"} <= event.keys() for event in events)
    (changed,) = [event for event in events if event["event"] == "mode changed"]
    told = [changed[key] for key in ("service", "client", "from", "to", "by")]
    assert told == ["*", "*", "live", "off", "a test"]
    # The lines for people stand on the other stream.
    for line in ("CDS services: ", "Mode:         live"):
        assert line in service.errors()
