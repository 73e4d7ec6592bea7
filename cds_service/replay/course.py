"""What became of a patient: when pain, imaging and disease were recorded, beside where the card stood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cds_service.replay.evaluate import Answer, PatientAnswers
from cds_service.replay.record import PatientRecord

# Days after a card within which a code of the disease counts as found.
YIELD_DAYS = (30, 90, 365)


@dataclass(frozen=True, slots=True)
class Course:
    """The dated course of one patient under one rule.

    Attributes:
        index: the first card, or where there is none, the first moment of the patient.
        has_card: whether there was a card.
        disease: when the first code of the disease was on record.
        is_undated: there is such a code, and nothing dates it.
        complaint: when the first entry behind the first card was on record.
        imaging: when the first imaging since the complaint was on record.
    """

    index: datetime
    has_card: bool
    disease: datetime | None = None
    is_undated: bool = False
    complaint: datetime | None = None
    imaging: datetime | None = None

    @property
    def was_known(self) -> bool:
        """Whether the disease was on record at the index already."""
        return self.disease is not None and self.disease <= self.index

    def found_within(self, days: int) -> bool:
        """Whether the disease was recorded after the index, within so many days."""
        return self.disease is not None and self.index < self.disease <= self.index + timedelta(days=days)

    def is_followed(self, days: int, data_end: datetime) -> bool:
        """Whether the data reach so many days beyond the index."""
        return self.index + timedelta(days=days) <= data_end


def course_of(found: PatientAnswers, answers: Sequence[Answer]) -> Course | None:
    """The course under the rule that gave these answers; None for a patient without a moment."""
    if not answers:
        return None
    card = next((item for item in answers if item.fired), None)
    patient, followed = found.patient, found.course
    disease = [at for name in followed.disease if (at := patient.recorded_at(name))]
    index = card.moment.at if card else answers[0].moment.at
    complaint = _first(patient, card.followed.complaint) if card else None
    return Course(
        index=index,
        has_card=card is not None,
        disease=min(disease, default=None),
        is_undated=bool(followed.disease) and not disease,
        complaint=complaint,
        imaging=_first(patient, followed.imaging, complaint) if complaint else None,
    )


def _first(patient: PatientRecord, names: Iterable[str], since: datetime | None = None) -> datetime | None:
    """When the first of these entries was on record, not counting those from before `since`."""
    times = (at for name in names if (at := patient.recorded_at(name)))
    return min((at for at in times if since is None or at >= since), default=None)
