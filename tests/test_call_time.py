"""A computation that passes its time ends, wherever it is: nobody waits for its answer any more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service import Settings
from cds_service.app import make_app
from cds_service.chart import build
from cds_service.clinical.reading.free_text import TextReader
from cds_service.clock import Deadline
from cds_service.content.terminology import Terminology
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.errors import TookTooLong
from cds_service.settings import make_settings
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    SERVICES,
    Json,
    condition,
    day,
    prefetch,
    request,
    supplied,
)

SERVICE = SERVICES["breast-cancer-back-pain-patient-view"]
ENTRIES = 2_000

CANCER = condition(BREAST_CANCER, onset=day(4000))


class Seconds:
    """A timer that goes on by a second with each step of the work that is slowed down."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def slowed(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def step(*parts: Any, **options: Any) -> Any:
            self.now += 1
            return work(*parts, **options)

        return step


def pains() -> Json:
    """Entries that all matter to the rule."""
    return prefetch(CANCER, *(condition(LOW_BACK_PAIN, id=f"c-{day(n)}", onset=day(n)) for n in range(ENTRIES)))


def unknown_codes() -> Json:
    return prefetch(CANCER, *(condition(f"snomed 9{n:07}") for n in range(ENTRIES)))


def in_words() -> Json:
    return prefetch(CANCER, *(condition(id=f"c-{number}", text=f"word {number}") for number in range(ENTRIES)))


SLOW: list[tuple[str, Any, str, Callable[[], Json]]] = [
    ("entries", build, "read_condition", pains),
    ("texts", TextReader, "read", in_words),
    ("codes", Terminology, "value_sets_with", unknown_codes),
]


@pytest.mark.parametrize(("where", "name", "brought"), [row[1:] for row in SLOW], ids=[row[0] for row in SLOW])
def test_a_computation_ends_soon_after_its_time(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, brought: Callable[[], Json]
) -> None:
    seconds = Seconds()
    monkeypatch.setattr(where, name, seconds.slowed(getattr(where, name)))
    call = HookCall(SERVICE, NOW, deadline=Deadline(0.0, 100.0, seconds))
    with pytest.raises(TookTooLong):
        DecisionSupport(Settings()).decide(call, request("patient-view", brought()))
    assert 100 <= seconds.now < ENTRIES / 2


@pytest.mark.parametrize(("where", "name", "brought"), [row[1:] for row in SLOW], ids=[row[0] for row in SLOW])
def test_a_computation_of_which_nobody_says_how_long_it_may_take_goes_to_its_end(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, brought: Callable[[], Json]
) -> None:
    seconds = Seconds()
    monkeypatch.setattr(where, name, seconds.slowed(getattr(where, name)))
    DecisionSupport(Settings()).decide(HookCall(SERVICE, NOW), request("patient-view", brought()))
    assert seconds.now >= ENTRIES


def test_the_client_is_told_that_there_was_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []

    def slow(self: TextReader, text: str) -> tuple[()]:
        texts.append(text)
        time.sleep(0.01)
        return ()

    monkeypatch.setattr(TextReader, "read", slow)
    client = make_app(make_settings({"data_folder": str(tmp_path), "call_seconds": 0.5}), lambda: NOW).test_client()
    conditions = [condition(id=f"c-{number}", text=f"word {number}") for number in range(ENTRIES)]
    response = client.post(f"/cds-services/{SERVICE.id}", json=request("patient-view", supplied(CANCER, *conditions)))
    assert (response.status_code, response.get_json()["issue"][0]["code"]) == (503, "timeout")
    assert "does not mean that there is no risk" in response.text
    assert len(texts) < ENTRIES / 2
