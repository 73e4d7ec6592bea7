"""The chaos and the soak find what does not hold, and run: a short form of each. The long ones are for `make`."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from cds_service.ledger.store import Ledger
from tests.chaos.campaign import RECOVERY_SECONDS, Campaign, Step, run_campaign
from tests.chaos.disruption import Places, Swap
from tests.chaos.page import chaos_text, write
from tests.chaos.postgresql_under_test import postgresql_under_test
from tests.chaos.soak import LOOKS, WARM, Look, Soak, run_soak, soak_text
from tests.chaos.soak import complaints as soak_complaints
from tests.chaos.sqlite_under_test import SqliteUnderTest, sqlite_under_test
from tests.chaos.traffic import LOST, Acknowledged, Answer
from tests.chaos.verdict import complaints, lost_feedback
from tests.ledger_rows import feedback_entry
from tests.skips import NO_POSTGRESQL


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """One in which nothing was asked, and everything held."""
    database = SqliteUnderTest(tmp_path, can_be_filled=False)
    with closing(Ledger(database.places.now)) as ledger:
        ledger.prepare()
    return Campaign(database, status=0)


def told(campaign: Campaign) -> list[str]:
    return list(complaints(campaign))


def stored(url: str, *cards: UUID) -> None:
    with closing(Ledger(url)) as ledger:
        ledger.prepare()
        ledger.record_feedback([feedback_entry(card_id=card) for card in cards])


def answered(campaign: Campaign, kind: str, status: int, seconds: float = 0.1, began: float = 1.0) -> None:
    campaign.record.answers.append(Answer(kind, began, seconds, status))


def test_a_campaign_in_which_all_is_well_has_no_complaint(campaign: Campaign) -> None:
    for kind, status in [("card", 200), ("malformed", 400), ("feedback", 503), ("live", 200), ("ready", 200)]:
        answered(campaign, kind, status)
    assert told(campaign) == []
    assert "Everything held." in chaos_text([campaign])


# --- What is found


def test_feedback_that_was_acknowledged_and_is_not_there_is_found(campaign: Campaign) -> None:
    there, gone = uuid4(), uuid4()
    stored(campaign.database.places.now, there)
    campaign.record.acknowledged += [Acknowledged(there, 1.0, 1.1), Acknowledged(gone, 2.0, 2.1)]
    assert lost_feedback(campaign) == [gone]
    assert told(campaign) == ["1 of 2 acknowledged feedbacks are lost"]
    assert "**What did not hold:**\n\n- 1 of 2" in chaos_text([campaign])


def test_feedback_must_stand_where_the_ledger_was_when_it_was_acknowledged(campaign: Campaign, tmp_path: Path) -> None:
    places = campaign.database.places
    aside = f"sqlite:///{tmp_path / 'aside' / 'ledger.sqlite3'}"
    places.swaps.append(Swap(10.0, 10.5, aside))
    before, within, after, too_late = (uuid4() for _ in range(4))
    # The last one was written to the file that had been set aside: nobody will read it.
    stored(aside, before, within, too_late)
    stored(places.now, after)
    times = [(before, 9.0), (within, 10.2), (after, 11.0), (too_late, 11.0)]
    campaign.record.acknowledged += [Acknowledged(card, at, at + 0.1) for card, at in times]
    assert lost_feedback(campaign) == [too_late]


def test_places_are_those_before_and_after_each_swap() -> None:
    places = Places("now", [Swap(10.0, 11.0, "first"), Swap(20.0, 21.0, "second")])
    assert [places.of(at, at) for at in (1.0, 10.5, 15.0, 20.5, 30.0)] == [
        ["first"],
        ["first", "second"],
        ["second"],
        ["second", "now"],
        ["now"],
    ]


@pytest.mark.parametrize(
    ("kind", "status", "seconds", "complaint"),
    [
        ("card", 200, 12.5, "card: 1 took longer than 12 s, the longest 12.5 s (between disturbances)"),
        ("live", 200, 2.5, "live: 1 took longer than 2 s, the longest 2.5 s (between disturbances)"),
        ("card", 503, 0.1, "card: 1 answered 503 (between disturbances)"),
        ("feedback", 500, 0.1, "feedback: 1 answered 500 (between disturbances)"),
        ("ready", 503, 0.1, "ready: 1 answered 503 (between disturbances)"),
        ("card", LOST, 0.1, "card: 1 connections lost while no worker was killed (between disturbances)"),
    ],
)
def test_an_answer_that_must_not_come_is_found(
    campaign: Campaign, kind: str, status: int, seconds: float, complaint: str
) -> None:
    answered(campaign, kind, status, seconds)
    assert told(campaign) == [complaint]


def test_a_connection_may_be_lost_where_a_worker_was_killed_and_liveness_is_asked_again(campaign: Campaign) -> None:
    campaign.kills.append(1.05)
    campaign.ended = [-signal.SIGKILL]
    answered(campaign, "card", LOST)
    answered(campaign, "live", LOST)
    answered(campaign, "live, again", 200, began=1.2)
    assert told(campaign) == []
    answered(campaign, "live, again", LOST, began=1.3)
    assert told(campaign) == ["liveness was missed twice in a row, 1 times"]


def test_readiness_that_lies_and_a_ledger_that_does_not_come_back_are_found(campaign: Campaign) -> None:
    campaign.steps.append(Step("disk filled", 0.0, 10.0, None, killed=False))
    answered(campaign, "feedback", 503)
    campaign.record.ledger += [(1.0, "ok"), (8.0, "ok")]
    assert told(campaign) == [
        f"disk filled: feedback was not stored within {RECOVERY_SECONDS:g} s after its end",
        "disk filled: no feedback could be stored, and readiness said 1 times 'ledger: ok'",
    ]
    campaign.record.ledger[:] = [(1.0, "ok"), (8.0, "down: the ledger cannot be written")]
    assert len(told(campaign)) == 1


def test_the_end_of_the_service_counts(campaign: Campaign) -> None:
    campaign.status, campaign.ended = 1, [-signal.SIGSEGV, -signal.SIGKILL]
    campaign.errors = "Killing worker-1 after it refused to gracefully stop"
    assert told(campaign) == [
        "0 workers were killed, and 2 ended unexpectedly (status -11)",
        "the service ended with status 1 when it was told to stop",
        "standard error has 'refused to gracefully stop'",
    ]


# --- A short form of each


def short(campaign: Campaign, steps: Sequence[str]) -> None:
    """What a few seconds show, on a busy machine too."""
    assert lost_feedback(campaign) == []
    assert len(campaign.record.acknowledged) > 0
    assert [step.name for step in campaign.steps] == steps
    assert all(step.recovered is not None for step in campaign.steps)
    assert campaign.ended == [-signal.SIGKILL] * len(campaign.kills) != []
    assert campaign.status == 0
    text = chaos_text([campaign])
    assert all(f"| {name} | 1 |" in text for name in steps)


@pytest.mark.server
def test_a_short_chaos_on_sqlite(tmp_path: Path) -> None:
    steps = ["locked by another program", "locked for a migration"]
    with sqlite_under_test(tmp_path) as database:
        own = tmp_path / "service"
        own.mkdir()
        short(run_campaign(database, own, seconds=1, hold=1, only=steps), steps)


@pytest.mark.server
@pytest.mark.postgresql
def test_a_short_chaos_on_postgresql(tmp_path: Path) -> None:
    try:
        server = postgresql_under_test(0)
        database = server.__enter__()
    except Exception as error:
        pytest.skip(f"{NO_POSTGRESQL} ({type(error).__name__}: {error})")
    try:
        steps = ["server killed, started again", "database replaced by a backup"]
        short(run_campaign(database, tmp_path, seconds=1, hold=1, only=steps), steps)
    finally:
        server.__exit__(None, None, None)


@pytest.mark.server
def test_a_short_soak(tmp_path: Path) -> None:
    calls = LOOKS * 8
    soak = run_soak(tmp_path, calls, settle=0.0)
    assert (len(soak.looks), len(soak.milliseconds)) == (LOOKS, calls)
    assert all(look.bytes > 10**7 and look.descriptors > 10 for look in soak.looks)
    assert f"{calls:,} calls of 8 clients" in soak_text(soak)
    # One in five is feedback, and every call is a row.
    with closing(sqlite3.connect(tmp_path / "data" / "ledger.sqlite3")) as ledger:
        rows = [ledger.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("decision", "feedback")]
    # Before, 64 clients made ten calls each.
    assert rows == [640 + calls * 4 // 5, calls // 5 - soak.refused]


def test_a_soak_finds_memory_and_descriptors_that_are_not_given_back() -> None:
    looks = [Look(number, 1000, 50) for number in range(LOOKS)]
    well = Soak(looks, [1.0, 2.0], 1.0)
    assert list(soak_complaints(well)) == []
    looks[-1] = Look(LOOKS, 1050, 51)
    assert list(soak_complaints(well)) == [
        "memory grew by 5.0%, more than 5%",
        "there are 1 descriptors more at the end",
    ]
    # What is added before a tenth of the calls is what a service needs.
    looks[-1] = Look(LOOKS, 1000, 50)
    looks[: WARM - 1] = [Look(0, 10, 1)] * (WARM - 1)
    assert list(soak_complaints(well)) == []


# --- The page


PAGE = """a
<!-- figures of chaos -->
{}<!-- end of the figures of chaos -->
b
<!-- figures of soak -->
{}<!-- end of the figures of soak -->
"""


def test_figures_are_written_between_the_markers_of_their_section(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE.format("old\n", ""))
    write("chaos", "new", page)
    write("soak", "other", page)
    assert page.read_text() == PAGE.format("new\n", "other\n")
    with pytest.raises(ValueError, match="no section"):
        write("nothing", "new", page)
