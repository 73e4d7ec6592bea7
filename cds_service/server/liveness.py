"""`/health/live`, answered by the event loop itself: whatever threads wait for, the process lives.

An orchestrator kills a process that does not say so in time, and the next one would wait for the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from cds_service.server.wsgi_call import SERVER, WsgiResponse
from cds_service.web.messages import DECISION_HEADER
from cds_service.web.operations import LIVE
from cds_service.web.site import SAFE_HEADERS

_PATH = b"/health/live"


def asks_whether_it_lives(scope: Mapping[str, Any]) -> bool:
    """Whether a request of ASGI asks that, in so many words; in others the application answers."""
    return bool(scope["raw_path"] == _PATH and scope["method"] in ("GET", "HEAD"))


def it_lives(scope: Mapping[str, Any]) -> WsgiResponse:
    """The same response as the application's."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(LIVE)),
        (DECISION_HEADER.lower().encode(), str(uuid4()).encode()),
        *((name.lower().encode(), value.encode()) for name, value in SAFE_HEADERS.items()),
        SERVER,
    ]
    return 200, headers, LIVE if scope["method"] == "GET" else b""
