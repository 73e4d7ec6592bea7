"""The front of a worker: it receives a request whole, within bounds, before a thread of the application has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service import create_app
from cds_service.app import WsgiApp
from cds_service.server.worker import Front
from cds_service.settings import make_settings
from tests.server_calls import PATH, a_call

Message = dict[str, Any]

MOST_BYTES = 1_000_000
MARK = "Zq7351Zq"


@pytest.fixture
def app(tmp_path: Path) -> WsgiApp:
    return create_app(make_settings({"data_folder": str(tmp_path), "max_body_bytes": MOST_BYTES}))


def scope(path: str = PATH, *headers: tuple[str, str]) -> Message:
    """A POST of JSON of unannounced length, with more headers."""
    usual = [("content-type", "application/json"), ("transfer-encoding", "chunked")]
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (*usual, *headers)]
    made: Message = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "query_string": b""}
    return made | {"raw_path": path.encode(), "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "headers": raw}


async def asked(front: Front, receive: Callable[[], Awaitable[Message]], path: str = PATH) -> tuple[int, bytes]:
    """Status and body of the answer."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await front(scope(path), receive, send)
    head, body = sent
    return head["status"], body["body"]


def all_at_once(body: bytes) -> Callable[[], Awaitable[Message]]:
    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    return receive


def then_silence(body: bytes, go_on: asyncio.Event) -> Callable[[], Awaitable[Message]]:
    """A client that sends a part, and the rest, which is nothing, when it is told."""
    parts = iter([{"type": "http.request", "body": body, "more_body": True}])

    async def receive() -> Message:
        if part := next(parts, None):
            return part
        await go_on.wait()
        return {"type": "http.request", "body": b""}

    return receive


def issue(body: bytes) -> Any:
    return json.loads(body)["issue"][0]["details"]["text"]


def test_a_body_that_takes_too_long_is_refused(app: WsgiApp) -> None:
    async def run() -> tuple[int, bytes]:
        return await asked(Front(app, MOST_BYTES, body_seconds=0.01), then_silence(b"{", asyncio.Event()))

    status, body = asyncio.run(run())
    assert (status, issue(body)) == (408, "The request was refused: Request Timeout.")


def test_a_client_that_leaves_is_one_that_sent_nonsense(app: WsgiApp) -> None:
    async def leave() -> Message:
        return {"type": "http.disconnect"}

    status, _ = asyncio.run(asked(Front(app, MOST_BYTES), leave))
    assert status == 400


def test_what_needs_no_body_does_not_mind_that_it_is_broken(app: WsgiApp) -> None:
    async def leave() -> Message:
        return {"type": "http.disconnect"}

    status, _ = asyncio.run(asked(Front(app, MOST_BYTES), leave, "/nothing-here"))
    assert status == 404


def test_large_bodies_under_way_are_bounded_and_small_calls_pass_meanwhile(app: WsgiApp) -> None:
    small = json.dumps(a_call()).encode()
    large = b" " * MOST_BYTES

    async def run() -> tuple[int, int, int]:
        front, go_on = Front(app, MOST_BYTES), asyncio.Event()
        # Each holds 737,856 bytes beyond what is free; 8 MB are the bound.
        held = [asyncio.create_task(asked(front, then_silence(large, go_on))) for _ in range(10)]
        await asyncio.sleep(0)
        one_more, _ = await asked(front, all_at_once(large))
        small_one, _ = await asked(front, all_at_once(small))
        go_on.set()
        await asyncio.gather(*held)
        afterwards, _ = await asked(front, all_at_once(large))
        return one_more, small_one, afterwards

    # White space is no call, once it is read.
    assert asyncio.run(run()) == (503, 200, 400)


def test_an_application_that_fails_is_answered_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    def fails(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise RuntimeError(MARK)

    status, body = asyncio.run(asked(Front(fails, MOST_BYTES), all_at_once(MARK.encode()), f"/{MARK}"))
    assert status == 500
    crash_id = issue(body).removeprefix("The service failed. Decision id ").removesuffix(".")
    assert len(crash_id) == 36 and crash_id in caplog.text
    assert MARK not in f"{body!r}{caplog.text}"


def test_a_response_that_fails_on_its_way_is_closed_all_the_same() -> None:
    closed: list[bool] = []

    class Chunks:
        def __iter__(self) -> Any:
            yield b"half"
            raise RuntimeError

        def close(self) -> None:
            closed.append(True)

    def breaks_off(environ: dict[str, Any], start_response: Any) -> Chunks:
        start_response("200 OK", [])
        return Chunks()

    status, _ = asyncio.run(asked(Front(breaks_off, MOST_BYTES), all_at_once(b"{}")))
    assert (status, closed) == (500, [True])


def test_headers_that_come_twice_are_one_list_and_none_passes_for_another() -> None:
    seen: list[dict[str, Any]] = []

    def remembers(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ)
        start_response("204 No Content", [])
        return []

    async def ignore(message: Message) -> None:
        return None

    request = scope("/a%2Fb%FF", ("authorization", "one"), ("authorization", "two"), ("content_length", "9"))
    asyncio.run(Front(remembers, MOST_BYTES)(request, all_at_once(b""), ignore))
    (environ,) = seen
    assert environ["HTTP_AUTHORIZATION"] == "one,two"
    assert "CONTENT_LENGTH" not in environ and "HTTP_CONTENT_LENGTH" not in environ
    assert environ["PATH_INFO"] == "/a/b\xff"
