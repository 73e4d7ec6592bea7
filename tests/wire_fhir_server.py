"""A small FHIR server of the tests' own, over real sockets.

It answers reads and searches for a handful of resources, keeps what it was asked, and misbehaves where a test says
so.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from tests.local_http_server import IDLE_SECONDS, LocalHttpServer, send_head

Json = dict[str, Any]

BASE_PATH = "/fhir"
_FHIR_JSON = "application/fhir+json; charset=utf-8"
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived: method, path with query, headers by their name in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]


@dataclass(slots=True)
class Exchange:
    """One request that is being answered, in the hands of a test's own handler.

    Headers are given by name with `_` for `-`: `Content_Encoding="gzip"`.
    """

    server: WireFhirServer
    request: BaseHTTPRequestHandler

    @property
    def target(self) -> str:
        """Path and query below the base address: `Condition?patient=pt-1`."""
        return _below_base(self.request.path)

    def resource(self, resource: object, status: int = 200, **headers: str) -> None:
        """Send a resource, or any other JSON value."""
        self.body(orjson.dumps(resource), status, **headers)

    def body(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer with these bytes."""
        self.head(status, Content_Length=str(len(body)), **headers)
        self.write(body)

    def head(self, status: int = 200, **headers: str) -> None:
        """Send status and headers, and nothing more."""
        send_head(self.request, status, **({"Content_Type": _FHIR_JSON} | headers))

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.request.wfile.write(data)

    def drip(self, data: bytes, every: float = 0.05) -> None:
        """Send bytes one by one, with a pause before each, until the client or the test has had enough."""
        for byte in data:
            if self.server.stopped.wait(every):
                return
            self.write(bytes([byte]))

    def be_silent(self) -> None:
        """Send nothing (more), until the test ends."""
        self.server.stopped.wait(IDLE_SECONDS)

    def reset(self) -> None:
        """Break the connection off: the client sees a reset, no orderly end."""
        self.server.break_off(self.request)

    def serve(self) -> None:
        """Answer as the server does of itself."""
        self.server.answer(self)


Handler = Callable[[Exchange], None]


class WireFhirServer(LocalHttpServer):
    """Serves FHIR resources on a free port of this machine.

    Args:
        resources: what it holds.
        token: the bearer token it wants; an empty string for none.
        page: entries of a page, at most; a smaller `_count` counts.
        next_link: how it names the next page: `absolute`, `relative` (to the base), `path` (of the server) or `query`.
        with_total: whether its pages say how many entries there are.
        known: the search parameters that it knows; others are answered with 400. None: it passes over them.
        handlers: what answers instead of it, by path below the base (`Condition`, `Patient/pt-1`).
    """

    def __init__(
        self,
        *resources: Json,
        token: str = "",
        page: int = _PAGE,
        next_link: str = "absolute",
        with_total: bool = True,
        known: Collection[str] | None = None,
        handlers: Mapping[str, Handler] | None = None,
    ) -> None:
        super().__init__()
        self.resources = {f"{item['resourceType']}/{item['id']}": item for item in resources}
        self.handlers = dict(handlers or {})
        self._token, self._page, self._next_link = token, page, next_link
        self._with_total, self._known = with_total, known
        self._requests: list[Asked] = []
        self._lock = Lock()

    @property
    def base(self) -> str:
        """The base address, as a client names it in `fhirServer`."""
        return f"{self.origin}{BASE_PATH}"

    @property
    def requests(self) -> list[Asked]:
        """Every request so far, in the order in which they arrived."""
        with self._lock:
            return list(self._requests)

    @property
    def asked(self) -> list[str]:
        """Path and query below the base of every request so far, sorted: parallel requests have no order."""
        return sorted(_below_base(item.target) for item in self.requests)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Keep a request and answer it."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self._lock:
            self._requests.append(Asked(request.command, request.path, headers))
        exchange = Exchange(self, request)
        handler = self.handlers.get(urlsplit(exchange.target).path, self.answer)
        handler(exchange)

    def answer(self, exchange: Exchange) -> None:
        """A read or a search."""
        path, _, query = exchange.target.partition("?")
        if self._token and exchange.request.headers.get("Authorization") != f"Bearer {self._token}":
            exchange.resource(_outcome("login"), 401)
        elif "/" in path:
            found = self.resources.get(path)
            exchange.resource(found or _outcome("not-found"), 200 if found else 404)
        else:
            self._search(exchange, path, dict(parse_qsl(query)))

    def _search(self, exchange: Exchange, resource_type: str, parameters: dict[str, str]) -> None:
        if self._known is not None and not set(parameters) <= {*self._known, "page"}:
            exchange.resource(_outcome("not-supported"), 400)
            return
        patient = f"Patient/{parameters.get('patient', '')}"
        codes = set(filter(None, parameters.get("code", "").split(",")))
        found = [
            item
            for item in self.resources.values()
            if item["resourceType"] == resource_type and _is_of(item, patient) and (not codes or codes & _codes(item))
        ]
        size = min(int(parameters.get("_count", self._page)), self._page)
        number = int(parameters.get("page", 1))
        shown = found[(number - 1) * size : number * size]
        page: Json = {"resourceType": "Bundle", "type": "searchset"}
        if self._with_total:
            page["total"] = len(found)
        if shown:
            page["entry"] = [{"resource": item, "search": {"mode": "match"}} for item in shown]
        if number * size < len(found):
            query = urlencode(parameters | {"page": str(number + 1)})
            page["link"] = [{"relation": "next", "url": self._link(resource_type, query)}]
        exchange.resource(page)

    def _link(self, resource_type: str, query: str) -> str:
        return {
            "absolute": f"{self.base}/{resource_type}?{query}",
            "relative": f"{resource_type}?{query}",
            "path": f"{BASE_PATH}/{resource_type}?{query}",
            "query": f"?{query}",
        }[self._next_link]


def _below_base(target: str) -> str:
    return target.removeprefix(f"{BASE_PATH}/")


def _is_of(resource: Json, patient: str) -> bool:
    subject = resource.get("subject") or resource.get("patient") or {}
    return bool(subject.get("reference") == patient)


def _codes(resource: Json) -> set[str]:
    return {coding["code"] for coding in resource.get("code", {}).get("coding", ())}


def _outcome(code: str) -> Json:
    return {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": code}]}
