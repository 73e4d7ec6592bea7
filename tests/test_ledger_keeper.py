"""Who knows whether the ledger can be used, and brings it back: asked by calls, or in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import pytest

from cds_service.decision.ledger_keeper import PAUSE_SECONDS, LedgerKeeper
from cds_service.ledger.down import FileChanged, LedgerDown, OtherTables
from cds_service.ledger.store import Ledger
from tests.server_calls import comes_true


class Faulty:
    """A ledger that fails where it is told to, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.waiting: dict[str, threading.Event] = {}

    def __getattr__(self, name: str) -> Callable[..., None]:
        def ask(**how: Any) -> None:
            self.asked.append(f"{name} anew" if how.get("anew") else name)
            if event := self.waiting.get(name):
                event.wait(60)
            if error := self.failing.get(name):
                raise error

        return ask


class Kept:
    """A keeper without a thread, its ledger, and its clock."""

    def __init__(self) -> None:
        self.ledger, self.seconds = Faulty(), 0.0
        self.keeper = LedgerKeeper(cast(Ledger, self.ledger), lambda: self.seconds)

    def usable(self, at_once: bool = False) -> bool:
        return self.keeper.usable(at_once) is not None


@pytest.fixture
def kept() -> Kept:
    return Kept()


def test_a_ledger_is_prepared_when_it_is_first_asked_for_and_once(kept: Kept) -> None:
    assert [kept.usable() for _ in range(3)] == [True] * 3
    # Nothing is written to one that has not failed.
    assert kept.ledger.asked == ["prepare anew", "ping", "tidy"]


def test_a_ledger_that_failed_is_left_alone_for_a_while(kept: Kept) -> None:
    kept.ledger.failing["prepare"] = LedgerDown("down")
    assert not kept.usable()
    kept.seconds = PAUSE_SECONDS - 0.01
    assert not kept.usable() and len(kept.ledger.asked) == 1
    # Feedback is worth a try at once.
    assert not kept.usable(at_once=True) and len(kept.ledger.asked) == 2
    del kept.ledger.failing["prepare"]
    kept.seconds = 2 * PAUSE_SECONDS
    assert kept.usable()


def test_a_ledger_that_could_not_be_written_is_down_until_it_can_be(kept: Kept) -> None:
    assert kept.usable()
    kept.ledger.failing["try_writing"] = LedgerDown("disk full")
    kept.keeper.failed("decision", LedgerDown("disk full"))
    # It can be read all the while.
    assert kept.keeper.problem() == "disk full"
    del kept.ledger.failing["try_writing"]
    assert kept.keeper.problem() is None and kept.usable()


def test_tables_of_another_version_are_told_and_used(kept: Kept) -> None:
    kept.ledger.failing["ping"] = OtherTables("made by a newer version")
    assert kept.usable()
    assert kept.keeper.problem() == "made by a newer version"


def test_a_file_that_changed_is_prepared_again_and_not_made_anew(kept: Kept) -> None:
    assert kept.usable()
    kept.keeper.failed("feedback", FileChanged("removed"))
    assert kept.usable(at_once=True)
    assert [asked for asked in kept.ledger.asked if asked.startswith("prepare")] == ["prepare anew", "prepare"]


def test_one_failure_is_one_line_of_the_log_and_so_is_its_end(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "cds_service")
    assert kept.usable()
    for number in range(3):
        kept.keeper.failed("decision", ValueError(f"of a patient {number}"))
    assert kept.keeper.problem() is None
    assert [record.message for record in caplog.records] == [
        "the ledger failed (decision): ValueError",
        "the ledger works again",
    ]


def test_in_a_worker_nobody_waits_for_a_ledger_that_hangs(kept: Kept) -> None:
    hangs = kept.ledger.waiting["prepare"] = threading.Event()
    kept.keeper.watch(0.01)
    assert not kept.usable() and not kept.usable(at_once=True)
    assert kept.keeper.problem() == "it is not prepared yet"
    hangs.set()
    assert comes_true(kept.usable)
    # Each worker of a service finds what its first process has made.
    assert kept.ledger.asked[0] == "prepare"


def test_in_a_worker_a_failure_is_looked_into_at_once_and_by_its_thread(kept: Kept) -> None:
    kept.keeper.watch(60)
    assert kept.usable()
    hangs = kept.ledger.waiting["try_writing"] = threading.Event()
    kept.keeper.failed("decision", LedgerDown("gone"))
    assert comes_true(lambda: "try_writing" in kept.ledger.asked)
    assert not kept.usable() and kept.keeper.problem() == "gone"
    hangs.set()
    assert comes_true(kept.usable)
