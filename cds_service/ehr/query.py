"""Reads one query from the EHR's FHIR server: all its pages, one bounded request after another.

Nothing is followed that leads out of the server's base address. No token, id or body is logged here, and none stands in
a gap.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import urljoin

import orjson
import requests
import urllib3

from cds_service.addresses import is_within
from cds_service.chart.elements import Json
from cds_service.chart.pages import next_page
from cds_service.chart.records import Gap
from cds_service.ehr.connections import FhirConnections, HeldConnection
from cds_service.ehr.limits import FhirLimits
from cds_service.ehr.pace import ServerPace
from cds_service.json_values import MOST_VALUES, values_at_most

_CHUNK_BYTES = 65_536

# Statuses for which asking once more within the deadline may help; each says that the server is asked for too much.
_RETRYABLE_STATUSES = frozenset({429, 503})

# Statuses of what the server does not know, or no longer.
_NOT_THERE = frozenset({404, 410})

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


class NotThere(ReadFailure):
    """The server does not know what was asked for."""

    def __init__(self) -> None:
        super().__init__(Gap.SOURCE_ERROR)


@dataclass(slots=True, eq=False)
class Read:
    """One query of a call, from its start to its result.

    Attributes:
        query: relative to the base, or an address within it.
        is_wanted: whether the answer needs it for certain; what is read ahead may turn out not to be needed.
        is_given_up: whether nobody waits for it any more.
        bytes_taken: so far, of what one call may read.
        result: once it is there.
    """

    query: str
    is_wanted: bool
    is_given_up: bool = False
    bytes_taken: int = 0
    result: Fetched | None = None
    held: HeldConnection = field(default_factory=HeldConnection)


class CallBounds(Protocol):
    """What one call may still take."""

    def seconds_left(self) -> float:
        """The time until its deadline; 0 or less once it has passed."""

    def take(self, read: Read, count: int) -> None:
        """Count so many bytes of an answer.

        Raises:
            ReadFailure: that is more than one call may read.
        """

    def asks(self, read: Read, url: str) -> None:
        """Note that an address is asked.

        Raises:
            ReadFailure: nobody waits for the read any more.
        """


class QueryReader:
    """Reads queries for one call from one allowed server.

    Args:
        base: the server's base address.
        token: the bearer token of the call, or an empty string.
        limits: of the call.
        bounds: what of them is left.
        connections: to the server.
        pace: is told where the server asks for a pause.
    """

    def __init__(
        self,
        base: str,
        token: str,
        limits: FhirLimits,
        bounds: CallBounds,
        connections: FhirConnections,
        pace: ServerPace,
    ) -> None:
        self._base = base
        # A body that is not compressed cannot grow after it was counted.
        self._headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._limits = limits
        self._bounds = bounds
        self._connections = connections
        self._pace = pace

    def read(self, read: Read) -> Fetched:
        """All that a query gives, in the current thread; a failure is a gap."""
        session = self._connections.session(read.held, self._limits.ca_bundle)
        try:
            return self._all_pages(session, read, read.query)
        except NotThere as failure:
            is_patient = read.query.startswith("Patient/")
            return Fetched((), Gap.PATIENT_UNKNOWN if is_patient else failure.gap)
        except ReadFailure as failure:
            if not failure.simpler or "patient=" not in read.query:
                return Fetched((), failure.gap)
        try:
            return self._all_pages(session, read, simpler(read.query))
        except ReadFailure as failure:
            return Fetched((), failure.gap)

    def _all_pages(self, session: requests.Session, read: Read, query: str) -> Fetched:
        """The resources of all pages; a page that cannot be read leaves a gap behind those before it."""
        resources: list[Json] = []
        seen: set[str] = set()
        try:
            url = urljoin(f"{self._base}/", query)
        except ValueError:
            return Fetched((), Gap.NOT_ALLOWED)
        for _ in range(self._limits.pages):
            if not is_within(url, self._base):
                return Fetched(tuple(resources), Gap.NOT_ALLOWED)
            if url in seen:
                return Fetched(tuple(resources), Gap.ENDLESS)
            seen.add(url)
            try:
                document = self._json(session, read, url)
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

    def _json(self, session: requests.Session, read: Read, url: str) -> Json:
        body = self._body(session, read, url)
        if len(body) > MOST_VALUES and values_at_most(body) > MOST_VALUES:
            raise ReadFailure(Gap.TOO_MUCH)
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("resourceType"), str):
            raise ReadFailure(Gap.NOT_FHIR)
        return document

    def _body(self, session: requests.Session, read: Read, url: str) -> bytes:
        """The body of one answer; asks once more after a lost connection, 429 or 503, within the deadline."""
        try:
            try:
                return self._attempt(session, read, url)
            except _Stale:
                # The server had ended the connection before it was asked on it: nothing was asked yet.
                return self._attempt(session, read, url)
        except _Retryable as retryable:
            if self._bounds.seconds_left() <= retryable.after:
                raise ReadFailure(retryable.gap) from None
            time.sleep(retryable.after)
        try:
            return self._attempt(session, read, url)
        except _Retryable as retryable:
            raise ReadFailure(retryable.gap) from None

    def _attempt(self, session: requests.Session, read: Read, url: str) -> bytes:
        remaining = self._bounds.seconds_left()
        if remaining <= 0:
            raise ReadFailure(Gap.TIMED_OUT)
        self._bounds.asks(read, url)
        connect_seconds = min(self._limits.connect_seconds, remaining)
        answered = False
        try:
            with session.get(
                url, headers=self._headers, timeout=(connect_seconds, remaining), allow_redirects=False, stream=True
            ) as response:
                answered = True
                self._check(response)
                return self._bounded(response, read)
        except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
            raise ReadFailure(Gap.TIMED_OUT) from error
        except (requests.ConnectionError, urllib3.exceptions.HTTPError) as error:
            lost = _Retryable if answered or not read.held.was_kept else _Stale
            raise lost(Gap.UNREACHABLE, 0.0) from error
        except requests.RequestException as error:
            raise ReadFailure(Gap.UNREACHABLE) from error

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status == 200:
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise ReadFailure(Gap.NOT_FHIR)
            return
        if status in _RETRYABLE_STATUSES:
            self._pace.has_enough()
            raise _Retryable(Gap.SOURCE_ERROR, _retry_after_seconds(response))
        if status in (401, 403):
            raise ReadFailure(Gap.REFUSED)
        if status in _NOT_THERE:
            raise NotThere
        if 300 <= status < 400:
            raise ReadFailure(Gap.NOT_ALLOWED)
        raise ReadFailure(Gap.SOURCE_ERROR, simpler=status == 400)

    def _bounded(self, response: requests.Response, read: Read) -> bytes:
        """Read the body piece by piece, so that neither its length nor its slowness goes beyond the bounds."""
        parts: list[bytes] = []
        while True:
            if self._bounds.seconds_left() <= 0:
                raise ReadFailure(Gap.TIMED_OUT)
            part: bytes = response.raw.read1(_CHUNK_BYTES, decode_content=False)
            if not part:
                return b"".join(parts)
            parts.append(part)
            self._bounds.take(read, len(part))


class _Retryable(Exception):
    """A failure after which asking once more may help, after some seconds."""

    def __init__(self, gap: Gap, after: float) -> None:
        super().__init__(gap.value)
        self.gap = gap
        self.after = after


class _Stale(_Retryable):
    """A connection that was kept is no more."""


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
