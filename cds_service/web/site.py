"""Routes of the pages: the front page, the evidence page, and the files that they load. No patient data."""

from __future__ import annotations

import orjson
from flask import Flask, Response, send_from_directory

from cds_service.decision.support import DecisionSupport
from cds_service.settings import Settings
from cds_service.web.codes_page import codes_html
from cds_service.web.evidence_page import evidence_html, front_html
from cds_service.web.messages import json_response
from cds_service.web.openapi import openapi
from cds_service.web.pages import STATIC_FOLDER

# Pages load style and script from here alone, send requests to this service only, and may not be framed.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

# Of every answer. A clinical answer holds for its moment only, and is not to be cached.
SAFE_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


def add_site(app: Flask, support: DecisionSupport, settings: Settings) -> None:
    """Add `/evidence`, `/openapi.json`, `/static/` and, but in development, the front page.

    The pages are those of the first rule.
    """
    rule = support.rules[0]
    content, services = rule.content, support.services
    # None of it changes while the service runs.
    evidence, codes = evidence_html(rule), codes_html(content)
    base_url = str(settings.base_url) if settings.base_url else None
    description = orjson.dumps(openapi(services.values(), content.version, base_url))

    @app.get("/evidence")
    def evidence_page() -> str:
        return evidence

    @app.get("/evidence/codes")
    def codes_page() -> str:
        return codes

    @app.get("/openapi.json")
    def described() -> Response:
        return json_response(description)

    @app.get("/static/<path:name>")
    def static_file(name: str) -> Response:
        return send_from_directory(STATIC_FOLDER, name)

    if not settings.development:
        front = front_html(rule)

        @app.get("/")
        def front_page() -> str:
            return front


def with_safe_headers(response: Response) -> Response:
    """Security headers: no content sniffing, no framing, no referrer."""
    for name, value in SAFE_HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
