"""Every record of back pain in the chart: diagnoses, observations, visit reasons, reasons of draft orders.

Each becomes a `PainRecord`: which spine region, since when, still there or not, and whether it is called chronic
or changed. Whether the pain is new is for `pain` to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from cds_service.chart.records import Chart, Concept, Condition, Observation, Value
from cds_service.chart.span import Span
from cds_service.clinical.reading.assertion import denies, is_present, selected_drafts, visit_periods, words_in
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.free_text import TextMatch
from cds_service.clinical.reading.onset import Calendar, start_of, written_on
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BACK_INJURY, IS_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.spine import UNSPECIFIED, regions_in
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BACK_PAIN,
    CHRONIC_BACK_PAIN,
    PAIN_QUALITY,
    SPINE_SITE,
    RuleValueSet,
)

# Free text of back pain is named by concepts that begin so.
_PAIN_IN_WORDS = "back-pain-"

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


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a concept says about back pain."""

    regions: frozenset[str]
    finding: Finding
    chronic: bool = False
    any_site: bool = False
    changed: bool = False


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
                records += _on_one_day(_meanings(reason, (), where, recognizer), first_day, calendar)
    for draft in selected_drafts(chart):
        where = Finding(draft.reference, "order", date_source=DateSource.ORDERED)
        for reason in draft.reasons:
            records += _on_one_day(_meanings(reason, (), where, recognizer), Span.day(calendar.today), calendar)
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
    meanings = _meanings(condition.concept, condition.sites, Finding(condition.reference, "Condition"), recognizer)
    if not meanings:
        return
    if meanings[0].finding.from_text and recognizer.is_coded_otherwise(condition.concept, IS_BACK_PAIN):
        yield from _beside_a_code(meanings, condition, visit, recognizer, calendar)
        return
    start = start_of(condition, visit, calendar)
    changed = recognizer.says_changed(condition.concept.text)
    in_the_past = recognizer.denied_in_words(condition.concept.text, _PAIN_IN_WORDS)
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
    meanings: list[_Meaning], condition: Condition, visit: Span | None, recognizer: Recognizer, calendar: Calendar
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
    meanings = _observed(observation, where, recognizer)
    quality = _quality(recognizer, observation.value.text)
    for record in _on_one_day(meanings, when, calendar):
        yield replace(record, changed=record.changed or changed, quality=quality)


def _quality(recognizer: Recognizer, *texts: str) -> str:
    """The sentence that calls the pain suspicious, or an empty string."""
    return next((match.quote for text in texts for match in recognizer.text(text, PAIN_QUALITY)), "")


def _on_one_day(meanings: list[_Meaning], when: Span | None, calendar: Calendar) -> Iterator[PainRecord]:
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


def _observed(observation: Observation, where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    """What an Observation says about back pain; nothing where it denies it."""
    value = observation.value
    if value.absent or value.boolean is False:
        return []
    code_sets = recognizer.value_sets(observation.concept)
    if SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in code_sets:
        return []
    if RuleValueSet.PAIN_SEVERITY_OBSERVATION in code_sets:
        return _severity(observation, where, recognizer)
    if RuleValueSet.PAIN_LOCATION_OBSERVATION in code_sets:
        return _location(observation, where, recognizer)
    if SharedValueSet.SYMPTOM_OBSERVATION in code_sets or SharedValueSet.COMPLAINT_OBSERVATION in code_sets:
        return _stated(value, observation.sites, where, recognizer)
    if denies(value, observation.status, recognizer):
        return []
    return _meanings(observation.concept, observation.sites, where, recognizer)


def _stated(value: Value, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    if value.concept is not None:
        return _meanings(value.concept, sites, where, recognizer)
    return _from_text(value.text, where, recognizer)


def _location(observation: Observation, where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    """A pain location: the value names the site."""
    value = observation.value
    if value.concept is None:
        return _from_text(f"pain in {value.text}" if value.text else "", where, recognizer)
    at_sites = _at_sites((value.concept,), observation.concept, where, recognizer)
    stated = _stated(value, observation.sites, where, recognizer)
    # A coded site says where the pain is better than the words beside it.
    return at_sites or stated if recognizer.is_coded_otherwise(value.concept, IS_BACK_PAIN) else stated or at_sites


def _severity(observation: Observation, where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    """A pain score never locates pain by itself; with a spine site and a value above zero it does."""
    if not observation.value.number or observation.value.number <= 0:
        return []
    in_components = [
        component.value.concept for component in observation.components if component.value.concept is not None
    ]
    return _at_sites((*observation.sites, *in_components), observation.concept, where, recognizer)


def _at_sites(sites: tuple[Concept, ...], concept: Concept, where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    known = [sets for site in sites if regions_in(sets := recognizer.value_sets(site), SPINE_SITE)]
    if not known:
        return []
    regions = frozenset().union(*(regions_in(sets, SPINE_SITE) for sets in known))
    places = [recognizer.label(next(sets[name] for name in sets if name in SPINE_SITE)) for sets in known]
    pain = next((recognizer.label(coding) for coding in concept.codings if recognizer.label(coding)), "Pain")
    coding = next(iter(concept.codings), None)
    return [_Meaning(regions, replace(where, label=", ".join([pain, *dict.fromkeys(places)]), coding=coding))]


def _meanings(concept: Concept, sites: tuple[Concept, ...], where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    """What a concept says about back pain: by its codes, else by its words."""
    value_sets = recognizer.value_sets(concept)
    if RuleValueSet.BACK_PAIN_EXCLUSION in value_sets:
        return []
    if chronic := regions_in(value_sets, CHRONIC_BACK_PAIN):
        coding = next(value_sets[name] for name in value_sets if name in CHRONIC_BACK_PAIN)
        return [_Meaning(chronic, recognizer.coded(where, coding, concept), chronic=True)]
    if RuleValueSet.CHRONIC_PAIN_ANY_SITE in value_sets and not regions_in(value_sets, BACK_PAIN):
        coding = value_sets[RuleValueSet.CHRONIC_PAIN_ANY_SITE]
        unsited = frozenset({UNSPECIFIED})
        return [_Meaning(unsited, recognizer.coded(where, coding, concept), chronic=True, any_site=True)]
    if regions := regions_in(value_sets, BACK_PAIN):
        meaning = _by_code(regions, concept, sites, where, recognizer)
        return [replace(meaning, chronic=RuleValueSet.CHRONIC_PAIN_ANY_SITE in value_sets)]
    if RuleValueSet.BACK_PAIN_IN_PREGNANCY in value_sets:
        return [
            _Meaning(
                frozenset({"lumbar"}), recognizer.coded(where, value_sets[RuleValueSet.BACK_PAIN_IN_PREGNANCY], concept)
            )
        ]
    if RuleValueSet.PAIN_NEEDING_SPINE_SITE in value_sets:
        if sited := _at_sites(sites, concept, where, recognizer):
            return sited
        elsewhere = any(RuleValueSet.NOT_SPINE_SITE in recognizer.value_sets(site) for site in sites)
        return [] if elsewhere else _from_text(concept.text, where, recognizer)
    return _in_words(recognizer.in_words(concept, IS_BACK_PAIN), where)


def _by_code(
    regions: frozenset[str],
    concept: Concept,
    sites: tuple[Concept, ...],
    where: Finding,
    recognizer: Recognizer,
) -> _Meaning:
    found = recognizer.value_sets(concept)
    coding = next(found[name] for name in found if regions & regions_in([name], BACK_PAIN))
    if regions == {UNSPECIFIED}:
        sited = frozenset().union(*(regions_in(recognizer.value_sets(site), SPINE_SITE) for site in sites))
        regions = sited or regions
    return _Meaning(regions, recognizer.coded(where, coding, concept))


def _from_text(text: str, where: Finding, recognizer: Recognizer) -> list[_Meaning]:
    return _in_words(recognizer.text(text, _PAIN_IN_WORDS), where)


def _in_words(matches: Sequence[TextMatch], where: Finding) -> list[_Meaning]:
    named = [match for match in matches if match.concept != RuleValueSet.BACK_PAIN_UNSPECIFIED] or matches
    return [
        _Meaning(
            regions_in([match.concept], BACK_PAIN),
            replace(where, quote=match.quote, from_text=True),
            chronic=match.chronic and not match.changed,
            changed=match.changed,
        )
        for match in named
    ]
