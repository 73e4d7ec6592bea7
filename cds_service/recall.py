"""What is remembered of a patient, for calls: pseudonyms by the site's key, answers from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from cds_service.ledger.entries import EarlierAnswer
from cds_service.ledger.memory import PatientMemory
from cds_service.ledger.pseudonyms import Pseudonyms
from cds_service.service import Caller, Recall
from cds_service.settings import Settings

# From client, tenant, pseudonym of the patient and the moment of the call to the answers.
AnswersAt = Callable[[str, str, str, datetime], Sequence[EarlierAnswer]]

# From the moment of a call to what is remembered then.
RecallAt = Callable[[datetime], Recall]


def recall_with(answers: AnswersAt, settings: Settings) -> RecallAt:
    """Memory as the settings have it; without a key nothing is remembered."""
    key = settings.pseudonym_key
    pseudonyms = Pseudonyms(key.get_secret_value()) if key else None

    def at(now: datetime) -> Recall:
        def recall(caller: Caller, patient_id: str, user_id: str) -> PatientMemory | None:
            if pseudonyms is None:
                return None
            return PatientMemory(
                pseudonyms,
                lambda client, tenant, patient: answers(client, tenant, patient, now),
                caller.client,
                caller.tenant,
                patient_id,
                user_id,
            )

        return recall

    return at
