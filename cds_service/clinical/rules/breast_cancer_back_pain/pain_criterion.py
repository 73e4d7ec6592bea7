"""Does the patient have new back pain? The criterion, from the episodes (chapter 2 of docs/clinical-decisions.md)."""

from __future__ import annotations

from collections.abc import Sequence

from cds_service.chart.records import Chart
from cds_service.clinical.reading.findings import Finding, coded_newest_first
from cds_service.clinical.reading.understanding import Understanding
from cds_service.clinical.rules.assessment import Answer, Criterion
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import BackPain
from cds_service.clinical.rules.breast_cancer_back_pain.pain_records import PainRecord
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason

_PAIN_KEYS = ("conditions", "observations")


def pain_criterion(
    chart: Chart, records: Sequence[PainRecord], pain: BackPain, understood: Sequence[Understanding] = ()
) -> Criterion:
    """The criterion. Data that is missing can only add pain: what is found stands."""
    steps = tuple(episode.as_line for episode in pain.episodes)
    if pain.new:
        because = f"New back pain: {', '.join(episode.named for episode in pain.new)}."
        return Criterion("new-back-pain", Answer.MET, because, _findings(pain), steps=steps)
    if pain.equivalents:
        because = "No back pain is recorded, but a finding that stands for it."
        return Criterion("new-back-pain", Answer.MET, because, pain.equivalents, steps=steps)
    old = "; ".join(f"{episode.named}: {episode.why}" for episode in pain.episodes)
    aside = f" Not new: {old}." if old else ""
    results = chart.by_prefetch_key()
    if missing := tuple(key for key in _PAIN_KEYS if not results[key].complete):
        gaps = ", ".join(f"{key} ({results[key].gap})" for key in missing)
        because = f"No new back pain in the data at hand, but it is not all: {gaps}.{aside}"
        return Criterion("new-back-pain", Answer.UNKNOWN, because, missing=missing, steps=steps)
    visits = "conditions, observations or visits" if chart.encounters.complete else "conditions or observations"
    because = f"No new back pain in {visits}{_how_many(understood)}.{aside}"
    told = any(not record.treatment for record in records)
    reason = Reason.PAIN_NOT_NEW if told else Reason.NO_BACK_PAIN
    return Criterion("new-back-pain", Answer.NOT_MET, because, reason=reason, steps=steps)


def _how_many(understood: Sequence[Understanding]) -> str:
    """`: 14 entries were understood, 3 were not`; nothing where all were."""
    read = [item for item in understood if item.key in (*_PAIN_KEYS, "encounters")]
    known, unknown = sum(item.known for item in read), sum(sum(item.not_understood.values()) for item in read)
    if not unknown:
        return ""
    entries = "1 entry was" if known == 1 else f"{known} entries were"
    return f": {entries} understood, {unknown} {'was' if unknown == 1 else 'were'} not"


def _findings(pain: BackPain) -> tuple[Finding, ...]:
    """The findings of all new pain: coded before text, newest first, each source once."""
    findings = {
        (record.finding.source, record.finding.label, record.finding.quote): record.finding
        for episode in pain.new
        for record in episode.records
    }
    return tuple(sorted(findings.values(), key=coded_newest_first))
