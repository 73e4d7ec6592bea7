"""Open the ledger that the settings name, and what is read from it for all calls: the modes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from cds_service.decision.mode_changes import mode_events, pairs_of
from cds_service.ledger.entries import ModeChange
from cds_service.ledger.modes import Modes, ModeSource
from cds_service.ledger.store import Ledger
from cds_service.settings import Settings

_log = logging.getLogger(__name__)


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of these settings: the database of `ledger_url`, else a SQLite file in the data folder.

    Nothing is connected yet; `prepare` makes or updates the tables.
    """
    if settings.ledger_url is not None:
        return Ledger(settings.ledger_url.get_secret_value())
    return Ledger.sqlite(settings.ledger_folder())


def modes_of(settings: Settings, read: ModeSource, failed: Callable[[Exception], None], log: bool = False) -> Modes:
    """The modes in force: those of the ledger over those of the settings, and the last known ones while it is down.

    Args:
        read: reads the changes from the ledger; where it raises, `failed` is called with the error.
        log: whether a line says when a mode becomes another one.
    """
    start = {(rule.service, rule.client): rule.mode for rule in settings.modes}

    def changed(before: Sequence[ModeChange], after: Sequence[ModeChange]) -> None:
        for fields in mode_events(pairs_of(settings), start, before, after):
            _log.warning("mode changed", extra={"fields": fields})

    return Modes(start, read, failed, settings.ledger_folder() / "modes.json", changed=changed if log else None)
