"""How calls wait for the threads of a worker: for a bounded time, while their client waits, after health checks."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask, request

from cds_service.app import make_app
from cds_service.ledger.store import Ledger
from cds_service.server import worker
from cds_service.server.worker import TOO_LATE, Front, front_for
from cds_service.settings import Settings, make_settings
from cds_service.web.call_log import LOGGER_NAME
from cds_service.web.request_record import RECEIVED
from tests.server_calls import FEEDBACK, PATH, a_call, feedback, times_of_now
from tests.token_maker import BASE_URL, ISSUER, key, key_set, token
from tests.wire_fhir_server import WireFhirServer

Message = dict[str, Any]

MOST_BYTES = 1_000_000

CARD = UUID("f0000000-0000-4000-8000-000000000001")

GONE: Message = {"type": "http.disconnect"}


class Busy:
    """A WSGI application whose calls wait until they are told; it keeps the environments that it was given."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen.append(environ)
        late = TOO_LATE in environ
        if environ["PATH_INFO"] == PATH and not late:
            self.go_on.wait(60)
        start_response("503 Late" if late else "200 OK", [])
        return [b"answer"]

    async def has_seen(self, calls: int) -> None:
        while len(self.seen) < calls:
            await asyncio.sleep(0.01)


def scope(path: str = PATH, body: bytes = b"{}", **headers: str) -> Message:
    usual = {"content-type": "application/json", "content-length": str(len(body))} | headers
    raw = [(name.encode(), value.encode()) for name, value in usual.items()]
    made: Message = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "query_string": b""}
    return made | {"raw_path": path.encode(), "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "headers": raw}


def client(body: bytes = b"{}", leaves: asyncio.Event | None = None) -> Callable[[], Awaitable[Message]]:
    """Sends its body, and then waits until it leaves."""
    parts = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        if part := next(parts, None):
            return part
        await (leaves or asyncio.Event()).wait()
        return GONE

    return receive


async def response(front: Front, asked: Message, receive: Callable[[], Awaitable[Message]]) -> list[Message]:
    """What is sent to a client."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(front(asked, receive, send), 60)
    return sent


def statuses(responses: Iterable[list[Message]]) -> list[int]:
    return [head["status"] for head, _ in responses]


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_health_and_metrics_are_answered_while_all_threads_wait(path: str) -> None:
    async def run() -> list[list[Message]]:
        app = Busy()
        front = Front(app, MOST_BYTES)
        calls = [asyncio.create_task(response(front, scope(), client())) for _ in range(worker.THREADS + 10)]
        await app.has_seen(worker.THREADS)
        told = await response(front, scope(path, b""), client(b""))
        assert not any(call.done() for call in calls)
        app.go_on.set()
        return [told, *await asyncio.gather(*calls)]

    assert statuses(asyncio.run(run())) == [200] * (worker.THREADS + 11)


def test_that_the_process_lives_is_said_while_no_thread_is_free_for_anything() -> None:
    hangs = threading.Event()

    def waits(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        hangs.wait(60)
        start_response("200 OK", [])
        return [b"answer"]

    async def run() -> list[list[Message]]:
        front = Front(waits, MOST_BYTES)
        ready = scope("/health/ready", b"")
        asked = [asyncio.create_task(response(front, ready, client(b""))) for _ in range(20)]
        await asyncio.sleep(0)
        lives = scope("/health/live", b"")
        told = [await response(front, lives | {"method": method}, client(b"")) for method in ("GET", "HEAD")]
        assert not any(request.done() for request in asked)
        hangs.set()
        await asyncio.gather(*asked)
        return told

    get, head = asyncio.run(run())
    assert (get[0]["status"], head[0]["status"]) == (200, 200)
    assert (get[1]["body"], head[1]["body"]) == (b'{"status":"live"}', b"")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_front_says_that_the_process_lives_in_the_words_of_the_application(tmp_path: Path, method: str) -> None:
    front = front_for(make_settings({"data_folder": str(tmp_path)}))

    async def run() -> list[list[Message]]:
        # The second address is not that which the front knows.
        paths = ("/health/live", "//health/live/")
        return [await response(front, scope(path, b"") | {"method": method}, client(b"")) for path in paths]

    said = []
    for start, content in asyncio.run(run()):
        headers = dict(start["headers"])
        assert len(headers.pop(b"x-decision-id")) == 36
        said.append((start["status"], headers, content["body"]))
    assert said[0] == said[1]


def test_many_calls_wait_for_others_at_the_same_time() -> None:
    async def run() -> int:
        app = Busy()
        front = Front(app, MOST_BYTES)
        calls = [asyncio.create_task(response(front, scope(), client())) for _ in range(48)]
        await app.has_seen(48)
        app.go_on.set()
        return len(await asyncio.gather(*calls))

    assert asyncio.run(asyncio.wait_for(run(), 60)) == 48


def test_a_call_that_waits_too_long_for_a_thread_is_given_up_while_all_are_busy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "THREADS", 1)

    async def run() -> tuple[list[int], Busy]:
        app = Busy()
        front = Front(app, MOST_BYTES, call_seconds=0.05)
        first = asyncio.create_task(response(front, scope(), client()))
        await app.has_seen(1)
        second = await response(front, scope(), client())
        # What has begun is not given up, however long it takes.
        assert not first.done()
        app.go_on.set()
        return statuses([await first, second]), app

    answered, app = asyncio.run(run())
    assert answered == [200, 503]
    assert all(isinstance(environ[RECEIVED], float) for environ in app.seen)


@pytest.mark.parametrize("path", [PATH, FEEDBACK])
def test_what_waited_too_long_is_refused_like_a_call_that_took_too_long_and_nothing_of_it_is_done(
    path: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "THREADS", 1)
    caplog.set_level("INFO", LOGGER_NAME)
    has_begun, go_on = threading.Event(), threading.Event()

    def hold_the_thread(settings: Settings) -> Flask:
        app = make_app(settings)

        @app.before_request
        def hold() -> None:
            if TOO_LATE not in request.environ:
                has_begun.set()
                go_on.wait(60)

        return app

    monkeypatch.setattr(worker, "make_app", hold_the_thread)
    with WireFhirServer() as fhir:
        values = {"data_folder": str(tmp_path), "fhir_servers": [fhir.base], "call_seconds": 0.5}
        front = front_for(make_settings(values))
        call = json.dumps(a_call(fhirServer=fhir.base, prefetch={"patient": None})).encode()
        body = call if path == PATH else json.dumps(feedback(str(CARD))).encode()

        async def run() -> list[Message]:
            first = asyncio.create_task(response(front, scope(body=call), client(call)))
            await asyncio.to_thread(has_begun.wait, 60)
            second = await response(front, scope(path, body), client(body))
            assert fhir.requests == []
            go_on.set()
            await first
            return second

        head, content = asyncio.run(run())
    issue = json.loads(content["body"])["issue"][0]
    assert (head["status"], issue["code"]) == (503, "timeout")
    assert issue["details"]["text"].startswith("The answer was not ready within 0.5 s.")
    assert (b"retry-after", b"5") in head["headers"]
    assert Ledger.sqlite(tmp_path).card_feedback(CARD) == []
    lines = [json.loads(record.message) for record in caplog.records if record.name == LOGGER_NAME]
    assert dict(head["headers"])[b"x-decision-id"].decode() in {line["decision_id"] for line in lines}


def test_a_call_whose_client_leaves_before_it_begins_is_not_worked_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "THREADS", 1)

    async def run() -> tuple[list[Message], list[Message], int]:
        app, leaves = Busy(), asyncio.Event()
        front = Front(app, MOST_BYTES)
        first = asyncio.create_task(response(front, scope(), client()))
        await app.has_seen(1)
        leaving = asyncio.create_task(response(front, scope(), client(leaves=leaves)))
        await asyncio.sleep(0.05)
        assert not leaving.done()
        leaves.set()
        nothing = await leaving
        app.go_on.set()
        return await first, nothing, len(app.seen)

    first, nothing, seen = asyncio.run(run())
    assert (statuses([first]), nothing, seen) == ([200], [], 1)


def test_a_call_that_has_begun_is_worked_off_although_its_client_leaves() -> None:
    async def run() -> list[Message]:
        app, leaves = Busy(), asyncio.Event()
        call = asyncio.create_task(response(Front(app, MOST_BYTES), scope(), client(leaves=leaves)))
        await app.has_seen(1)
        leaves.set()
        await asyncio.sleep(0.05)
        app.go_on.set()
        return await call

    assert statuses([asyncio.run(run())]) == [200]


# --- Bodies of callers without a token


def closed_front(folder: Path, **settings: Any) -> Front:
    file = folder / "keys.json"
    file.write_bytes(key_set(key()))
    usual = {"data_folder": str(folder), "base_url": BASE_URL, "clients": [{"issuer": ISSUER, "jwks_file": str(file)}]}
    return front_for(make_settings(usual | settings))


def counted(receive: Callable[[], Awaitable[Message]], times: list[int]) -> Callable[[], Awaitable[Message]]:
    async def count() -> Message:
        times.append(1)
        return await receive()

    return count


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer nonsense", "Basic eyJhIjoxfQ.eyJhIjoxfQ.AAAA"])
@pytest.mark.parametrize("path", [PATH, FEEDBACK, "/cds-services/nothing", "//cds-services/nothing/"])
def test_the_body_of_a_stranger_is_not_even_received(tmp_path: Path, path: str, authorization: str) -> None:
    times: list[int] = []
    body = json.dumps(a_call()).encode()
    asked = scope(path, body, **{"authorization": authorization} if authorization else {})
    sent = asyncio.run(response(closed_front(tmp_path), asked, counted(client(body), times)))
    assert (statuses([sent]), times) == ([401], [])


def test_the_body_of_a_client_is_received(tmp_path: Path) -> None:
    body = json.dumps(a_call()).encode()
    asked = scope(body=body, authorization=f"Bearer {token(None, 'ES384', None, **times_of_now())}")
    assert statuses([asyncio.run(response(closed_front(tmp_path), asked, client(body)))]) == [200]


def test_without_clients_everybody_is_heard(tmp_path: Path) -> None:
    body = json.dumps(feedback(str(CARD))).encode()
    front = front_for(make_settings({"data_folder": str(tmp_path)}))
    assert statuses([asyncio.run(response(front, scope(FEEDBACK, body), client(body)))]) == [200]
