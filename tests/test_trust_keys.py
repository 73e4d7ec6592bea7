"""Keys over real sockets: caching, rotation, and key servers that are down, slow, or hostile."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Barrier, Event

import pytest

from cds_service.trust.keys import KeysFromAddress, KeysUnavailable, KeyTimes
from tests.local_http_server import send
from tests.token_maker import ISSUER, KeyServer, key, key_set

OLD, NEW = key(kid="old"), key(kid="new")

# Waiting for a server that does not answer is the only thing here that takes real time.
TIMES = KeyTimes(wait=0.3)
PATIENT = KeyTimes(wait=5.0)


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def pass_by(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer(key_set(OLD)) as running:
        yield running


def source(server: KeyServer, clock: Clock, times: KeyTimes = PATIENT) -> KeysFromAddress:
    return KeysFromAddress(ISSUER, server.url, times, clock)


def settled(keys: KeysFromAddress) -> None:
    """Wait for the attempt that runs in the background, if there is one."""
    attempt = keys._attempt
    if attempt is not None:
        attempt.join(5.0)
        assert not attempt.is_alive()


# --- Caching and rotation


def test_keys_are_fetched_when_the_first_token_comes_and_then_kept(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    assert server.asked == []
    for _ in range(5):
        assert keys.find("old")
        clock.pass_by(PATIENT.refresh / 5 - 0.01)
    assert server.asked == ["/jwks.json"]


def test_a_new_key_is_picked_up_with_its_first_token(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.body = key_set(OLD, NEW)
    clock.pass_by(PATIENT.cool_down)
    assert keys.find("new")
    assert len(server.asked) == 2


def test_within_the_cool_down_a_new_key_is_not_looked_for(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.body = key_set(OLD, NEW)
    clock.pass_by(PATIENT.cool_down - 0.01)
    assert not keys.find("new")
    assert len(server.asked) == 1


def test_a_withdrawn_key_is_refused_once_the_set_has_lapsed(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    assert keys.find("old")
    server.body = key_set(NEW)
    clock.pass_by(PATIENT.lapse)
    assert not keys.find("old")


def test_before_it_lapses_a_set_is_renewed_in_the_background(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.body = key_set(NEW)
    clock.pass_by(PATIENT.refresh)
    assert keys.find("old")
    settled(keys)
    assert not keys.find("old")
    assert keys.find("new")
    assert len(server.asked) == 2


def test_a_hundred_invented_key_ids_cause_one_request(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    clock.pass_by(PATIENT.cool_down)
    for number in range(100):
        assert not keys.find(f"invented-{number}")
    assert len(server.asked) == 2


def test_threads_that_come_together_share_one_request(server: KeyServer, clock: Clock) -> None:
    keys, together = source(server, clock), Barrier(8)

    def find(_: int) -> bool:
        together.wait(5.0)
        return bool(keys.find("old"))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(find, range(8)))
    assert server.asked == ["/jwks.json"]


# --- Key servers that fail


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (key_set(NEW), 500),
        (key_set(NEW), 404),
        (key_set(NEW), 204),
        (b"", 200),
        (b"{}", 200),
        (b'{"keys": []}', 200),
        (b'{"keys": [{"kty": "oct", "kid": "old", "k": "AAAA"}]}', 200),
        (b"<html>down</html>", 200),
    ],
)
def test_a_failing_key_server_does_not_take_the_good_keys_away(
    server: KeyServer, clock: Clock, body: bytes, status: int
) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.body, server.status = body, status
    clock.pass_by(PATIENT.lapse)
    assert keys.find("old")
    assert not keys.find("new")


def test_the_last_good_keys_serve_for_a_day_and_no_longer(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.status = 503
    clock.pass_by(PATIENT.stale - 1)
    assert keys.find("old")
    clock.pass_by(1)
    with pytest.raises(KeysUnavailable):
        keys.find("old")


def test_a_key_server_that_is_down_is_asked_once_per_cool_down(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    keys.find("old")
    server.status = 503
    clock.pass_by(PATIENT.lapse)
    for _ in range(10):
        assert keys.find("old")
    assert len(server.asked) == 2
    clock.pass_by(PATIENT.cool_down)
    assert keys.find("old")
    settled(keys)
    assert len(server.asked) == 3


def test_when_the_key_server_is_back_its_keys_count_again(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock)
    server.status = 503
    with pytest.raises(KeysUnavailable):
        keys.find("old")
    server.status = 200
    with pytest.raises(KeysUnavailable):
        keys.find("old")
    clock.pass_by(PATIENT.cool_down)
    assert keys.find("old")


def test_a_key_server_that_cannot_be_reached_is_no_fault_of_ours(clock: Clock) -> None:
    with KeyServer() as gone:
        url = gone.url
    with pytest.raises(KeysUnavailable):
        KeysFromAddress(ISSUER, url, PATIENT, clock).find("old")


@pytest.mark.parametrize("manner", ["be_silent", "drip_header"])
def test_a_call_does_not_wait_for_a_slow_key_server(server: KeyServer, clock: Clock, manner: str) -> None:
    server.responder = getattr(server, manner)
    keys = source(server, clock, TIMES)
    with pytest.raises(KeysUnavailable):
        keys.find("old")


def test_while_the_key_server_hangs_known_keys_serve_at_once(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock, TIMES)
    keys.find("old")
    server.responder = server.drip_header
    unwaited = 0
    for _ in range(20):
        clock.pass_by(TIMES.lapse)
        assert keys.find("old")
        if keys._failing and keys._attempt is not None:
            # Under way, and not waited for.
            unwaited += 1
    assert unwaited > 1
    # The first answer, and three attempts that never end: no more threads are added to those.
    assert len(keys._hanging) == 3
    assert len(server.asked) <= 4


def test_while_the_key_server_hangs_an_invented_key_id_makes_nobody_wait(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock, TIMES)
    keys.find("old")
    server.responder = server.drip_header
    clock.pass_by(TIMES.lapse)
    keys.find("old")
    clock.pass_by(TIMES.cool_down)
    keys.find("old")
    under_way = keys._attempt
    assert under_way is not None
    assert not keys.find("invented")
    assert keys._attempt is under_way


def test_a_set_that_comes_after_the_call_has_given_up_serves_the_next_one(server: KeyServer, clock: Clock) -> None:
    keys, given_up = source(server, clock, TIMES), Event()

    def late(request: BaseHTTPRequestHandler) -> None:
        given_up.wait(5.0)
        send(request, key_set(OLD))

    server.responder = late
    with pytest.raises(KeysUnavailable):
        keys.find("old")
    given_up.set()
    for attempt in keys._hanging:
        attempt.join(5.0)
    assert keys.find("old")
    assert len(server.asked) == 1


def test_a_set_that_comes_late_does_not_replace_a_newer_one(server: KeyServer, clock: Clock) -> None:
    keys, newer_is_there = source(server, clock, TIMES), Event()

    def late(request: BaseHTTPRequestHandler) -> None:
        newer_is_there.wait(5.0)
        send(request, key_set(OLD))

    server.responder = late
    with pytest.raises(KeysUnavailable):
        keys.find("old")
    hanging = list(keys._hanging)
    server.responder, server.body = None, key_set(NEW)
    clock.pass_by(TIMES.cool_down)
    assert keys.find("new")
    newer_is_there.set()
    for attempt in hanging:
        attempt.join(5.0)
    assert keys.find("new") and not keys.find("old")


def test_an_attempt_that_ends_late_does_not_end_the_one_that_is_under_way(server: KeyServer, clock: Clock) -> None:
    keys = source(server, clock, KeyTimes(wait=1.0))
    first, second, second_is_asked = Event(), Event(), Event()

    def in_turn(request: BaseHTTPRequestHandler) -> None:
        if len(server.asked) == 1:
            first.wait(10.0)
            send(request, b"", 500)
            return
        second_is_asked.set()
        second.wait(10.0)
        send(request, key_set(OLD))

    server.responder = in_turn
    with pytest.raises(KeysUnavailable):
        keys.find("old")
    (late,) = keys._hanging
    clock.pass_by(TIMES.cool_down)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(keys.find, "old")
        assert second_is_asked.wait(10.0)
        first.set()
        late.join(10.0)
        second.set()
        assert found.result(10.0)


def test_an_answer_that_is_too_large_is_not_taken(server: KeyServer, clock: Clock) -> None:
    server.body = key_set(OLD) + b" " * 262_144
    with pytest.raises(KeysUnavailable):
        source(server, clock).find("old")
    server.body = key_set(OLD).ljust(262_144)
    clock.pass_by(PATIENT.cool_down)
    assert source(server, clock).find("old")


def test_an_answer_without_end_is_not_read_to_its_end(server: KeyServer, clock: Clock) -> None:
    def endless(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not server.stopped.is_set():
            request.wfile.write(b" " * 65_536)

    server.responder = endless
    with pytest.raises(KeysUnavailable):
        source(server, clock).find("old")


def test_an_answer_that_drips_is_not_read_to_its_end(server: KeyServer, clock: Clock) -> None:
    def dripping(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not server.stopped.wait(0.02):
            request.wfile.write(b" ")

    server.responder = dripping
    with pytest.raises(KeysUnavailable):
        source(server, clock, KeyTimes(wait=5.0, fetch=0.2)).find("old")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(server: KeyServer, clock: Clock, status: int) -> None:
    with KeyServer(key_set(OLD)) as other:
        server.responder = lambda request: send(request, b"", status, Location=other.url)
        with pytest.raises(KeysUnavailable):
            source(server, clock).find("old")
        assert other.asked == []


def test_a_compressed_answer_is_not_taken(server: KeyServer, clock: Clock) -> None:
    server.responder = lambda request: send(request, key_set(OLD), 200, Content_Encoding="gzip")
    with pytest.raises(KeysUnavailable):
        source(server, clock).find("old")


def test_neither_proxy_nor_netrc_of_the_environment_counts(
    server: KeyServer, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str | None] = []

    def keep(request: BaseHTTPRequestHandler) -> None:
        seen.append(request.headers.get("Authorization"))
        send(request, key_set(OLD))

    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NETRC", str(netrc))
    server.responder = keep
    assert source(server, clock).find("old")
    assert seen == [None]


def test_the_log_names_the_client_and_neither_address_nor_answer(
    server: KeyServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server.body = b'{"Zq7351Zq": 1}'
    keys = KeysFromAddress(ISSUER, f"{server.url}?secret=Zq7351Zq", PATIENT, clock)
    with caplog.at_level(logging.WARNING), pytest.raises(KeysUnavailable):
        keys.find("Zq7351Zq")
    assert ISSUER in caplog.text
    assert "Zq7351Zq" not in caplog.text
    assert server.url not in caplog.text
