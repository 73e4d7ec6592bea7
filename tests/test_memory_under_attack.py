"""What bodies that are made to take memory do to the real server, and to those who call it meanwhile."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from cds_service.json_values import MOST_VALUES
from tests.server_calls import PATH, PATIENCE_SECONDS

if TYPE_CHECKING:
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server",)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")]

ATTACKERS = 8
MOST_MEGABYTES = 600


def listed(item: bytes, count: int) -> bytes:
    return b"[" + b",".join([item] * count) + b"]"


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


# The first is refused by its values, the others have nearly as many as they may.
BODIES = {
    "lists beyond the limit": (listed(b"[]", 3_200_000), 413),
    "lists": (listed(b"[]", MOST_VALUES // 2 - 10), 400),
    "objects of one member": (listed(b'{"a":1}', MOST_VALUES // 3 - 10), 400),
    "objects in objects": (listed(deep(100), MOST_VALUES // 201 - 10), 400),
}


def most_megabytes(pids: Iterable[int]) -> float:
    """The most memory that each of these processes ever had, together: more than they had at any one moment."""
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return sum(int(peak[1]) for peak in peaks if peak) / 1000


def attack(service: RealServer, body: bytes) -> int:
    headers = {"Content-Type": "application/json"}
    return requests.post(service.base + PATH, data=body, headers=headers, timeout=2 * PATIENCE_SECONDS).status_code


@pytest.mark.parametrize("kind", BODIES)
def test_bodies_that_are_made_to_take_memory_take_little_and_small_calls_are_answered(
    start_service: StartService, kind: str
) -> None:
    body, refusal = BODIES[kind]
    service = start_service(workers=2, call_seconds=30)
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        attacks = [attackers.submit(attack, service, body) for _ in range(ATTACKERS)]
        small = [service.call().status_code]
        while not all(attacker.done() for attacker in attacks):
            small.append(service.call().status_code)
        # A busy machine may not come to all of them in time.
        assert {refusal} <= {attacker.result() for attacker in attacks} <= {refusal, 503}
    assert set(small) == {200}
    assert len(service.workers()) == 2
    assert most_megabytes(service.workers()) < MOST_MEGABYTES
