"""One decision with its feedback, and the modes with their history, in words for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from cds_service.ledger.card_answers import CardAnswer, card_answer
from cds_service.ledger.entries import UNANSWERED, DecisionEntry, FeedbackEntry, Mode, ModeChange
from cds_service.reporting.report_text import Words
from cds_service.reporting.summary import card_key, shown_digest, version_of


def decision_text(entry: DecisionEntry, feedback: Iterable[FeedbackEntry], words: Words) -> str:
    """What was recorded of one call.

    Args:
        entry: the decision.
        feedback: feedback to its card; that of others, who were not shown this card, is left out.
        words: of override reasons.
    """
    own = [item for item in feedback if card_key(item) == card_key(entry)]
    answer = card_answer(own)
    lines = [
        f"Decision {entry.decision_id}, {_moment(entry.at)}",
        *(f"  {name:<12}{value}" for name, value in _facts(entry) if value),
        *([f"  {'answer':<12}{_answer(entry, answer, words)}"] if entry.shown else []),
    ]
    if entry.card_id is not None:
        lines += ["Feedback", *(_feedback(entry, answer, words) if answer else ["  none"])]
    return "\n".join(lines)


def mode_lines(
    current: Sequence[ModeChange], history: Sequence[ModeChange], start: Sequence[tuple[str, str, Mode]]
) -> Iterator[str]:
    """The modes in force and how they came to be.

    Args:
        current: the last change of each pair of service and client, in the order in which they were made.
        history: all changes, in that order.
        start: service, client and mode of the settings.
    """
    yield "In force (the first line that fits a call holds)"
    for change in reversed(current):
        yield f"  {change.mode:<7}service {change.service}, client {change.client} (since {_moment(change.at)})"
    for service, client, mode in start:
        yield f"  {mode:<7}service {service}, client {client} (settings)"
    yield f"  {Mode.LIVE:<7}everything else"
    if history:
        yield "History"
    for change in history:
        yield (
            f"  {_moment(change.at)}  {change.mode:<7}service {change.service}, client {change.client},"
            f" by {change.who}: {change.why}"
        )


def _facts(entry: DecisionEntry) -> Iterator[tuple[str, str]]:
    client = f"{entry.client}, tenant {entry.tenant}" if entry.tenant else entry.client
    yield "service", entry.service
    yield "client", client
    yield "mode", str(entry.mode)
    yield "outcome", f"{entry.outcome}, {entry.reason}" + (f" ({entry.answered})" if entry.answered else "")
    yield "rule", version_of(entry)
    yield "settings", shown_digest(entry.settings_digest)
    yield "missing", ", ".join(entry.missing)
    yield "met", ", ".join(entry.met)
    yield "unknown", ", ".join(entry.unknown)
    yield "card", _card(entry)
    yield "proposed", ", ".join(entry.proposed)
    yield "cautions", ", ".join(entry.cautions)
    yield "prefetched", ", ".join(entry.prefetched)
    yield "fetched", ", ".join(entry.fetched)
    yield "took", f"{entry.milliseconds:.1f} ms"
    yield "patient", f"pseudonym {entry.patient}" if entry.patient else ""
    yield "user", f"pseudonym {entry.user}" if entry.user else ""


def _card(entry: DecisionEntry) -> str:
    if entry.card_id is None:
        return ""
    return f"{entry.card_id}, {entry.indicator}, {'shown' if entry.shown else 'not shown'}"


def _answer(entry: DecisionEntry, answer: CardAnswer | None, words: Words) -> str:
    """What became of the card, from all its messages."""
    if answer is None:
        return UNANSWERED
    what = words.reason(answer.reason) if answer.outcome == "overridden" else ", ".join(entry.taken(answer.accepted))
    return f"{answer.outcome}: {what}" if what else answer.outcome


def _feedback(entry: DecisionEntry, answer: CardAnswer, words: Words) -> Iterator[str]:
    """The messages in the order in which they arrived."""
    messages = [*answer.contradicted, *answer.messages]
    for item in sorted(messages, key=lambda item: item.received_at):
        accepted = [entry.suggestions.get(suggestion, "a suggestion of another card") for suggestion in item.accepted]
        parts = [item.outcome, ", ".join(accepted)]
        if item.outcome == "overridden":
            parts.append(words.reason(item.reason))
        said = ": ".join(part for part in parts if part)
        comment = f" ({item.comment})" if item.comment else ""
        note = ", counts" if len(messages) > 1 and any(item is counting for counting in answer.messages) else ""
        yield f"  {_moment(item.outcome_at)}  {said}{comment}{note}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
