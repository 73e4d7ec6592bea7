"""One request to a FHIR server, with everything that an answer tells beside its resource.

For the checks before going live: what a call reads goes through `reader`, within the same bounds. The answer is kept as
it is, also where it is an error; neither token nor address nor body is logged.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urljoin

import orjson
import requests
import urllib3

from cds_service.addresses import is_within
from cds_service.chart.records import Gap
from cds_service.ehr.limits import FhirLimits

_CHUNK_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status; None where there was no answer.
        seconds: from the request to the last byte.
        document: the resource, also that of an error; None where the body is none.
        date: the server's clock, where it says it.
        problem: why there is no resource to use; None for a resource with status 200.
        bytes: of the body, as far as it was read.
    """

    status: int | None = None
    seconds: float = 0.0
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    date: datetime | None = None
    problem: Gap | None = None
    bytes: int = 0

    @property
    def is_good(self) -> bool:
        return self.problem is None


@dataclass(slots=True)
class FhirProbe:
    """Asks one server, one request at a time.

    Args:
        base: the server's base address, which is no other than the one to be checked.
        token: the bearer token, or an empty string.
        limits: of one request each: its deadline and its bytes.
    """

    base: str
    token: str = field(repr=False)
    limits: FhirLimits

    def get(self, query: str) -> Answer:
        """Read or search; `query` is relative to the base, or an address within it."""
        return self._ask("GET", query)

    def search_by_post(self, query: str) -> Answer:
        """The same search, with its parameters in the body (FHIR R4, search, 3.1.1.1.1)."""
        kind, _, parameters = query.partition("?")
        return self._ask("POST", f"{kind}/_search", parameters)

    def _ask(self, method: str, query: str, body: str | None = None) -> Answer:
        try:
            url = urljoin(f"{self.base}/", query)
        except ValueError:
            return Answer(problem=Gap.NOT_ALLOWED)
        if not is_within(url, self.base):
            return Answer(problem=Gap.NOT_ALLOWED)
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        began = time.monotonic()
        try:
            with requests.Session() as session:
                # The environment decides on no proxy, no .netrc and no certificates.
                session.trust_env = False
                session.verify = self.limits.ca_bundle or True
                timeout = (self.limits.connect_seconds, self.limits.deadline_seconds)
                request = session.prepare_request(requests.Request(method, url, headers=headers, data=body))
                with session.send(request, timeout=timeout, allow_redirects=False, stream=True) as response:
                    return self._answer(response, began)
        except (requests.Timeout, urllib3.exceptions.TimeoutError):
            return Answer(seconds=time.monotonic() - began, problem=Gap.TIMED_OUT)
        except (requests.RequestException, urllib3.exceptions.HTTPError):
            return Answer(seconds=time.monotonic() - began, problem=Gap.UNREACHABLE)

    def _answer(self, response: requests.Response, began: float) -> Answer:
        parts, size, problem = [], 0, _problem(response)
        while part := response.raw.read1(_CHUNK_BYTES, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > self.limits.bytes:
                problem = problem or Gap.TOO_MUCH
                break
            if time.monotonic() - began > self.limits.deadline_seconds:
                problem = problem or Gap.TIMED_OUT
                break
        document = _resource(b"".join(parts))
        return Answer(
            status=response.status_code,
            seconds=time.monotonic() - began,
            document=document,
            date=_date(response.headers.get("Date", "")),
            problem=problem or (Gap.NOT_FHIR if document is None else None),
            bytes=size,
        )


def _problem(response: requests.Response) -> Gap | None:
    """What an answer's head says against it, as the reader would judge it."""
    if response.status_code in (401, 403):
        return Gap.REFUSED
    if 300 <= response.status_code < 400:
        return Gap.NOT_ALLOWED
    if response.status_code != 200:
        return Gap.SOURCE_ERROR
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Gap.NOT_FHIR
    return None


def _resource(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) and isinstance(document.get("resourceType"), str) else None


def _date(header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else None
