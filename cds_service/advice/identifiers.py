"""The ids of a card and of its suggestions, derived from the decision: a retry of a call shows the same ones."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid5

# Response and ledger ask for the same ids, one after the other: those of the calls under way are remembered.
_REMEMBERED = 1024


@lru_cache(_REMEMBERED)
def card_id_of(decision_id: UUID) -> UUID:
    """The `uuid` of the card of a decision."""
    return uuid5(decision_id, "card")


@lru_cache(_REMEMBERED)
def suggestion_id_of(card_id: UUID, proposal: str) -> UUID:
    """The `uuid` of one suggestion of a card.

    Args:
        proposal: the slug of the order that it creates, or the reference of the draft that it removes.
    """
    return uuid5(card_id, proposal)
