"""The timeline of a chart: what the rule read in it, as dated entries in rows.

A pure function. It decides nothing: what counts, what is new and what is over comes from `cds_service.clinical`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import timedelta

from cds_service.chart.records import Chart, Order, Study
from cds_service.chart.span import Span
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.brain import brain_symptoms
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    CORD_SIGNS,
    FRACTURES,
    NONSPECIFIC_SIGNS,
    RuleValueSet,
)
from cds_service.clinical.rules.timeline import Entry, Row, Timeline, Window


@dataclass(frozen=True, slots=True)
class _Kind:
    """Value sets of one row. Old entries count only where they `may_be_old`."""

    value_sets: frozenset[str]
    may_be_old: bool = False

    def holds(self, names: Iterable[str]) -> bool:
        return not self.value_sets.isdisjoint(names)


_RED_FLAGS = _Kind(
    frozenset(
        {
            *CORD_SIGNS,
            *NONSPECIFIC_SIGNS,
            *FRACTURES,
            RuleValueSet.SPINAL_INFECTION,
            RuleValueSet.SYSTEMIC_FLAG,
        }
    )
)
_METASTASES = _Kind(
    frozenset(
        {
            RuleValueSet.METASTASIS_BONE,
            RuleValueSet.METASTASIS_BRAIN,
            RuleValueSet.METASTASIS_OTHER,
            RuleValueSet.METASTASIS_SPINAL_CORD,
        }
    ),
    may_be_old=True,
)
_BRAIN = _Kind(frozenset({RuleValueSet.BRAIN_SYMPTOM, RuleValueSet.BRAIN_SYMPTOM_WEAK}))
_HOSPICE = _Kind(frozenset({RuleValueSet.HOSPICE}), may_be_old=True)
# Every study that content knows is shown, whether or not it answers the question.
_IMAGING = "imaging-"
_ORDER = "ServiceRequest"

# What the prefetch keys behind each row are called.
_CONDITIONS = ("conditions",)
_CONDITIONS_AND_OBSERVATIONS = ("conditions", "observations")
_STUDIES = ("diagnosticReports", "procedures", "serviceRequests")


# Rows that stand there also where they are empty: that a chart holds none of it is worth knowing.
_ALWAYS_SHOWN = frozenset({"Breast cancer", "Back pain", "Red flags", "Imaging"})


def timeline(evidence: Evidence, assessment: Assessment) -> Timeline:
    """What was read in a chart, in the order in which a reader asks for it."""
    chart = evidence.chart
    counted = _counted(evidence)
    rows = [
        Row("Breast cancer", tuple(_cancer(evidence)), _gaps(chart, _CONDITIONS)),
        Row("Back pain", tuple(_pain(evidence)), _gaps(chart, _CONDITIONS_AND_OBSERVATIONS)),
        Row("Episodes of pain", tuple(_episodes(evidence)), _gaps(chart, _CONDITIONS_AND_OBSERVATIONS)),
        Row("Red flags", _stated(evidence, _RED_FLAGS, counted), _gaps(chart, _CONDITIONS_AND_OBSERVATIONS)),
        Row("Imaging", tuple(_imaging(evidence)), _gaps(chart, _STUDIES)),
        Row("Draft orders", tuple(_drafts(evidence))),
        Row("Metastases", _stated(evidence, _METASTASES, counted)),
        Row("Brain symptoms", _stated(evidence, _BRAIN, counted)),
        Row("Cautions", tuple(_cautions(evidence, assessment))),
    ]
    return Timeline(
        today=evidence.calendar.today,
        new=_new_window(evidence),
        clean=_clean_window(evidence),
        rows=tuple(row for row in rows if row.entries or row.title in _ALWAYS_SHOWN),
        passed_over=tuple(_passed_over(evidence)),
    )


def _new_window(evidence: Evidence) -> Window:
    calendar = evidence.calendar
    return Window(f"new: last {calendar.new_window_days} days", calendar.window_start, calendar.today)


def _clean_window(evidence: Evidence) -> Window:
    """The clean days before the new episode; where there is none, before the window of new pain."""
    days, onset = evidence.calendar.clean_days, evidence.pain.onset
    start = onset or evidence.calendar.window_start
    before = "the episode" if onset else "that"
    return Window(f"clean: {days} days before {before}", start - timedelta(days=days), start)


def _gaps(chart: Chart, keys: Sequence[str]) -> str:
    """Why the lists behind a row may not be complete, or an empty string."""
    results = chart.by_prefetch_key()
    return "; ".join(f"{key}: {gap}" for key in keys if (gap := results[key].gap))


def _entry(finding: Finding) -> Entry:
    return Entry(
        label=finding.label or finding.quote or "Result",
        when=finding.when,
        source=finding.source,
        quoted=not finding.label and bool(finding.quote),
    )


def _cancer(evidence: Evidence) -> Iterator[Entry]:
    for finding in evidence.history.proven:
        yield _entry(finding)
    for finding in evidence.history.in_situ:
        yield replace(_entry(finding), counts=evidence.options.dcis_mode != "off", remark="in situ disease")


def _pain(evidence: Evidence) -> Iterator[Entry]:
    new = {record for pain in evidence.pain.new for record in pain.records}
    for record in evidence.records:
        course = not record.point and record.finding.when is not None
        until = None
        if course:
            until = evidence.calendar.today if record.present else record.until.latest if record.until else None
        yield replace(
            _entry(record.finding),
            counts=record in new,
            remark=_pain_remark(record, record in new),
            until=until,
            ongoing=course and record.present,
        )


def _episodes(evidence: Evidence) -> Iterator[Entry]:
    """The pain of each region, with why it is new or not. Old pain has no first day here: its records do."""
    for episode in evidence.pain.episodes:
        since = episode.since if episode.is_new else None
        yield Entry(
            label=f"{episode.named.capitalize()}: {'new' if episode.is_new else 'not new'}",
            when=Span.day(since) if since else None,
            source=_sources(episode.against or episode.records),
            counts=episode.is_new,
            why=episode.why,
            until=evidence.calendar.today if since else None,
            ongoing=since is not None,
        )


def _passed_over(evidence: Evidence) -> Iterator[str]:
    """What speaks of the disease or of pain and does not count, with the reason."""
    for line in evidence.history.passed_over:
        source, _, why = line.partition(": ")
        yield f"Breast cancer in {source}: {why}"
    for episode in evidence.pain.episodes:
        if not episode.is_new:
            yield f"Back pain, {episode.named}, in {_sources(episode.against or episode.records)}: {episode.why}"


def _sources(records: Iterable[PainRecord]) -> str:
    return ", ".join(dict.fromkeys(record.finding.source for record in records))


def _pain_remark(record: PainRecord, is_new: bool) -> str:
    said = ["new by its words" if is_new and (record.worse or record.acute) else "new" if is_new else "not new"]
    if record.chronic:
        said.append("chronic")
    if (record.worse or record.acute) and not is_new:
        said.append("changed by its words")
    if not record.present and not record.point:
        said.append("over")
    if record.point and record.finding.when:
        # A note of one day does not say when the pain began.
        said.append("noted that day")
    if record.vague:
        said.append(f"onset recorded only as {record.vague}")
    return ", ".join(said)


def _counted(evidence: Evidence) -> frozenset[tuple[str, str]]:
    """The words of all findings beside the pain that the rule counts."""
    flags = (getattr(evidence.flags, item.name) for item in fields(evidence.flags))
    groups = [group for group in flags if isinstance(group, tuple)]
    groups.append(_brain_symptoms(evidence))
    groups.append(tuple(item.finding for item in evidence.asserted if _HOSPICE.holds(item.value_sets)))
    return frozenset((finding.label, finding.quote) for group in groups for finding in group)


def _stated(evidence: Evidence, kind: _Kind, counted: frozenset[tuple[str, str]]) -> tuple[Entry, ...]:
    """What the chart states of one kind, each thing at each place once."""
    found: dict[tuple[str, str], Entry] = {}
    coded: set[tuple[str, bool]] = set()
    for item in evidence.asserted:
        if kind.holds(item.value_sets):
            counts = _counts(item, kind, counted, evidence.calendar)
            entry = replace(_entry(item.finding), counts=counts, remark="" if counts else _why_not(item))
            place = (entry.source, counts)
            if item.finding.from_text and coded & {place, (entry.source, True)}:
                # The words of an entry that is coded as the same kind of thing say it once more.
                continue
            coded.add(place)
            found.setdefault((entry.label, entry.source), entry)
    return tuple(found.values())


def _counts(item: AssertedConcept, kind: _Kind, counted: frozenset[tuple[str, str]], calendar: Calendar) -> bool:
    known = (item.finding.label, item.finding.quote) in counted and not item.suspected
    return known and (kind.may_be_old or item.is_new(calendar))


def _why_not(item: AssertedConcept) -> str:
    if item.suspected:
        return "only suspected"
    return "not new" if item.holds else "over"


def _imaging(evidence: Evidence) -> Iterator[Entry]:
    """Every imaging study and every order of one, whether or not it answers the pain."""
    counting = evidence.studies_since(evidence.pain.began)
    done_by_source = {study.finding.source: study.done for study in counting}
    chart = evidence.chart
    for study in (*chart.diagnostic_reports.items, *chart.procedures.items, *chart.service_requests.items):
        value_sets = frozenset().union(*(evidence.recognizer.ordered(concept) for concept in study.concepts))
        if any(name.startswith(_IMAGING) for name in value_sets):
            done = done_by_source.get(study.reference)
            yield Entry(
                label=_study_label(study, evidence),
                when=study.when,
                source=study.reference,
                counts=done is not None,
                remark=_study_remark(study, done, evidence),
                is_open=not done and study.kind == _ORDER,
            )


def _study_label(study: Study, evidence: Evidence) -> str:
    codings = [coding for concept in study.concepts for coding in concept.codings]
    labels = (evidence.recognizer.label(coding) for coding in codings)
    words = (concept.text for concept in study.concepts)
    displays = (coding.display for coding in codings)
    return next((text for texts in (labels, words, displays) for text in texts if text), "Study")


def _study_remark(study: Study, done: bool | None, evidence: Evidence) -> str:
    onset = evidence.pain.onset
    if done is not None:
        return "done" if done else "ordered"
    if study.when and study.when.earliest > evidence.calendar.today:
        return "after this day"
    if study.when and onset and study.when.latest < onset:
        return "before the pain"
    return f"not counted ({study.status})" if study.status else "not counted"


def _drafts(evidence: Evidence) -> Iterator[Entry]:
    drafts = evidence.chart.drafts
    if drafts is None:
        return
    for order in drafts.orders:
        selected = order in drafts.selected and order.counts
        yield Entry(
            label=_order_label(order, evidence),
            when=Span.day(evidence.calendar.today),
            source=order.reference,
            counts=selected,
            remark="selected" if selected else "not selected",
            is_open=True,
        )


def _order_label(order: Order, evidence: Evidence) -> str:
    texts = (concept.text for concept in order.concepts)
    labels = (evidence.recognizer.label(coding) for concept in order.concepts for coding in concept.codings)
    return next((text for found in (texts, labels) for text in found if text), order.kind or "Order")


def _cautions(evidence: Evidence, assessment: Assessment) -> Iterator[Entry]:
    egfr = assessment.kidneys.egfr
    for raised in assessment.cautions:
        if egfr is None or raised.finding != egfr.finding:
            yield replace(_entry(raised.finding), remark=raised.caution.name)
    if egfr:
        concerning = [raised for raised in assessment.cautions if raised.finding == egfr.finding]
        remark = "" if egfr.recent else f"older than {assessment.egfr_recent_days} days"
        yield replace(
            _entry(egfr.finding), label=f"eGFR {egfr.reported}", counts=bool(concerning), remark=remark, quoted=False
        )
    yield from _stated(evidence, _HOSPICE, _counted(evidence))


def _brain_symptoms(evidence: Evidence) -> tuple[Finding, ...]:
    days = evidence.number(Threshold.BRAIN_POINT_DAYS)
    return brain_symptoms(evidence.asserted, evidence.calendar, days)
