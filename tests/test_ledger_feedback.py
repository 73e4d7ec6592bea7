"""What the ledger remembers (earlier feedback, modes, used tokens) and what it forgets; on both databases."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from cds_service.ledger.entries import EVERY, EarlierFeedback, Mode, ModeChange
from cds_service.ledger.store import Ledger, Pruned
from tests.ledger_rows import NOW, a_decision, feedback_entry, numbered

pytest_plugins = ("tests.ledger_databases",)

_DAY = timedelta(days=1)
_INSTANT = timedelta(microseconds=1)
_CLIENT, _TENANT, _PATIENT = "https://ehr.example.org", "hospital", "pseudonym-of-the-patient"


def _earlier(ledger: Ledger, since: datetime | None = None) -> list[EarlierFeedback]:
    return ledger.earlier_feedback(_CLIENT, _TENANT, _PATIENT, since)


# Earlier feedback


def test_earlier_feedback_tells_what_was_said_when_and_on_which_evidence(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    ledger.record_feedback([feedback_entry()])
    assert _earlier(ledger) == [
        EarlierFeedback(
            outcome="overridden",
            reason="patient-declines",
            given_at=NOW + timedelta(minutes=10),
            card_reason="imaging-advised",
            evidence={"pain": ("fingerprint-1", "fingerprint-2"), "cancer": ("fingerprint-3",)},
        )
    ]


# Decision 8.4.
def test_of_contradictory_answers_to_a_card_the_later_is_the_earlier_answer(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    later = feedback_entry(outcome="accepted", outcome_at=NOW + _DAY, received_at=NOW + _DAY)
    ledger.record_feedback([later])
    ledger.record_feedback([feedback_entry(received_at=NOW + 2 * _DAY)])
    assert [item.outcome for item in _earlier(ledger)] == ["accepted"]


def test_earlier_feedback_comes_newest_first_one_entry_for_each_card(ledger: Ledger) -> None:
    for number, days in enumerate([3, 9, 1]):
        ledger.record_decision(a_decision(number))
        ledger.record_feedback([feedback_entry(number, reason=str(days), outcome_at=NOW + days * _DAY)])
    assert [item.reason for item in _earlier(ledger)] == ["9", "3", "1"]


@pytest.mark.parametrize(("since", "found"), [(NOW, 1), (NOW + _INSTANT, 0), (None, 1)])
def test_feedback_is_found_up_to_the_moment_asked_for(ledger: Ledger, since: datetime | None, found: int) -> None:
    ledger.record_decision(a_decision())
    ledger.record_feedback([feedback_entry(outcome_at=NOW)])
    assert len(_earlier(ledger, since)) == found


def test_old_feedback_does_not_stand_in_for_newer_one_outside_the_period(ledger: Ledger) -> None:
    ledger.record_decision(a_decision())
    ledger.record_feedback([feedback_entry(outcome_at=NOW), feedback_entry(outcome="accepted", outcome_at=NOW + _DAY)])
    assert [item.outcome for item in _earlier(ledger, NOW)] == ["accepted"]


_ELSEWHERE: Sequence[dict[str, Any]] = [
    {"client": "https://other.example.org"},
    {"tenant": "clinic"},
    {"patient": "pseudonym-of-another"},
    {"mode": Mode.SILENT},
    {"service": "breast-cancer-back-pain-order-sign"},
    {"card_id": numbered("card", 2)},
]


@pytest.mark.parametrize("change", _ELSEWHERE, ids=lambda change: next(iter(change)))
def test_feedback_to_anything_but_a_card_shown_here_about_this_patient_is_not_found(
    ledger: Ledger, change: dict[str, Any]
) -> None:
    ledger.record_decision(a_decision(**change))
    ledger.record_feedback([feedback_entry()])
    assert _earlier(ledger) == []


def test_without_a_pseudonym_no_feedback_is_found(ledger: Ledger) -> None:
    ledger.record_decision(a_decision(patient=""))
    ledger.record_feedback([feedback_entry()])
    assert ledger.earlier_feedback(_CLIENT, _TENANT, "", None) == []


# Modes


def _change(mode: Mode, service: str = EVERY, client: str = EVERY, at: datetime = NOW) -> ModeChange:
    return ModeChange(at, service, client, mode, "Dr. Example", "trial run")


def test_no_mode_is_set_at_first(ledger: Ledger) -> None:
    assert (ledger.modes(), ledger.mode_history()) == ([], [])


def test_the_current_mode_is_the_last_change_for_each_service_and_client(ledger: Ledger) -> None:
    changes = [
        _change(Mode.SILENT),
        _change(Mode.OFF, service="a"),
        _change(Mode.OFF, client="b"),
        _change(Mode.LIVE, service="a"),
        _change(Mode.SILENT, service="a", client="b"),
    ]
    for change in changes:
        ledger.set_mode(change)
    assert ledger.modes() == [changes[0], changes[2], changes[3], changes[4]]
    assert ledger.mode_history() == changes


def test_the_change_made_last_holds_even_if_its_clock_is_behind(ledger: Ledger) -> None:
    ledger.set_mode(_change(Mode.LIVE, at=NOW))
    ledger.set_mode(_change(Mode.OFF, at=NOW - _DAY))
    assert [change.mode for change in ledger.modes()] == [Mode.OFF]


def test_a_change_of_mode_is_seen_by_another_worker(ledger: Ledger, ledger_url: str) -> None:
    other = Ledger(ledger_url)
    assert other.modes() == []
    ledger.set_mode(_change(Mode.OFF))
    assert other.modes() == [_change(Mode.OFF)]
    other.close()


# Tokens


def test_a_token_is_taken_once_for_each_issuer_and_id(ledger: Ledger) -> None:
    tokens = [("a", "bc"), ("ab", "c"), ("a", "b"), ("a", "bc"), ("ab", "c"), ("a", "bc")]
    assert [ledger.take_token(*token, NOW) for token in tokens] == [True, True, True, False, False, False]


def test_of_many_who_take_a_token_at_the_same_moment_one_gets_it(ledger: Ledger, ledger_url: str) -> None:
    start = Barrier(8)

    def take(_: int) -> bool:
        own = Ledger(ledger_url)
        own.ping()
        start.wait(timeout=30)
        try:
            return own.take_token("issuer", "id", NOW)
        finally:
            own.close()

    with ThreadPoolExecutor(8) as threads:
        assert sorted(threads.map(take, range(8))) == [False] * 7 + [True]


# Retention


def test_what_is_older_than_the_moment_is_deleted_and_nothing_else(ledger: Ledger) -> None:
    for number, at in enumerate([NOW - _INSTANT, NOW, NOW + _DAY]):
        ledger.record_decision(a_decision(number, at=at))
        ledger.record_feedback([feedback_entry(number, received_at=at)])
    ledger.set_mode(_change(Mode.SILENT, at=NOW - 1000 * _DAY))
    assert ledger.prune(NOW) == Pruned(decisions=1, feedback=1, tokens=0)
    left = [numbered("card", 1), numbered("card", 2)]
    assert [entry.card_id for entry in ledger.decisions(NOW - _DAY, NOW + 2 * _DAY)] == left
    assert [entry.card_id for entry in ledger.feedback(NOW - _DAY, NOW + 2 * _DAY)] == left
    assert len(ledger.mode_history()) == 1


def test_many_old_rows_are_deleted_in_several_steps(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cds_service.ledger.store.PAGE_ROWS", 10)
    ledger.record_feedback([feedback_entry(number) for number in range(25)])
    assert ledger.prune(NOW + _DAY).feedback == 25
    assert list(ledger.feedback(NOW - _DAY, NOW + _DAY)) == []


def test_what_is_written_for_a_try_does_not_stay(ledger: Ledger) -> None:
    ledger.try_writing()
    assert ledger.prune(datetime.now(UTC)) == Pruned(0, 0, 0)


def test_a_token_is_forgotten_when_it_has_long_expired(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    ledger.take_token("issuer", "expired", now - timedelta(minutes=61))
    ledger.take_token("issuer", "just expired", now - timedelta(minutes=59))
    assert ledger.prune(NOW).tokens == 1
    assert ledger.take_token("issuer", "just expired", now) is False
    assert ledger.take_token("issuer", "expired", now) is True
