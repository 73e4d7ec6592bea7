"""What the demo's processes share: their one error, how they end, and how they talk to each other."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import requests

LOOPBACK = "127.0.0.1"


class DemoError(Exception):
    """The demo cannot start or go on; the message names what failed and, where it is known, what to do."""


def stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask a process to end; end it when it does not within so many seconds."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def on_end_of_parent(act: Callable[[], None]) -> None:
    """Act when the parent has ended, however it did.

    Standard input is a pipe to which the parent never writes. It ends when the parent does, which waits for this
    process before it closes the pipe in the ordinary way.
    """

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)
        act()

    threading.Thread(target=wait, daemon=True).start()


def plain_session(token: str | None) -> requests.Session:
    session = requests.Session()
    # Neither a proxy nor the passwords of a .netrc file belong between two processes of this machine.
    session.trust_env = False
    session.headers.update({"Accept": "application/fhir+json", "Content-Type": "application/fhir+json"})
    session.headers["Prefer"] = "return=minimal"
    if token:
        session.headers["Authorization"] = f"Bearer {token}"
    return session
