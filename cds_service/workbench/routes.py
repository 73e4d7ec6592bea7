"""The workbench's addresses: the page at `/`, and below `/workbench` what it asks for besides the public endpoints.

For development only: whoever makes the application decides whether they are served. Errors are raised as `CdsError` and
answered by the application, as an OperationOutcome. `X-As-Of` names another day than today, as for the hook calls.
"""

from __future__ import annotations

from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any

import orjson
from flask import Blueprint, Flask, Response, request

from cds_service.clinical.rules.rule import Rule
from cds_service.clock import Clock
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import NO_HISTORY, OverrideHistory
from cds_service.decision.support import DecisionSupport
from cds_service.errors import InvalidRequest
from cds_service.settings import Settings
from cds_service.web.as_of import clock_as_of, read_day
from cds_service.web.messages import document, json_response
from cds_service.web.pages import page_environment
from cds_service.workbench.detail import detail_html
from cds_service.workbench.patients import OWN_DRAFTS, FixturePatients, noon
from cds_service.workbench.picture import picture
from cds_service.workbench.why import explained

_TEMPLATES = page_environment("cds_service.workbench")

# Far enough to see everything that ages, and within every calendar.
_FURTHEST = timedelta(days=50 * 365)


def register_workbench(
    app: Flask,
    support: DecisionSupport,
    scenarios_folder: Path,
    clock: Clock,
    history: OverrideHistory = NO_HISTORY,
) -> None:
    """Serve the workbench from `app`.

    Args:
        app: the application that answers the public endpoints.
        support: what answers the calls of `app`.
        scenarios_folder: the synthetic patients.
        clock: the moment of a call that names no other day.
        history: the feedback on earlier cards, as for the calls that `app` answers.
    """
    # The synthetic patients are those of the first rule.
    rule = support.rules[0]
    patients = FixturePatients(scenarios_folder, rule.content, [service.hook for service in rule.services])
    blueprint = Blueprint("workbench", __name__, static_folder="static", static_url_path="/workbench/static")
    _add_page(blueprint, patients, support, clock)
    _add_explanations(blueprint, support, patients, clock, history)
    app.register_blueprint(blueprint)


def _add_page(blueprint: Blueprint, patients: FixturePatients, support: DecisionSupport, clock: Clock) -> None:
    # Reading all patients takes a second at most; their ages change once a day.
    pages: dict[date, str] = {}

    @blueprint.get("/")
    def page() -> str:
        today = clock().astimezone(UTC).date()
        if today not in pages:
            pages.clear()
            pages[today] = _page(patients, support, today)
        return pages[today]


def _page(patients: FixturePatients, support: DecisionSupport, today: date) -> str:
    rule = support.rules[0]
    services = {service.hook: service.id for service in rule.services}
    return _TEMPLATES.get_template("workbench.html.jinja").render(
        patients=patients.lines(noon(today)),
        drafts=patients.drafts.values(),
        own=OWN_DRAFTS,
        changed_settings=_changed_settings(rule, support.settings),
        services=services,
        today=today.isoformat(),
        last_day=(today + _FURTHEST).isoformat(),
        current="/",
    )


def _changed_settings(rule: Rule, settings: Settings) -> list[str]:
    """The choices of the site that are not the defaults, for which alone the expected answers stand."""
    defaults = Settings()
    return [name for name in rule.choices if getattr(settings, name) != getattr(defaults, name)]


def _add_explanations(
    blueprint: Blueprint, support: DecisionSupport, patients: FixturePatients, clock: Clock, history: OverrideHistory
) -> None:
    limits = support.settings.body_limits()
    asked = clock_as_of(clock)

    @blueprint.get("/workbench/patients/<name>")
    def hook_request(name: str) -> Response:
        now = clock()
        drafts = request.args.get("drafts")
        names = None if drafts is None else [item for item in drafts.split(",") if item]
        day = request.args.get("as_of")
        as_of = read_day(day, "as_of") if day else now.astimezone(UTC).date()
        return _json(patients.request(name, request.args.get("hook"), names, now, as_of))

    @blueprint.post("/workbench/why")
    def why() -> Response:
        body = document(limits)
        if (service := support.service_for(body)) is None:
            raise InvalidRequest("hook", f"must be one of {', '.join(patients.hooks)}")
        explanation = explained(support, HookCall(service, asked()), body, history)
        drawn = explanation.timeline
        shown = _TEMPLATES.get_template("timeline.html.jinja").render(timeline=drawn, picture=picture(drawn))
        return _json({**explanation.facts, "timeline": shown})

    @blueprint.post("/workbench/detail")
    def detail() -> Response:
        card = document(limits)
        markdown = card.get("detail") if isinstance(card, dict) else None
        if not isinstance(markdown, str):
            raise InvalidRequest("detail", "must be a text")
        return _json({"html": detail_html(markdown)})


def _json(value: dict[str, Any]) -> Response:
    return json_response(orjson.dumps(value))
