"""The Flask application: routes, status codes, CORS and limits. It knows HTTP and nothing of medicine."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import orjson
from flask import Flask, Response, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound, RequestEntityTooLarge

from cds_service.errors import CdsError, NotAllowed, NotStored, TooLarge, UnknownService, WrongMediaType
from cds_service.protocol.feedback import read_feedback
from cds_service.protocol.hook_request import decode
from cds_service.protocol.outcome import operation_outcome
from cds_service.protocol.services import SERVICES, Service, discovery
from cds_service.service import DecisionSupport
from cds_service.settings import Settings

Clock = Callable[[], datetime]
WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# Media types under which clients send JSON; the last is what older FHIR clients call it.
JSON_TYPES = frozenset({"application/json", "application/fhir+json", "application/json+fhir"})

DECISION_HEADER = "X-Decision-Id"

# What browser clients send and may read (CDS Hooks Sandbox).
_CORS_REQUEST_HEADERS = ["Authorization", "Content-Type", "Accept"]
_CORS_METHODS = ["GET", "POST", "OPTIONS"]

# A browser may keep the answer to a preflight for ten minutes; a changed list of origins counts soon after.
_CORS_MAX_AGE_SECONDS = 600

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


def make_app(settings: Settings, clock: Clock = utc_now) -> Flask:
    """The application.

    Args:
        settings: all settings.
        clock: the moment of a call; tests give their own.

    Raises:
        ContentError: the clinical content cannot be used.
    """
    support = DecisionSupport(settings)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.wsgi_app = _PlainPaths(app.wsgi_app)  # type: ignore[method-assign]
    if settings.cors_origins:
        CORS(
            app,
            # As patterns, so that nothing in an origin is taken for one.
            origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in settings.cors_origins],
            always_send=False,
            methods=_CORS_METHODS,
            allow_headers=_CORS_REQUEST_HEADERS,
            expose_headers=[DECISION_HEADER],
            max_age=_CORS_MAX_AGE_SECONDS,
            supports_credentials=False,
        )
    _add_errors(app, settings)
    _add_routes(app, support, clock)
    app.after_request(_never_stored)
    return app


class _PlainPaths:
    """Addresses with doubled or trailing slashes mean the same as those without, and nobody is redirected.

    A client that joins its discovery address (with a slash) and an id asks for `/cds-services//id`; a redirect
    would end a browser's preflight and lose the body of a POST.
    """

    def __init__(self, app: WsgiApp) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["PATH_INFO"] = re.sub("/+", "/", path).rstrip("/") or "/"
        return self._app(environ, start_response)


def _add_routes(app: Flask, support: DecisionSupport, clock: Clock) -> None:
    discovered = orjson.dumps(discovery(support.content))

    @app.get("/cds-services")
    def services() -> Response:
        return _json(discovered)

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        service = _service(service_id)
        decision = support.decide(service, _document(), clock())
        try:
            response = _json(orjson.dumps(decision.response_or_error()))
        except CdsError as error:
            response = _refusal(error)
        response.headers[DECISION_HEADER] = str(decision.id)
        return response

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        _service(service_id)
        read_feedback(_document())
        # An acknowledgement means that feedback is kept; this version keeps none, and must not say that it does.
        raise NotStored

    @app.get("/health/live")
    def live() -> Response:
        return _json(orjson.dumps({"status": "live"}))

    @app.get("/health/ready")
    def ready() -> Response:
        return _json(orjson.dumps({"status": "ready", "rule": support.content.version}))


def _service(service_id: str) -> Service:
    try:
        return SERVICES[service_id]
    except KeyError:
        raise UnknownService from None


def _document() -> object:
    """The decoded body of the request."""
    if request.mimetype not in JSON_TYPES:
        raise WrongMediaType
    body = request.get_data(cache=False)
    if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
        # A body of unannounced length is cut at the limit without a word.
        raise RequestEntityTooLarge
    return decode(body)


def _json(body: bytes, status: int = 200) -> Response:
    return Response(body, status=status, mimetype="application/json")


def _refusal(error: CdsError) -> Response:
    return _json(orjson.dumps(operation_outcome(error)), error.status)


def _never_stored(response: Response) -> Response:
    """Clinical answers are true for the moment in which they are given."""
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _add_errors(app: Flask, settings: Settings) -> None:
    """Every error is answered with an OperationOutcome; none with HTML, and none with what was sent."""

    @app.errorhandler(CdsError)
    def known(error: CdsError) -> Response:
        return _refusal(error)

    @app.errorhandler(NotFound)
    def not_found(error: NotFound) -> Response:
        return _refusal(UnknownService())

    @app.errorhandler(MethodNotAllowed)
    def not_allowed(error: MethodNotAllowed) -> Response:
        response = _refusal(NotAllowed(sorted(error.valid_methods or ())))
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        return response

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(error: RequestEntityTooLarge) -> Response:
        return _refusal(TooLarge(settings.max_body_bytes))

    @app.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response:
        other = CdsError(f"The request was refused: {error.name}.")
        other.status, other.code = error.code or 500, "processing"
        return _refusal(other)

    @app.errorhandler(Exception)
    def crashed(error: Exception) -> Response:
        # The exception's text and locals may hold patient data: only its type and place are logged.
        crash_id = str(uuid4())
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{place.tb_frame.f_code.co_filename}:{place.tb_lineno}" if place else "?"
        _log.error("decision %s failed: %s at %s", crash_id, type(error).__name__, where)
        text = f"The service failed; nothing was concluded about this patient. Decision id {crash_id}."
        response = _refusal(CdsError(text))
        response.headers[DECISION_HEADER] = crash_id
        return response
