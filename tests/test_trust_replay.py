"""A token is used once: in this process, in the store of all workers, and while that store is down."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier

import pytest

from cds_service.trust.replay import InProcessReplay, SharedReplay
from cds_service.trust.token_verifier import RefusalReason, Refused
from tests.token_maker import NOW, PATH, a_verifier, bearer, token

ISSUER, OTHER = "https://ehr.example.org", "https://other.example.org"
LATER = NOW + timedelta(minutes=5)


class Down(Exception):
    """What the store of these tests raises when it cannot answer."""


class Store:
    """A shared store that can be down; it keeps what it was asked."""

    def __init__(self) -> None:
        self.is_down = False
        self.asked: list[tuple[str, str, datetime]] = []
        self._memory = InProcessReplay(now=lambda: NOW)

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        if self.is_down:
            raise Down
        self.asked.append((issuer, token_id, expires_at))
        return self._memory.take_token(issuer, token_id, expires_at)


def memory(now: datetime = NOW, limit: int = 10) -> InProcessReplay:
    return InProcessReplay(limit, lambda: now)


# --- This process


def test_a_token_is_taken_once() -> None:
    own = memory()
    assert [own.take_token(ISSUER, "a", LATER) for _ in range(3)] == [True, False, False]


def test_ids_are_told_apart_by_their_issuer() -> None:
    own = memory()
    pairs = [(ISSUER, "a"), (OTHER, "a"), (ISSUER, "b"), (f"{ISSUER} a", "b"), (ISSUER, "a b"), (ISSUER, "A")]
    assert all(own.take_token(issuer, token_id, LATER) for issuer, token_id in pairs)


@pytest.mark.parametrize(("seconds", "again"), [(-1, False), (0, True), (1, True)])
def test_a_token_is_forgotten_when_it_has_expired(seconds: int, again: bool) -> None:
    moment = [NOW]
    own = InProcessReplay(now=lambda: moment[0])
    own.take_token(ISSUER, "a", LATER)
    moment[0] = LATER + timedelta(seconds=seconds)
    assert own.take_token(ISSUER, "a", LATER + timedelta(hours=1)) is again


def test_memory_is_bounded_and_what_expires_first_is_forgotten_first() -> None:
    own = memory(limit=3)
    for number in (3, 1, 2, 4):
        own.take_token(ISSUER, str(number), NOW + timedelta(minutes=number))
    assert len(own) == 3
    assert [own.take_token(ISSUER, str(number), LATER) for number in (2, 3, 4)] == [False, False, False]
    assert own.take_token(ISSUER, "1", LATER)


def test_of_threads_that_use_one_token_at_once_exactly_one_passes() -> None:
    own, together = memory(), Barrier(16)

    def use(_: int) -> bool:
        together.wait(5.0)
        return own.take_token(ISSUER, "a", LATER)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(16))) == 1


def test_neither_issuer_nor_id_is_kept_as_it_is() -> None:
    own = memory()
    own.take_token(ISSUER, "Zq7351Zq", LATER)
    assert "Zq7351Zq" not in repr(vars(own))


# --- All workers


def test_a_token_that_another_worker_took_is_refused() -> None:
    store = Store()
    one, two = SharedReplay(store, Down, memory()), SharedReplay(store, Down, memory())
    assert one.take_token(ISSUER, "a", LATER)
    assert not two.take_token(ISSUER, "a", LATER)


def test_the_store_is_asked_with_issuer_id_and_expiry() -> None:
    store = Store()
    SharedReplay(store, Down, memory()).take_token(ISSUER, "a", LATER)
    assert store.asked == [(ISSUER, "a", LATER)]


def test_while_the_store_is_down_this_process_remembers() -> None:
    store, fallbacks = Store(), []
    replay = SharedReplay(store, Down, memory(), lambda: fallbacks.append(1))
    assert replay.take_token(ISSUER, "before", LATER)
    store.is_down = True
    assert replay.take_token(ISSUER, "during", LATER)
    assert not replay.take_token(ISSUER, "before", LATER)
    assert not replay.take_token(ISSUER, "during", LATER)
    assert len(fallbacks) == 1
    store.is_down = False
    assert not replay.take_token(ISSUER, "during", LATER)
    assert replay.take_token(ISSUER, "after", LATER)
    assert store.asked[-1] == (ISSUER, "after", LATER)


def test_an_outage_is_logged_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    store = Store()
    replay = SharedReplay(store, Down, memory())
    with caplog.at_level(logging.WARNING):
        for number, is_down in enumerate([False, True, True, True, False, False]):
            store.is_down = is_down
            replay.take_token(ISSUER, f"Zq7351Zq{number}", LATER)
    assert [record.message.split(" is ")[1].split(":")[0] for record in caplog.records] == ["down", "back"]
    assert "Zq7351Zq" not in caplog.text


def test_a_fault_that_is_no_outage_is_not_hidden() -> None:
    class Broken:
        def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        SharedReplay(Broken(), Down, memory()).take_token(ISSUER, "a", LATER)


def test_a_gate_admits_while_the_store_is_down_and_still_only_once() -> None:
    store = Store()
    store.is_down = True
    verifier = a_verifier(replay=SharedReplay(store, Down, memory()))
    called = bearer(token())
    verifier.verify(called, PATH)
    with pytest.raises(Refused) as refused:
        verifier.verify(called, PATH)
    assert refused.value.reason is RefusalReason.REPLAYED


def test_one_token_at_many_threads_of_a_gate_passes_once() -> None:
    verifier, called, together = a_verifier(), bearer(token()), Barrier(8)

    def call(_: int) -> bool:
        together.wait(5.0)
        try:
            verifier.verify(called, PATH)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(call, range(8))) == 1
