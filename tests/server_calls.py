"""What the tests of the real server say to it, and how long they wait."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, condition, request, supplied

Json = dict[str, Any]

HOST = "127.0.0.1"
PATH = "/cds-services/breast-cancer-back-pain-patient-view"
FEEDBACK = f"{PATH}/feedback"

# The largest body of the standing service; a call of the tests has some 3,000 bytes.
MOST_BYTES = 20_000

# Far longer than anything takes, on a busy machine too; a test that waits for so long has failed.
PATIENCE_SECONDS = 60.0


def a_call(**members: Any) -> Json:
    """A call of now about a patient with breast cancer and new low back pain: it is answered by a card."""
    return request("patient-view", deepcopy(_chart())) | {"hookInstance": str(uuid4())} | members


@cache
def _chart() -> Json:
    """The same records for every call: others would be newer evidence."""
    pain = (datetime.now(UTC) - timedelta(days=5)).date().isoformat()
    return supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=pain))


def times_of_now() -> dict[str, int]:
    """The claims of a token that was issued now."""
    now = int(datetime.now(UTC).timestamp())
    return {"iat": now, "exp": now + 300}


def feedback(card: str, outcome: str = "accepted", **members: Any) -> Json:
    """A feedback to one card."""
    entry = {"card": card, "outcome": outcome, "outcomeTimestamp": datetime.now(UTC).isoformat()}
    return {"feedback": [entry | members]}


def post(body: bytes, path: str = PATH, *headers: str, length: int | None = None) -> bytes:
    """A call as bytes, which asks for the connection to be closed; its length is announced as it is, or as said."""
    size = len(body) if length is None else length
    lines = [f"POST {path} HTTP/1.1", "Host: cds", "Content-Type: application/json", f"Content-Length: {size}"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", ""]).encode() + body


def everything_from(connection: socket.socket) -> bytes:
    """All that comes until the other side ends the connection, in whichever way."""
    received = b""
    with suppress(ConnectionResetError):
        while chunk := connection.recv(65_536):
            received += chunk
    return received


def free_port() -> int:
    """A port of this machine that nobody listens on just now."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A process that has ended stays in the table until its parent has looked.
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def comes_true(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    """Whether something comes true before patience ends."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
