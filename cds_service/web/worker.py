"""What each worker of `cds-service serve` runs: the Flask application behind a front that receives requests whole.

A WSGI application reads a body in a thread. A client that sends it slowly would hold that thread, and a few such
clients all of them. The front therefore speaks ASGI 3 (HTTP only): it receives a body while nothing waits but a
connection, within bounds of size, time and memory, and only then gives the call to one of the application's threads.
The known adapters from ASGI to WSGI either read in a thread or write bodies, which are patient data, to files.

It decides nothing about a request: what was not received whole is refused by the application, in its own words.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes
from uuid import uuid4

import orjson
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout, ServiceUnavailable

from cds_service.errors import CdsError
from cds_service.protocol.outcome import operation_outcome
from cds_service.settings import read_settings
from cds_service.web.app import WsgiApp, make_app
from cds_service.web.call_log import log_to_standard_output
from cds_service.web.failures import place_of
from cds_service.web.messages import DECISION_HEADER

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
Answer = tuple[int, Headers, bytes]

# A call computes for about a millisecond, or waits for an EHR's FHIR server for seconds: so many may wait before
# others do. Python computes in one thread at a time, and the ledger opens at most 15 connections.
THREADS = 12

# A body of the default limit, 10 MB, at 3 Mbit/s.
BODY_SECONDS = 30.0

# Calls have some ten kB. What bodies under way have beyond this counts towards their common bound, so that small calls
# are received also while others fill it.
_FREE_BYTES = 256 * 1024

# So many bodies of the largest size are held at the same time; 160 MB with the default limit.
_LARGE_BODIES = 16

# Nobody is told by what this is served. Without a value of ours, the server would write its own name.
_SERVER = (b"server", b"cds")

# How often a worker looks whether its parent is still there.
_LOOK_SECONDS = 1.0

_log = logging.getLogger(__name__)


def create_worker_app() -> Front:
    """The application with the settings of the environment, logging to standard output, behind its front.

    Raises:
        SettingsError, ContentError: see `create_app`.
    """
    log_to_standard_output()
    threading.Thread(target=_end_with, args=(os.getppid(),), name="parent", daemon=True).start()
    settings = read_settings()
    return Front(make_app(settings), settings.max_body_bytes)


def _end_with(parent: int) -> None:
    """End this worker in good order when its parent has ended without ending it (kill -9, out of memory).

    It would else share the port with the workers of the next start, and answer calls with the settings of the last.
    """
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


class Front:
    """An ASGI application that receives requests for a WSGI one. One for each event loop.

    Args:
        app: answers.
        max_body_bytes: a body is received up to one byte more, by which the application sees that it is too large.
        body_seconds: time for receiving a body.
    """

    def __init__(self, app: WsgiApp, max_body_bytes: int, body_seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._body_seconds = body_seconds
        self._budget = _LARGE_BODIES * max_body_bytes
        self._threads = ThreadPoolExecutor(THREADS, "call")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        body = bytearray()
        try:
            problem = await self._receive(scope, receive, body)
            environ = environ_of(scope, _Input(problem) if problem else io.BytesIO(body))
            if body and not problem:
                # The application refuses by it what is too large; it stands for the chunks, which are no more.
                environ["CONTENT_LENGTH"] = str(len(body))
                environ.pop("HTTP_TRANSFER_ENCODING", None)
            loop = asyncio.get_running_loop()
            status, headers, content = await loop.run_in_executor(self._threads, self._answer, environ)
        finally:
            self._budget += _beyond_free(body)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _receive(self, scope: Mapping[str, Any], receive: Receive, body: bytearray) -> HTTPException | None:
        """Receive the body, if there is one that the application would read; or say what is wrong with it."""
        headers = dict(scope["headers"])
        announced = headers.get(b"content-length", b"0")
        if not announced.isdigit():
            return BadRequest()
        if b"transfer-encoding" not in headers and not 0 < int(announced) <= self._limit:
            return None
        try:
            async with asyncio.timeout(self._body_seconds):
                return await self._fill(receive, body)
        except TimeoutError:
            return RequestTimeout()

    async def _fill(self, receive: Receive, body: bytearray) -> HTTPException | None:
        while len(body) <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return BadRequest()
            held = _beyond_free(body)
            body += message.get("body", b"")
            self._budget -= _beyond_free(body) - held
            if self._budget < 0:
                return ServiceUnavailable()
            if not message.get("more_body", False):
                break
        return None

    def _answer(self, environ: dict[str, Any]) -> Answer:
        """What the application answers. It has an answer to everything; should it fail to, there is this one."""
        try:
            return _called(self._app, environ)
        except Exception as error:
            crash_id = str(uuid4())
            _log.error("answer %s failed: %s at %s", crash_id, type(error).__name__, place_of(error))
            failed = operation_outcome(CdsError(f"The service failed. Decision id {crash_id}."))
            headers = [(b"content-type", b"application/json"), (DECISION_HEADER.lower().encode(), crash_id.encode())]
            return 500, [*headers, _SERVER], orjson.dumps(failed)


class _Input(io.RawIOBase):
    """The body of a request that was not received whole: reading it says what is wrong."""

    def __init__(self, problem: HTTPException) -> None:
        self._problem = problem

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._problem


def _beyond_free(body: bytearray) -> int:
    return max(0, len(body) - _FREE_BYTES)


def _called(app: WsgiApp, environ: dict[str, Any]) -> Answer:
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
        head[:] = int(status.split(" ", 1)[0]), headers

    chunks: Iterable[bytes] = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close: Callable[[], None] = getattr(chunks, "close", lambda: None)
        close()
    status, headers = head
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return status, [*raw, _SERVER], body


def environ_of(scope: Mapping[str, Any], body: io.IOBase) -> dict[str, Any]:
    """A request of ASGI as WSGI has it (PEP 3333).

    Args:
        scope: of an HTTP connection.
        body: what the application reads.
    """
    server, client = scope["server"], scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Bytes as text of the same numbers; the decoded path that comes along may have lost some.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key, text = _variable(name.decode("latin-1")), value.decode("latin-1")
        if key:
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _variable(name: str) -> str | None:
    """The variable of a header. A name with `_` would be taken for another header, which a proxy has checked."""
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
