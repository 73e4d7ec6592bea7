"""Every error is answered with an OperationOutcome; none with HTML, and none with what was sent."""

from __future__ import annotations

import logging

from flask import Flask, Response
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from cds_service.errors import CdsError, NotAllowed, TooLarge, UnknownService
from cds_service.settings import Settings
from cds_service.web.messages import DECISION_HEADER, refusal
from cds_service.web.request_record import request_record

# What the worker's front refuses for now: a body that came too slowly, and more large bodies than it holds.
_TRANSIENT = {408: "timeout", 503: "throttled"}
_RETRY_SECONDS = 5

_log = logging.getLogger(__name__)


def add_failures(app: Flask, settings: Settings) -> None:
    """Turn everything that a route can raise into an answer."""

    @app.errorhandler(CdsError)
    def known(error: CdsError) -> Response:
        return refusal(error)

    @app.errorhandler(NotFound)
    def not_found(error: NotFound) -> Response:
        return refusal(UnknownService())

    @app.errorhandler(MethodNotAllowed)
    def not_allowed(error: MethodNotAllowed) -> Response:
        response = refusal(NotAllowed(sorted(error.valid_methods or ())))
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(error: RequestEntityTooLarge) -> Response:
        return refusal(TooLarge(settings.max_body_bytes))

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        other = CdsError(f"The request was refused: {error.name}.")
        other.status, other.code = error.code or 500, "processing"
        if other.status in _TRANSIENT:
            other.code, other.retry_after = _TRANSIENT[other.status], _RETRY_SECONDS
        return refusal(other)

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        crash_id = str(request_record().response_id())
        _log.error("decision %s failed: %s at %s", crash_id, type(error).__name__, place_of(error))
        text = f"The service failed; nothing was concluded about this patient. Decision id {crash_id}."
        response = refusal(CdsError(text))
        response.headers[DECISION_HEADER] = crash_id
        return response


def place_of(error: Exception) -> str:
    """Where an exception was raised. Its text and its locals may hold patient data and are never logged."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    return f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
