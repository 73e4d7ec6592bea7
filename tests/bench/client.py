"""The client, a process of its own: what it costs is not the server's. `python -m tests.bench.client`

It takes jobs on standard input and answers each on standard output, one JSON value a line. Connections are plain
sockets that are kept open; the next call goes out when the last one is answered.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

HOST = "127.0.0.1"
_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Job:
    """Calls that are made.

    Attributes:
        port: of the server.
        path: that is called.
        body: file with the body; `instance` in it becomes another UUID in each call, so many times (-1: everywhere).
        calls: of all clients together.
        clients: as many connections call at the same time.
        tokens: one for each call, or none.
        statuses: what calls may be answered.
        beside: file with a body that one more client sends without end for as long as the job takes, not measured.
    """

    port: int
    path: str
    body: str
    calls: int
    clients: int = 1
    tokens: Sequence[str] = ()
    instance: str = ""
    instances: int = 1
    statuses: Sequence[int] = (200,)
    beside: str = ""


@dataclass(slots=True)
class Result:
    """What came back: milliseconds and status of each call, and the first response."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    first: str = ""


class Client:
    """Runs jobs in the process of the client."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, job: Job) -> Result:
        """Make the calls of a job; each must be answered as the job says.

        Raises:
            RuntimeError: a call was answered otherwise, or not at all.
        """
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asdict(job)) + "\n")
        self._process.stdin.flush()
        result = Result(**json.loads(self._process.stdout.readline() or "{}"))
        if not set(result.statuses) <= set(job.statuses) or len(result.statuses) != job.calls:
            raise RuntimeError(f"{job.path} answered {sorted(set(result.statuses))}: {result.first[:500]}")
        return result


class _Connection:
    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection((HOST, port), _SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        self._socket.close()

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a request and receive its response, whole."""
        self._socket.sendall(request)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._more()
        head, _, body = received.partition(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        if b"content-length" in headers:
            while len(body) < int(headers[b"content-length"]):
                body += self._more()
        else:
            while not body.endswith(b"0\r\n\r\n"):
                body += self._more()
        return int(head.split(b" ", 2)[1]), body

    def _more(self) -> bytes:
        received = self._socket.recv(1 << 16)
        if not received:
            raise ConnectionError("the server closed the connection")
        return received


def _request(job: Job, body: bytes, token: str) -> bytes:
    content = body.replace(job.instance.encode(), str(uuid4()).encode(), job.instances) if job.instance else body
    head = [f"POST {job.path} HTTP/1.1", "Host: bench", "Content-Type: application/json"]
    head += [f"Content-Length: {len(content)}", *([f"Authorization: Bearer {token}"] if token else []), "", ""]
    return "\r\n".join(head).encode() + content


def _one_client(job: Job, body: bytes, tokens: Sequence[str], calls: int, result: Result) -> None:
    connection = _Connection(job.port)
    for number in range(calls):
        request = _request(job, body, tokens[number] if tokens else "")
        start = time.perf_counter()
        status, response = connection.exchange(request)
        result.milliseconds.append((time.perf_counter() - start) * 1000)
        result.statuses.append(status)
        result.first = result.first or response.decode(errors="replace")
    connection.close()


def _large_client(job: Job, body: bytes, stop: threading.Event) -> None:
    connection = _Connection(job.port)
    while not stop.is_set():
        connection.exchange(_request(job, body, ""))
    connection.close()


def _run(job: Job) -> Result:
    body, result, stop = Path(job.body).read_bytes(), Result(), threading.Event()
    share = job.calls // job.clients
    threads = [
        threading.Thread(target=_one_client, args=(job, body, job.tokens[n * share : (n + 1) * share], share, result))
        for n in range(job.clients)
    ]
    large = []
    if job.beside:
        large = [threading.Thread(target=_large_client, args=(job, Path(job.beside).read_bytes(), stop))]
        large[0].start()
        # It has to be under way.
        time.sleep(0.2)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    for thread in large:
        thread.join()
    return result


def main() -> None:
    """Answer jobs until there are no more."""
    for line in sys.stdin:
        values: dict[str, Any] = json.loads(line)
        try:
            result = _run(Job(**values))
        except OSError as error:
            result = Result(first=f"{type(error).__name__}: {error}")
        print(json.dumps(asdict(result)), flush=True)


if __name__ == "__main__":
    main()
