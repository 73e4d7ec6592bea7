"""The routes of CDS Hooks: discovery, calls, feedback."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from flask import Flask, Response, g

from cds_service.clock import Clock
from cds_service.decision.caller import Caller
from cds_service.decision.recall import recall_with
from cds_service.decision.recorder import LedgerRecorder
from cds_service.decision.recording import FAILED, SWITCHED_OFF, decision_entry, feedback_entries, unanswered_entry
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import CdsError, InvalidRequest, MissingData, NotRecorded, TookTooLong, UnknownService
from cds_service.ledger.entries import DecisionEntry, Mode
from cds_service.protocol.feedback import read_feedback
from cds_service.protocol.services import Service, discovery
from cds_service.web.caller_authentication import CallerAuthenticator
from cds_service.web.messages import DECISION_HEADER, document, json_response, refusal

_NO_CARDS: dict[str, Any] = {"cards": []}


def add_hooks(
    app: Flask, support: DecisionSupport, recorder: LedgerRecorder, authenticator: CallerAuthenticator, clock: Clock
) -> None:
    """Add discovery, calls and feedback."""
    discovered = orjson.dumps(
        discovery((service, support.rule_of(service).prefetch) for service in support.services.values())
    )
    handler = HookHandler(support, recorder)

    @app.get("/cds-services")
    def services() -> Response:
        if not support.settings.open_discovery:
            authenticator.authenticate()
        return json_response(discovered)

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        caller = authenticator.authenticate()
        return handler.answer(_service(support, service_id), caller, clock())

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        caller = authenticator.authenticate()
        return handler.take_feedback(_service(support, service_id), caller, clock())


def _service(support: DecisionSupport, service_id: str) -> Service:
    service = support.services.get(service_id)
    if service is None:
        raise UnknownService
    g.service = service
    return service


class HookHandler:
    """Answers calls and takes feedback, and has both recorded."""

    def __init__(self, support: DecisionSupport, recorder: LedgerRecorder) -> None:
        self._support = support
        self._recorder = recorder
        self._recall = recall_with(recorder.answers, support.settings)

    def answer(self, service: Service, caller: Caller, now: datetime) -> Response:
        """Answer one call in the mode that is in force."""
        started: float = g.started
        mode = self._recorder.mode(service.id, caller.client)
        if mode is Mode.OFF:
            entry = unanswered_entry(
                SWITCHED_OFF, SWITCHED_OFF, service, caller, mode, now, self._support.rule_of(service).content
            )
            return self._entered(entry, json_response(orjson.dumps(_NO_CARDS)))
        body = document(self._support.settings.body_limits())
        try:
            entry, response = self._decided(service, body, caller, mode, now, started)
        except InvalidRequest:
            # Not a call of this service: nothing was asked about a patient.
            raise
        except Exception as error:
            self._record_failure(error, service, caller, mode, now, started)
            raise
        return self._entered(entry, response)

    def _decided(
        self, service: Service, body: object, caller: Caller, mode: Mode, now: datetime, started: float
    ) -> tuple[DecisionEntry, Response]:
        """The answer to a call, and its row."""
        limit = self._support.settings.call_seconds
        left = limit - (time.perf_counter() - started)
        if left <= 0:
            raise TookTooLong(limit)
        decision = self._support.decide(service, body, now, caller, self._recall, left)
        if time.perf_counter() - started > limit:
            raise TookTooLong(limit)
        for gap in decision.reads.values():
            self._recorder.metrics.fhir_read(gap.name.lower().replace("_", "-") if gap else "answered")
        # Beside the id of a decision that is not under a key, it would let someone try out patient ids.
        instance = _uuid_or_none(decision.hook_instance) if decision.memory else None
        g.line = {"hook_instance": instance, "fetched": list(decision.reads)}
        response = _shown(decision, mode)
        milliseconds = (time.perf_counter() - started) * 1000
        return decision_entry(decision, service, caller, mode, now, milliseconds), response

    def take_feedback(self, service: Service, caller: Caller, now: datetime) -> Response:
        """Store feedback; the answer says so only when it is stored."""
        entries = feedback_entries(
            read_feedback(document(self._support.settings.body_limits())),
            service,
            caller,
            now,
            self._support.settings,
            self._support.rule_of(service).content,
        )
        receipt = self._recorder.record_feedback(entries)
        # Of a batch in which only some cards are known, the receipt does not say which.
        known = {0: True, len(entries): False}.get(receipt.unknown)
        for entry in entries:
            self._recorder.metrics.feedback(service.id, entry.outcome, entry.reason, known)
        g.line = {"stored": receipt.stored, "repeated": receipt.repeated, "unknown_cards": receipt.unknown}
        return json_response(orjson.dumps({}))

    def _entered(self, entry: DecisionEntry, response: Response) -> Response:
        """The response, once its decision is recorded."""
        g.decision_id = entry.decision_id
        g.decision = entry
        try:
            self._recorder.record_decision(entry)
        except NotRecorded as error:
            g.decision = replace(entry, outcome=FAILED, reason=type(error).__name__, card_id=None)
            raise
        finally:
            self._recorder.metrics.call(g.decision)
        response.headers[DECISION_HEADER] = str(entry.decision_id)
        return response

    def _record_failure(
        self, error: Exception, service: Service, caller: Caller, mode: Mode, now: datetime, started: float
    ) -> None:
        """Record a crash under the name of the error's type; its text may hold patient data."""
        g.decision_id = uuid4()
        milliseconds = (time.perf_counter() - started) * 1000
        content, kind = self._support.rule_of(service).content, type(error).__name__
        entry = unanswered_entry(FAILED, kind, service, caller, mode, now, content, g.decision_id, milliseconds)
        g.decision = entry
        self._recorder.metrics.call(entry)
        try:
            self._recorder.record_decision(entry)
        except CdsError:
            # The client is answered with the crash itself.
            return


def _shown(decision: Decision, mode: Mode) -> Response:
    """The answer to the client; in silent mode it never has a card, and an error only where data is missing."""
    try:
        body = decision.response_or_error()
    except MissingData as error:
        if mode is Mode.LIVE:
            return refusal(error)
        body = _NO_CARDS
    return json_response(orjson.dumps(body if mode is Mode.LIVE else _NO_CARDS))


def _uuid_or_none(text: str) -> str | None:
    """A hook instance that is a UUID, as CDS Hooks demands; any other may hold any text, and is not logged."""
    try:
        return str(UUID(text))
    except ValueError:
        return None
