"""One decision with its feedback, and the modes with their history, in words for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime

from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode, ModeChange
from cds_service.reporting.report_text import Words
from cds_service.reporting.summary import card_key, counts_more, version_of


def decision_text(entry: DecisionEntry, answers: Iterable[FeedbackEntry], words: Words) -> str:
    """What was recorded of one call.

    Args:
        entry: the decision.
        answers: feedback to its card; that of others, who were not shown this card, is left out.
        words: of override reasons.
    """
    lines = [
        f"Decision {entry.decision_id}, {_moment(entry.at)}",
        *(f"  {name:<12}{value}" for name, value in _facts(entry) if value),
    ]
    own = sorted(
        (answer for answer in answers if card_key(answer) == card_key(entry)), key=lambda answer: answer.received_at
    )
    if entry.card_id is not None:
        lines += ["Feedback", *(_answers(entry, own, words) if own else ["  none"])]
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


def _answers(entry: DecisionEntry, answers: Sequence[FeedbackEntry], words: Words) -> Iterator[str]:
    counting: FeedbackEntry | None = None
    for answer in answers:
        if counts_more(answer, counting):
            counting = answer
    for answer in answers:
        accepted = [entry.suggestions.get(suggestion, "a suggestion of another card") for suggestion in answer.accepted]
        parts = [answer.outcome, ", ".join(accepted)]
        if answer.outcome == "overridden":
            parts.append(words.reason(answer.reason))
        said = ": ".join(part for part in parts if part)
        comment = f" ({answer.comment})" if answer.comment else ""
        note = ", counts" if answer is counting and len(answers) > 1 else ""
        yield f"  {_moment(answer.outcome_at)}  {said}{comment}{note}"


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
