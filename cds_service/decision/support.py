"""One hook call from body to answer: the controller.

1. protocol: is it a valid call of this service?
2. chart: what is known of the patient?
3. clinical: what does it mean?
4. advice: which card, and was it answered before?

Each step hands its result to the next. One step may be repeated: where the answer is open, or a card will fire, the
chart is completed from the EHR's FHIR server, if it may be read, and assessed once more. The moment is an argument, so
that the same call at the same moment gives the same answer.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from cds_service.addresses import base_of, server_problem
from cds_service.advice.call import DecidedCall
from cds_service.advice.card import cards, proposed
from cds_service.chart.build import build_chart
from cds_service.chart.prefetch import FetchedPrefetch, StillWanted, always_wanted
from cds_service.chart.records import Chart, Gap
from cds_service.chart.screening import CodeScreen
from cds_service.clinical.rules.assessment import Assessment, Outcome
from cds_service.clinical.rules.rule import Rule
from cds_service.content.model import Content
from cds_service.content.review import review_warnings
from cds_service.decision.active_override import EvidenceFingerprints, with_active_override
from cds_service.decision.decision_id import decision_id
from cds_service.decision.evaluator import Evaluators
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import NO_HISTORY, OverrideHistory, PatientMemory
from cds_service.ehr.completion import complete
from cds_service.ehr.reader import FhirReader, FhirServer
from cds_service.errors import InvalidRequest, MissingData
from cds_service.ledger.entries import ANONYMOUS
from cds_service.protocol.hook_request import HookRequest, read_hook_request
from cds_service.protocol.services import Service
from cds_service.settings import Settings

# The prefetch key of the patient's own record.
_PATIENT = "patient"

# A key that was supplied and held nothing, where something is needed: the patient record.
_EMPTY = "supplied, but empty"


@dataclass(frozen=True, slots=True)
class Decision:
    """One call, answered: the assessment, the response body, and the decision's id.

    Attributes:
        rule: that answered.
        gaps: by prefetch key, why it is not wholly known.
        fetched: which addresses were asked for on the FHIR server.
        prefetched: the prefetch keys that came with the call.
        reads: the prefetch keys that were read from the FHIR server, with what went wrong, if anything.
        hook_instance: as the client sent it.
        memory: what is remembered of the patient, if anything is.
        evidence_fingerprints: of the findings, by kind of evidence; none without a memory.
        settings_digest: of the settings that can change an answer, as they are in force for the caller.
    """

    id: UUID
    rule: Rule = field(repr=False)
    assessment: Assessment
    gaps: Mapping[str, str]
    fetched: tuple[str, ...] = field(repr=False)
    response: Mapping[str, Any] = field(repr=False)
    prefetched: tuple[str, ...] = ()
    reads: Mapping[str, Gap | None] = field(default_factory=dict)
    hook_instance: str = field(repr=False, default="")
    memory: PatientMemory | None = field(repr=False, default=None)
    evidence_fingerprints: EvidenceFingerprints = field(repr=False, default_factory=dict)
    settings_digest: str = ""

    def response_or_error(self) -> Mapping[str, Any]:
        """The response body.

        Raises:
            MissingData: nothing could be concluded; the error names each missing prefetch key and why.
        """
        if self.assessment.outcome is Outcome.UNDETERMINED and not self.response["cards"]:
            missing = [(key, self.gaps.get(key, _EMPTY)) for key in self.assessment.missing]
            raise MissingData(missing, failed=bool(self.fetched))
        return self.response


class DecisionSupport:
    """The service without its web server: settings and content, read once, and calls answered one by one."""

    def __init__(self, settings: Settings | None = None, contents: Sequence[Content] | None = None) -> None:
        """Raises ContentError where the content cannot be used, SettingsError where the settings do not fit it.

        `contents` is that of all rules, in place of the one that the settings name.
        """
        self.settings = settings or Settings()
        self.evaluators = Evaluators(self.settings, contents)
        self.rules = self.evaluators.site.rules
        key = self.settings.pseudonym_key
        self._key = key.get_secret_value() if key else ""
        self._fhir_servers: dict[str, FhirServer] = {}

    @property
    def services(self) -> Mapping[str, Service]:
        """The services of all rules, by id."""
        return {name: service for name, (service, _) in self.evaluators.site.answered_by.items()}

    def warnings(self, now: datetime) -> tuple[str, ...]:
        """What somebody should know of the content of the rules at this moment, one sentence each."""
        rules = (rule for evaluator in self.evaluators for rule in evaluator.rules)
        review = [text for rule in rules for text in review_warnings(rule.content.rule, now.date())]
        return tuple(dict.fromkeys([*review, *self.approval_warnings()]))

    def approval_warnings(self) -> tuple[str, ...]:
        """That a content in use is approved by nobody, one sentence each; none where all are, or need no approval."""
        return tuple(dict.fromkeys(filter(None, (evaluator.content.warning() for evaluator in self.evaluators))))

    def rule_of(self, service: Service, client: str = ANONYMOUS) -> Rule:
        """The rule that answers a service, as it answers this client (an issuer)."""
        return self.evaluators.of(client).rule_of(service)

    def service_for(self, document: object) -> Service | None:
        """The first service that answers the hook named in a document, for callers without an address."""
        hook = document.get("hook") if isinstance(document, dict) else None
        return next((service for service in self.services.values() if service.hook == hook), None)

    def decide(
        self,
        call: HookCall,
        document: object,
        history: OverrideHistory = NO_HISTORY,
    ) -> Decision:
        """Answer one hook call.

        Args:
            call: the service that was called, and the circumstances; reading from the FHIR server ends with its
                deadline, if not before.
            document: the decoded body.
            history: the feedback on earlier cards.

        Raises:
            InvalidRequest: the body is not a valid call of this service.
        """
        request = read_hook_request(document, call.service.hook)
        evaluator = self.evaluators.of(call.caller.client)
        rule = evaluator.rule_of(call.service)
        reader = self._fhir_reader(request, call)
        with closing(reader) if reader else nullcontext():
            chart, assessment, prefetch = self._assessed(request, call, reader)
        memory = history.of_patient(call.caller, request)
        fingerprints = memory.evidence_fingerprints(assessment.findings_by_kind()) if memory else {}
        if memory and assessment.outcome is Outcome.FIRED:
            earlier = memory.earlier_feedback()
            assessment = with_active_override(assessment, fingerprints, earlier, rule.content, call.at)
        decided = DecidedCall(
            request, call.at, decision_id(call, request, proposed(assessment), evaluator.identity(rule), self._key)
        )
        evidence_url = self.settings.evidence_url()
        source_url = str(self.settings.source_url) if self.settings.source_url else evidence_url
        refused = request.fhir_server is not None and reader is None
        open_too = evaluator.settings.undetermined_card == "info"
        return Decision(
            id=decided.decision_id,
            rule=rule,
            assessment=assessment,
            gaps={key: _gap(result.gap, refused) for key, result in chart.by_prefetch_key().items() if result.gap},
            fetched=tuple(reader.requests_made) if reader else (),
            response={"cards": cards(assessment, decided, rule, evaluator.orders, source_url, evidence_url, open_too)},
            prefetched=tuple(key for key in rule.prefetch if key in request.prefetch),
            reads={key: value.gap for key, value in prefetch.items() if isinstance(value, FetchedPrefetch)},
            hook_instance=request.hook_instance,
            memory=memory,
            evidence_fingerprints=fingerprints,
            settings_digest=evaluator.settings_digest(rule),
        )

    def _assessed(
        self, request: HookRequest, call: HookCall, reader: FhirReader | None
    ) -> tuple[Chart, Assessment, Mapping[str, Any]]:
        """The chart and what it means; completed from the FHIR server where that can change the answer.

        The third value is the prefetch, with what was read.

        First what decides, where the call left the answer open; then what refines, for a card that will fire.
        """
        evaluator, prefetch = self.evaluators.of(call.caller.client), request.prefetch
        rule = evaluator.rule_of(call.service)
        reading = rule.reader()
        reading.still_wanted = call.check_time
        codes = rule.codes()

        def assess(values: Mapping[str, Any]) -> tuple[Chart, Assessment]:
            gaps = evaluator.settings.accepted_gaps
            chart = chart_of(request, call.service, values, gaps, codes, call.check_time)
            return chart, rule.assess(chart, reading, call.at)

        def completed(keys: Sequence[str], visits: Sequence[str], ahead: Sequence[str] = ()) -> dict[str, Any]:
            assert reader is not None
            return complete(prefetch, keys, visits, rule.prefetch, request.patient_id, reader, ahead)

        chart, assessment = assess(prefetch)
        if reader is None:
            return chart, assessment, prefetch
        # What is read may open another question (a birth date, how old a pain is). Each key is asked for once.
        while wanted := _not_yet_read(assessment.deciding, prefetch):
            prefetch = completed(wanted, (), _wanted_with_a_card(assessment, wanted, prefetch))
            chart, assessment = assess(prefetch)
        if _rests_on_silence(assessment, chart, prefetch):
            prefetch = completed([_PATIENT], ())
            chart, assessment = assess(prefetch)
        # What was asked for once and not given is not asked for again.
        wanted = _not_yet_read(assessment.refining, prefetch)
        if wanted or assessment.visits:
            prefetch = completed(wanted, assessment.visits)
            chart, assessment = assess(prefetch)
        return chart, assessment, prefetch

    def _fhir_reader(self, request: HookRequest, call: HookCall) -> FhirReader | None:
        """A reader of the call's FHIR server; None where it names none, or one that is not allowed.

        Raises:
            InvalidRequest: the token is for another patient, or the patient's id would change the path of an address.
        """
        if request.fhir_server is None or server_problem(request.fhir_server):
            return None
        base = base_of(request.fhir_server)
        allowed = self.settings.fhir_servers if call.caller.fhir_servers is None else call.caller.fhir_servers
        if base not in allowed:
            return None
        if not request.patient_id.strip("."):
            raise InvalidRequest("context.patientId", "must not consist of dots only")
        authorization = request.fhir_authorization or {}
        if authorization.get("patient") not in (None, request.patient_id):
            raise InvalidRequest("fhirAuthorization.patient", "must be the patient of the context")
        limits = self.settings.fhir_limits()
        if call.deadline:
            limits = replace(limits, deadline_seconds=min(limits.deadline_seconds, call.deadline.seconds_left()))
        server = self._fhir_servers.setdefault(base, FhirServer())
        return FhirReader(base, str(authorization.get("access_token") or ""), limits, server)


def chart_of(
    request: HookRequest,
    service: Service,
    prefetch: Mapping[str, Any],
    accepted_gaps: Collection[str],
    codes: CodeScreen | None = None,
    still_wanted: StillWanted = always_wanted,
) -> Chart:
    """What is known of the patient of a call, with these prefetch values in place of those that came with it."""
    return build_chart(
        patient_id=request.patient_id,
        prefetch=prefetch,
        encounter_id=request.encounter,
        drafts=request.drafts if service.has_orders else None,
        selections=request.selections if service.hook == "order-select" else None,
        draft_urls=request.draft_urls,
        skipped_drafts=request.skipped_drafts,
        fhir_server=request.fhir_server or "",
        accepted_gaps=accepted_gaps,
        codes=codes,
        still_wanted=still_wanted,
    )


def _not_yet_read(keys: Sequence[str], prefetch: Mapping[str, Any]) -> list[str]:
    """Those of the prefetch keys that were not read from the FHIR server in this call."""
    return [key for key in keys if not isinstance(prefetch.get(key), FetchedPrefetch)]


def _wanted_with_a_card(assessment: Assessment, wanted: Sequence[str], prefetch: Mapping[str, Any]) -> list[str]:
    """The prefetch keys that will be wanted too, should what is wanted now show that a card will fire."""
    if assessment.outcome is not Outcome.UNDETERMINED:
        return []
    open_keys = _not_yet_read((*assessment.unchecked, *assessment.partly), prefetch)
    return [key for key in open_keys if key not in wanted]


def _rests_on_silence(assessment: Assessment, chart: Chart, prefetch: Mapping[str, Any]) -> bool:
    """Whether nothing was found, and nothing that came shows that the patient is known where it was looked for.

    Of a stranger, every search finds nothing. Where deciding keys were read from the FHIR server, only what was read
    there shows that the server knows the patient.
    """
    if not assessment.silent or isinstance(prefetch.get(_PATIENT), FetchedPrefetch):
        return False
    results = chart.by_prefetch_key()
    read = [key for key in assessment.silent if isinstance(prefetch.get(key), FetchedPrefetch)]
    return not any(results[key].has_records for key in read or results)


def _gap(gap: Gap, refused: bool) -> str:
    """A gap in words; where nothing was sent and the server of the call may not be read, it says so."""
    if refused and gap is Gap.NOT_SUPPLIED:
        return f"{gap}, and reading from the FHIR server of the call is {Gap.NOT_ALLOWED}"
    return str(gap)
