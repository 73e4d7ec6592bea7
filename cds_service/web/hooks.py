"""The routes of CDS Hooks: discovery, calls, feedback."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from flask import Flask, Response

from cds_service.clock import Clock, Deadline
from cds_service.decision.caller import Caller
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import OverrideHistory
from cds_service.decision.pseudonyms import pseudonyms_of
from cds_service.decision.recorder import LedgerRecorder
from cds_service.decision.recording import FAILED, SWITCHED_OFF, decision_entry, feedback_entries, unanswered_entry
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import CdsError, InvalidRequest, MissingData, NotRecorded, UnknownService
from cds_service.ledger.entries import DecisionEntry, Mode
from cds_service.protocol.feedback import read_feedback
from cds_service.protocol.services import Service, discovery
from cds_service.reporting.metrics import FHIR_ANSWERED
from cds_service.web.call_log import most_frequent
from cds_service.web.caller_authentication import CallerAuthenticator
from cds_service.web.messages import DECISION_HEADER, call_document, document, json_response, refusal
from cds_service.web.request_record import request_record

_NO_CARDS: dict[str, Any] = {"cards": []}


def add_hooks(
    app: Flask, support: DecisionSupport, recorder: LedgerRecorder, authenticator: CallerAuthenticator, clock: Clock
) -> None:
    """Add discovery, calls and feedback."""
    discovered = {
        evaluator: orjson.dumps(discovery((service, rule.prefetch) for service, rule in evaluator.answered_by.values()))
        for evaluator in support.evaluators
    }
    handler = HookHandler(support, recorder)

    @app.get("/cds-services")
    def services() -> Response:
        if support.settings.open_discovery:
            return json_response(discovered[support.evaluators.site])
        return json_response(discovered[support.evaluators.of(authenticator.authenticate().client)])

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        caller = authenticator.authenticate()
        return handler.respond(handler.call_of(_service(support, service_id), caller, clock()))

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        caller = authenticator.authenticate()
        return handler.take_feedback(HookCall(_service(support, service_id), clock(), caller))


def _service(support: DecisionSupport, service_id: str) -> Service:
    service = support.services.get(service_id)
    if service is None:
        raise UnknownService
    request_record().service = service
    return service


class HookHandler:
    """Answers hook calls and takes feedback, and has both recorded."""

    def __init__(self, support: DecisionSupport, recorder: LedgerRecorder) -> None:
        self._support = support
        self._settings = support.settings
        self._recorder = recorder
        self._history = OverrideHistory(recorder.earlier_feedback, pseudonyms_of(support.settings))

    def call_of(self, service: Service, caller: Caller, at: datetime) -> HookCall:
        """The current request as a hook call, in the mode that is in force."""
        mode = self._recorder.mode(service.id, caller.client)
        return HookCall(service, at, caller, mode, Deadline(request_record().started, self._settings.call_seconds))

    def respond(self, call: HookCall) -> Response:
        """Answer one hook call."""
        if call.mode is Mode.OFF:
            entry = self._unanswered_entry(call, SWITCHED_OFF, SWITCHED_OFF)
            return self._recorded(entry, json_response(orjson.dumps(_NO_CARDS)))
        body = call_document(self._settings.body_limits())
        try:
            entry, response = self._decided(call, body)
        except InvalidRequest:
            # Not a call of this service: nothing was asked about a patient.
            raise
        except Exception as error:
            self._record_failure(error, call)
            raise
        return self._recorded(entry, response)

    def _decided(self, call: HookCall, body: object) -> tuple[DecisionEntry, Response]:
        """The response to a call, and the row of its decision."""
        call.check_time()
        decision = self._support.decide(call, body, self._history)
        call.check_time()
        for gap in decision.reads.values():
            self._recorder.metrics.fhir_read(gap.code if gap else FHIR_ANSWERED)
        # Beside the id of a decision that is not under a key, it would let someone try out patient ids.
        instance = _uuid_or_none(decision.hook_instance) if decision.memory else None
        entry = decision_entry(decision, call)
        request_record().log_fields = {
            "hook_instance": instance,
            "fetched": list(decision.reads),
            "not_understood": most_frequent(entry.not_understood),
        }
        return entry, _response_in_mode(decision, call.mode)

    def take_feedback(self, call: HookCall) -> Response:
        """Store feedback; the response says so only when it is stored."""
        feedback = read_feedback(document(self._settings.body_limits()))
        evaluator = self._support.evaluators.of(call.caller.client)
        entries = feedback_entries(feedback, call, evaluator.settings, evaluator.rule_of(call.service).content)
        receipt = self._recorder.record_feedback(entries)
        # Of a batch in which only some cards are known, the receipt does not say which.
        known = {0: True, len(entries): False}.get(receipt.unknown)
        for entry in entries:
            self._recorder.metrics.feedback(call.service.id, entry.outcome, entry.reason, known)
        for change in receipt.changes:
            self._recorder.metrics.card_answered(change)
        request_record().log_fields = {
            "stored": receipt.stored,
            "repeated": receipt.repeated,
            "unknown_cards": receipt.unknown,
        }
        return json_response(orjson.dumps({}))

    def _recorded(self, entry: DecisionEntry, response: Response) -> Response:
        """The response, once its decision is recorded."""
        record = request_record()
        record.decision_id, record.entry = entry.decision_id, entry
        try:
            self._recorder.record_decision(entry)
        except NotRecorded as error:
            record.entry = replace(entry, outcome=FAILED, reason=type(error).__name__, card_id=None)
            raise
        finally:
            self._recorder.metrics.call(record.entry)
        response.headers[DECISION_HEADER] = str(entry.decision_id)
        return response

    def _unanswered_entry(self, call: HookCall, outcome: str, reason: str, milliseconds: float = 0) -> DecisionEntry:
        evaluator = self._support.evaluators.of(call.caller.client)
        rule = evaluator.rule_of(call.service)
        digest = evaluator.settings_digest(rule)
        return unanswered_entry(call, outcome, reason, rule.content, digest, milliseconds=milliseconds)

    def _record_failure(self, error: Exception, call: HookCall) -> None:
        """Record a crash under the name of the error's type; its text may hold patient data."""
        entry = self._unanswered_entry(call, FAILED, type(error).__name__, call.milliseconds_taken())
        record = request_record()
        record.decision_id, record.entry = entry.decision_id, entry
        self._recorder.metrics.call(entry)
        try:
            self._recorder.record_decision(entry)
        except CdsError:
            # The client is answered with the crash itself.
            return


def _response_in_mode(decision: Decision, mode: Mode) -> Response:
    """The response to the client; in silent mode it never has a card, and an error only where data is missing."""
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
