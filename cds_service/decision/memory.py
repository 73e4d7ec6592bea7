"""What was answered to earlier cards about a patient, as far as a key is set and the ledger can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from cds_service.clinical.reading.findings import Finding
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import EarlierAnswer
from cds_service.protocol.hook_request import HookRequest

# Client, tenant and pseudonym of the patient, to the answers; it gives none where the ledger is down.
ReadAnswers = Callable[[str, str, str], Sequence[EarlierAnswer]]


class PatientMemory:
    """The memory of one patient: pseudonyms, fingerprints of evidence, and earlier answers."""

    def __init__(
        self, pseudonyms: Pseudonyms, read: ReadAnswers, client: str, tenant: str, request: HookRequest
    ) -> None:
        self.patient = pseudonyms.patient(client, tenant, request.fhir_server or "", request.patient_id)
        self.user = pseudonyms.user(client, tenant, request.user_id)
        self._pseudonyms = pseudonyms
        self._read = read
        self._client = client
        self._tenant = tenant

    def prints(self, evidence: Mapping[str, Iterable[Finding]]) -> dict[str, tuple[str, ...]]:
        """Fingerprints of the evidence, by kind."""
        return {kind: self._pseudonyms.findings(self.patient, found) for kind, found in evidence.items()}

    def answers(self) -> Sequence[EarlierAnswer]:
        """What was answered to cards about this patient, one entry for each card."""
        return self._read(self._client, self._tenant, self.patient)
