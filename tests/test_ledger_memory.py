"""What the ledger is asked over and over stays in memory once: SQLAlchemy keeps each statement that it compiles.

A statement that is put together anew each time, of new tables, is kept each time: hundreds of them, for each of which
memory grows, though nobody calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.interfaces import CacheStats

from cds_service.ledger.entries import Mode, ModeChange
from cds_service.ledger.store import Ledger
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered

pytest_plugins = ("tests.ledger_databases",)

_ALWAYS = (NOW - timedelta(days=1000), NOW + timedelta(days=1000))
_CLIENT = ("https://ehr.example.org", "hospital", "pseudonym-of-the-patient")

_ASKED: dict[str, Callable[[Ledger, int], Any]] = {
    "ping": lambda ledger, _: ledger.ping(),
    "try writing": lambda ledger, _: ledger.try_writing(),
    "tidy": lambda ledger, _: ledger.tidy(),
    "record a decision": lambda ledger, number: ledger.record_decision(a_decision(number)),
    "record it durably": lambda ledger, number: ledger.record_decision(a_decision(number + 100), durable=True),
    "record feedback": lambda ledger, number: ledger.record_feedback([feedback_entry(number)]),
    "earlier feedback": lambda ledger, _: ledger.earlier_feedback(*_CLIENT, None),
    "modes": lambda ledger, _: ledger.modes(),
    "history of modes": lambda ledger, _: ledger.mode_history(),
    "set a mode": lambda ledger, _: ledger.set_mode(ModeChange(NOW, "*", "*", Mode.LIVE, "somebody", "because")),
    "take a token": lambda ledger, number: ledger.take_token("issuer", str(number), NOW),
    "decisions": lambda ledger, _: list(ledger.decisions(*_ALWAYS)),
    "feedback": lambda ledger, _: list(ledger.feedback(*_ALWAYS)),
    "a decision": lambda ledger, number: ledger.decision(numbered("decision", number)),
    "shown cards": lambda ledger, number: list(ledger.shown([numbered("card", number)])),
    "feedback to a card": lambda ledger, number: ledger.card_feedback(numbered("card", number)),
    "prune": lambda ledger, number: ledger.prune(NOW - timedelta(days=number)),
}


@contextmanager
def _compiled() -> Iterator[list[str]]:
    """The statements that were compiled in the block and are kept."""
    found: list[str] = []

    def look(_: Any, __: Any, statement: str, ___: Any, context: Any, ____: Any) -> None:
        if context.compiled is not None and context.cache_hit is CacheStats.CACHE_MISS:
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", look)


@pytest.mark.parametrize("asked", _ASKED)
def test_what_is_asked_again_is_not_compiled_and_kept_again(ledger: Ledger, asked: str) -> None:
    number = count(1)
    for _ in range(2):
        _ASKED[asked](ledger, next(number))
    with _compiled() as statements:
        for _ in range(3):
            _ASKED[asked](ledger, next(number))
    assert statements == []


def test_a_new_statement_is_seen_as_compiled(ledger: Ledger) -> None:
    with _compiled() as statements:
        ledger.mode_history()
    assert statements
