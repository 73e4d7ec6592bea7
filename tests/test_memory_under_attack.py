"""What bodies that are made to take memory do to the real server, and to those who call it meanwhile."""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
import requests

from cds_service.json_values import MOST_VALUES
from tests.server_calls import PATH, PATIENCE_SECONDS, a_call, comes_true

if TYPE_CHECKING:
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server",)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")]

ATTACKERS = 8
MOST_MEGABYTES = 600

# What a worker keeps of its large calls, for the next ones. Where free memory stays with it, it is over fifty.
KEPT_MEGABYTES = 35


def listed(item: bytes, count: int) -> bytes:
    return b"[" + b",".join([item] * count) + b"]"


def deep(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def named(count: int) -> bytes:
    return b"{" + b",".join(b'"%07d":1' % number for number in range(count)) + b"}"


def call_with(conditions: bytes) -> bytes:
    call = a_call()
    call["prefetch"]["conditions"] = 0
    return json.dumps(call).encode().replace(b'"conditions": 0', b'"conditions": ' + conditions)


# A Condition that is read, for it may be about pain.
IN_WORDS = b"""{"resource": {"resourceType": "Condition", "clinicalStatus": {"coding": [{"code": "active"}]},
"recordedDate": "2026-01-01", "subject": {"reference": "Patient/%s"}, "code": {"text": "%s"}}}""" % (
    a_call()["context"]["patientId"].encode(),
    b"pain in the back " * 15,
)

# The first two are refused by their values, the next have nearly as many as they may, and the others as many bytes.
BODIES = {
    "lists beyond the limit": (listed(b"[]", 3_200_000), 413),
    "members beyond the limit": (named(790_000), 413),
    "members": (named(MOST_VALUES // 3 - 10), 400),
    "members of one answer": (call_with(named(MOST_VALUES // 3 - 100)), 412),
    "lists": (listed(b"[]", MOST_VALUES // 2 - 10), 400),
    "objects of one member": (listed(b'{"a":1}', MOST_VALUES // 3 - 10), 400),
    "objects in objects": (listed(deep(100), MOST_VALUES // 201 - 10), 400),
    "halves of characters": (b'["\\ud800",%s]' % listed(b"[1.5]", 490_000)[1:-1], 400),
    "numbers beyond all bounds": (b'[1e400,"%s",%s]' % ("\N{GRINNING FACE}".encode() * 100_000, b"[1.5]"), 400),
    "texts with emoji": (listed(b'"%s"' % "text \N{GRINNING FACE}".encode(), MOST_VALUES // 2 - 10), 400),
    "words": (call_with(b'{"resourceType":"Bundle","type":"searchset","entry":%s}' % listed(IN_WORDS, 19_900)), 200),
    "one long text": (call_with(b'"%s"' % (b"a" * 9_000_000 + "\N{GRINNING FACE}".encode())), 412),
}


def most_megabytes(pids: Iterable[int]) -> float:
    """The most memory that each of these processes ever had, together: more than they had at any one moment."""
    peaks = [re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()) for pid in pids]
    return sum(int(peak[1]) for peak in peaks if peak) / 1000


def megabytes(pids: Iterable[int]) -> float:
    """The memory that these processes have now, together."""
    return sum(psutil.Process(pid).memory_info().rss for pid in pids) / 1_000_000


def attack(service: RealServer, body: bytes, method: str = "POST", path: str = PATH) -> int:
    headers = {"Content-Type": "application/json"}
    url = service.base + path
    return requests.request(method, url, data=body, headers=headers, timeout=2 * PATIENCE_SECONDS).status_code


@pytest.mark.parametrize("kind", BODIES)
def test_bodies_that_are_made_to_take_memory_take_little_and_small_calls_are_answered(
    start_service: StartService, kind: str
) -> None:
    body, answer = BODIES[kind]
    service = start_service(workers=2, call_seconds=30)
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        attacks = [attackers.submit(attack, service, body) for _ in range(ATTACKERS)]
        small = [service.call().status_code]
        while not all(attacker.done() for attacker in attacks):
            small.append(service.call().status_code)
        # A busy machine may not come to all of them in time.
        assert {answer} <= {attacker.result() for attacker in attacks} <= {answer, 503}
    assert set(small) == {200}
    assert len(service.workers()) == 2
    assert most_megabytes(service.workers()) < MOST_MEGABYTES


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is told to give memory back")
def test_what_large_calls_took_goes_back_to_the_system(start_service: StartService) -> None:
    patient = {"reference": f"Patient/{a_call()['context']['patientId']}"}
    noted = {"resource": {"resourceType": "Condition", "subject": patient, "note": [{"text": "x" * 600}]}}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [noted] * 12_000}
    body = call_with(json.dumps(bundle).encode())
    service = start_service(workers=1, call_seconds=30)
    before = megabytes(service.workers())
    with ThreadPoolExecutor(ATTACKERS) as clients:
        answers = set(clients.map(lambda _: attack(service, body), range(3 * ATTACKERS)))
    assert 200 in answers <= {200, 503}
    assert comes_true(lambda: megabytes(service.workers()) < before + KEPT_MEGABYTES)


@pytest.mark.parametrize(("method", "path", "answer"), [("POST", "/nothing/here", 404), ("PUT", PATH, 405)])
def test_large_bodies_that_nobody_reads_do_not_stay_in_memory(
    start_service: StartService, method: str, path: str, answer: int
) -> None:
    service = start_service(workers=2, call_seconds=30)
    with ThreadPoolExecutor(ATTACKERS) as attackers:
        answers = set(attackers.map(lambda _: attack(service, b"x" * 9_000_000, method, path), range(15 * ATTACKERS)))
    assert answer in answers <= {answer, 503}
    assert most_megabytes(service.workers()) < MOST_MEGABYTES
