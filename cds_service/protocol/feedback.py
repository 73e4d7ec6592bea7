"""Read feedback: what became of the cards that were shown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from cds_service.protocol.validation import checked


@dataclass(frozen=True)
class Feedback:
    """The outcome of one card.

    accepted holds the uuids of the accepted suggestions, reason_code and reason_system the first reason for an
    override, reason_codes all of them (some EHRs send a list). comment is free text by a person and may identify a
    patient, hence not in the repr. timestamp has a time zone; it is None if the client sent none that can be read.
    """

    card: str
    outcome: str
    accepted: tuple[str, ...] = ()
    reason_code: str | None = None
    reason_codes: tuple[str, ...] = ()
    reason_system: str | None = None
    comment: str | None = field(repr=False, default=None)
    timestamp: datetime | None = None


def read_feedback(document: object) -> tuple[Feedback, ...]:
    """Return the entries of a decoded feedback body in their order, repetitions included.

    Raises InvalidRequest, naming the field, where the list, a card or an outcome is missing or wrong.
    Anything else that is not well formed counts as not sent.
    """
    return tuple(_entry(entry) for entry in checked("feedback", document)["feedback"])


def _entry(entry: dict[str, Any]) -> Feedback:
    overrides = tuple(_overrides(entry))
    reasons = [reason for reason in map(_reason, overrides) if reason != (None, None)]
    comments = [comment for override in overrides if (comment := _text(override.get("userComment")))]
    code, system = reasons[0] if reasons else (None, None)
    return Feedback(
        card=entry["card"],
        outcome=entry["outcome"],
        accepted=tuple(_accepted(entry.get("acceptedSuggestions"))),
        reason_code=code,
        reason_codes=tuple(code for code, _ in reasons if code is not None),
        reason_system=system,
        comment=comments[0] if comments else None,
        timestamp=_timestamp(entry.get("outcomeTimestamp")),
    )


def _overrides(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the override objects: one by the specification, one or a list under the plural name (Epic)."""
    for name in ("overrideReason", "overrideReasons"):
        value = entry.get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield item


def _reason(override: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return code and system; system is often left out, a system without a code says nothing.

    Where there is no `reason`, the override may be the Coding itself, as it stands on the card.
    """
    reason = override.get("reason", override)
    if not isinstance(reason, dict) or not (code := _text(reason.get("code"))):
        return None, None
    return code, _text(reason.get("system"))


def _accepted(value: object) -> Iterator[str]:
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict) and (identifier := _text(item.get("id"))):
            yield identifier


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _timestamp(value: object) -> datetime | None:
    """Read an RFC 3339 time; one without a zone is UTC, which is what the specification asks for."""
    try:
        time = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time
