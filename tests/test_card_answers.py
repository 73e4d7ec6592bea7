"""What became of a card that several messages tell of: one answer, and the same one wherever it is told."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import time_machine
from click.testing import CliRunner

from cds_service.app import make_app
from cds_service.cli.main import main
from cds_service.ledger.card_answers import card_answer
from cds_service.ledger.entries import FeedbackEntry
from cds_service.ledger.store import Ledger
from cds_service.reporting.control_chart import check
from cds_service.reporting.decision_text import decision_text
from cds_service.reporting.export import csv_text, rows
from cds_service.reporting.metrics import Metrics, Vocabulary
from cds_service.reporting.report_text import Words, report_text
from cds_service.reporting.summary import summarize
from cds_service.settings import make_settings
from tests.http_calls import PATIENT_VIEW, a_call
from tests.ledger_entries import MRI, NOON, ORDERS, SCAN, SERVICE, feedback_to, fired

pytest_plugins = ("tests.ledger_databases",)

SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=1)
SERVICE_NAMES = Vocabulary(hooks={SERVICE: "patient-view"})
REASONS = {"pain-not-new": "The back pain is not new"}

ACCEPT_MRI = feedback_to(1, "accepted", minutes=1, accepted=(MRI,))
ACCEPT_SCAN = feedback_to(1, "accepted", minutes=2, accepted=(SCAN,))
MRI_AGAIN = feedback_to(1, "accepted", minutes=3, accepted=(MRI,))
EARLY_OVERRIDE = feedback_to(1, "overridden", minutes=0.5, reason="pain-not-new")
OVERRIDE = feedback_to(1, "overridden", minutes=1.5, reason="pain-not-new")
LATE_OVERRIDE = feedback_to(1, "overridden", minutes=4, reason="pain-not-new")
BARE_OVERRIDE = feedback_to(1, "overridden", minutes=5)

# What was said, in the order in which it was given; and what became of the card: outcome, orders, reason.
STORIES: dict[str, tuple[Sequence[FeedbackEntry], tuple[str, tuple[str, ...], str]]] = {
    "nothing": ((), ("unanswered", (), "")),
    "one": ((ACCEPT_MRI,), ("accepted", (MRI,), "")),
    "one by one": ((ACCEPT_MRI, ACCEPT_SCAN), ("accepted", (MRI, SCAN), "")),
    "and again": ((ACCEPT_MRI, ACCEPT_SCAN, MRI_AGAIN), ("accepted", (MRI, SCAN), "")),
    "overridden, then accepted": ((EARLY_OVERRIDE, ACCEPT_MRI, ACCEPT_SCAN), ("accepted", (MRI, SCAN), "")),
    "accepted, then overridden": ((ACCEPT_MRI, ACCEPT_SCAN, LATE_OVERRIDE), ("overridden", (), "pain-not-new")),
    "back and forth": ((ACCEPT_MRI, OVERRIDE, ACCEPT_SCAN), ("accepted", (SCAN,), "")),
    "overridden twice": ((LATE_OVERRIDE, BARE_OVERRIDE), ("overridden", (), "pain-not-new")),
}
CASES = [
    pytest.param(order, became, id=f"{name} {number}")
    for name, (said, became) in STORIES.items()
    for number, order in enumerate(itertools.permutations(said))
]


def _arrived(order: Sequence[FeedbackEntry]) -> list[FeedbackEntry]:
    """Each message a minute after the one before it, later than any of them was given."""
    return [
        replace(entry, received_at=NOON + timedelta(minutes=10 + place), place=0) for place, entry in enumerate(order)
    ]


# Decision 8.4.
@pytest.mark.parametrize(("order", "became"), CASES)
def test_every_view_tells_the_same_of_a_card_in_whatever_order_its_messages_arrive(
    ledger: Ledger, order: Sequence[FeedbackEntry], became: tuple[str, tuple[str, ...], str]
) -> None:
    outcome, suggestions, reason = became
    taken = [ORDERS[suggestion] for suggestion in suggestions]
    card = fired(1, patient="pseudonym")
    metrics = Metrics("1.0.0+3f2a9c1b", SERVICE_NAMES)
    ledger.record_decision(card)
    for entry in _arrived(order):
        # Each is sent again, as a client does that heard no answer.
        for receipt in (ledger.record_feedback([entry]), ledger.record_feedback([entry])):
            for change in receipt.changes:
                metrics.card_answered(change)

    report = summarize(ledger.decisions(SINCE, UNTIL), ledger.feedback(SINCE, UNTIL), SINCE, UNTIL)
    counts = {"accepted": report.accepted, "overridden": report.overridden, "unanswered": report.unanswered}
    assert {name for name, count in counts.items() if count} == {outcome}
    assert sum(counts.values()) == report.shown == 1
    assert sorted(item.slug for item in report.orders if item.accepted) == sorted(taken)
    assert report.overrides == (((reason, 1),) if outcome == "overridden" else ())
    answers = f"{counts['accepted']}, {counts['overridden']}, {counts['unanswered']}"
    assert re.search(rf"Accepted, overridden, unanswered +{answers}\n", report_text(report, Words(REASONS)))

    table = rows(ledger.decisions(SINCE, UNTIL), ledger.feedback(SINCE, UNTIL), UNTIL, REASONS, ledger.shown)
    (row,) = (row for row in csv.DictReader(io.StringIO("".join(csv_text(table)))) if row["counts"] == "yes")
    said = {"unanswered": "no response", "accepted": f"accepted: {', '.join(taken)}", "overridden": "overridden"}
    assert (row["action_taken"], row["override_reason"]) == (said[outcome], reason)

    told = decision_text(card, ledger.card_feedback(UUID(int=1)), Words(REASONS))
    words = {"unanswered": "", "accepted": f": {', '.join(taken)}", "overridden": ": The back pain is not new"}
    assert f"  answer      {outcome}{words[outcome]}\n" in told

    assert _answered(metrics, "accepted") == counts["accepted"]
    assert _answered(metrics, "overridden") == counts["overridden"]

    # The control chart counts calls that fired; an answer changes none of them.
    (verdict,) = check(ledger.decisions(SINCE, UNTIL), UNTIL, 1, 1)
    assert (report.fired, verdict.in_band) == (1, True)

    remembered = ledger.earlier_feedback(card.client, card.tenant, "pseudonym", None)
    assert [(item.outcome, item.reason) for item in remembered] == ([(outcome, reason)] if order else [])


def _answered(metrics: Metrics, outcome: str) -> float:
    """Cards whose answer is this one: those that came to it, less those that left it."""
    text = metrics.exposition()[0].decode()
    samples = re.findall(r'cds_card_answers_total\{after="(.+)",before="(.+)",.*\} (.+)', text)
    return float(sum(float(count) * ((after == outcome) - (before == outcome)) for after, before, count in samples))


def test_the_rows_of_an_answer_in_parts_count_once_and_what_was_taken_back_does_not(ledger: Ledger) -> None:
    ledger.record_decision(fired(1))
    ledger.record_feedback([EARLY_OVERRIDE, ACCEPT_MRI, ACCEPT_SCAN])
    table = rows([fired(1)], ledger.feedback(SINCE, UNTIL), UNTIL, REASONS, ledger.shown)
    assert [(row.action_taken, row.counts) for row in table] == [
        ("overridden", "no"),
        ("accepted: mri-lumbar-spine", "part"),
        ("accepted: mri-lumbar-spine, bone-scan-whole-body", "yes"),
    ]


def test_of_messages_without_a_time_the_place_in_their_batch_tells_which_came_later(ledger: Ledger) -> None:
    ledger.record_decision(fired(1))
    same: dict[str, Any] = {"outcome_at": NOON, "received_at": NOON}
    ledger.record_decision(fired(2))
    for number, outcomes in ((1, ("overridden", "accepted")), (2, ("accepted", "overridden"))):
        ledger.record_feedback([feedback_to(number, outcome, **same) for outcome in outcomes])
    report = summarize(ledger.decisions(SINCE, UNTIL), ledger.feedback(SINCE, UNTIL), SINCE, UNTIL)
    assert (report.accepted, report.overridden) == (1, 1)
    for number, outcome in ((1, "accepted"), (2, "overridden")):
        answer = card_answer(ledger.card_feedback(UUID(int=number)))
        assert answer is not None and answer.outcome == outcome


def test_words_without_a_time_that_come_after_a_contradiction_are_no_repeat_of_earlier_ones(ledger: Ledger) -> None:
    ledger.record_decision(fired(1))
    for minutes, outcome in enumerate(["accepted", "accepted", "overridden", "accepted", "accepted"]):
        ledger.record_feedback([feedback_to(1, outcome, minutes=minutes)])
    said = ledger.card_feedback(UUID(int=1))
    assert [entry.outcome for entry in said] == ["accepted", "overridden", "accepted"]
    answer = card_answer(said)
    assert answer is not None and answer.outcome == "accepted"


def test_the_answers_to_two_cards_of_one_batch_are_two_changes(ledger: Ledger) -> None:
    ledger.record_decision(fired(1))
    ledger.record_decision(fired(2))
    receipt = ledger.record_feedback([feedback_to(1), feedback_to(2, "overridden"), feedback_to(1, accepted=(SCAN,))])
    assert sorted((change.before, change.after) for change in receipt.changes) == [
        ("unanswered", "accepted"),
        ("unanswered", "overridden"),
    ]


def test_feedback_to_a_card_that_nobody_knows_changes_no_answer(ledger: Ledger) -> None:
    assert ledger.record_feedback([feedback_to(77)]).changes == ()


def test_the_time_to_answer_ends_with_the_first_suggestion_that_was_taken() -> None:
    report = summarize([fired(1)], [ACCEPT_MRI, ACCEPT_SCAN, MRI_AGAIN], SINCE, UNTIL)
    assert report.median_feedback_seconds == 60


def test_an_override_holds_from_the_message_that_names_its_reason(ledger: Ledger) -> None:
    card = fired(1, patient="pseudonym")
    ledger.record_decision(card)
    ledger.record_feedback([LATE_OVERRIDE, BARE_OVERRIDE])
    (item,) = ledger.earlier_feedback(card.client, "", "pseudonym", None)
    assert (item.reason, item.given_at) == ("pain-not-new", NOON + timedelta(minutes=4))


def test_feedback_that_is_sent_one_suggestion_at_a_time_is_one_accepted_card_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = iter(NOON + timedelta(minutes=number) for number in range(9))
    app = make_app(make_settings({"data_folder": str(tmp_path)}), lambda: next(moments)).test_client()
    address = f"/cds-services/{PATIENT_VIEW}"
    answered = app.post(address, json=a_call())
    (card,) = answered.get_json()["cards"]
    first, second = (suggestion["uuid"] for suggestion in card["suggestions"][:2])
    for suggestion in (first, second, first):
        entry = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": suggestion}]}
        assert app.post(f"{address}/feedback", json={"feedback": [entry]}).status_code == 200
    counted = re.findall(r"^cds_card_answers_total.*$", app.get("/metrics").get_data(as_text=True), re.MULTILINE)
    service = f'service="{PATIENT_VIEW}"'
    assert counted == [f'cds_card_answers_total{{after="accepted",before="unanswered",{service}}} 1.0']

    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path))
    period = ["--since", "2026-11-22", "--until", "2026-11-22"]
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        text = CliRunner().invoke(main, ["report", *period, "--no-html"]).output
        export = CliRunner().invoke(main, ["report", *period, "--format", "csv"]).output
        told = CliRunner().invoke(main, ["decision", answered.headers["X-Decision-Id"]]).output
    assert re.search(r"Accepted, overridden, unanswered +1, 0, 0\n", text)
    (action,) = (row["action_taken"] for row in csv.DictReader(io.StringIO(export)) if row["counts"] == "yes")
    assert action.count(", ") == 1
    assert f"  answer      {action}\n" in told
    # Sent again without a time, the first is a repeat.
    assert told.count("counts") == 2
