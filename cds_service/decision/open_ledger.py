"""Open the ledger that the settings name."""

from __future__ import annotations

from cds_service.ledger.store import Ledger
from cds_service.settings import Settings


def open_ledger(settings: Settings) -> Ledger:
    """The ledger of these settings: the database of `ledger_url`, else a SQLite file in the data folder.

    Nothing is connected yet; `prepare` makes or updates the tables.
    """
    if settings.ledger_url is not None:
        return Ledger(settings.ledger_url.get_secret_value())
    return Ledger.sqlite(settings.ledger_folder())
