"""What is known of the current request, for its log line and the id in its response: one record on Flask's `g`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from flask import g, request

from cds_service.decision.caller import Caller
from cds_service.ledger.entries import DecisionEntry
from cds_service.protocol.services import Service

# In the environment of WSGI: when the worker's front had received the request whole (`time.perf_counter`).
RECEIVED = "cds.received"

# In the environment of WSGI: the body, where the front has received it whole and within the limit, and else nothing.
# Werkzeug reads `wsgi.input` in pieces, puts them together and copies the whole: thrice a large one's memory.
BODY = "cds.body"


@dataclass(slots=True)
class RequestRecord:
    """Filled in on the way of a request; what does not apply stays None or empty.

    Attributes:
        address: of the client, as far as the connection or a trusted proxy tells it.
        started: when the request began, or was received whole by the worker's front (`time.perf_counter`).
        decision_id: of a hook call, that of its row in the ledger.
        entry: the row of the decision, as the client was answered.
        refusal: why the caller was refused, and `refused_issuer` whom its token names, if we know it.
        log_fields: further keys of the log line.
    """

    started: float
    address: str = ""
    caller: Caller | None = None
    service: Service | None = None
    decision_id: UUID | None = None
    entry: DecisionEntry | None = None
    refusal: str | None = None
    refused_issuer: str = ""
    log_fields: Mapping[str, Any] = field(default_factory=dict)

    def response_id(self) -> UUID:
        """The id under which the response is spoken of: that of the decision, else a random one."""
        if self.decision_id is None:
            self.decision_id = uuid4()
        return self.decision_id


def request_record() -> RequestRecord:
    """The record of the current request, made when it is first asked for."""
    if "record" not in g:
        g.record = RequestRecord(started=request.environ.get(RECEIVED) or time.perf_counter())
    record: RequestRecord = g.record
    return record
