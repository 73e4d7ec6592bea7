"""Is the back pain new? From records to one episode for each region of the spine (decisions of chapter 2).

An episode begins with the first record of pain inside the window (84 days). It is new where nothing says that this pain
was there before: no record of it in the clean days (180) before the episode, no entry that calls it chronic, no onset
that lies further back. A list entry from before the window tells that there was pain once; it does not make a new
record old. Pain that is recorded as worse, or of a suspicious kind, is new whatever is older.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.rules.breast_cancer_back_pain.fractures import Cause, Fracture
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.breast_cancer_back_pain.regional_pain import RegionalPain, Verdict
from cds_service.clinical.rules.breast_cancer_back_pain.spine import REGIONS, UNSPECIFIED
from cds_service.clinical.rules.imaging_history import PainBegan

SEVERAL = "several"
PAIN_EQUIVALENT = "instead"
FRACTURE = "fracture"

BESIDE_A_SIGN = Verdict(True, "beside a new sign of cord compression")


@dataclass(frozen=True, slots=True)
class Episode:
    """The pain of one region: that of now or, where no record tells of any, that of before.

    Attributes:
        region: of the spine.
        records: what tells of it.
        is_new: it is new, so that the rule looks for a metastasis.
        why: why it is new or not, in plain words.
        since: its first day, as far as it is recorded; of old pain that became worse, the day of the change.
        against: the records that make it old; none where it is new.
        notes: what the card must say of its date.
        listed: the oldest entry of the problem list that tells of earlier pain, if one does.
    """

    region: str
    records: tuple[PainRecord, ...]
    is_new: bool
    why: str
    since: date | None
    against: tuple[PainRecord, ...] = ()
    notes: frozenset[Note] = frozenset()
    listed: Finding | None = None

    @property
    def named(self) -> str:
        """The region in words."""
        return "region not named" if self.region == UNSPECIFIED else self.region

    @property
    def as_line(self) -> str:
        """The episode in one line: `lumbar: new since 2026-11-20: no record of it in the 180 days before`."""
        since = f" since {self.since}" if self.since and self.is_new else ""
        count = len({record.finding.source for record in self.records})
        entries = "1 entry" if count == 1 else f"{count} entries"
        return f"{self.named}: {'new' if self.is_new else 'not new'}{since}: {self.why} ({entries})"


@dataclass(frozen=True, slots=True)
class BackPain:
    """The episodes of pain, one for each region of which a record tells, and what stands for pain.

    `equivalents` are findings that stand for pain where none is new (a vertebral fracture), `fractures` the new ones.
    """

    episodes: tuple[Episode, ...]
    equivalents: tuple[Finding, ...] = ()
    fractures: tuple[Fracture, ...] = ()

    @property
    def new(self) -> tuple[Episode, ...]:
        """The episodes that are new."""
        return tuple(episode for episode in self.episodes if episode.is_new)

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
    def evidence(self) -> tuple[Finding, ...]:
        """What tells of new pain anew: its first record in each region, words of now, and what stands for pain.

        Another record of the same episode is no news of it (decision 8.2).
        """
        found: list[Finding] = []
        for episode in self.new:
            found.append(min(episode.records, key=_dated_first).finding)
            found += [record.finding for record in episode.records if record.worse or record.acute]
        return (*found, *self.equivalents)

    @property
    def vague_onset(self) -> str:
        """The first onset that was too vague to be used, as it is recorded."""
        vague = [record for pain in self.new for record in pain.records if record.vague]
        return min(vague, key=lambda record: record.finding.source).vague if vague else ""

    @property
    def notes(self) -> frozenset[Note]:
        return frozenset().union(*(pain.notes for pain in self.new))


def back_pain(
    records: Sequence[PainRecord],
    calendar: Calendar,
    options: RuleOptions,
    numbers: Mapping[str, int],
    red_flag: bool = False,
) -> BackPain:
    """The episodes, from all records of back pain.

    Args:
        records: of pain, and of treatments of the back.
        calendar: the day of the call.
        options: the site's choices.
        numbers: of the content, by `Threshold`.
        red_flag: new signs of cord compression are recorded; then any pain that is there counts as new.
    """
    found: list[Episode] = []
    for region in (*REGIONS, UNSPECIFIED):
        present = [record for record in records if record.present and region in record.regions]
        if present:
            pain = RegionalPain(region, present, records, calendar, options, numbers)
            verdict = pain.verdict()
            found.append(_episode(pain, BESIDE_A_SIGN if red_flag and not verdict.is_new else verdict))
        elif past := [record for record in records if region in record.regions and not record.treatment]:
            found.append(_past_episode(region, past, calendar))
    return BackPain(tuple(found))


def _episode(pain: RegionalPain, verdict: Verdict) -> Episode:
    records = pain.telling()
    return Episode(
        region=pain.region,
        records=records,
        is_new=verdict.is_new,
        why=verdict.why,
        since=pain.since(records),
        against=verdict.against,
        notes=pain.notes(records),
        listed=pain.listed(),
    )


def _dated_first(record: PainRecord) -> tuple[bool, str, str]:
    return record.start is None, str(record.start), record.finding.source


def _past_episode(region: str, records: Sequence[PainRecord], calendar: Calendar) -> Episode:
    """Pain of which no record says that it is there now."""
    days = [day for record in records for day in (record.day, record.start, record.until) if day]
    last = max(days, key=lambda day: day.latest, default=None)
    why = "recorded as over"
    if last is not None and not calendar.in_window(last):
        why = f"last recorded {last.in_words}, more than {calendar.new_window_days} days ago"
    return Episode(region, tuple(records), is_new=False, why=why, since=None, against=tuple(records))


def _one_of(regions: set[str]) -> str:
    """The region that is named, `several` if more than one is, else `unspecified`."""
    named = regions - {UNSPECIFIED}
    return SEVERAL if len(named) > 1 else next(iter(named), UNSPECIFIED)
