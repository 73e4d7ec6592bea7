"""Feedback as a table for others, as 45 CFR 170.315(b)(11)(ii)(C) names its columns, in CSV or JSON.

One row for each entry of feedback that was kept, and one for each shown card that got none. Of several entries about a
card, the row of the one that was given last holds the whole answer, so that each card counts once. The six columns of
the regulation come first: intervention, action taken, user feedback, user, date, location. The user is the keyed
pseudonym that was stored, the location the client and its tenant: nothing here names a patient or a person.

The card of some feedback may have been shown before the period; its decision is then looked up by the card, so that the
row has its user, orders and version. Such a card is in no row of its own.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from uuid import UUID

import orjson

from cds_service.ledger.card_answers import CardAnswer
from cds_service.ledger.entries import DecisionEntry, FeedbackEntry
from cds_service.reporting.summary import CardKey, answers_by_card, card_key, version_of

NO_RESPONSE = "no response"

# With one of these in front, a spreadsheet reads a cell as a formula (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; the names are those of the columns.

    Attributes:
        intervention: id of the service that showed the card.
        action_taken: `accepted` with all orders that were taken, `overridden`, or `no response`.
        user_feedback: the override reason in words, and the comment where one is kept.
        user: the keyed pseudonym, empty where no key is set.
        date: of the feedback, without any of the card (UTC).
        location: the client, and its tenant where it has one.
        counts: `yes` for one row of each card, which holds its answer; `part` where that row holds it as well (an order
            that was taken before another one); `no` where later feedback contradicts it.
        settings_digest: of the settings that the card was made with, empty in rows of earlier versions.
    """

    intervention: str
    action_taken: str
    user_feedback: str
    user: str
    date: str
    location: str
    card_id: str
    decision_id: str
    override_reason: str
    rule_version: str
    shown_at: str
    counts: str
    settings_digest: str


COLUMNS = tuple(field.name for field in fields(Row))


def rows(
    decisions: Iterable[DecisionEntry],
    feedback: Iterable[FeedbackEntry],
    until: datetime,
    reasons: Mapping[str, str],
    shown: Callable[[Collection[UUID]], Iterable[DecisionEntry]],
) -> Iterator[Row]:
    """The rows of a period: feedback in the order in which it arrived, then cards without any.

    Args:
        decisions: of the period.
        feedback: from the beginning of the period to now; what came after `until` counts only for cards of the period.
        until: the end of the period, with a time zone.
        reasons: the words of each override reason by its code.
        shown: finds the decisions that showed some cards, whenever that was.
    """
    cards = {key: entry for entry in decisions if entry.shown and (key := card_key(entry))}
    entries: list[tuple[CardKey, FeedbackEntry]] = []
    for entry in feedback:
        key = card_key(entry)
        if key is not None and (key in cards or entry.received_at < until):
            entries.append((key, entry))
    answers = answers_by_card(entry for _, entry in entries)
    before = shown({entry.card_id for key, entry in entries if key not in cards})
    earlier = {key: entry for entry in before if entry.shown and (key := card_key(entry))}
    for key, entry in entries:
        yield _with_feedback(entry, cards.get(key) or earlier.get(key), answers[key], reasons)
    for key, card in cards.items():
        if key not in answers:
            yield _without_feedback(card)


def csv_text(table: Iterable[Row]) -> Iterator[str]:
    """The rows as CSV (RFC 4180), a line at a time; no cell is read as a formula by a spreadsheet."""
    yield _line(COLUMNS)
    for row in table:
        yield _line(asdict(row).values())


def json_text(table: Iterable[Row]) -> Iterator[str]:
    """The rows as a JSON list of objects with the names of the columns, a row at a time."""
    before = "["
    for row in table:
        yield f"{before}\n  {orjson.dumps(row).decode()}"
        before = ","
    yield "[]\n" if before == "[" else "\n]\n"


def _with_feedback(
    entry: FeedbackEntry, card: DecisionEntry | None, answer: CardAnswer, reasons: Mapping[str, str]
) -> Row:
    whole = entry is answer.last
    reason = answer.reason if whole else entry.reason
    comment = answer.comment if whole else entry.comment
    words = (reasons.get(reason, reason), comment or "")
    return Row(
        intervention=entry.service,
        action_taken=_action(entry.outcome, answer.accepted if whole else entry.accepted, card),
        user_feedback=": ".join(word for word in words if word),
        user=card.user if card else "",
        date=_moment(entry.outcome_at),
        location=_location(entry),
        card_id=str(entry.card_id),
        decision_id=str(card.decision_id) if card else "",
        override_reason=reason,
        rule_version=version_of(card) if card else "",
        shown_at=_moment(card.at) if card else "",
        settings_digest=card.settings_digest if card else "",
        counts="yes" if whole else "part" if any(entry is item for item in answer.messages) else "no",
    )


def _without_feedback(card: DecisionEntry) -> Row:
    return Row(
        intervention=card.service,
        action_taken=NO_RESPONSE,
        user_feedback="",
        user=card.user,
        date=_moment(card.at),
        location=_location(card),
        card_id=str(card.card_id),
        decision_id=str(card.decision_id),
        override_reason="",
        rule_version=version_of(card),
        shown_at=_moment(card.at),
        counts="yes",
        settings_digest=card.settings_digest,
    )


def _action(outcome: str, accepted: Sequence[str], card: DecisionEntry | None) -> str:
    taken = card.taken(accepted) if card else ()
    return f"{outcome}: {', '.join(taken)}" if outcome == "accepted" and taken else outcome


def _location(entry: DecisionEntry | FeedbackEntry) -> str:
    return f"{entry.client}/{entry.tenant}" if entry.tenant else entry.client


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _line(cells: Iterable[str]) -> str:
    text = io.StringIO()
    csv.writer(text).writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    return text.getvalue()
