"""Large bodies are few at a time, and no small call waits for them or is refused because of them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import pytest

from cds_service.json_values import MOST_VALUES
from cds_service.server.large_bodies import SMALL_BYTES, LargeBodies
from cds_service.server.worker import TOO_LATE, Front
from tests.server_calls import PATH, a_call

Message = dict[str, Any]

MOST_BYTES = 1_000_000
SMALL = b" " * 1_000
HALF = b" " * (MOST_BYTES // 2)
WHOLE = b" " * MOST_BYTES
SOON, LONG = 0.01, 60.0


# --- Receiving


def test_a_small_body_is_received_also_where_strangers_have_overdrawn_what_there_is() -> None:
    large = LargeBodies(MOST_BYTES)
    received = [large.receive(0, MOST_BYTES) for _ in range(20)]
    assert received[0] and not received[-1]
    assert large.receive(0, SMALL_BYTES)
    assert not large.receive(0, SMALL_BYTES + 1)


def test_what_is_no_longer_held_makes_room() -> None:
    large = LargeBodies(MOST_BYTES)
    while large.receive(0, MOST_BYTES):
        pass
    large.forget(MOST_BYTES)
    assert not large.receive(0, MOST_BYTES)
    for _ in range(2):
        large.forget(MOST_BYTES)
    assert large.receive(0, MOST_BYTES)


# --- Turns


class Caller:
    """Somebody with a body, who holds its turn until he is told to go."""

    def __init__(self, large: LargeBodies, body: bytes, seconds: float = LONG) -> None:
        self.has_turn: bool | None = None
        self.go = asyncio.Event()
        self._task = asyncio.create_task(self._call(large, body, seconds))

    async def _call(self, large: LargeBodies, body: bytes, seconds: float) -> None:
        async with large.turn(body, seconds) as self.has_turn:
            await self.go.wait()

    def answered(self) -> bool | None:
        """Whether it was given a turn, once that is decided."""
        return self.has_turn

    async def goes(self) -> None:
        self.go.set()
        await self._task

    async def leaves(self) -> None:
        self._task.cancel()
        await asyncio.wait((self._task,))


async def settled() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_bodies_have_their_turn_together_up_to_the_size_of_the_largest() -> None:
    async def run() -> list[list[bool | None]]:
        large = LargeBodies(MOST_BYTES)
        callers = [Caller(large, body) for body in (HALF, HALF, HALF, WHOLE)]
        turns = []
        for caller in callers:
            await settled()
            turns.append([item.has_turn for item in callers])
            await caller.goes()
        return turns

    assert asyncio.run(run()) == [
        [True, True, None, None],
        [True, True, True, None],
        [True, True, True, None],
        [True, True, True, True],
    ]


def test_a_lighter_body_passes_a_heavier_one_that_waits_and_those_of_one_weight_keep_their_order() -> None:
    async def run() -> list[list[bool | None]]:
        large = LargeBodies(MOST_BYTES)
        first, *waiting = callers = [Caller(large, body) for body in (WHOLE, WHOLE, WHOLE, HALF)]
        turns = []
        for caller in (first, waiting[2], waiting[0], waiting[1]):
            await settled()
            turns.append([item.has_turn for item in callers])
            await caller.goes()
        return turns

    assert asyncio.run(run()) == [
        [True, None, None, None],
        [True, None, None, True],
        [True, True, None, True],
        [True, True, True, True],
    ]


def test_a_small_body_needs_no_turn() -> None:
    async def run() -> list[bool | None]:
        large = LargeBodies(MOST_BYTES)
        callers = [Caller(large, body) for body in (WHOLE, WHOLE, SMALL)]
        await settled()
        turns = [caller.has_turn for caller in callers]
        for caller in callers:
            await caller.goes()
        return turns

    assert asyncio.run(run()) == [True, None, True]


def test_a_body_of_many_values_counts_by_them() -> None:
    """Its bytes would leave room for another one; its values take as much memory as the largest may."""

    async def run() -> list[bool | None]:
        large = LargeBodies(10 * MOST_BYTES)
        dense = b"[]," * (MOST_VALUES // 2)
        callers = [Caller(large, dense), Caller(large, dense)]
        await settled()
        turns = [caller.has_turn for caller in callers]
        for caller in callers:
            await caller.goes()
        return turns

    assert asyncio.run(run()) == [True, None]


@pytest.mark.parametrize("has_turn", [True, False], ids=["at its turn", "as it waits"])
@pytest.mark.parametrize("how", ["late", "cancelled"])
def test_a_caller_who_ends_in_any_way_leaves_its_place_to_the_next(how: str, has_turn: bool) -> None:
    async def run() -> bool | None:
        large = LargeBodies(MOST_BYTES)
        first = Caller(large, SMALL if has_turn else WHOLE)
        await settled()
        ending = Caller(large, WHOLE, SOON if how == "late" else LONG)
        await settled()
        assert ending.answered() == (True if has_turn else None)
        if how == "cancelled":
            await ending.leaves()
        elif has_turn:
            await ending.goes()
        else:
            await asyncio.sleep(5 * SOON)
            assert ending.answered() is False
            await ending.goes()
        await first.goes()
        last = Caller(large, WHOLE)
        await settled()
        await last.goes()
        return last.has_turn

    assert asyncio.run(run()) is True


# --- At the front


class Busy:
    """A WSGI application whose large calls wait until they are told."""

    def __init__(self) -> None:
        self.large: list[int] = []
        self.go_on = threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        late, size = TOO_LATE in environ, int(environ["CONTENT_LENGTH"])
        if not late and size > SMALL_BYTES:
            self.large.append(len(environ["wsgi.input"].read()))
            self.go_on.wait(LONG)
        start_response("503 Late" if late else "200 OK", [])
        return [b"answer"]


def client(body: bytes) -> Callable[[], Awaitable[Message]]:
    parts = iter([{"type": "http.request", "body": body}])

    async def receive() -> Message:
        if part := next(parts, None):
            return part
        await asyncio.Event().wait()
        raise AssertionError

    return receive


async def status(front: Front, body: bytes) -> int:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope: Message = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "query_string": b""}
    scope |= {"raw_path": PATH.encode(), "server": ("127.0.0.1", 80), "client": ("127.0.0.1", 1), "headers": headers}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await asyncio.wait_for(front(scope, client(body), send), LONG)
    return int(sent[0]["status"])


def test_one_of_the_largest_is_answered_at_a_time_and_small_calls_pass_it() -> None:
    app = Busy()

    async def run() -> tuple[int, list[int], list[int]]:
        front = Front(app, MOST_BYTES)
        large = [asyncio.create_task(status(front, WHOLE)) for _ in range(3)]
        while not app.large:
            await asyncio.sleep(0.01)
        small = await status(front, json.dumps(a_call()).encode())
        begun = list(app.large)
        app.go_on.set()
        return small, begun, await asyncio.gather(*large)

    assert asyncio.run(run()) == (200, [MOST_BYTES], [200, 200, 200])
    assert app.large == [MOST_BYTES] * 3


def test_a_large_call_whose_turn_does_not_come_in_time_is_told_so() -> None:
    app = Busy()

    async def run() -> tuple[int, int]:
        front = Front(app, MOST_BYTES, call_seconds=0.2)
        first = asyncio.create_task(status(front, WHOLE))
        while not app.large:
            await asyncio.sleep(0.01)
        second = await status(front, WHOLE)
        app.go_on.set()
        return await first, second

    assert asyncio.run(run()) == (200, 503)
    assert app.large == [MOST_BYTES]
