"""Is the back pain new? From records to one episode for each region of the spine (decisions of chapter 2).

An episode begins with the first record of pain inside the window (84 days). It is new where nothing says that this pain
was there before: no record of it in the clean days (180) before the episode, no entry that calls it chronic, no onset
that lies further back. A list entry from before the window tells that there was pain once; it does not make a new
record old. Pain that is recorded as worse, or of a suspicious kind, is new whatever is older.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.chart.span import Span
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.rules.breast_cancer_back_pain.fractures import Cause, Fracture
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.breast_cancer_back_pain.spine import REGIONS, UNSPECIFIED
from cds_service.clinical.rules.imaging_history import PainBegan

SEVERAL = "several"
PAIN_EQUIVALENT = "instead"
FRACTURE = "fracture"

# "Worse" on a list entry that is older than a year speaks of then.
_WORSE_ENTRY_DAYS = 365

# Pain that begins within 90 days after a procedure of the spine may be its complication, and is new.
_AFTER_PROCEDURE_DAYS = 90


@dataclass(frozen=True, slots=True)
class Episode:
    """New pain of one region.

    Attributes:
        region: of the spine.
        records: what tells of it.
        since: its first day; of old pain that became worse, the day of the change.
        why: why it is new, in plain words.
        notes: what the card must say of its date.
        listed: the oldest entry of the problem list that tells of earlier pain, if one does.
    """

    region: str
    records: tuple[PainRecord, ...]
    since: date | None
    why: str
    notes: frozenset[Note]
    listed: Finding | None = None


@dataclass(frozen=True, slots=True)
class BackPain:
    """The regions with new pain, and for each other region with pain why it is not new.

    `equivalents` are findings that stand for pain where none is new (a vertebral fracture), `fractures` the new ones.
    """

    new: tuple[Episode, ...]
    not_new: tuple[str, ...]
    equivalents: tuple[Finding, ...] = ()
    fractures: tuple[Fracture, ...] = ()

    @property
    def onset(self) -> date | None:
        """The first day of the new pain, as far as it is recorded: studies from then on answer it."""
        days = [item.since for item in self.new if item.since]
        return min(days + [item.when.earliest for item in self.equivalents if item.when], default=None)

    @property
    def began(self) -> PainBegan:
        """When the pain began, and whether that is its onset or only its first record."""
        onset = self.onset
        return PainBegan(
            onset,
            any(
                record.onset and record.start is not None and record.start.earliest == onset
                for episode in self.new
                for record in episode.records
            ),
        )

    @property
    def region(self) -> str:
        """The region of the pain: the one named, `several` or `unspecified`.

        Where something stands for the pain: `fracture`, or `instead` for signs of cord compression.
        """
        if not self.new and self.equivalents:
            return FRACTURE if self._standing_fractures else PAIN_EQUIVALENT
        if not self.new:
            return ""
        return _one_of({pain.region for pain in self.new})

    @property
    def imaging_region(self) -> str:
        """The region to image: that of the pain and of the new fractures, `several` where they differ.

        A fracture of which nobody says where may be elsewhere than the pain; one from an injury is not looked for.
        """
        regions = {pain.region for pain in self.new}
        for fracture in self.fractures:
            if UNSPECIFIED in fracture.regions and fracture.cause is not Cause.INJURY and regions - {UNSPECIFIED}:
                return SEVERAL
            regions |= fracture.regions
        return _one_of(regions)

    @property
    def is_injury_alone(self) -> bool:
        """Whether nothing stands there but fractures from an injury: their region is imaged, and no more."""
        standing = self._standing_fractures
        return bool(standing) and not self.new and all(fracture.cause is Cause.INJURY for fracture in standing)

    @property
    def _standing_fractures(self) -> tuple[Fracture, ...]:
        """The fractures among what stands for pain."""
        return tuple(fracture for fracture in self.fractures if fracture.finding in self.equivalents)

    @property
    def vague_onset(self) -> str:
        """The first onset that was too vague to be used, as it is recorded."""
        vague = [record for pain in self.new for record in pain.records if record.vague]
        return min(vague, key=lambda record: record.finding.source).vague if vague else ""

    @property
    def notes(self) -> frozenset[Note]:
        return frozenset().union(*(pain.notes for pain in self.new))


def back_pain(
    records: Sequence[PainRecord], calendar: Calendar, options: RuleOptions, red_flag: bool = False
) -> BackPain:
    """The episodes, from all records of back pain.

    Args:
        records: of pain, and of treatments of the back.
        calendar: the day of the call.
        options: the site's choices.
        red_flag: new signs of cord compression are recorded; then any pain that is there counts as new.
    """
    new: list[Episode] = []
    not_new: list[str] = []
    for region in (*REGIONS, UNSPECIFIED):
        present = [record for record in records if record.present and region in record.regions]
        if not present:
            continue
        found = _Region(region, present, records, calendar, options)
        why_not = "" if red_flag else found.why_not_new()
        if why_not:
            not_new.append(f"{region}: {why_not}")
        else:
            new.append(found.episode("beside a new sign of cord compression" if red_flag else ""))
    return BackPain(tuple(new), tuple(not_new))


def _one_of(regions: set[str]) -> str:
    """The region that is named, `several` if more than one is, else `unspecified`."""
    named = regions - {UNSPECIFIED}
    return SEVERAL if len(named) > 1 else next(iter(named), UNSPECIFIED)


class _Region:
    """The records of one region, and of those that may be of the same pain."""

    def __init__(
        self,
        region: str,
        present: Sequence[PainRecord],
        records: Sequence[PainRecord],
        calendar: Calendar,
        options: RuleOptions,
    ) -> None:
        self._region = region
        self._present = present
        self._records = records
        self._calendar = calendar
        self._undated_is_silent = options.undated_pain == "silent"
        self._changed = [record for record in present if self._is_worse(record) or self._is_acute(record)]
        self._fresh = [record for record in present if self._is_fresh(record)]

    def why_not_new(self) -> str:
        """Why the pain is not new, in plain words; an empty string where it is."""
        if self._changed:
            return ""
        if all(record.chronic for record in self._present):
            return "recorded as chronic"
        if any(self._is_older_chronic(record) for record in self._records):
            return "an older record calls it chronic"
        if not self._fresh:
            return self._why_old([record for record in self._present if not record.chronic])
        if long_since := [record for record in self._present if self._tells_of_an_old_onset(record)]:
            return self._why_old(long_since)
        starts = [start for record in self._fresh if (start := self._start(record)) is not None]
        if not starts and self._undated_is_silent:
            return "its onset is not recorded"
        first_day = min((start.earliest for start in starts), default=self._calendar.window_start)
        if earlier := self._before(first_day):
            return f"{earlier} records it within {self._calendar.clean_days} days before"
        return ""

    def episode(self, why: str) -> Episode:
        """The pain of the region as a new episode."""
        records = tuple(record for record in self._present if not record.chronic or record in self._changed)
        shown = tuple(record for record in records if record in self._changed or self._is_fresh(record)) or records
        shown = shown or tuple(self._present)
        since = self._since(shown)
        notes = self._notes(shown)
        return Episode(self._region, shown, since, why or self._why_new(), notes, self._listed())

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
        first = self._calendar.today - timedelta(days=_WORSE_ENTRY_DAYS)
        return not record.point and when.latest >= first

    def _is_acute(self, record: PainRecord) -> bool:
        """ "Acute" and "new" speak of the day of their own record."""
        return record.acute and not record.onset_is_old(self._calendar) and self._is_written_lately(record)

    def _is_written_lately(self, record: PainRecord) -> bool:
        written = record.day or record.start
        return written is None or self._calendar.in_window(written)

    def _tells_of_an_old_onset(self, record: PainRecord) -> bool:
        """Whether a record of the window says that the pain began before it. What was listed before it does not."""
        return not record.chronic and record.onset_is_old(self._calendar) and self._is_written_lately(record)

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
        if record.present or record.point:
            return True
        clean_start = self._calendar.window_start - timedelta(days=self._calendar.clean_days)
        last_day = record.until or when
        return last_day is not None and last_day.latest >= clean_start

    def _may_be_same(self, record: PainRecord) -> bool:
        """Whether a record may be of the same pain: the same region, or one of both is not named."""
        return self._region in record.regions or UNSPECIFIED in record.regions or self._region == UNSPECIFIED

    def _before(self, first_day: date) -> str:
        """The source of a record of the same pain in the clean days before the episode, or an empty string.

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
        for record in same:
            if any(self._is_in_clean_days(day, episode_start) for day in self._days_of(record, episode_start)):
                return record.finding.source
        return ""

    def _days_of(self, record: PainRecord, episode_start: date) -> list[date]:
        """Days on which a record says that there was pain, as far as they may lie before the episode."""
        if record.imported:
            return []
        if record.procedure and record.day is not None:
            soon_after = episode_start - timedelta(days=_AFTER_PROCEDURE_DAYS)
            return [record.day.latest] if record.day.latest < soon_after else []
        if record.point:
            day = record.day or record.start
            return [day.latest] if day else []
        days = [record.start.latest] if record.start else []
        if not record.present and record.until:
            days.append(record.until.latest)
        return days

    def _is_in_clean_days(self, day: date, episode_start: date) -> bool:
        return episode_start - timedelta(days=self._calendar.clean_days) <= day < episode_start

    def _start(self, record: PainRecord) -> Span | None:
        return record.start.until(self._calendar.today) if record.start else None

    def _since(self, records: Sequence[PainRecord]) -> date | None:
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

    def _why_new(self) -> str:
        if any(record.worse for record in self._changed):
            return "recorded as worse, or of a suspicious kind"
        if self._changed:
            return "recorded as acute or new"
        return f"no record of it in the {self._calendar.clean_days} days before"

    def _notes(self, records: Sequence[PainRecord]) -> frozenset[Note]:
        notes: set[Note] = set()
        dated = [record.start for record in records if record.start]
        if not dated:
            notes.add(Note.ONSET_NOT_RECORDED)
        if any(record.vague for record in records):
            notes.add(Note.ONSET_IMPRECISE)
        old = any(record.start and not self._calendar.in_window(record.start) for record in self._present)
        if self._changed and (old or any(record.chronic for record in self._records)):
            notes.add(Note.PAIN_CHANGED)
        return frozenset(notes)

    def _listed(self) -> Finding | None:
        """The oldest list entry of the same region from before the window."""
        old = [
            record
            for record in self._present
            if not record.point and record.start and not self._calendar.in_window(record.start)
        ]
        return min(old, key=lambda record: str(record.start)).finding if old else None
