"""Every record of back pain in the chart: diagnoses, observations, visit reasons, reasons of draft orders.

Each becomes a `PainRecord`: which spine region, since when, still there or not, and whether it is called chronic
or changed. Whether the pain is new is for `pain` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from cds_service.chart.records import Chart, Condition, Observation
from cds_service.chart.span import Span
from cds_service.clinical.reading.assertion import is_present, selected_drafts, visit_periods, words_in
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar, start_of, written_on
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.pain_meaning import PAIN_IN_WORDS, PainMeaning, pain_meanings
from cds_service.clinical.rules.breast_cancer_back_pain.pain_observations import observed_pain
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_INJURY, IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import PAIN_QUALITY, RuleValueSet

_ENCOUNTER = re.compile(r"Encounter/(?!\.+$)[A-Za-z0-9\-.]{1,64}")


@dataclass(frozen=True, slots=True)
class PainRecord:
    """One record of back pain.

    Attributes:
        finding: what and where.
        regions: spine regions; `unspecified` alone where none is named.
        present: the pain is (or may be) there now; a past record only tells that pain is not new.
        until: when a past pain ended, where known.
        chronic: recorded as chronic: never new by itself.
        any_site: chronic pain without a site.
        changed: recorded as new, worse or different.
        point: an observation or visit, which tells of one day; a diagnosis tells of a time from its start.
        vague: the onset as written, where it was too vague to use.
        quality: the words that make the pain suspicious (at night, unremitting), if any.
    """

    finding: Finding
    regions: frozenset[str]
    present: bool = True
    until: Span | None = None
    chronic: bool = False
    any_site: bool = False
    changed: bool = False
    point: bool = False
    vague: str = ""
    quality: str = ""


def pain_records(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> list[PainRecord]:
    """All records of back pain, in the order of the chart."""
    visits = visit_periods(chart, calendar)
    records: list[PainRecord] = []
    for condition in chart.conditions.items:
        records += _from_condition(condition, visits.get(condition.encounter), recognizer, calendar)
    for observation in chart.observations.items:
        records += _from_observation(observation, visits.get(observation.encounter), recognizer, calendar)
    for encounter in chart.encounters.items:
        if encounter.was_held:
            when = calendar.past(encounter.period)
            where = Finding(encounter.reference, "Encounter", date_source=DateSource.ENCOUNTER)
            for reason in encounter.reasons:
                first_day = Span.day(when.earliest) if when else None
                records += _on_one_day(pain_meanings(reason, (), where, recognizer), first_day, calendar)
    for draft in selected_drafts(chart):
        where = Finding(draft.reference, "order", date_source=DateSource.ORDERED)
        for reason in draft.reasons:
            records += _on_one_day(pain_meanings(reason, (), where, recognizer), Span.day(calendar.today), calendar)
    return records


def visits_without_date(chart: Chart, findings: Iterable[Finding]) -> tuple[str, ...]:
    """References of Encounters that are not at hand and could date those findings that carry no date."""
    undated = {finding.source for finding in findings if finding.when is None}
    known = {item.reference for item in chart.encounters.items} | {chart.current_encounter}
    visits = {item.encounter for item in chart.conditions.items if item.reference in undated} - known
    return tuple(sorted(visit for visit in visits if _ENCOUNTER.fullmatch(visit)))


def injuries(chart: Chart, recognizer: Recognizer, calendar: Calendar) -> tuple[Finding, ...]:
    """Back injuries recorded inside the window."""
    found = []
    for condition in chart.conditions.items:
        if condition.is_refuted:
            continue
        value_sets = recognizer.value_sets(condition.concept)
        beside_a_code = recognizer.is_coded_otherwise(condition.concept, IS_BACK_INJURY)
        start = (written_on if beside_a_code else start_of)(condition, None, calendar)
        if start.when is None or not calendar.in_window(start.when):
            continue
        where = Finding(condition.reference, "Condition", when=start.when, date_source=start.date_source)
        if RuleValueSet.BACK_INJURY in value_sets:
            found.append(recognizer.coded(where, value_sets[RuleValueSet.BACK_INJURY], condition.concept))
        elif matches := recognizer.in_words(condition.concept, IS_BACK_INJURY):
            found.append(replace(where, quote=matches[0].quote, from_text=True))
    return tuple(found)


def _from_condition(
    condition: Condition, visit: Span | None, recognizer: Recognizer, calendar: Calendar
) -> Iterator[PainRecord]:
    if condition.is_refuted:
        return
    meanings = pain_meanings(condition.concept, condition.sites, Finding(condition.reference, "Condition"), recognizer)
    if not meanings:
        return
    if meanings[0].finding.from_text and recognizer.is_coded_otherwise(condition.concept, IS_BACK_PAIN):
        yield from _beside_a_code(meanings, condition, visit, recognizer, calendar)
        return
    start = start_of(condition, visit, calendar)
    changed = recognizer.says_changed(condition.concept.text)
    in_the_past = recognizer.denied_in_words(condition.concept.text, PAIN_IN_WORDS)
    chronic = recognizer.says_chronic(condition.concept.text) and not changed
    for meaning in meanings:
        yield PainRecord(
            finding=replace(meaning.finding, when=start.when, date_source=start.date_source),
            regions=meaning.regions,
            present=is_present(condition, calendar) and not in_the_past,
            until=calendar.past(condition.abatement),
            chronic=meaning.chronic or chronic,
            any_site=meaning.any_site,
            changed=changed or meaning.changed,
            vague=start.vague,
            quality=_quality(recognizer, condition.concept.text, condition.note),
        )


def _beside_a_code(
    meanings: list[PainMeaning], condition: Condition, visit: Span | None, recognizer: Recognizer, calendar: Calendar
) -> Iterator[PainRecord]:
    """Pain in the words of a condition that is coded as something else ("breast cancer, low back pain for a week").

    Onset and course are those of what is coded; the words tell of the day on which they were written.
    """
    start = written_on(condition, visit, calendar)
    quality = _quality(recognizer, condition.concept.text, condition.note)
    dated = [replace(meaning, finding=replace(meaning.finding, date_source=start.date_source)) for meaning in meanings]
    for record in _on_one_day(dated, start.when, calendar):
        yield replace(record, present=record.present and is_present(condition, calendar), quality=quality)


def _from_observation(
    observation: Observation, visit: Span | None, recognizer: Recognizer, calendar: Calendar
) -> Iterator[PainRecord]:
    if not observation.is_reported:
        return
    where = Finding(observation.reference, "Observation", date_source=DateSource.OBSERVED)
    when = calendar.past(observation.effective) or calendar.past(visit)
    changed = any(recognizer.says_changed(*words_in(component.value)) for component in observation.components)
    meanings = observed_pain(observation, where, recognizer)
    quality = _quality(recognizer, observation.value.text)
    for record in _on_one_day(meanings, when, calendar):
        yield replace(record, changed=record.changed or changed, quality=quality)


def _quality(recognizer: Recognizer, *texts: str) -> str:
    """The sentence that calls the pain suspicious, or an empty string."""
    return next((match.quote for text in texts for match in recognizer.text(text, PAIN_QUALITY)), "")


def _on_one_day(meanings: list[PainMeaning], when: Span | None, calendar: Calendar) -> Iterator[PainRecord]:
    for meaning in meanings:
        yield PainRecord(
            finding=replace(meaning.finding, when=when),
            regions=meaning.regions,
            present=when is None or calendar.in_window(when),
            chronic=meaning.chronic,
            any_site=meaning.any_site,
            changed=meaning.changed,
            point=True,
        )
