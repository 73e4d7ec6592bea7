"""Is the back pain new? Decided for each spine region on its own (decisions 2.1, 2.2, 2.3 and 2.7).

Pain of a region is new when its episode began inside the window (84 days) and the clean days before (180) hold
no record of back pain in that region or in an unnamed one, and no older record calls it chronic. Pain that is
recorded inside the window as worse or changed is new even when it is old (decision 2.8), and so is pain beside new
signs of cord compression (decision 2.9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.chart.records import Chart
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.understanding import Understanding
from cds_service.clinical.rules.assessment import Answer, Criterion
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.spine import REGIONS, UNSPECIFIED

SEVERAL = "several"
PAIN_EQUIVALENT = "instead"
_PAIN_KEYS = ("conditions", "observations")


@dataclass(frozen=True, slots=True)
class RegionalPain:
    """New pain of one region: its records, since when, and what the card must say of its date.

    `since` of old pain that became worse is the day of the change; of old pain beside a red flag it is not before
    the window.
    """

    region: str
    records: tuple[PainRecord, ...]
    since: date | None
    notes: frozenset[Note]


@dataclass(frozen=True, slots=True)
class NewPainResult:
    """The regions with new pain, and for each other region with pain why it is not new.

    `equivalents` are findings that stand for pain where none is recorded (a new vertebral collapse).
    """

    new: tuple[RegionalPain, ...]
    not_new: tuple[str, ...]
    equivalents: tuple[Finding, ...] = ()

    @property
    def onset(self) -> date | None:
        """The first day of the new pain, as far as it is recorded: studies from then on answer it."""
        days = [item.since for item in self.new if item.since]
        return min(days + [item.when.earliest for item in self.equivalents if item.when], default=None)

    @property
    def region(self) -> str:
        """The region: the one named, `several` or `unspecified`; `instead` where a finding stands for the pain."""
        named = [pain.region for pain in self.new if pain.region != UNSPECIFIED]
        if not self.new and self.equivalents:
            return PAIN_EQUIVALENT
        if not named:
            return UNSPECIFIED if self.new else ""
        return named[0] if len(named) == 1 else SEVERAL

    @property
    def vague_onset(self) -> str:
        """The first onset that was too vague to be used, as it is recorded."""
        vague = [record for pain in self.new for record in pain.records if record.vague]
        return min(vague, key=lambda record: record.finding.source).vague if vague else ""

    @property
    def notes(self) -> frozenset[Note]:
        return frozenset().union(*(pain.notes for pain in self.new))


def new_back_pain(
    records: list[PainRecord], calendar: Calendar, options: RuleOptions, red_flag: bool = False
) -> NewPainResult:
    """Which regions have new pain, from all records of back pain.

    Args:
        records: all records of back pain.
        calendar: the day of the call.
        options: the site's choices.
        red_flag: new signs of cord compression are recorded; then any pain that is there counts as new.
    """
    new: list[RegionalPain] = []
    not_new: list[str] = []
    for region in (*REGIONS, UNSPECIFIED):
        present = [record for record in records if record.present and region in record.regions]
        if not present:
            continue
        why = "" if red_flag else _why_not_new(region, present, records, calendar, options)
        fresh = tuple(record for record in present if red_flag or not record.chronic or record.changed)
        if why:
            not_new.append(f"{region}: {why}")
        else:
            new.append(RegionalPain(region, fresh, _since(fresh, calendar), _notes(fresh, calendar)))
    return NewPainResult(tuple(new), tuple(not_new))


def _since(records: tuple[PainRecord, ...], calendar: Calendar) -> date | None:
    """The first day of the pain, or of what made old pain new."""
    dated = [(record, record.finding.when.until(calendar.today)) for record in records if record.finding.when]
    if not dated:
        return None
    first = min(when.earliest for _, when in dated)
    if first >= calendar.window_start:
        return first
    changes = [when.earliest for record, when in dated if record.changed and calendar.in_window(when)]
    return max([calendar.window_start, *changes])


def _why_not_new(
    region: str, present: list[PainRecord], records: list[PainRecord], calendar: Calendar, options: RuleOptions
) -> str:
    """Why the present pain of a region is not new, or an empty string where it is."""
    if any(record.changed and _may_be_recent(record, calendar) for record in present):
        return ""
    fresh = [record for record in present if not record.chronic]
    if not fresh:
        return "recorded as chronic"
    if any(_is_older_chronic(record, region, calendar) for record in records):
        return "an older record calls it chronic"
    starts = [record.finding.when.until(calendar.today) for record in fresh if record.finding.when]
    if starts:
        start = min(starts, key=lambda span: (span.latest, span.earliest))
        if not calendar.in_window(start):
            return f"it began {start.in_words}, more than {calendar.new_window_days} days ago"
        first_day = start.earliest
    else:
        if options.undated_pain == "silent":
            return "its onset is not recorded"
        first_day = calendar.window_start
    if earlier := _before_the_episode(region, records, first_day, calendar):
        return f"{earlier} records it within {calendar.clean_days} days before"
    return ""


def _may_be_recent(record: PainRecord, calendar: Calendar) -> bool:
    return record.finding.when is None or calendar.in_window(record.finding.when)


def _is_older_chronic(record: PainRecord, region: str, calendar: Calendar) -> bool:
    """Whether a record calls pain of this region chronic, from before the window, and is still in force."""
    if not record.chronic or not (record.any_site or _may_be_same(record, region, both_ways=True)):
        return False
    when = record.finding.when
    if when is not None and when.earliest >= calendar.window_start:
        return False
    if record.present:
        return True
    clean_start = calendar.window_start - timedelta(days=calendar.clean_days)
    last_day = record.until or when
    return last_day is not None and last_day.latest >= clean_start


def _may_be_same(record: PainRecord, region: str, both_ways: bool = False) -> bool:
    """Whether a record may be of the same pain: the same region, or one that it does not name."""
    return region in record.regions or UNSPECIFIED in record.regions or (both_ways and region == UNSPECIFIED)


def _before_the_episode(region: str, records: list[PainRecord], first_day: date, calendar: Calendar) -> str:
    """The source of a record of the same pain in the clean days before the episode, or an empty string.

    A record inside the window that may be of the same pain is part of the episode, ended or not: the episode
    then begins with it.
    """
    same = [record for record in records if not record.chronic and _may_be_same(record, region)]
    dated = [(record, record.finding.when.until(calendar.today)) for record in same if record.finding.when]
    inside = [when.earliest for _, when in dated if calendar.in_window(when) and when.latest < first_day]
    episode_start = min([first_day, *inside])
    clean_start = episode_start - timedelta(days=calendar.clean_days)
    for record, began in dated:
        if began.latest < episode_start and _last_day(record, began.latest, calendar) >= clean_start:
            return record.finding.source
    return ""


def _last_day(record: PainRecord, began: date, calendar: Calendar) -> date:
    """The last day on which the record says there was pain."""
    if record.point:
        return began
    if record.present:
        return calendar.today
    return max(began, record.until.latest) if record.until else began


def _notes(records: tuple[PainRecord, ...], calendar: Calendar) -> frozenset[Note]:
    notes: set[Note] = set()
    dated = [record.finding.when for record in records if record.finding.when]
    if not dated:
        notes.add(Note.ONSET_NOT_RECORDED)
    if any(record.vague for record in records):
        notes.add(Note.ONSET_IMPRECISE)
    if any(record.changed for record in records) and any(not calendar.in_window(when) for when in dated):
        notes.add(Note.PAIN_CHANGED)
    return frozenset(notes)


def pain_criterion(
    chart: Chart, records: list[PainRecord], result: NewPainResult, understood: Sequence[Understanding] = ()
) -> Criterion:
    """The criterion. Data that is missing can only add pain: what is found stands."""
    if result.new:
        because = f"Pain of region {', '.join(pain.region for pain in result.new)} is new."
        return Criterion("new-back-pain", Answer.MET, because, _findings(result))
    if result.equivalents:
        because = "No back pain is recorded, but a finding that stands for it."
        return Criterion("new-back-pain", Answer.MET, because, result.equivalents)
    aside = f" Not new: {'; '.join(result.not_new)}." if result.not_new else ""
    if missing := tuple(key for key in _PAIN_KEYS if not chart.by_prefetch_key()[key].complete):
        gaps = ", ".join(f"{key} ({chart.by_prefetch_key()[key].gap})" for key in missing)
        because = f"No new back pain in the data at hand, but it is not all: {gaps}.{aside}"
        return Criterion("new-back-pain", Answer.UNKNOWN, because, missing=missing)
    visits = "conditions, observations or visits" if chart.encounters.complete else "conditions or observations"
    because = f"No new back pain in {visits}{_how_many(understood)}.{aside}"
    reason = Reason.PAIN_NOT_NEW if records else Reason.NO_BACK_PAIN
    return Criterion("new-back-pain", Answer.NOT_MET, because, reason=reason)


def _how_many(understood: Sequence[Understanding]) -> str:
    """`: 14 entries were understood, 3 were not`; nothing where all were."""
    read = [item for item in understood if item.key in (*_PAIN_KEYS, "encounters")]
    known, unknown = sum(item.known for item in read), sum(sum(item.not_understood.values()) for item in read)
    if not unknown:
        return ""
    entries = "1 entry was" if known == 1 else f"{known} entries were"
    return f": {entries} understood, {unknown} {'was' if unknown == 1 else 'were'} not"


def _findings(result: NewPainResult) -> tuple[Finding, ...]:
    """The findings of all new pain: coded before text, newest first, each source once."""
    findings = {
        (record.finding.source, record.finding.label, record.finding.quote): record.finding
        for pain in result.new
        for record in pain.records
    }
    return tuple(sorted(findings.values(), key=_by_weight))


def _by_weight(finding: Finding) -> tuple[bool, bool, int, str]:
    newest_first = -finding.when.latest.toordinal() if finding.when else 0
    return finding.from_text, finding.when is None, newest_first, finding.source
