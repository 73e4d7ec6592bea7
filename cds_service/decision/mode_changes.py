"""What the log says when modes change: for whom, from what, to what, and who did it.

Why it was done stands in the ledger; as free text it might name a patient, and is not logged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cds_service.clinical.registry import service_ids
from cds_service.ledger.entries import ANONYMOUS, Mode, ModeChange
from cds_service.ledger.modes import change_in_force, mode_in_force
from cds_service.settings import Settings

# Service and client.
Pair = tuple[str, str]


def pairs_of(settings: Settings) -> list[Pair]:
    """Every service with every client that can call it."""
    clients = [client.issuer for client in settings.clients] or [ANONYMOUS]
    return [(service, client) for service in service_ids() for client in clients]


def mode_events(
    pairs: Iterable[Pair], start: Mapping[Pair, Mode], before: Sequence[ModeChange], after: Sequence[ModeChange]
) -> Iterator[dict[str, Any]]:
    """The fields of each line, where the mode in force became another one.

    Args:
        pairs: those that can be called.
        start: the modes of the settings.
        before, after: the changes that the ledger held and holds, the last one first.
    """
    changed: dict[tuple[ModeChange | None, Mode, Mode], list[Pair]] = {}
    for pair in pairs:
        old, new = mode_in_force(before, start, *pair), mode_in_force(after, start, *pair)
        if old is not new:
            changed.setdefault((change_in_force(after, *pair), old, new), []).append(pair)
    for (change, old, new), concerned in changed.items():
        yield {
            "service": change.service if change else _listed(service for service, _ in concerned),
            "client": change.client if change else _listed(client for _, client in concerned),
            "from": old.value,
            "to": new.value,
            # Nobody: the rows that said otherwise are gone, as after a restored backup.
            "by": change.who if change else None,
            "changed_at": change.at.isoformat() if change else None,
        }


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(set(names)))
