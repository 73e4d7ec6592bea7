"""What is remembered of a patient, for calls: pseudonyms by the site's key, answers from the ledger."""

from __future__ import annotations

from cds_service.decision.caller import Caller
from cds_service.decision.memory import PatientMemory, ReadAnswers
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.decision.support import Recall
from cds_service.protocol.hook_request import HookRequest
from cds_service.settings import Settings


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """Pseudonyms under the site's key, if it has one."""
    key = settings.pseudonym_key
    return Pseudonyms(key.get_secret_value()) if key else None


def recall_with(answers: ReadAnswers, settings: Settings) -> Recall:
    """Memory as the settings have it; without a key nothing is remembered."""
    pseudonyms = pseudonyms_of(settings)

    def recall(caller: Caller, request: HookRequest) -> PatientMemory | None:
        if pseudonyms is None:
            return None
        return PatientMemory(pseudonyms, answers, caller.client, caller.tenant, request)

    return recall
