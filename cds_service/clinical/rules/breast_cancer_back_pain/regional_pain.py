"""Whether the pain of one region of the spine is new, and why (decisions of chapter 2).

Pain is new where nothing says that it was there before: no record of it in the clean days before its first record, no
entry that calls it chronic, no onset from before the window. Words of now ("worse", "acute") outweigh all that.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.chart.span import Span
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the pain is new.

    Attributes:
        is_new: it is.
        why: why, or why not, in plain words.
        against: the records that make it old.
    """

    is_new: bool
    why: str
    against: tuple[PainRecord, ...] = ()


class RegionalPain:
    """The pain of one region that is there now, beside all records that may be of the same pain.

    Args:
        region: of the spine.
        present: the records of this region that tell of pain now.
        records: all records of pain and of its treatment.
        calendar: the day of the call.
        options: the site's choices.
        numbers: of the content, by `Threshold`.
    """

    def __init__(
        self,
        region: str,
        present: Sequence[PainRecord],
        records: Sequence[PainRecord],
        calendar: Calendar,
        options: RuleOptions,
        numbers: Mapping[str, int],
    ) -> None:
        self.region = region
        self.present = present
        self._records = records
        self._calendar = calendar
        self._numbers = numbers
        self._undated_is_silent = options.undated_pain == "silent"
        self._changed = [record for record in present if self._is_worse(record) or self._is_acute(record)]
        self._fresh = [record for record in present if self._is_fresh(record)]

    def verdict(self) -> Verdict:
        """Whether the pain is new, and what says so; the first that settles it counts."""
        if self._changed:
            worse = any(record.worse for record in self._changed)
            return Verdict(True, "recorded as worse, or of a suspicious kind" if worse else "recorded as acute or new")
        if all(record.chronic for record in self.present):
            return Verdict(False, "recorded as chronic", tuple(self.present))
        if chronic := [record for record in self._records if self._is_older_chronic(record)]:
            return Verdict(False, "an older record calls it chronic", tuple(chronic))
        not_chronic = [record for record in self.present if not record.chronic]
        old = [record for record in not_chronic if not self._fresh or self._tells_of_an_old_onset(record)]
        if old:
            return Verdict(False, self._why_old(old), tuple(old))
        return self._after_clean_days()

    def _after_clean_days(self) -> Verdict:
        """New, unless the clean days before its first record hold another record of it."""
        starts = [start for record in self._fresh if (start := self._start(record)) is not None]
        if not starts and self._undated_is_silent:
            return Verdict(False, "its onset is not recorded", tuple(self._fresh))
        first_day = min((start.earliest for start in starts), default=self._calendar.window_start)
        if earlier := self._before(first_day):
            told = f"{earlier[0].finding.source} records it within {self._calendar.clean_days} days before"
            return Verdict(False, told, earlier)
        return Verdict(True, f"no record of it in the {self._calendar.clean_days} days before")

    def telling(self) -> tuple[PainRecord, ...]:
        """The records that tell of the pain of now: those of its words, else those that began lately, else all."""
        records = tuple(record for record in self.present if not record.chronic or record in self._changed)
        lately = tuple(record for record in records if record in self._changed or self._is_fresh(record))
        return lately or records or tuple(self.present)

    def _is_fresh(self, record: PainRecord) -> bool:
        """Whether a record tells of pain that began inside the window, or of whose beginning nothing is known."""
        if record.chronic or record.imported:
            return False
        return record.start is None or self._calendar.in_window(record.start)

    def _is_worse(self, record: PainRecord) -> bool:
        """Recorded as worse inside the window, or on an active list entry that is not older than a year."""
        if not record.worse:
            return False
        when = record.start
        if when is None or self._calendar.in_window(when) or self._is_written_lately(record):
            return True
        first = self._calendar.today - timedelta(days=self._numbers[Threshold.WORSE_ENTRY_DAYS])
        return not record.point and when.latest >= first

    def _is_acute(self, record: PainRecord) -> bool:
        """ "Acute" and "new" speak of the day of their own record."""
        return record.acute and not record.onset_is_old(self._calendar) and self._is_written_lately(record)

    def _is_written_lately(self, record: PainRecord) -> bool:
        written = record.day or record.start
        return written is None or self._calendar.in_window(written)

    def _tells_of_an_old_onset(self, record: PainRecord) -> bool:
        """Whether a record of the window says that the pain began before it. What was listed before it does not."""
        lately = self._is_written_lately(record) and not record.written_in_bulk
        return not record.chronic and record.onset_is_old(self._calendar) and lately

    def _why_old(self, records: Iterable[PainRecord]) -> str:
        if all(record.imported for record in records):
            return "it is dated only by a day on which a whole list was recorded"
        spans = [record.start for record in records if record.start]
        start = min(spans, key=lambda span: (span.latest, span.earliest))
        return f"it began {start.in_words}, more than {self._calendar.new_window_days} days ago"

    def _is_older_chronic(self, record: PainRecord) -> bool:
        """Whether a record calls pain of this region chronic, from before the window, and is still in force."""
        if not record.chronic or not self._may_be_same(record):
            return False
        when = record.start
        if when is not None and when.earliest >= self._calendar.window_start:
            return False
        if record.present or (record.point and not self._ended_later(record)):
            return True
        clean_start = self._calendar.window_start - timedelta(days=self._calendar.clean_days)
        last_day = record.until or when
        return last_day is not None and last_day.latest >= clean_start

    def _ended_later(self, record: PainRecord) -> bool:
        """Whether an end is recorded that is not just that of the visit."""
        told = record.day or record.start
        return record.until is not None and (told is None or record.until.latest > told.latest)

    def _may_be_same(self, record: PainRecord) -> bool:
        """Whether a record may be of the same pain: the same region, or one of both is not named."""
        return self.region in record.regions or UNSPECIFIED in record.regions or self.region == UNSPECIFIED

    def _before(self, first_day: date) -> tuple[PainRecord, ...]:
        """The records of the same pain in the clean days before the episode.

        A record inside the window that may be of the same pain is part of the episode, ended or not: the episode
        then begins with it.
        """
        same = [record for record in self._records if not record.chronic and self._may_be_same(record)]
        inside = [
            start.earliest
            for record in same
            if not record.treatment
            and not record.imported
            and (start := self._start(record)) is not None
            and self._calendar.in_window(start)
            and start.latest < first_day
        ]
        episode_start = min([first_day, *inside])
        return tuple(
            record
            for record in same
            if any(self._is_in_clean_days(day, episode_start) for day in self._days_of(record, episode_start))
        )

    def _days_of(self, record: PainRecord, episode_start: date) -> list[date]:
        """Days on which a record says that there was pain, as far as they may lie before the episode."""
        if record.imported:
            return []
        if record.procedure and record.day is not None:
            soon_after = episode_start - timedelta(days=self._numbers[Threshold.AFTER_PROCEDURE_DAYS])
            return [record.day.latest] if record.day.latest < soon_after else []
        if record.point:
            day = record.day or record.start
            return [day.latest] if day else []
        days = [record.start.latest] if record.start else []
        if not record.present and record.until:
            days.append(record.until.latest)
        return days

    def _is_in_clean_days(self, day: date, episode_start: date) -> bool:
        # A month that reaches into the window begins before it; pain that is new began inside.
        began = max(episode_start, self._calendar.window_start)
        return began - timedelta(days=self._calendar.clean_days) <= day < episode_start

    def _start(self, record: PainRecord) -> Span | None:
        return record.start.until(self._calendar.today) if record.start else None

    def since(self, records: Sequence[PainRecord]) -> date | None:
        """The first day of the pain, or of what made old pain new."""
        dated = [(record, start) for record in records if (start := self._start(record)) is not None]
        if not dated:
            return None
        first = min(start.earliest for _, start in dated)
        if first >= self._calendar.window_start:
            return first
        changes = [
            start.earliest for record, start in dated if record in self._changed and self._calendar.in_window(start)
        ]
        return max([self._calendar.window_start, *changes])

    def notes(self, records: Sequence[PainRecord]) -> frozenset[Note]:
        """What the card must say of the date of these records."""
        notes: set[Note] = set()
        dated = [record.start for record in records if record.start]
        if not dated:
            notes.add(Note.ONSET_NOT_RECORDED)
        if any(record.vague for record in records):
            notes.add(Note.ONSET_IMPRECISE)
        old = any(record.start and not self._calendar.in_window(record.start) for record in self.present)
        if self._changed and (old or any(record.chronic for record in self._records)):
            notes.add(Note.PAIN_CHANGED)
        return frozenset(notes)

    def listed(self) -> Finding | None:
        """The oldest list entry of the same region from before the window."""
        old = [
            record
            for record in self.present
            if not record.point and record.start and not self._calendar.in_window(record.start)
        ]
        return min(old, key=lambda record: str(record.start)).finding if old else None
