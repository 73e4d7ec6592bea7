"""What is remembered of a patient between calls: the feedback on earlier cards, under the site's key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cds_service.clinical.reading.findings import Finding
from cds_service.decision.caller import Caller
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import EarlierFeedback
from cds_service.protocol.hook_request import HookRequest

# Client, tenant and pseudonym of the patient, to the feedback that counts; it gives none where the ledger is down.
ReadFeedback = Callable[[str, str, str], Sequence[EarlierFeedback]]


class OverrideHistory:
    """The feedback on earlier cards, by patient.

    Args:
        read: reads it from the ledger.
        pseudonyms: under the site's key; without it no patient is remembered.
    """

    def __init__(self, read: ReadFeedback, pseudonyms: Pseudonyms | None) -> None:
        self._read = read
        self._pseudonyms = pseudonyms

    def of_patient(self, caller: Caller, request: HookRequest) -> PatientMemory | None:
        """What is remembered of the patient of a call; None where no patient is remembered."""
        return PatientMemory(self._pseudonyms, self._read, caller, request) if self._pseudonyms else None


# Of those who remember nothing.
NO_HISTORY = OverrideHistory(lambda _client, _tenant, _patient: (), pseudonyms=None)


class PatientMemory:
    """The memory of one patient: pseudonyms, fingerprints of evidence, and the feedback on earlier cards."""

    def __init__(self, pseudonyms: Pseudonyms, read: ReadFeedback, caller: Caller, request: HookRequest) -> None:
        client, tenant = caller.client, caller.tenant
        self.patient = pseudonyms.patient(client, tenant, request.fhir_server or "", request.patient_id)
        self.user = pseudonyms.user(client, tenant, request.user_id)
        self._pseudonyms = pseudonyms
        self._read = read
        self._caller = caller

    def evidence_fingerprints(self, findings: Mapping[str, Iterable[Finding]]) -> dict[str, tuple[str, ...]]:
        """Fingerprints of the findings, by kind of evidence."""
        return {kind: self._pseudonyms.findings(self.patient, found) for kind, found in findings.items()}

    def earlier_feedback(self) -> Sequence[EarlierFeedback]:
        """The feedback on earlier cards about this patient, one entry for each card."""
        return self._read(self._caller.client, self._caller.tenant, self.patient)
