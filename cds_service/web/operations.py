"""Routes for the people who run the service: health and metrics."""

from __future__ import annotations

import orjson
from flask import Flask, Response

from cds_service.clock import Clock
from cds_service.decision.recorder import LedgerRecorder
from cds_service.decision.support import DecisionSupport
from cds_service.settings import Settings
from cds_service.web.messages import json_response

# The body of `/health/live`.
LIVE = orjson.dumps({"status": "live"})


def add_operations(
    app: Flask, version: str, recorder: LedgerRecorder, settings: Settings, support: DecisionSupport, clock: Clock
) -> None:
    """Add `/health/live`, `/health/ready` and `/metrics`.

    Args:
        app: the application.
        version: names the rules with their content.
        recorder: what the ledger is asked through.
        settings: all of them.
        support: says what somebody should see to, at the moment; it stops no call.
    """

    @app.get("/health/live")
    def live() -> Response:
        return json_response(LIVE)

    @app.get("/health/ready")
    def ready() -> Response:
        """Whether calls are answered. A ledger that is down is named; it stops calls only where it must be written."""
        problem = recorder.problem()
        usable = problem is None or not settings.ledger_strict
        state = {
            "status": "ready" if usable else "not ready",
            "rule": version,
            "ledger": "ok" if problem is None else f"down: {problem}",
            "warnings": list(support.warnings(clock())),
            "memory_of_answers": "on" if settings.pseudonym_key else "off: the setting pseudonym_key is not set",
        }
        return json_response(orjson.dumps(state), 200 if usable else 503)

    @app.get("/metrics")
    def metrics() -> Response:
        recorder.metrics.content_approved(support.approval_warning() is None)
        body, media_type = recorder.metrics.exposition()
        return Response(body, content_type=media_type)
