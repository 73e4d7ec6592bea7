"""When memory that is free is given back."""

from __future__ import annotations

from threading import Event

from cds_service.server.free_memory import FreeMemory
from cds_service.server.large_bodies import SMALL_BYTES, LargeBodies
from tests.server_calls import PATIENCE_SECONDS


def test_free_memory_is_given_back_soon_after_it_was_asked_for_and_each_time() -> None:
    given_back = Event()
    memory = FreeMemory(given_back.set)
    memory.watch()
    for _ in range(2):
        memory.soon()
        assert given_back.wait(PATIENCE_SECONDS)
        given_back.clear()


def test_a_large_body_that_is_let_go_tells_so_and_a_small_one_does_not() -> None:
    told: list[None] = []
    bodies = LargeBodies(10 * SMALL_BYTES, lambda: told.append(None))
    bodies.receive(0, SMALL_BYTES)
    bodies.forget(SMALL_BYTES)
    assert told == []
    bodies.receive(0, SMALL_BYTES + 1)
    bodies.forget(SMALL_BYTES + 1)
    assert told == [None]
