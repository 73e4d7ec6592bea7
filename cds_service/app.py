"""The Flask application: routes, status codes, CORS and limits. It knows HTTP and nothing of medicine."""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from flask_cors import CORS

from cds_service.clinical import registry
from cds_service.clinical.rules.assessment import OVERRIDDEN_EARLIER
from cds_service.clock import Clock, utc_now
from cds_service.content.review import review_ends
from cds_service.decision.content_in_use import version_of
from cds_service.decision.memory import OverrideHistory
from cds_service.decision.pseudonyms import pseudonyms_of
from cds_service.decision.recorder import LedgerRecorder
from cds_service.decision.recording import SWITCHED_OFF
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import NoScenarios, scenarios_folder
from cds_service.errors import CdsError
from cds_service.reporting.metrics import Metrics, Vocabulary
from cds_service.reporting.summary import shown_digest
from cds_service.settings import Settings, SettingsError
from cds_service.web.as_of import clock_as_of
from cds_service.web.call_log import add_call_log
from cds_service.web.caller_authentication import REFUSALS, CallerAuthenticator
from cds_service.web.failures import add_failures
from cds_service.web.hooks import add_hooks
from cds_service.web.messages import DECISION_HEADER
from cds_service.web.operations import add_operations
from cds_service.web.site import add_site, with_safe_headers

WsgiApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

# What browser clients send and may read (CDS Hooks Sandbox).
_CORS_REQUEST_HEADERS = ["Authorization", "Content-Type", "Accept"]
_CORS_METHODS = ["GET", "POST", "OPTIONS"]

# A browser may keep the answer to a preflight for ten minutes; a changed list of origins counts soon after.
_CORS_MAX_AGE_SECONDS = 600

# The extension under which the application holds its ledger recorder, for the server that runs it.
RECORDER = "cds_service.recorder"

# And under which it holds what decides.
SUPPORT = "cds_service.support"

_log = logging.getLogger(__name__)


def make_app(settings: Settings, clock: Clock = utc_now) -> Flask:
    """The application.

    Args:
        settings: all settings.
        clock: the moment of a call; tests give their own.

    Raises:
        ContentError: the clinical content cannot be used.
        SettingsError: the settings do not fit the content or the installation.
    """
    support = DecisionSupport(settings)
    for warning in support.warnings(clock()):
        _log.warning(warning)
    metrics = Metrics(_version(support), _vocabulary(support))
    for evaluator in support.evaluators:
        for rule in evaluator.rules:
            metrics.settings_in_use(rule.content.version, shown_digest(evaluator.settings_digest(rule)))
    recorder = LedgerRecorder(settings, metrics)
    app = Flask(__name__, static_folder=None)
    app.extensions[RECORDER] = recorder
    app.extensions[SUPPORT] = support
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.wsgi_app = _PlainPaths(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(recorder.begin_call)
    app.teardown_request(lambda _: recorder.end_call())
    _allow_origins(app, settings)
    add_failures(app, settings)
    asked = clock_as_of(clock) if settings.development else clock
    add_hooks(app, support, recorder, CallerAuthenticator(settings, recorder, clock), asked)
    add_site(app, support, settings)
    if settings.development:
        _add_workbench(app, support, recorder, clock)
    for rule in support.rules:
        recorder.metrics.review_due(rule.content.rule.id, review_ends(rule.content.rule))
    add_operations(app, _version(support), recorder, settings, support, clock)
    # Flask runs these in reverse order: the log line is written when all headers are set.
    add_call_log(app, recorder.metrics, settings)
    app.after_request(with_safe_headers)
    return app


def _add_workbench(app: Flask, support: DecisionSupport, recorder: LedgerRecorder, clock: Clock) -> None:
    """The workbench, with the synthetic patients that came with the service."""
    if importlib.util.find_spec("markdown_it") is None:
        raise SettingsError(
            "setting 'development': markdown-it-py is not installed: pip install 'cds-service[workbench]'"
        )
    # Imported only in development: a service in real use has no part of it, nor what it needs.
    from cds_service.workbench.routes import register_workbench

    try:
        folder = scenarios_folder()
    except NoScenarios as error:
        raise SettingsError(f"setting 'development': {error}") from error
    history = OverrideHistory(recorder.earlier_feedback, pseudonyms_of(support.settings))
    register_workbench(app, support, folder, clock, history)


def _version(support: DecisionSupport) -> str:
    """The versions of all rules with their content, as metrics name them."""
    return version_of([rule.content for rule in support.rules])


def _vocabulary(support: DecisionSupport) -> Vocabulary:
    """The closed sets that may become labels of metrics."""
    reasons = {reason for definition in registry.RULES for reason in definition.reasons}
    return Vocabulary(
        hooks={service.id: service.hook for service in support.services.values()},
        reasons=frozenset(
            {*reasons, OVERRIDDEN_EARLIER, SWITCHED_OFF, *(kind.__name__ for kind in CdsError.__subclasses__())}
        ),
        override_reasons=frozenset(
            item.code
            for evaluator in support.evaluators
            for rule in evaluator.rules
            for item in rule.content.override_reasons
        ),
        refusals=REFUSALS,
    )


def _allow_origins(app: Flask, settings: Settings) -> None:
    allowed = settings.all_origins()
    if not allowed:
        return
    CORS(
        app,
        # As patterns, so that nothing in an origin is taken for one.
        origins=[re.compile(rf"{re.escape(origin)}\Z") for origin in allowed],
        always_send=False,
        methods=_CORS_METHODS,
        allow_headers=_CORS_REQUEST_HEADERS,
        expose_headers=[DECISION_HEADER],
        max_age=_CORS_MAX_AGE_SECONDS,
        supports_credentials=False,
    )


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
