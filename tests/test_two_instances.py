"""Services on several machines behind one proxy are one: they share what was used, switched, answered and recorded."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
import requests

from cds_service.ledger.entries import EVERY, Mode, ModeChange
from cds_service.ledger.store import Ledger
from tests.server_calls import FEEDBACK, comes_true, feedback, times_of_now
from tests.skips import NO_NETWORKS
from tests.token_maker import token

if TYPE_CHECKING:
    from tests.chaos.postgresql_under_test import PostgresqlUnderTest
    from tests.instances import Instance

pytest_plugins = ("tests.instances",)
pytestmark = [pytest.mark.postgresql, pytest.mark.server]


def proxy(instances: list[Instance]) -> Any:
    from tests.instances import Proxy

    return Proxy(instances)


def ledger_of(instances: list[Instance]) -> Ledger:
    return Ledger(instances[0].server.settings["ledger_url"])


def cards(instance: Instance) -> int:
    """How many cards a call to one instance is answered with."""
    return len(instance.ask(lambda server: server.call()).json()["cards"])


def switch(instances: list[Instance], mode: Mode) -> None:
    with closing(ledger_of(instances)) as ledger:
        ledger.set_mode(ModeChange(datetime.now(UTC), EVERY, EVERY, mode, "a test", "to see it"))


class Senders:
    """Clients that send feedback through a proxy without a pause, and what was acknowledged to them."""

    def __init__(self, instances: list[Instance], clients: int = 4) -> None:
        self.acknowledged: list[UUID] = []
        self._proxy = proxy(instances)
        self._stop = Event()
        self._pool = ThreadPoolExecutor(clients)
        self._clients = clients

    def __enter__(self) -> Senders:
        self._running = [self._pool.submit(self._send) for _ in range(self._clients)]
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._pool.shutdown()
        assert [each.exception() for each in self._running] == [None] * self._clients

    def goes_on(self, count: int = 20) -> bool:
        """Whether so many more are acknowledged from now on."""
        before = len(self.acknowledged)
        return comes_true(lambda: len(self.acknowledged) >= before + count)

    def _send(self) -> None:
        while not self._stop.is_set():
            card = uuid4()
            body = feedback(str(card))
            try:
                if self._proxy.ask(lambda server, body=body: server.call(body, FEEDBACK)).status_code == 200:
                    self.acknowledged.append(card)
            except requests.ConnectionError:
                # Whoever had it was killed, and said nothing.
                continue


def lost(senders: Senders, instances: list[Instance]) -> list[UUID]:
    """What was acknowledged and does not stand in the ledger exactly once."""
    with closing(ledger_of(instances)) as ledger:
        return [card for card in senders.acknowledged if len(ledger.card_feedback(card)) != 1]


def test_the_instances_have_networks_of_their_own(two_open: list[Instance]) -> None:
    from tests.instances import has_networks

    if not has_networks():
        pytest.skip(NO_NETWORKS)
    networks = {os.readlink(f"/proc/{instance.server.pid}/ns/net") for instance in two_open}
    assert len(networks | {os.readlink("/proc/self/ns/net")}) == 3
    # Nobody reaches them from here.
    with pytest.raises(requests.ConnectionError):
        two_open[0].server.call()


def test_they_share_no_data_folder(two_open: list[Instance]) -> None:
    first, second = (instance.server.data for instance in two_open)
    assert first != second
    assert not (first / "ledger.sqlite3").exists() and not (second / "ledger.sqlite3").exists()


# --- What they share


def test_a_token_that_one_instance_took_is_refused_by_the_other(two: list[Instance]) -> None:
    used = token(None, "ES384", None, **times_of_now())
    assert [each.ask(lambda server: server.call(token=used)).status_code for each in two] == [200, 401]


def test_of_many_uses_of_a_token_at_both_instances_exactly_one_passes(two: list[Instance]) -> None:
    front = proxy(two)
    for _ in range(5):
        used = token(None, "ES384", None, **times_of_now())
        with ThreadPoolExecutor(8) as pool:
            asked = [pool.submit(front.ask, lambda server, used=used: server.call(token=used)) for _ in range(8)]
        assert sorted(each.result().status_code for each in asked) == [200, *[401] * 7]


def test_a_mode_that_is_switched_is_that_of_both_instances(two_open: list[Instance]) -> None:
    assert [cards(instance) for instance in two_open] == [1, 1]
    switch(two_open, Mode.OFF)
    for instance in two_open:
        assert comes_true(partial(gives, instance, 0))
        assert comes_true(partial(has_told, instance, [("live", "off")]))


def gives(instance: Instance, count: int) -> bool:
    return cards(instance) == count


def has_told(instance: Instance, changes: list[tuple[str, str]]) -> bool:
    return told(instance) == changes


def told(instance: Instance) -> list[tuple[str, str]]:
    """The changes of mode that the log of an instance tells; of its workers one does."""
    return [(event["from"], event["to"]) for event in instance.server.events() if event["event"] == "mode changed"]


def test_an_answer_that_one_instance_took_is_remembered_by_the_other(two_open: list[Instance]) -> None:
    first, second = two_open
    card = first.ask(lambda server: server.call()).json()["cards"][0]
    reason = {"reason": {"code": "patient-declines", "system": card["overrideReasons"][0]["system"]}}
    body = feedback(card["uuid"], "overridden", overrideReason=reason)
    # The feedback goes to the one, the next call to the other.
    assert second.ask(lambda server: server.call(body, FEEDBACK)).status_code == 200
    assert (cards(first), cards(second)) == (0, 0)


def test_the_report_counts_the_calls_of_both_instances(two_open: list[Instance]) -> None:
    for instance in two_open:
        for _ in range(5):
            assert cards(instance) == 1
    now = datetime.now(UTC)
    with closing(ledger_of(two_open)) as ledger:
        assert len(list(ledger.decisions(now - timedelta(hours=1), now + timedelta(hours=1)))) == 10


# --- What happens to them


def test_an_instance_that_is_killed_takes_nothing_with_it(two_open: list[Instance]) -> None:
    with Senders(two_open) as senders:
        assert senders.goes_on()
        two_open[0].server.kill()
        assert senders.goes_on()
    assert lost(senders, two_open) == []
    assert cards(two_open[1]) == 1


def test_a_database_that_is_restarted_stops_no_card_and_loses_no_feedback(
    two_open: list[Instance], database: PostgresqlUnderTest
) -> None:
    with Senders(two_open) as senders:
        assert senders.goes_on()
        with database.restarted():
            assert [cards(instance) for instance in two_open for _ in range(3)] == [1] * 6
        assert senders.goes_on()
    assert lost(senders, two_open) == []


def test_a_database_that_dies_stops_no_card_and_loses_no_feedback(
    two_open: list[Instance], database: PostgresqlUnderTest
) -> None:
    with Senders(two_open) as senders:
        assert senders.goes_on()
        with database.killed():
            assert [cards(instance) for instance in two_open for _ in range(3)] == [1] * 6
        assert senders.goes_on()
    assert lost(senders, two_open) == []


def test_an_instance_that_stops_in_order_answers_what_it_has_taken(two_open: list[Instance]) -> None:
    with Senders(two_open) as senders:
        assert senders.goes_on()
        os.kill(two_open[0].server.pid, signal.SIGTERM)
        assert two_open[0].server.exit_status() == 0
        assert senders.goes_on()
    assert lost(senders, two_open) == []
