"""What the ledger keeps and gives back: decisions, feedback, earlier answers; on SQLite and on PostgreSQL."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode, Receipt
from cds_service.ledger.store import Ledger, LedgerDown
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered

pytest_plugins = ("tests.ledger_databases",)

_DAY = timedelta(days=1)
_PATIENT = ("https://ehr.example.org", "hospital", "pseudonym-of-the-patient")


def _decisions(ledger: Ledger) -> list[DecisionEntry]:
    return list(ledger.decisions(NOW - 1000 * _DAY, NOW + 1000 * _DAY))


def _feedback(ledger: Ledger) -> list[FeedbackEntry]:
    return list(ledger.feedback(NOW - 1000 * _DAY, NOW + 1000 * _DAY))


def _calls(ledger_url: str) -> list[int]:
    engine = create_engine(ledger_url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as connection:
            return [row[0] for row in connection.execute(text("SELECT calls FROM decision ORDER BY decision_id"))]
    finally:
        engine.dispose()


# Decisions


def test_a_decision_comes_back_as_it_was_written(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    assert ledger.decision(numbered("decision", 1)) == a_decision()


def test_a_decision_with_nothing_but_what_must_be_there_comes_back(ledger: Ledger) -> None:
    bare = DecisionEntry(numbered("decision", 1), NOW, "c", "s", "h", Mode.OFF, "off", "off", "1", "d", 0.0)
    ledger.record_decision(bare)
    assert ledger.decision(bare.decision_id) == bare


def test_an_unknown_decision_is_none(ledger: Ledger) -> None:
    assert ledger.decision(numbered("decision", 1)) is None


def test_a_moment_of_another_zone_comes_back_in_utc(ledger: Ledger) -> None:
    ledger.record_decision(a_decision(at=datetime(2026, 11, 22, 14, 0, 0, 123456, timezone(timedelta(hours=2)))))
    found = ledger.decision(numbered("decision", 1))
    assert found is not None
    assert (found.at, found.at.tzinfo) == (NOW.replace(microsecond=123456), UTC)


def test_a_retry_leaves_the_decision_as_first_written_and_is_counted(ledger: Ledger, ledger_url: str) -> None:
    ledger.record_decision(a_decision())
    ledger.record_decision(a_decision(at=NOW + _DAY, reason="other", milliseconds=99.0))
    ledger.record_decision(a_decision(mode=Mode.SILENT))
    assert _decisions(ledger) == [a_decision()]
    assert _calls(ledger_url) == [3]


@pytest.mark.parametrize(
    "first",
    [
        a_decision(mode=Mode.SILENT),
        a_decision(mode=Mode.OFF, outcome="off", card_id=None, suggestions={}),
        a_decision(outcome="undetermined", card_id=None, suggestions={}),
    ],
    ids=["silent", "off", "not-yet-complete"],
)
def test_a_decision_without_a_shown_card_becomes_the_one_that_showed_it(
    ledger: Ledger, ledger_url: str, first: DecisionEntry
) -> None:
    shown = a_decision(at=NOW + _DAY)
    ledger.record_decision(first)
    ledger.record_decision(shown)
    assert _decisions(ledger) == [shown]
    assert _calls(ledger_url) == [2]


def test_a_silent_decision_stays_silent_while_no_card_is_shown(ledger: Ledger) -> None:
    silent = a_decision(mode=Mode.SILENT)
    ledger.record_decision(silent)
    ledger.record_decision(a_decision(card_id=None, suggestions={}))
    assert _decisions(ledger) == [silent]


def test_decisions_of_a_period_come_in_the_order_of_time_without_its_end(ledger: Ledger) -> None:
    for number, at in enumerate([NOW + _DAY, NOW - timedelta(microseconds=1), NOW, NOW + _DAY / 2]):
        ledger.record_decision(a_decision(number, at=at))
    found = [entry.decision_id for entry in ledger.decisions(NOW, NOW + _DAY)]
    assert found == [numbered("decision", 2), numbered("decision", 3)]


@pytest.mark.parametrize("count", [9, 10, 11, 20, 21])
def test_decisions_that_fill_several_pages_come_once_each(
    ledger: Ledger, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds_service.ledger.database.PAGE_ROWS", 10)
    # Seven at the same moment: pages end in the middle of a moment.
    for number in range(count):
        ledger.record_decision(a_decision(number, at=NOW + timedelta(seconds=number // 7)))
    found = _decisions(ledger)
    assert sorted(entry.decision_id for entry in found) == sorted(numbered("decision", n) for n in range(count))
    assert [entry.at for entry in found] == sorted(entry.at for entry in found)


def test_who_reads_slowly_holds_up_no_writer(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.ledger.database.PAGE_ROWS", 1)
    ledger.record_decision(a_decision(1))
    ledger.record_decision(a_decision(2, at=NOW + _DAY))
    reading = ledger.decisions(NOW, NOW + 10 * _DAY)
    assert next(reading) == a_decision(1)
    assert ledger.prune(NOW + 2 * _DAY).decisions == 2
    assert list(reading) == []


# Feedback


def test_feedback_comes_back_as_it_was_written_and_is_known_by_its_card(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    entry = feedback_entry(outcome="accepted", reason="", accepted=("b", "a"), comment="Söhne & 日本")
    assert ledger.record_feedback([entry]) == Receipt(1, 0, 0)
    assert ledger.card_feedback(entry.card_id) == [replace(entry, known=True)]
    assert _feedback(ledger) == [replace(entry, known=True)]


def test_no_feedback_is_no_error(ledger: Ledger) -> None:
    assert ledger.record_feedback([]) == Receipt(0, 0, 0)


def test_a_repeated_feedback_is_stored_once(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    ledger.record_feedback([feedback_entry(accepted=("a", "b"))])
    later = feedback_entry(accepted=("b", "a", "a"), received_at=NOW + _DAY)
    assert ledger.record_feedback([later, later]) == Receipt(0, 2, 0)
    assert _feedback(ledger) == [replace(feedback_entry(accepted=("a", "b")), known=True)]


def test_a_repeat_without_the_clients_time_is_stored_once(ledger: Ledger) -> None:
    first = feedback_entry(outcome_at=NOW, received_at=NOW)
    again = feedback_entry(outcome_at=NOW + _DAY, received_at=NOW + _DAY)
    assert ledger.record_feedback([first]).stored == 1
    assert ledger.record_feedback([again]).repeated == 1
    assert [entry.received_at for entry in _feedback(ledger)] == [NOW]


_DIFFERENT: Sequence[dict[str, Any]] = [
    {"client": "https://other.example.org"},
    {"tenant": "clinic"},
    {"service": "breast-cancer-back-pain-order-sign"},
    {"card_id": numbered("card", 2)},
    {"outcome": "accepted"},
    {"accepted": ("a",)},
    {"reason": "other"},
    {"comment": ""},
    {"outcome_at": NOW + timedelta(minutes=10, microseconds=1)},
    {"outcome_at": NOW + timedelta(minutes=11)},
]


@pytest.mark.parametrize("change", _DIFFERENT, ids=lambda change: next(iter(change)))
def test_feedback_that_differs_in_anything_is_kept_beside_the_other(ledger: Ledger, change: dict[str, Any]) -> None:
    assert ledger.record_feedback([feedback_entry(), feedback_entry(**change)]).stored == 2
    assert len(_feedback(ledger)) == 2


def test_parts_of_feedback_do_not_run_into_one_another(ledger: Ledger) -> None:
    assert (
        ledger.record_feedback(
            [feedback_entry(client="ab", tenant="c"), feedback_entry(client="a", tenant="bc")]
        ).stored
        == 2
    )


@pytest.mark.parametrize("batch", [499, 501, 1501])
def test_a_large_batch_is_stored_and_counted_whole(ledger: Ledger, batch: int) -> None:
    ledger.record_decision(a_decision(7))
    entries = [feedback_entry(number) for number in range(batch)]
    assert ledger.record_feedback(entries) == Receipt(batch, 0, batch - 1)
    assert ledger.record_feedback([*entries, feedback_entry(batch)]) == Receipt(1, batch, batch)
    assert len(_feedback(ledger)) == batch + 1


def test_a_batch_that_cannot_be_stored_whole_is_not_stored_at_all(ledger: Ledger) -> None:
    naive = feedback_entry(2, received_at=datetime(2026, 11, 22))
    with pytest.raises(Exception, match="time zone"):
        ledger.record_feedback([feedback_entry(1), naive])
    assert _feedback(ledger) == []


@pytest.mark.parametrize(
    ("decision", "known"),
    [
        (a_decision(), True),
        (a_decision(mode=Mode.SILENT), False),
        (a_decision(client="https://other.example.org"), False),
        (a_decision(tenant="clinic"), False),
        (a_decision(service="breast-cancer-back-pain-order-sign"), False),
        (a_decision(card_id=numbered("card", 2)), False),
        (a_decision(card_id=None), False),
    ],
    ids=["shown", "silent", "other-client", "other-tenant", "other-service", "other-card", "no-card"],
)
def test_feedback_is_known_only_by_a_card_shown_to_the_same_one(
    ledger: Ledger, decision: DecisionEntry, known: bool
) -> None:
    ledger.record_decision(decision)
    assert ledger.record_feedback([feedback_entry()]).unknown == (not known)
    assert [entry.known for entry in _feedback(ledger)] == [known]
    assert [entry.known for entry in ledger.card_feedback(numbered("card", 1))] == [known]


def test_feedback_that_was_here_before_its_decision_becomes_known(ledger: Ledger) -> None:
    assert ledger.record_feedback([feedback_entry()]).unknown == 1
    ledger.record_decision(a_decision())
    assert [entry.known for entry in _feedback(ledger)] == [True]


def test_the_feedback_that_counts_is_the_last_of_its_card(ledger: Ledger) -> None:
    early = feedback_entry(outcome="accepted", outcome_at=NOW, received_at=NOW + _DAY)
    late = feedback_entry(outcome_at=NOW + timedelta(seconds=1), received_at=NOW + timedelta(seconds=1))
    ledger.record_feedback([late, early])
    assert [entry.outcome for entry in ledger.card_feedback(numbered("card", 1))] == ["accepted", "overridden"]


def test_at_the_same_moment_the_last_of_a_batch_counts(ledger: Ledger) -> None:
    outcomes = ["accepted", "overridden", "ignored", "undone"]
    batch = [feedback_entry(outcome=outcome, outcome_at=NOW, received_at=NOW) for outcome in outcomes]
    ledger.record_feedback(batch)
    assert [entry.outcome for entry in ledger.card_feedback(numbered("card", 1))] == outcomes


def test_feedback_of_a_period_comes_in_the_order_of_arrival_without_its_end(ledger: Ledger) -> None:
    moments = [NOW + _DAY, NOW - timedelta(microseconds=1), NOW + _DAY / 2, NOW]
    ledger.record_feedback([feedback_entry(number, received_at=at) for number, at in enumerate(moments)])
    assert [entry.card_id for entry in ledger.feedback(NOW, NOW + _DAY)] == [numbered("card", 3), numbered("card", 2)]


@pytest.mark.parametrize("text_", ["a\0b", "\ud83d", "x" * 100_000], ids=["nul", "half-a-character", "long"])
def test_text_that_json_can_carry_can_be_kept(ledger: Ledger, text_: str) -> None:
    entry = feedback_entry(comment=text_, accepted=(text_,))
    assert ledger.record_feedback([entry]).stored == 1
    assert ledger.record_feedback([entry]).repeated == 1
    kept = text_.replace("\0", "\ufffd").replace("\ud83d", "\ufffd")
    assert [(found.comment, found.accepted) for found in _feedback(ledger)] == [(kept, (kept,))]


def test_an_error_tells_no_value_and_no_statement(empty_url: str) -> None:
    mark = numbered("mark", 1).hex
    ledger = Ledger(empty_url)
    with pytest.raises(LedgerDown) as raised:
        ledger.record_feedback([feedback_entry(comment=mark, client=mark)])
    ledger.close()
    told = "".join(traceback.format_exception(raised.value))
    assert mark not in told and "INTO feedback" not in told


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(-timedelta(hours=12))),
    ],
)
def test_a_moment_at_the_end_of_the_calendar_can_be_kept(ledger: Ledger, moment: datetime) -> None:
    ledger.record_feedback([feedback_entry(outcome_at=moment)])
    assert [entry.outcome_at.year for entry in _feedback(ledger)] == [moment.year]


def test_a_repeat_is_known_by_its_moment_whatever_zone_it_is_written_in(ledger: Ledger) -> None:
    east = NOW.astimezone(timezone(timedelta(hours=9)))
    assert ledger.record_feedback([feedback_entry(outcome_at=NOW)]).stored == 1
    assert ledger.record_feedback([feedback_entry(outcome_at=east)]).repeated == 1
