"""Reads from the EHR's FHIR server what a call did not bring.

Bounded in every way: one deadline for the whole call, pages, bytes, parallel requests. Nothing is followed that
leads out of the server's base address. A failure is never an exception for the caller: it is a `Gap` on what could
not be read, beside what could.

No token, id or body is logged here, and none stands in a gap.
"""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import BoundedSemaphore, Lock, Thread
from typing import Any
from urllib.parse import quote, urljoin

import orjson
import requests
import urllib3

from cds_service.addresses import is_within
from cds_service.chart.elements import Json
from cds_service.chart.prefetch import next_page
from cds_service.chart.records import Gap
from cds_service.clock import Timer
from cds_service.ehr.limits import FhirLimits

# urllib3 writes addresses, which hold the patient's id, to its logs, some of them as warnings.
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").disabled = True

_CHUNK_BYTES = 65_536

# Statuses for which asking once more within the deadline may help.
_RETRYABLE_STATUSES = frozenset({429, 503})

# A server that asks to wait longer than this is not waited for.
_LONGEST_WAIT_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read for one prefetch key: resources, and why they may not be all."""

    resources: tuple[Json, ...]
    gap: Gap | None


class ReadFailure(Exception):
    """One request that gave nothing, as the gap it leaves; `simpler` says that a simpler query may do."""

    def __init__(self, gap: Gap, simpler: bool = False) -> None:
        super().__init__(gap.value)
        self.gap = gap
        self.simpler = simpler


@dataclass(slots=True)
class FhirReader:
    """Reads for one hook call from one allowed server.

    Args:
        base: the server's base address, checked against the list of allowed servers.
        token: the bearer token of the call, or an empty string.
        limits: bounds for the whole call; the deadline starts when the reader is made.
    """

    base: str
    token: str = field(repr=False)
    limits: FhirLimits
    timer: Timer = time.monotonic
    requests_made: list[str] = field(default_factory=list, repr=False)
    _deadline: float = field(init=False)
    _bytes_left: int = field(init=False)
    _sockets: set[socket.socket] = field(init=False, default_factory=set, repr=False)
    _lock: Lock = field(init=False, default_factory=Lock, repr=False)

    def __post_init__(self) -> None:
        self._deadline = self.timer() + self.limits.deadline_seconds
        self._bytes_left = self.limits.bytes

    def fetch(self, queries: Mapping[str, str]) -> dict[str, Fetched]:
        """Read several queries in parallel.

        Args:
            queries: by prefetch key, a FHIR read or search relative to the base (`Patient/7`, `Condition?...`), or
                an address within the base (the next page of a search).
        """
        if not queries:
            return {}
        slots = BoundedSemaphore(self.limits.parallel)
        results: SimpleQueue[tuple[str, Fetched]] = SimpleQueue()

        def read(key: str, query: str) -> None:
            with slots:
                try:
                    fetched = self._read_query(query)
                except Exception:
                    # Any error must end this query now, and not at the deadline.
                    fetched = Fetched((), Gap.SOURCE_ERROR)
                results.put((key, fetched))

        for key, query in queries.items():
            # A server that answers byte by byte may hold a thread beyond the deadline; the call does not wait for it,
            # and neither does the end of the program.
            Thread(target=read, args=(key, query), name="fhir-read", daemon=True).start()
        collected = self._collected(results, len(queries))
        if len(collected) < len(queries):
            self._end_connections()
        return dict.fromkeys(queries, Fetched((), Gap.TIMED_OUT)) | collected

    def _remember_socket(self, opened: socket.socket) -> None:
        with self._lock:
            self._sockets.add(opened)

    def _end_connections(self) -> None:
        """End the reads that are still waiting: the time-out of a socket starts anew with every byte."""
        with self._lock:
            sockets = list(self._sockets)
        for connection in sockets:
            try:
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
            except OSError:
                continue

    def _collected(self, results: SimpleQueue[tuple[str, Fetched]], expected: int) -> dict[str, Fetched]:
        """The results that come before the deadline."""
        collected: dict[str, Fetched] = {}
        while len(collected) < expected:
            try:
                key, fetched = results.get(timeout=max(0.0, self._remaining()))
            except Empty:
                break
            collected[key] = fetched
        return collected

    def _read_query(self, query: str) -> Fetched:
        with _Session(self._remember_socket) as session:
            # The environment decides on no proxy, no .netrc and no certificates.
            session.trust_env = False
            session.verify = self.limits.ca_bundle or True
            try:
                return self._all_pages(session, query)
            except ReadFailure as failure:
                if not failure.simpler or "patient=" not in query:
                    return Fetched((), failure.gap)
            try:
                return self._all_pages(session, simpler(query))
            except ReadFailure as failure:
                return Fetched((), failure.gap)

    def _all_pages(self, session: requests.Session, query: str) -> Fetched:
        """The resources of all pages; a page that cannot be read leaves a gap behind those before it."""
        resources: list[Json] = []
        seen: set[str] = set()
        try:
            url = urljoin(f"{self.base}/", query)
        except ValueError:
            return Fetched((), Gap.NOT_ALLOWED)
        for _ in range(self.limits.pages):
            if not is_within(url, self.base):
                return Fetched(tuple(resources), Gap.NOT_ALLOWED)
            if url in seen:
                return Fetched(tuple(resources), Gap.ENDLESS)
            seen.add(url)
            try:
                document = self._json(session, url)
            except ReadFailure as failure:
                if not resources:
                    raise
                return Fetched(tuple(resources), failure.gap)
            resources.append(document)
            link = next_page(document)
            if not link:
                return Fetched(tuple(resources), None)
            try:
                url = urljoin(url, link)
            except ValueError:
                return Fetched(tuple(resources), Gap.NOT_ALLOWED)
        return Fetched(tuple(resources), Gap.TOO_MUCH)

    def _json(self, session: requests.Session, url: str) -> Json:
        body = self._body(session, url)
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
            raise ReadFailure(Gap.NOT_FHIR)
        return document

    def _body(self, session: requests.Session, url: str) -> bytes:
        """The body of one answer; asks once more after a lost connection, 429 or 503, within the deadline."""
        try:
            return self._attempt(session, url)
        except _Retryable as retryable:
            if self._remaining() <= retryable.after:
                raise ReadFailure(retryable.gap) from None
            time.sleep(retryable.after)
        try:
            return self._attempt(session, url)
        except _Retryable as retryable:
            raise ReadFailure(retryable.gap) from None

    def _attempt(self, session: requests.Session, url: str) -> bytes:
        remaining = self._remaining()
        if remaining <= 0:
            raise ReadFailure(Gap.TIMED_OUT)
        with self._lock:
            self.requests_made.append(url)
        # A body that is not compressed cannot grow after it was counted.
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        try:
            with session.get(
                url,
                headers=headers,
                timeout=(min(self.limits.connect_seconds, remaining), remaining),
                allow_redirects=False,
                stream=True,
            ) as response:
                self._check(response)
                return self._bounded(response)
        except requests.Timeout as error:
            raise ReadFailure(Gap.TIMED_OUT) from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            raise _Retryable(Gap.UNREACHABLE, 0.0) from error
        except requests.RequestException as error:
            raise ReadFailure(Gap.UNREACHABLE) from error

    @staticmethod
    def _check(response: requests.Response) -> None:
        status = response.status_code
        if status == 200:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise ReadFailure(Gap.NOT_FHIR)
            return
        if status in _RETRYABLE_STATUSES:
            raise _Retryable(Gap.SOURCE_ERROR, _retry_after_seconds(response))
        if status in (401, 403):
            raise ReadFailure(Gap.REFUSED)
        if 300 <= status < 400:
            raise ReadFailure(Gap.NOT_ALLOWED)
        raise ReadFailure(Gap.SOURCE_ERROR, simpler=status == 400)

    def _bounded(self, response: requests.Response) -> bytes:
        """Read the body piece by piece, so that neither its length nor its slowness goes beyond the bounds."""
        parts: list[bytes] = []
        while True:
            if self._remaining() <= 0:
                raise ReadFailure(Gap.TIMED_OUT)
            part: bytes = response.raw.read1(_CHUNK_BYTES, decode_content=False)
            if not part:
                return b"".join(parts)
            parts.append(part)
            with self._lock:
                self._bytes_left -= len(part)
                if self._bytes_left < 0:
                    raise ReadFailure(Gap.TOO_MUCH)

    def _remaining(self) -> float:
        return self._deadline - self.timer()


class _Session(requests.Session):
    """A session for which no answer is a redirect: else `requests` reads the whole body of one, without any bound.

    Args:
        opened: is told of every socket.
    """

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        super().__init__()
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(opened))

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(requests.adapters.HTTPAdapter):
    """Connections as `requests` makes them, whose sockets are known outside."""

    def __init__(self, opened: Callable[[socket.socket], None]) -> None:
        self._opened = opened
        super().__init__()

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _reporting(pool.ConnectionCls, self._opened)
        return pool


def _reporting(kind: Any, opened: Callable[[socket.socket], None]) -> Any:
    class ReportingConnection(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    return ReportingConnection


class _Retryable(Exception):
    """A failure after which asking once more may help, after some seconds."""

    def __init__(self, gap: Gap, after: float) -> None:
        super().__init__(gap.value)
        self.gap = gap
        self.after = after


def _retry_after_seconds(response: requests.Response) -> float:
    """Seconds of `Retry-After`; where it asks for more than is waited for, no second attempt is worth while."""
    asked = response.headers.get("Retry-After", "0")
    seconds = float(asked) if asked.isascii() and asked.isdigit() else 0.0
    if seconds > _LONGEST_WAIT_SECONDS:
        raise ReadFailure(Gap.SOURCE_ERROR)
    return seconds


def simpler(query: str) -> str:
    """A search with nothing but the patient: for servers that refuse a parameter they do not know."""
    path, _, parameters = query.partition("?")
    patient = next((item for item in parameters.split("&") if item.startswith("patient=")), "")
    return f"{path}?{patient}"


def queries_for(keys: Iterable[str], templates: Mapping[str, str], patient_id: str) -> dict[str, str]:
    """The prefetch templates of `keys` with the patient's id filled in.

    Raises:
        ValueError: the id would change the path of the address (`.` or `..`).
    """
    if not patient_id.strip("."):
        raise ValueError("an id of dots only")
    value = quote(patient_id, safe="")
    return {key: templates[key].replace("{{context.patientId}}", value) for key in keys}
