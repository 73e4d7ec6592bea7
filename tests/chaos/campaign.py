"""One service on one database, disturbed in turn for some time, while it is called."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

from cds_service.ledger.entries import EVERY, Mode, ModeChange
from cds_service.ledger.store import Ledger
from tests.chaos.disruption import DatabaseUnderTest, Disruption
from tests.chaos.traffic import FEEDBACK_KIND, Record, Traffic
from tests.real_server import RealServer
from tests.server_calls import comes_true

WORKERS = 2

# A worker that ends twice within five seconds is given a pause (`OrderlyServer`), which is another case.
_BETWEEN_KILLS_SECONDS = 6.0

# After a disturbance feedback must be stored again by itself. A pool waits for up to five seconds until it tries again.
RECOVERY_SECONDS = 30.0

# The time of one call in this service, the default.
CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Step:
    """One disturbance.

    Attributes:
        began, ended: when something was wrong (`time.monotonic`).
        recovered: seconds from its end until feedback was stored again; None where it never was.
        killed: whether a worker was killed meanwhile.
    """

    name: str
    began: float
    ended: float
    recovered: float | None
    killed: bool


@dataclass(slots=True)
class Campaign:
    """What happened.

    Attributes:
        kills: when a worker was killed (`time.monotonic`).
        ended: the exit statuses of the workers that ended, and were started again.
        switched: changes of mode.
        status: the exit status of the service that was told to stop in the end.
    """

    database: DatabaseUnderTest
    seconds: float = 0.0
    record: Record = field(default_factory=Record)
    steps: list[Step] = field(default_factory=list)
    kills: list[float] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    switched: int = 0
    status: int | None = None
    errors: str = ""


def run_campaign(
    database: DatabaseUnderTest, folder: Path, seconds: float, hold: float = 6.0, only: Collection[str] = ()
) -> Campaign:
    """Disturb the database in every way, in turn, until the time is over; each way at least once.

    Args:
        folder: for the service.
        hold: how long each disturbance lasts.
        only: names of disturbances, where not all are wanted.
    """
    campaign = Campaign(database)
    begun = time.monotonic()
    service = RealServer(folder, WORKERS, calls_per_minute=10**6, call_seconds=CALL_SECONDS, **database.settings)
    try:
        with Traffic(service.port) as traffic:
            campaign.record = traffic.record
            assert comes_true(lambda: bool(campaign.record.acknowledged))
            chosen = [each for each in database.disruptions() if not only or each.name in only]
            _disturb(campaign, service, chosen, begun + seconds, hold)
            time.sleep(1.0)
        service.tell_to_stop()
        campaign.status = service.exit_status()
    finally:
        service.kill()
        campaign.seconds = time.monotonic() - begun
        campaign.errors = service.errors()
        ended = (event for event in service.events() if event["event"] == "a worker ended unexpectedly")
        campaign.ended = [event["exit_status"] for event in ended]
    return campaign


def _disturb(
    campaign: Campaign, service: RealServer, disruptions: Sequence[Disruption], until: float, hold: float
) -> None:
    modes = cycle([Mode.SILENT, Mode.OFF, Mode.LIVE])
    for number, disruption in enumerate(cycle(disruptions)):
        if number >= len(disruptions) and time.monotonic() > until:
            break
        # In every second round another half of them, for there may be an even number.
        kill = (number + number // len(disruptions)) % 2 == 0
        campaign.steps.append(_step(campaign, service, disruption, hold, kill))
        _kill_workers(campaign, service, 2 if number % 3 == 2 else 1)
        _switch(campaign, next(modes))
        time.sleep(hold / 3)
    _switch(campaign, Mode.LIVE)


def _step(campaign: Campaign, service: RealServer, disruption: Disruption, hold: float, kill: bool) -> Step:
    """One disturbance, in the middle of which a worker may be killed: its successor starts without a ledger."""
    with disruption.during():
        began = time.monotonic()
        time.sleep(hold / 3)
        if kill:
            _kill_workers(campaign, service, 1)
        time.sleep(hold * 2 / 3)
        ended = time.monotonic()
    recovered = _recovered(campaign.record)
    return Step(disruption.name, began, ended, recovered, kill)


def _recovered(record: Record) -> float | None:
    """Seconds until feedback that was sent from now on is stored."""
    now = time.monotonic()
    counted = len(record.answers)

    def is_stored() -> bool:
        later = record.answers[counted:]
        return any(each.kind == FEEDBACK_KIND and each.began > now and each.status == 200 for each in later)

    return time.monotonic() - now if comes_true(is_stored, RECOVERY_SECONDS) else None


def _kill_workers(campaign: Campaign, service: RealServer, count: int) -> None:
    """Kill so many workers at once, unless the last ones were killed a moment ago."""
    if campaign.kills and time.monotonic() - campaign.kills[-1] < _BETWEEN_KILLS_SECONDS:
        return
    # One stays: whoever kills all of them finds nobody to answer.
    for pid in service.workers()[: min(count, WORKERS - 1)]:
        os.kill(pid, signal.SIGKILL)
        campaign.kills.append(time.monotonic())


def _switch(campaign: Campaign, mode: Mode) -> None:
    with closing(Ledger(campaign.database.places.now)) as ledger:
        ledger.set_mode(ModeChange(datetime.now(UTC), EVERY, EVERY, mode, "chaos", "to see it"))
    campaign.switched += 1


@contextmanager
def ending(seconds: float) -> Iterator[None]:
    """End this process where a campaign does not end by itself: whatever hangs must not hang for ever."""
    timer = threading.Timer(seconds, lambda: os._exit(3))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
