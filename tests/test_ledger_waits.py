"""How long a call waits for the ledger: so long for all that it asks together, and not at all for one that is down."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from cds_service.ledger.allowance import begin_call, end_call, seconds_left, spent
from cds_service.ledger.deadline import abort_after, in_time
from cds_service.ledger.down import LedgerDown
from cds_service.ledger.store import Ledger
from tests.ledger_rows import NOW, a_decision, feedback_entry

if TYPE_CHECKING:
    from tests.ledger_databases import PostgresqlServer

pytest_plugins = ("tests.ledger_databases",)


@pytest.fixture(autouse=True)
def _no_call_is_left() -> Iterator[None]:
    yield
    end_call()


# --- The time of a call


def test_what_one_question_takes_the_next_one_has_less() -> None:
    begin_call(100)
    with spent(60):
        assert 59 < seconds_left() <= 60
        time.sleep(0.05)
    with spent(1000):
        assert 90 < seconds_left() <= 99.95


def test_who_answers_no_call_has_time_for_each_question() -> None:
    with spent(60):
        time.sleep(0.01)
    with spent(60):
        assert seconds_left() > 59.995


def test_a_call_of_another_thread_is_another() -> None:
    begin_call(0)
    left = []

    def ask() -> None:
        with spent(60):
            left.append(seconds_left())

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert left[0] > 50


def test_a_call_whose_time_has_passed_asks_nothing(ledger: Ledger) -> None:
    begin_call(0)
    asked = [
        lambda: ledger.record_decision(a_decision()),
        lambda: ledger.record_feedback([feedback_entry()]),
        lambda: ledger.earlier_feedback("a", "b", "c", None),
        lambda: ledger.take_token("a", "b", NOW),
        ledger.modes,
    ]
    for ask in asked:
        with pytest.raises(LedgerDown, match="the time of the call has passed"):
            ask()
    end_call()
    ledger.record_decision(a_decision())
    assert ledger.decision(a_decision().decision_id) == a_decision()


def test_a_server_that_says_nothing_costs_a_call_its_time_once(postgresql: PostgresqlServer) -> None:
    ledger = Ledger(postgresql.new_database(), busy_seconds=30)
    ledger.prepare()
    with postgresql.stopped():
        begin_call(1)
        begun = time.monotonic()
        for _ in range(5):
            with pytest.raises(LedgerDown):
                ledger.record_decision(a_decision())
        # Far less than one wait of 30 s.
        assert time.monotonic() - begun < 15
        end_call()
    ledger.record_decision(a_decision())
    ledger.close()


# --- Connections


class Connection:
    """Something that can be closed."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_a_connection_in_time_is_given() -> None:
    made = Connection()
    assert in_time(lambda: made, 60, OSError) is made
    assert not made.closed.is_set()


def test_what_a_driver_raises_is_raised() -> None:
    def refuse() -> Connection:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_time(refuse, 60, OSError)


def test_a_connection_that_comes_too_late_is_closed() -> None:
    go_on, made = threading.Event(), Connection()

    def slowly() -> Connection:
        go_on.wait(60)
        return made

    with pytest.raises(OSError, match="timeout"):
        in_time(slowly, 0.01, OSError)
    go_on.set()
    assert made.closed.wait(60)


def test_an_error_that_comes_too_late_is_nobodys() -> None:
    go_on = threading.Event()

    def slowly() -> Connection:
        go_on.wait(60)
        raise ZeroDivisionError

    with pytest.raises(OSError, match="timeout"):
        in_time(slowly, 0.01, OSError)
    go_on.set()


# --- Deadlines of connections


def test_of_many_connections_those_are_aborted_whose_time_has_passed() -> None:
    pairs = [socket.socketpair() for _ in range(20)]
    try:
        with abort_after(60, pairs[0][0]) as kept, abort_after(0.05, pairs[1][0]) as aborted:
            # Its other side sees the end.
            pairs[1][1].settimeout(60)
            assert pairs[1][1].recv(1) == b""
            assert (aborted.was_aborted, kept.was_aborted) == (True, False)
        for own, _ in pairs[2:]:
            with abort_after(0.05, own) as in_good_time:
                pass
            assert not in_good_time.was_aborted
        time.sleep(0.2)
        # A block that was done in time is left alone.
        pairs[2][0].sendall(b"x")
        assert pairs[2][1].recv(1) == b"x"
    finally:
        for pair in pairs:
            for one in pair:
                one.close()


def test_many_deadlines_cost_one_thread() -> None:
    one, other = socket.socketpair()
    with one, other, abort_after(60, one):
        before = threading.active_count()
        for _ in range(50):
            with abort_after(60, one):
                assert threading.active_count() <= before
