"""Run the chaos: `python -m tests.chaos`; CHAOS_SECONDS bounds it, CHAOS_WRITE=1 writes docs/reliability.md."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.chaos.campaign import Campaign, ending, run_campaign
from tests.chaos.disruption import DatabaseUnderTest
from tests.chaos.page import chaos_text, write
from tests.chaos.postgresql_under_test import postgresql_under_test
from tests.chaos.sqlite_under_test import sqlite_under_test
from tests.chaos.verdict import complaints

# Beyond the time that is asked for: to start and to stop, to end what was begun, and to read the ledgers.
_MORE_SECONDS = 240.0


def main() -> int:
    """Half of the time with each database; the exit status is 1 where something did not hold."""
    seconds = float(os.environ.get("CHAOS_SECONDS", "300"))
    with ending(seconds + _MORE_SECONDS), tempfile.TemporaryDirectory(prefix="cds-chaos-") as name:
        found, text = _run(Path(name), seconds / 2)
    print(text)
    if os.environ.get("CHAOS_WRITE"):
        write("chaos", text)
    return 1 if found else 0


def _run(folder: Path, seconds: float) -> tuple[list[str], str]:
    """What did not hold, and all figures; read while the databases are there."""
    campaigns: list[Campaign] = []
    with sqlite_under_test(folder) as sqlite, postgresql_under_test() as postgresql:
        databases: tuple[DatabaseUnderTest, ...] = (sqlite, postgresql)
        for number, database in enumerate(databases):
            print(f"{database.name}: calls for {seconds:.0f} s …", file=sys.stderr, flush=True)
            own = folder / str(number)
            own.mkdir()
            campaigns.append(run_campaign(database, own, seconds))
        return [each for campaign in campaigns for each in complaints(campaign)], chaos_text(campaigns)


if __name__ == "__main__":
    sys.exit(main())
