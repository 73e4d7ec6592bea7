"""The ids of a card and of its suggestions, derived from the decision: a retry of a call shows the same ones."""

from __future__ import annotations

from uuid import UUID, uuid5


def card_id_of(decision_id: UUID) -> UUID:
    """The `uuid` of the card of a decision."""
    return uuid5(decision_id, "card")


def suggestion_id_of(card_id: UUID, proposal: str) -> UUID:
    """The `uuid` of one suggestion of a card.

    Args:
        proposal: the slug of the order that it creates, or the reference of the draft that it removes.
    """
    return uuid5(card_id, proposal)
