"""Calls of several kinds without a pause, and what became of each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import Any
from uuid import UUID, uuid4

from tests.builders import BREAST_CANCER, NECK_PAIN, condition, draft, request, supplied
from tests.server_calls import FEEDBACK, HOST, PATH, a_call

# For so long a call is waited for: far longer than it may take, so that its wait is seen and not cut off.
_PATIENCE_SECONDS = 90.0

# Between two calls of a client, so that the machine is busy and not overrun.
_PAUSE_SECONDS = 0.02

# Between two looks of an orchestrator; those that are used look every few seconds.
_LIVE_SECONDS, _READY_SECONDS = 0.25, 0.5

# The connection was lost: a worker that is killed says nothing.
LOST = 0

CALLS = ("card", "no card", "order-select", "malformed")
FEEDBACK_KIND, LIVE, READY = "feedback", "live", "ready"


@dataclass(frozen=True, slots=True)
class Answer:
    """One call: when it began (`time.monotonic`), how long it took, its status or LOST."""

    kind: str
    began: float
    seconds: float
    status: int


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Feedback to one card that was answered 200."""

    card: UUID
    began: float
    answered: float


@dataclass(slots=True)
class Record:
    """What became of everything that was asked. Lists grow in many threads; each takes one value at a time."""

    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    # When the service said of its ledger what.
    ledger: list[tuple[float, str]] = field(default_factory=list)


class Traffic:
    """Clients of a service, from the beginning of a `with` block to its end.

    Args:
        port: of the service, on this machine.
        clients: that call at the same time, beside two that look whether it is alive and ready.
    """

    def __init__(self, port: int, clients: int = 6) -> None:
        self.record = Record()
        self._port = port
        self._over = threading.Event()
        bodies = {kind: _body(kind) for kind in CALLS}
        asked: list[Callable[[], None]] = [partial(self._client, number, bodies) for number in range(clients)]
        asked += [lambda: self._look("/health/live", LIVE, _LIVE_SECONDS), self._look_whether_ready]
        self._threads = [threading.Thread(target=run, daemon=True) for run in asked]

    def __enter__(self) -> Traffic:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)

    def _client(self, number: int, bodies: Mapping[str, tuple[str, bytes]]) -> None:
        turn = number
        while not self._over.wait(_PAUSE_SECONDS):
            turn += 1
            if turn % 2:
                self._send_feedback()
            else:
                kind = CALLS[turn // 2 % len(CALLS)]
                path, body = bodies[kind]
                self._ask(kind, "POST", path, body.replace(b"@instance", str(uuid4()).encode()))

    def _send_feedback(self) -> None:
        cards = [uuid4() for _ in range(2)]
        entries = [{"card": str(card), "outcome": "accepted"} for card in cards]
        answer, _ = self._ask(FEEDBACK_KIND, "POST", FEEDBACK, json.dumps({"feedback": entries}).encode())
        if answer.status == 200:
            done = answer.began + answer.seconds
            self.record.acknowledged.extend(Acknowledged(card, answer.began, done) for card in cards)

    def _look(self, path: str, kind: str, pause: float) -> None:
        while not self._over.wait(pause):
            answer, _ = self._ask(kind, "GET", path)
            if answer.status == LOST:
                # Nobody calls a service dead for one lost connection: it is asked once more, at once.
                self._ask(f"{kind}, again", "GET", path)

    def _look_whether_ready(self) -> None:
        while not self._over.wait(_READY_SECONDS):
            answer, content = self._ask(READY, "GET", "/health/ready")
            with suppress(ValueError, KeyError):
                self.record.ledger.append((answer.began + answer.seconds, json.loads(content)["ledger"]))

    def _ask(self, kind: str, method: str, path: str, body: bytes | None = None) -> tuple[Answer, bytes]:
        """One call over a connection of its own."""
        began, status, content = time.monotonic(), LOST, b""
        connection = HTTPConnection(HOST, self._port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            content = response.read()
            status = response.status
        except (OSError, HTTPException):
            status = LOST
        finally:
            connection.close()
        answer = Answer(kind, began, time.monotonic() - began, status)
        self.record.answers.append(answer)
        return answer, content


def _body(kind: str) -> tuple[str, bytes]:
    """Path and body of a call; `@instance` stands for its id."""
    path = PATH
    call: dict[str, Any] = a_call()
    if kind == "no card":
        call = request("patient-view", supplied(condition(NECK_PAIN, onset="2026-11")))
    elif kind == "order-select":
        path = PATH.replace("patient-view", "order-select")
        chosen = [draft("rxnorm 5640", kind="MedicationRequest")]
        call = request("order-select", supplied(condition(BREAST_CANCER, onset="2014")), chosen)
    elif kind == "malformed":
        del call["context"]["userId"]
    return path, json.dumps(call | {"hookInstance": "@instance"}).encode()
