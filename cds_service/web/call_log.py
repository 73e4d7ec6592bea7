"""One line of JSON for each request, with a stable shape, and nothing of the patient in it.

| Key | |
|---|---|
| `timestamp`, `level`, `event` | `info`, `warning` (refused) or `error` (our fault); always `request` |
| `method`, `route`, `status`, `milliseconds` | of HTTP; the route is the pattern, never the address asked for |
| `address` | of the client: that of the connection, or what the `trusted_proxies` name |
| `decision_id` | as in the header `X-Decision-Id`; of a hook call, that of its row in the ledger |
| `issuer`, `tenant` | the trusted client, or `anonymous`; of a refused one, the known client its token names |
| `service`, `hook`, `hook_instance` | of a call or feedback; the instance only with `pseudonym_key`, and if a UUID |
| `mode`, `outcome`, `reason` | how it was answered, as in the ledger |
| `settings_digest` | of the settings that can change an answer, as they are in force for the client: its first digits |
| `fetched` | the prefetch keys that were read from the FHIR server |
| `not_understood` | entries by prefetch key and code system that were not understood, and what stands beside it |
| `refusal` | why a caller was refused (401, 403, 429) |
| `stored`, `repeated`, `unknown_cards` | of feedback |

Every line has all keys; what does not apply is null. Of many code systems the most frequent stand in `not_understood`,
and the rest together as `others`: the ledger has all of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request

from cds_service.reporting.metrics import Metrics
from cds_service.reporting.summary import shown_digest
from cds_service.settings import Settings
from cds_service.trust.proxies import HEADERS, client_address
from cds_service.web.log_output import standard_output
from cds_service.web.messages import DECISION_HEADER
from cds_service.web.request_record import request_record

# The lines go through this logger of the standard library, so that a host program can send them where it likes.
LOGGER_NAME = "cds_service.requests"

# Linux keeps what is written to a pipe in one piece up to 4,096 bytes (PIPE_BUF). All else in a line has some 1,000.
_MOST_CHARACTERS = 2_000
_AROUND_A_SYSTEM = len('"":12345,')
OTHERS = "others"

_KEYS = (
    "method",
    "route",
    "status",
    "milliseconds",
    "address",
    "decision_id",
    "issuer",
    "tenant",
    "service",
    "hook",
    "hook_instance",
    "mode",
    "outcome",
    "reason",
    "settings_digest",
    "fetched",
    "not_understood",
    "refusal",
    "stored",
    "repeated",
    "unknown_cards",
)


def add_call_log(app: Flask, metrics: Metrics, settings: Settings) -> None:
    """Give each answer the id of its decision, count it where it is an error, and write its line."""
    log = structlog.wrap_logger(
        logging.getLogger(LOGGER_NAME),
        processors=[
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(_json),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        # Bound once, and not for each line.
    ).bind()

    @app.before_request
    def begin() -> None:
        # Behind the worker's front, a call begins when it was received whole, and may wait for a thread.
        request_record().address = _address(settings)

    @app.after_request
    def end(response: Response) -> Response:
        response.headers.setdefault(DECISION_HEADER, str(request_record().response_id()))
        if response.status_code >= 400:
            metrics.http_error(response.status_code)
        line = _log_fields(response)
        # Health and metrics are asked for every few seconds; they are worth a line only when they fail.
        if response.status_code >= 500:
            log.error("request", **line)
        elif response.status_code in (401, 403, 429):
            log.warning("request", **line)
        elif not (line["route"] or "").startswith(("/health/", "/metrics")):
            log.info("request", **line)
        return response


def _address(settings: Settings) -> str:
    """Where the current request comes from."""
    peer: str = request.environ.get("REMOTE_ADDR", "")
    if not settings.trusted_proxies:
        return peer
    return client_address(
        peer,
        request.environ.get(HEADERS[settings.proxy_header]),
        settings.trusted_proxies,
        forwarded=settings.proxy_header == "Forwarded",
    )


def _log_fields(response: Response) -> dict[str, Any]:
    record = request_record()
    line: dict[str, Any] = dict.fromkeys(_KEYS)
    # An unknown method may be any text, and is not logged.
    line["method"] = request.method if request.method in ("GET", "HEAD", "POST", "OPTIONS") else "other"
    line["route"] = request.url_rule.rule if request.url_rule else None
    line["status"] = response.status_code
    line["milliseconds"] = round((time.perf_counter() - record.started) * 1000, 1)
    if service := record.service:
        line |= {"service": service.id, "hook": service.hook}
    if entry := record.entry:
        line |= {"mode": entry.mode.value, "outcome": entry.outcome, "reason": entry.reason}
        line["settings_digest"] = shown_digest(entry.settings_digest)
    if record.refused_issuer:
        line["issuer"] = record.refused_issuer
    if caller := record.caller:
        line |= {"issuer": caller.client, "tenant": caller.tenant or None}
    line["address"] = record.address
    line["decision_id"] = str(record.response_id())
    line["refusal"] = record.refusal
    return {**line, **record.log_fields}


def most_frequent(counts: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """What was not understood, cut to what a line may hold: workers write to one pipe, which keeps short lines whole.

    The ledger has all of it.
    """
    found: dict[str, dict[str, int]] = {}
    room = _MOST_CHARACTERS
    every = [(count, key, system) for key, systems in counts.items() for system, count in systems.items()]
    for count, key, system in sorted(every, key=lambda each: -each[0]):
        room -= len(system) + _AROUND_A_SYSTEM
        name = system if room > 0 else OTHERS
        of_key = found.setdefault(key, {})
        of_key[name] = of_key.get(name, 0) + count
    return found


def _json(line: Mapping[str, Any], **_: Any) -> str:
    return orjson.dumps(line, default=repr).decode()


def log_to_standard_output() -> None:
    """Send all log lines of the service to standard output as they are, one line each."""
    handler = standard_output()
    handler.setFormatter(_OneLine())
    root = logging.getLogger("cds_service")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False


class _OneLine(logging.Formatter):
    """Lines that are JSON already as they are; other messages of the service as JSON with the same first keys.

    What such a message is about stands in further keys, which its logger gives as `extra={"fields": {...}}`.
    """

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        if record.name == LOGGER_NAME:
            return message
        event = {"event": message, "logger": record.name, "level": record.levelname.lower()}
        event |= getattr(record, "fields", {})
        stamped = structlog.processors.TimeStamper(fmt="iso", utc=True)(None, "", event)
        return str(structlog.processors.JSONRenderer()(None, "", dict(stamped)))
