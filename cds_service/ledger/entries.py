"""What the ledger holds, as plain values: decisions, feedback, and changes of mode.

Nothing here names a patient or a user but by a keyed pseudonym, and nothing holds a date or a code of a chart but
in a keyed fingerprint. All moments are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

# Feedback that names a reason which is none of ours nor mapped to one: its code could be anything, and is not kept.
UNLISTED = "unlisted"

# What became of a card to which no feedback came.
UNANSWERED = "unanswered"

# In a mode change: every service, or every client.
EVERY = "*"

# The client of a service that has no trusted clients.
ANONYMOUS = "anonymous"


class Mode(StrEnum):
    """What a service does for a client: answer, evaluate and record without showing anything, or nothing at all."""

    LIVE = "live"
    SILENT = "silent"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One call of a service and what it was told.

    Attributes:
        decision_id: the id in the answer's header; a retry of the same call has the same one.
        at: when the call came.
        client, tenant: the trusted issuer (or `anonymous`) and its tenant, where there is one.
        mode: the mode in which the call was answered; in `silent` the card was not sent.
        outcome, reason: of the assessment; `failed` and an error's name where there was none, `off` where not asked.
        answered: the override reason that keeps the card away, for the reason `answered-earlier`.
        indicator: of the card, empty without one.
        met, unknown: ids of the criteria that were met, and of those that could not be answered.
        card_id: of the card, if there is one: the rule fired, or the site wants one for an answer that is left open.
        suggestions: what each suggestion of the card proposes (an order's slug, or `remove`), by its uuid.
        proposed: slugs of the proposed orders, the first one first.
        cautions: ids of the cautions that were raised.
        milliseconds: time from the body to the answer.
        prefetched, fetched: prefetch keys that came with the call, and those that were read from the FHIR server.
        patient, user: keyed pseudonyms, empty where no key is set.
        not_understood: entries by prefetch key and code system that were not understood; beside the
            systems, what else makes a silence worth less (`Understanding.besides`).
        missing: prefetch keys without which nothing could be concluded, for the outcome `undetermined`.
        settings_digest: SHA-256 of the settings that can change an answer, as they were in force for the client; empty
            in rows of earlier versions.
        evidence: keyed fingerprints of the findings by kind (`pain`, `red-flag`, `cancer`), empty without a key.
    """

    decision_id: UUID
    at: datetime
    client: str
    service: str
    hook: str
    mode: Mode
    outcome: str
    reason: str
    rule_version: str
    content_digest: str
    milliseconds: float
    tenant: str = ""
    answered: str = ""
    indicator: str = ""
    met: Sequence[str] = ()
    unknown: Sequence[str] = ()
    card_id: UUID | None = None
    suggestions: Mapping[str, str] = field(default_factory=dict)
    proposed: Sequence[str] = ()
    cautions: Sequence[str] = ()
    prefetched: Sequence[str] = ()
    fetched: Sequence[str] = ()
    patient: str = ""
    user: str = ""
    evidence: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_understood: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    missing: Sequence[str] = ()
    settings_digest: str = ""

    @property
    def shown(self) -> bool:
        """Whether a card was sent."""
        return self.card_id is not None and self.mode is Mode.LIVE

    def taken(self, accepted: Iterable[str]) -> tuple[str, ...]:
        """What the accepted suggestions of the card propose, in the order of the card; those of others are left out."""
        uuids = {text.lower() for text in accepted}
        return tuple(slug for suggestion, slug in self.suggestions.items() if suggestion.lower() in uuids)


@dataclass(frozen=True, slots=True)
class FeedbackEntry:
    """What became of one card, as a client said it once.

    Attributes:
        card_id: of the card; where the client sent something that is no UUID, one derived from it.
        outcome: `accepted` or `overridden`.
        accepted: uuids of the accepted suggestions.
        reason: the code of the override reason, `unlisted` for one that nobody knows, empty for none.
        comment: free text, where the settings allow it to be kept.
        outcome_at: when the user answered, as the client says; where it does not, when it arrived.
        received_at: when it arrived.
        known: whether this client was shown this card by this service; the ledger sets it.
        place: in its batch; the ledger sets it.
    """

    client: str
    service: str
    card_id: UUID
    outcome: str
    outcome_at: datetime
    received_at: datetime
    tenant: str = ""
    accepted: Sequence[str] = ()
    reason: str = ""
    comment: str | None = field(default=None, repr=False)
    known: bool = False
    place: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class AnswerChange:
    """A card of a service whose answer is another since a batch of feedback.

    `before` and `after` are `accepted` or `overridden`; `before` is `unanswered` where nothing was said yet.
    """

    service: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch of feedback.

    Entries that are new, that were there already, and of no known card; and the known cards whose answer changed.
    """

    stored: int
    repeated: int
    unknown: int
    changes: Sequence[AnswerChange] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class EarlierFeedback:
    """The answer to a card about a patient that counts: what was answered, when, and on which evidence.

    `card_reason` is the reason code of that card's decision. `given_at` is the client's time; where that lies before
    the card, the time of arrival.
    """

    outcome: str
    reason: str
    given_at: datetime
    card_reason: str
    evidence: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class ModeChange:
    """Who set which mode for a service and a client (either may be `*`, for every one), when, and why."""

    at: datetime
    service: str
    client: str
    mode: Mode
    who: str
    why: str
