"""A worker is warm before its first call, and what warmed it leaves no trace."""

from __future__ import annotations

import gc
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.ledger.store import Ledger
from cds_service.server.warm_up import warm_up
from tests.builders import NOW

if TYPE_CHECKING:
    from tests.real_server import StartService

pytest_plugins = ("tests.real_server",)

ROOT = Path(__file__).parent.parent

# In a process of its own, in which no other test has used the content.
FIRST_CALL = """
import re
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.server.warm_up import warm_up
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, SERVICES, condition, day, request, supplied
support = DecisionSupport()
if {warm}:
    warm_up(support, NOW)
compiled, compile_one = [], re.compile
re.compile = lambda *arguments: compiled.append(1) or compile_one(*arguments)
chart = supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5)))
document = request("patient-view", chart)
service = SERVICES["breast-cancer-back-pain-patient-view"]
assert support.decide(HookCall(service, NOW), document).response["cards"]
print(len(compiled))
"""


@pytest.fixture(autouse=True)
def _unfrozen() -> Iterator[None]:
    """What the warm-up took from the collector of garbage is given back to it."""
    yield
    gc.unfreeze()


class Deciding(DecisionSupport):
    """Remembers which services were called."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: list[str] = []

    def decide(self, call: HookCall, document: object, *others: object) -> Decision:
        decision = super().decide(call, document)
        self.answered.append(call.service.id)
        return decision


class Failing(DecisionSupport):
    def decide(self, *arguments: object) -> Decision:
        raise ZeroDivisionError("Marked Patient")


def compiled_in_first_call(warm: bool) -> int:
    """How many patterns the first call with a card compiles."""
    command = [sys.executable, "-c", FIRST_CALL.format(warm=warm)]
    return int(subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout)


def test_the_first_call_with_a_card_finds_all_patterns_compiled() -> None:
    assert compiled_in_first_call(warm=False) > 0
    assert compiled_in_first_call(warm=True) == 0


def test_every_service_answers_the_call_about_nobody() -> None:
    support = Deciding()
    warm_up(support, NOW)
    assert support.answered == list(support.services)


def test_a_fault_stops_no_start_and_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        warm_up(Failing(), NOW)
    assert caplog.messages == ["the worker starts cold: ZeroDivisionError"]


def test_what_warms_a_worker_stands_in_no_ledger_metric_or_log(start_service: StartService) -> None:
    service = start_service()
    assert service.metric("cds_calls_total") == 0
    assert service.call().status_code == 200
    ledger = Ledger.sqlite(service.data)
    now = datetime.now(UTC)
    rows = list(ledger.decisions(now - timedelta(days=1), now + timedelta(days=1)))
    ledger.close()
    assert len(rows) == 1 and service.metric("cds_calls_total") == 1
    assert [line for line in service.lines() if "nobody" in str(line) or "cold" in str(line)] == []
