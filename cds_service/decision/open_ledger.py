"""Open the ledger that the settings name, and what is read from it for all calls: the modes."""

from __future__ import annotations

from collections.abc import Callable

from cds_service.ledger.modes import Modes, ModeSource
from cds_service.ledger.store import Ledger
from cds_service.settings import Settings


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of these settings: the database of `ledger_url`, else a SQLite file in the data folder.

    Nothing is connected yet; `prepare` makes or updates the tables.
    """
    if settings.ledger_url is not None:
        return Ledger(settings.ledger_url.get_secret_value())
    return Ledger.sqlite(settings.ledger_folder())


def modes_of(settings: Settings, read: ModeSource, failed: Callable[[Exception], None]) -> Modes:
    """The modes in force: those of the ledger over those of the settings, and the last known ones while it is down.

    Args:
        read: reads the changes from the ledger; where it raises, `failed` is called with the error.
    """
    start = {(rule.service, rule.client): rule.mode for rule in settings.modes}
    return Modes(start, read, failed, settings.ledger_folder() / "modes.json")
