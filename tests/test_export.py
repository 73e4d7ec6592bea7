"""The export of feedback: the columns of the regulation, one row per feedback or unanswered card, safe to open."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterable
from datetime import timedelta
from uuid import UUID

import pytest

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode
from cds_service.reporting.export import COLUMNS, Row, csv_text, json_text, rows
from tests.ledger_entries import MRI, NOON, SCAN, SERVICE, feedback_to, fired, quiet

UNTIL = NOON + timedelta(hours=12)
REASONS = {"pain-not-new": "The back pain is not new"}


def nothing(card_ids: Collection[UUID]) -> list[DecisionEntry]:
    """No card was shown before the period."""
    return []


def exported(decisions: Iterable[DecisionEntry], feedback: Iterable[FeedbackEntry] = ()) -> list[Row]:
    return list(rows(decisions, feedback, UNTIL, REASONS, nothing))


def read(decisions: Iterable[DecisionEntry], feedback: Iterable[FeedbackEntry] = ()) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(csv_text(rows(decisions, feedback, UNTIL, REASONS, nothing))))))


def test_the_columns_of_the_regulation_come_first() -> None:
    assert COLUMNS[:6] == ("intervention", "action_taken", "user_feedback", "user", "date", "location")
    assert COLUMNS[6:10] == ("card_id", "decision_id", "override_reason", "rule_version")


def test_an_accepted_card_names_the_orders_that_were_taken() -> None:
    (row,) = exported(
        [fired(1, user="pseudonym", tenant="north")], [feedback_to(1, accepted=(MRI, SCAN), tenant="north")]
    )
    assert row == Row(
        intervention=SERVICE,
        action_taken="accepted: mri-lumbar-spine, bone-scan-whole-body",
        user_feedback="",
        user="pseudonym",
        date="2026-11-22T12:01:00Z",
        location="https://ehr.example.org/north",
        card_id="00000000-0000-0000-0000-000000000001",
        decision_id="00000000-0000-0000-0000-0000000003e9",
        override_reason="",
        rule_version="1.0.0+3f2a9c1b",
        shown_at="2026-11-22T12:00:00Z",
        counts="yes",
        settings_digest="",
    )


def test_an_overridden_card_has_its_reason_in_words_and_as_a_code() -> None:
    (row,) = exported([fired(1)], [feedback_to(1, "overridden", reason="pain-not-new", comment="Since spring")])
    assert (row.action_taken, row.override_reason) == ("overridden", "pain-not-new")
    assert row.user_feedback == "The back pain is not new: Since spring"


def test_a_shown_card_without_feedback_is_a_row() -> None:
    (row,) = exported([fired(1), fired(2, mode=Mode.SILENT), quiet(3)])
    assert (row.action_taken, row.date, row.card_id[-1]) == ("no response", "2026-11-22T12:00:00Z", "1")


def test_every_feedback_is_a_row_and_only_the_last_one_counts() -> None:
    found = exported([fired(1)], [feedback_to(1, minutes=5), feedback_to(1, "overridden", minutes=2)])
    assert [(row.action_taken, row.counts) for row in found] == [
        ("accepted: mri-lumbar-spine", "yes"), ("overridden", "no")
    ]  # fmt: skip


def test_feedback_to_a_card_of_before_the_period_has_its_decision_and_the_card_no_row() -> None:
    asked: list[Collection[UUID]] = []
    earlier = [fired(7, at=NOON - timedelta(days=8), user="pseudonym"), fired(8, at=NOON - timedelta(days=8))]

    def shown(card_ids: Collection[UUID]) -> list[DecisionEntry]:
        asked.append(card_ids)
        return earlier

    first, second = rows([fired(1)], [feedback_to(7), feedback_to(1)], UNTIL, REASONS, shown)
    assert (first.user, first.action_taken) == ("pseudonym", "accepted: mri-lumbar-spine")
    assert (first.decision_id, first.shown_at) == (str(earlier[0].decision_id), "2026-11-14T12:00:00Z")
    assert second.card_id == str(UUID(int=1))
    assert asked == [{UUID(int=7)}]


def test_an_earlier_card_of_another_client_is_not_that_of_the_feedback() -> None:
    other = fired(7, client="other", user="pseudonym")
    (row,) = rows([], [feedback_to(7)], UNTIL, REASONS, lambda card_ids: [other])
    assert (row.user, row.decision_id) == ("", "")


def test_feedback_to_a_card_that_nobody_knows_has_no_decision() -> None:
    (row,) = exported([], [feedback_to(77, known=False)])
    assert (row.decision_id, row.rule_version, row.shown_at, row.action_taken) == ("", "", "", "accepted")


def test_what_arrived_after_the_period_counts_only_for_its_cards() -> None:
    late = (UNTIL - NOON) / timedelta(minutes=1)
    found = exported([fired(1)], [feedback_to(1, minutes=late + 5), feedback_to(77, minutes=late)])
    assert [row.card_id[-1] for row in found] == ["1"]
    assert len(exported([], [feedback_to(77, minutes=late - 1)])) == 1


def test_feedback_of_another_client_says_nothing_of_a_card() -> None:
    found = exported([fired(1)], [feedback_to(1, client="other")])
    assert [(row.location, row.action_taken) for row in found] == [
        ("other", "accepted"), ("https://ehr.example.org", "no response")
    ]  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_read_as_a_formula(start: str) -> None:
    (row,) = read([fired(1)], [feedback_to(1, "overridden", comment=f"{start}cmd|'/C calc'!A0")])
    assert row["user_feedback"] == f"'{start}cmd|'/C calc'!A0"


@pytest.mark.parametrize("comment", ['say "no", twice\nand again', "a=b", "ünïcode", "'quoted"])
def test_any_other_text_comes_back_from_the_csv_as_it_was(comment: str) -> None:
    (row,) = read([fired(1)], [feedback_to(1, "overridden", comment=comment)])
    assert row["user_feedback"] == comment


def test_json_is_a_list_of_objects_with_the_same_names() -> None:
    table = exported([fired(1), fired(2)], [feedback_to(1, "overridden", comment="=1+1")])
    found = json.loads("".join(json_text(table)))
    assert [list(item) for item in found] == [list(COLUMNS)] * 2
    # What is a formula to a spreadsheet is text to JSON.
    assert found[0]["user_feedback"] == "=1+1"


def test_nothing_to_export_is_still_a_table() -> None:
    assert "".join(csv_text([])).strip() == ",".join(COLUMNS)
    assert json.loads("".join(json_text([]))) == []


def test_no_patient_is_exported_not_even_as_a_pseudonym() -> None:
    entry = fired(1, patient="marked-4711", evidence={"pain": ("marked-4711",)})
    assert "marked" not in "".join(json_text(rows([entry], [feedback_to(1)], UNTIL, REASONS, nothing)))
