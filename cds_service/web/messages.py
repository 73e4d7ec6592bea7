"""Decode JSON bodies of requests, and answer errors with an OperationOutcome."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from cds_service.errors import CdsError, WrongMediaType
from cds_service.protocol.body_values import check_values
from cds_service.protocol.json_body import charset_of, decode, decode_call
from cds_service.protocol.limits import DEEPEST, BodyLimits, check_limits
from cds_service.protocol.outcome import operation_outcome
from cds_service.web.request_record import BODY

# Media types under which clients send JSON; the last is what older FHIR clients call it.
JSON_TYPES = frozenset({"application/json", "application/fhir+json", "application/json+fhir"})

DECISION_HEADER = "X-Decision-Id"


def call_document(limits: BodyLimits) -> object:
    """The decoded body of a hook call; entries of its prefetch that cannot matter may never be decoded.

    Raises:
        CdsError: see `document`.
    """
    # What is not decoded is known to be nested less deeply than the deepest limit, and no less deeply than that.
    return document(limits, decode_call if limits.depth >= DEEPEST else decode)


def document(limits: BodyLimits, decode: Callable[[bytes, str], object] = decode) -> object:
    """The decoded body of the request.

    Args:
        limits: of its size.
        decode: the JSON value of bytes in a character set.

    Raises:
        CdsError: it is not declared as JSON, compressed, in a character set that is not read, not JSON, or larger,
            deeper, longer or of more values than the limits.
    """
    if request.mimetype not in JSON_TYPES:
        raise WrongMediaType
    if request.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise WrongMediaType("The body must not be compressed: send it without Content-Encoding.")
    charset = charset_of(request.mimetype_params.get("charset") or "utf-8")
    body = _body()
    check_values(body, limits.values)
    decoded = decode(body, charset)
    check_limits(decoded, limits)
    return decoded


def _body() -> bytes:
    """The body of the request. Raises RequestEntityTooLarge."""
    received: bytes = request.environ.get(BODY, b"")
    if received:
        return received
    body = request.get_data(cache=False)
    if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
        # Werkzeug cuts a body without Content-Length at the limit and raises nothing.
        raise RequestEntityTooLarge
    return body


def json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status=status, mimetype="application/json")


def refusal(error: CdsError) -> Response:
    """An error as the client gets it."""
    response = json_response(orjson.dumps(operation_outcome(error)), error.status)
    if error.status == 401:
        # RFC 9110, 15.5.2: a 401 names the scheme. Nothing more is said.
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status == 415:
        # RFC 9110, 15.5.16: what may be sent instead.
        response.headers["Accept-Encoding"] = "identity"
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response
