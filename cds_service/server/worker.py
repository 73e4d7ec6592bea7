"""What each worker of `cds-service serve` runs: the Flask application behind a front that receives requests whole.

A WSGI application reads a body in a thread. A client that sends it slowly would hold that thread, and a few such
clients all of them. The front therefore speaks ASGI 3 (HTTP only): it receives a body while nothing waits but a
connection, within bounds of size, time and memory, and only then gives the call to one of the application's threads.
The known adapters from ASGI to WSGI either read in a thread or write bodies, which are patient data, to files.

A call waits for a thread no longer than it may take, and not at all once its client has gone. Large bodies are few at a
time, and no small call waits for them (`large_bodies`). Health and metrics have threads of their own.

It decides nothing about a request: what was not received whole, or waited too long, is refused by the application, in
its own words.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import io
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any
from uuid import uuid4

import orjson
from flask import request
from werkzeug.exceptions import BadRequest, HTTPException, RequestTimeout, ServiceUnavailable

from cds_service.app import RECORDER, SUPPORT, WsgiApp, make_app
from cds_service.clock import utc_now
from cds_service.errors import CdsError, TookTooLong, Unauthorized
from cds_service.protocol.outcome import operation_outcome
from cds_service.server.free_memory import FreeMemory, keep_nothing_large
from cds_service.server.large_bodies import LargeBodies
from cds_service.server.ledger_at_start import LEDGER_WAS_THERE
from cds_service.server.liveness import asks_whether_it_lives, it_lives
from cds_service.server.stopping import Stopping
from cds_service.server.warm_up import warm_up
from cds_service.server.wsgi_call import SERVER, WsgiResponse, call_wsgi, environ_of
from cds_service.settings import Settings, read_settings
from cds_service.trust.bearer import read_bearer
from cds_service.trust.refusal import Refused
from cds_service.web.call_log import log_to_standard_output
from cds_service.web.failures import place_of
from cds_service.web.messages import DECISION_HEADER
from cds_service.web.request_record import BODY, RECEIVED

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

# A call computes for about a millisecond, or waits for an EHR's FHIR server for seconds: so many may wait before
# others do. Python computes in one thread at a time; what waits costs some memory only.
THREADS = 64

# After so long, a thread that computes lets another have a turn, if one waits. Each access to the ledger or a socket
# gives up the turn and asks for the next one: by Python's own 5 ms, a small call beside a chart of 3 MB took four times
# as long as with this.
_TURN_SECONDS = 0.0005

# Threads for what must be answered while all others wait: health, metrics, and that a call has waited too long.
_SPARE_THREADS = 4
_OPERATIONS = ("/health/", "/metrics")


# For so long it is not looked whether the client of a call has left.
_SOON_SECONDS = 0.05

# In the environment of WSGI, beside when it was received: that a request has waited for a thread for all of its time.
TOO_LATE = "cds.too_late"

# A body of the default limit, 10 MB, at 3 Mbit/s.
BODY_SECONDS = 30.0

# So long a worker waits for the ledger before it takes its first call. It starts without it where that takes longer.
_LEDGER_SECONDS = 5.0

# New objects between two collections of garbage. Out of the box it is 700; a large body is hundreds of thousands, none
# of them garbage, and was decoded in three times the time. What lies about for longer meanwhile is a few megabytes.
_OBJECTS_BETWEEN_COLLECTIONS = 50_000

# So many collections of what is new between two of what outlived one, and as many of these between two of everything.
# What was in use at a collection outlives it: by every hundredth of everything memory grew without end.
_COLLECTIONS_BETWEEN_LARGER_ONES = 5

_log = logging.getLogger(__name__)


def create_worker_app() -> Front:
    """The application with the settings of the environment, logging to standard output, behind its front.

    Raises:
        SettingsError, ContentError: see `create_app`.
    """
    log_to_standard_output()
    # Where a library crashes, the process ends without a word: standard error then says where each thread was, if there
    # is one.
    with suppress(RuntimeError, ValueError, OSError):
        faulthandler.enable()
    sys.setswitchinterval(_TURN_SECONDS)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS, _COLLECTIONS_BETWEEN_LARGER_ONES, _COLLECTIONS_BETWEEN_LARGER_ONES)
    keep_nothing_large()
    front = front_for(read_settings(), for_good=True)
    # What is there now stays: to look at it in each collection of everything would take a tenth of a second.
    gc.collect()
    gc.freeze()
    return front


def front_for(settings: Settings, for_good: bool = False) -> Front:
    """The application with these settings behind its front.

    Args:
        settings: all of them.
        for_good: whether it serves until the process ends: it is then warm before the first call, and threads look
            after the ledger, after memory that is free, and for switched modes.

    Raises:
        SettingsError, ContentError: see `create_app`.
    """
    app = make_app(settings)
    if for_good:
        app.extensions[RECORDER].watch(_LEDGER_SECONDS, expected=LEDGER_WAS_THERE in os.environ)
        warm_up(app.extensions[SUPPORT], utc_now())
    app.before_request(partial(_refuse_late, settings.call_seconds))
    # The workbench, which only development has, is asked without a token.
    closed = bool(settings.clients) and not settings.development
    front = Front(app, settings.max_body_bytes, call_seconds=settings.call_seconds, closed=closed)
    if for_good:
        front.free_memory.watch()
    return front


def _refuse_late(call_seconds: float) -> None:
    if TOO_LATE in request.environ:
        raise TookTooLong(call_seconds)


class Front:
    """An ASGI application that receives requests for a WSGI one. One for each event loop.

    Args:
        app: answers.
        max_body_bytes: a body is received up to one byte more, by which the application sees that it is too large.
        body_seconds: time for receiving a body.
        call_seconds: time that a request waits for a thread, once it is received.
        closed: whether bodies are received only with what may be the token of a client.
    """

    def __init__(
        self,
        app: WsgiApp,
        max_body_bytes: int,
        body_seconds: float = BODY_SECONDS,
        call_seconds: float = 10.0,
        closed: bool = False,
    ) -> None:
        self._app = app
        self._limit = max_body_bytes
        self._body_seconds = body_seconds
        self._call_seconds = call_seconds
        self._closed = closed
        self.free_memory = FreeMemory()
        self._large = LargeBodies(max_body_bytes, self.free_memory.soon)
        self._threads = ThreadPoolExecutor(THREADS, "call")
        self._spare = ThreadPoolExecutor(_SPARE_THREADS, "spare")
        self.stopping = Stopping()

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        if asks_whether_it_lives(scope):
            return await _send(send, it_lives(scope))
        with self.stopping:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body, environ = bytearray(), environ_of(scope)
        try:
            problem = await self._receive(environ, receive, body)
            environ[RECEIVED] = time.perf_counter()
            if body and not problem:
                # The application refuses by it what is too large; it stands for the chunks, which are no more.
                environ["CONTENT_LENGTH"] = str(len(body))
                environ.pop("HTTP_TRANSFER_ENCODING", None)
            # While a body is still to come, to ask for what comes next would be to receive it.
            whole = 0 < len(body) <= self._limit and not problem
            async with self._large.turn(body if whole else b"", self._call_seconds) as has_turn:
                _hand_over(environ, problem or bytes(body if whole and has_turn else b""))
                self._let_go(body)
                if has_turn:
                    response = await self._response(environ, receive if whole else None)
                else:
                    response = await self._late_response(environ)
        finally:
            self._let_go(body)
        if response:
            await _send(send, response)

    def _let_go(self, body: bytearray) -> None:
        """What was received is no longer held."""
        self._large.forget(len(body))
        body.clear()

    async def _response(self, environ: dict[str, Any], receive: Receive | None) -> WsgiResponse | None:
        """The application's response; None where the client had left before a thread began.

        Args:
            environ: the request.
            receive: tells when the client leaves; None where that cannot be asked.
        """
        if environ["PATH_INFO"].startswith(_OPERATIONS):
            return await self._in_spare_thread(environ)
        work = self._threads.submit(self._run_app, environ)
        response = asyncio.wrap_future(work)
        # Most calls are answered before it is worth asking whether their client is still there.
        await asyncio.wait((response,), timeout=min(_SOON_SECONDS, self._seconds_left(environ)))
        left = not response.done() and await _has_left(response, receive, self._seconds_left(environ))
        # What has begun cannot be canceled, and is waited for.
        if response.done() or not work.cancel():
            return await response
        if left:
            return None
        return await self._late_response(environ)

    async def _late_response(self, environ: dict[str, Any]) -> WsgiResponse:
        environ[TOO_LATE] = True
        return await self._in_spare_thread(environ)

    def _seconds_left(self, environ: Mapping[str, Any]) -> float:
        """How long a call that was received may still wait for a thread."""
        taken: float = time.perf_counter() - environ[RECEIVED]
        return max(0.0, self._call_seconds - taken)

    async def _in_spare_thread(self, environ: dict[str, Any]) -> WsgiResponse:
        return await asyncio.get_running_loop().run_in_executor(self._spare, self._run_app, environ)

    async def _receive(self, environ: Mapping[str, Any], receive: Receive, body: bytearray) -> Exception | None:
        """Receive the body, if there is one that the application would read; or say what is wrong with it."""
        announced = environ.get("CONTENT_LENGTH", "0")
        if not (announced.isascii() and announced.isdigit()):
            return BadRequest()
        if "HTTP_TRANSFER_ENCODING" not in environ and not 0 < int(announced) <= self._limit:
            return None
        if self._closed and not _carries_token(environ.get("HTTP_AUTHORIZATION")):
            return Unauthorized()
        bound = self.stopping.time_for_body(self._body_seconds)
        try:
            async with bound:
                return await self._fill(receive, body)
        except TimeoutError:
            return ServiceUnavailable() if self.stopping.is_told else RequestTimeout()
        finally:
            self.stopping.received(bound)

    async def _fill(self, receive: Receive, body: bytearray) -> HTTPException | None:
        while len(body) <= self._limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                return BadRequest()
            had = len(body)
            body += message.get("body", b"")
            if not self._large.receive(had, len(body)):
                return ServiceUnavailable()
            if not message.get("more_body", False):
                break
        return None

    def _run_app(self, environ: dict[str, Any]) -> WsgiResponse:
        """The application's response. It has one to everything; should it fail to, there is this one."""
        try:
            status, headers, body = call_wsgi(self._app, environ)
            return status, [*headers, SERVER], body
        except Exception as error:
            crash_id = str(uuid4())
            _log.error("answer %s failed: %s at %s", crash_id, type(error).__name__, place_of(error))
            failed = operation_outcome(CdsError(f"The service failed. Decision id {crash_id}."))
            headers = [(b"content-type", b"application/json"), (DECISION_HEADER.lower().encode(), crash_id.encode())]
            return 500, [*headers, SERVER], orjson.dumps(failed)
        finally:
            # A request that routing refuses (404, 405) refers to itself, by its exception's traceback: the body would
            # stay until garbage is collected, which a few objects do not bring about.
            environ.pop(BODY, None)
            environ.pop("wsgi.input", None)


def _hand_over(environ: dict[str, Any], body: bytes | Exception) -> None:
    """Give a request its body, or what is wrong with it."""
    if isinstance(body, Exception):
        environ["wsgi.input"] = _IncompleteBody(body)
    else:
        # The same bytes, not a copy.
        environ["wsgi.input"], environ[BODY] = io.BytesIO(body), body


async def _send(send: Send, response: WsgiResponse) -> None:
    status, headers, content = response
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _carries_token(authorization: str | None) -> bool:
    """Whether a request comes with something in the form of a token. The application refuses it without, as with a
    token that is not genuine: before it reads a body."""
    try:
        read_bearer(authorization)
    except Refused:
        return False
    return True


async def _has_left(response: asyncio.Future[WsgiResponse], receive: Receive | None, seconds: float) -> bool:
    """Wait for a response for so long at most; whether the client has left meanwhile."""
    gone = asyncio.ensure_future(_until_disconnect(receive) if receive else _wait_forever())
    try:
        either: set[asyncio.Future[Any]] = {response, gone}
        await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        return gone.done()
    finally:
        gone.cancel()


async def _until_disconnect(receive: Receive) -> None:
    """Wait until the client of a request that was received whole leaves."""
    message = await receive()
    if message["type"] != "http.disconnect":
        await _wait_forever()


async def _wait_forever() -> None:
    await asyncio.Event().wait()


class _IncompleteBody(io.RawIOBase):
    """The body of a request that was not received whole: reading it says what is wrong."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise self._problem
