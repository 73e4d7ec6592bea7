"""Checks with patients: what the rules make of them, and how much of their charts is understood."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

from cds_service.clinical.rules.assessment import Outcome
from cds_service.decision.caller import Caller
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import InvalidRequest
from cds_service.ledger.entries import ANONYMOUS
from cds_service.protocol.services import Service
from cds_service.readiness.checks import Check, Finding, failed, passed, warned
from cds_service.readiness.coverage import Coverage
from cds_service.readiness.coverage_report import CoverageReport, report_of
from cds_service.readiness.prefetch_probe import ProbedQuery

# From such a share on of the entries of a key, silence says little: the site maps its codes first.
_TOO_MUCH = 0.2

_PATIENT_VIEW = "patient-view"


@dataclass(frozen=True, slots=True)
class Bench:
    """What a trial call needs: the service as it is, the server, its token, and the moment."""

    support: DecisionSupport
    server: str
    token: str
    issuer: str
    now: datetime

    def decide(self, service: Service, patient: str, prefetch: Mapping[str, Any] | None, may_read: bool) -> Decision:
        """The answer to a call of a service about a patient; nothing is recorded and nothing remembered.

        Raises:
            InvalidRequest: the id is none.
        """
        call: dict[str, Any] = {
            "hook": service.hook,
            "hookInstance": str(uuid4()),
            "context": {"userId": "Practitioner/go-live", "patientId": patient},
            "fhirServer": self.server,
        }
        if prefetch is not None:
            call["prefetch"] = dict(prefetch)
        if self.token:
            call["fhirAuthorization"] = {"access_token": self.token, "token_type": "Bearer"}
        caller = Caller(self.issuer or ANONYMOUS, fhir_servers=(self.server,) if may_read else ())
        return self.support.decide(HookCall(service, self.now, caller), call)


def outcomes_check(bench: Bench, patients: Sequence[str], queries: Sequence[ProbedQuery]) -> Check:
    """What the rules make of the patients: of the first pages alone, and with what the service reads itself."""
    findings = [
        finding
        for service in bench.support.services.values()
        if service.hook == _PATIENT_VIEW
        for patient in patients
        for finding in _outcomes(bench, service, patient, [item for item in queries if item.patient == patient])
    ]
    return Check("patients", "What the rules make of the patients", tuple(findings))


def _outcomes(bench: Bench, service: Service, patient: str, queries: Sequence[ProbedQuery]) -> Iterator[Finding]:
    prefetch = {item.key: item.answer.document for item in queries if item.answer.is_good}
    try:
        sent = bench.decide(service, patient, prefetch, may_read=False)
        read = bench.decide(service, patient, None, may_read=True)
    except InvalidRequest as error:
        yield failed(f"patient {patient}: {error.text}.", "give ids as the FHIR server knows them")
        return
    words = {name: _words(decision) for name, decision in (("sent", sent), ("read", read))}
    where = "by the prefetch alone and by reading from the server"
    if words["sent"] == words["read"]:
        text = f"patient {patient}: {words['read']}, {where}."
    else:
        text = f"patient {patient}: {words['sent']} by the prefetch alone; {words['read']} by reading from the server."
    gaps = {key: why for decision in (sent, read) for key, why in decision.gaps.items() if key in _missing(decision)}
    if gaps:
        listed = "; ".join(f"{key}: {why}" for key, why in gaps.items())
        yield failed(f"{text} {listed}.", "an EHR would be answered 412: see the checks of these prefetch keys")
    elif words["sent"] != words["read"]:
        yield warned(text, "first pages say less than the whole: see the checks of the prefetch keys")
    elif cut := ", ".join(item.key for item in queries if item.is_cut):
        text = f"{text} It is not known of the whole chart: {cut} is cut off, and nothing in the answer says so."
        yield warned(text, "an EHR would be answered as if there were no more: see the checks of these prefetch keys")
    else:
        yield passed(text)


def _words(decision: Decision) -> str:
    assessment = decision.assessment
    return f"{assessment.outcome} ({assessment.reason})"


def _missing(decision: Decision) -> Sequence[str]:
    return decision.assessment.missing if decision.assessment.outcome is Outcome.UNDETERMINED else ()


def coverage_of(bench: Bench, queries: Sequence[ProbedQuery]) -> CoverageReport:
    """The coverage of the first pages of all patients."""
    found = Coverage(bench.support, bench.now, client=bench.issuer)
    for item in queries:
        if item.answer.is_good and item.answer.document is not None:
            found.add(item.key, item.answer.document)
    return report_of(found)


def coverage_check(report: CoverageReport) -> Check:
    """Whether the codes of these patients are understood."""
    return Check("coverage", "Codes of the patients understood", tuple(_coverage(report)))


def _coverage(report: CoverageReport) -> Iterator[Finding]:
    if not report.keys:
        yield warned("No entry could be read.", "see the checks of the prefetch queries")
    for key, counts in report.keys.items():
        share = counts.not_understood / counts.entries if counts.entries else 0.0
        text = f"{key}: {counts.not_understood:,} of {counts.entries:,} entries are not understood ({share:.0%})"
        systems = ", ".join(row.system for row in report.unknown_systems if row.key == key)
        to_do = "run cds-service coverage on an export, and map its codes"
        if share >= _TOO_MUCH:
            yield failed(f"{text}: {systems}.", to_do)
        elif share:
            yield warned(f"{text}: {systems}.", to_do)
        else:
            yield passed(f"{key}: {counts.entries:,} entries understood, or known to be of no interest.")
    if orders := len(report.unmapped_orders):
        text = f"{orders:,} order codes of the site have no mapping: such orders are read by their words, if at all."
        yield warned(text, "run cds-service coverage on recorded calls, and map them")
    if units := [row.word for row in report.unread_units]:
        yield warned(f"Results in {len(units)} units cannot be read.", "run cds-service coverage, which names them")
