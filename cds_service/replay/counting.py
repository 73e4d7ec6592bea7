"""What of the answers about one patient is counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta

from cds_service.clinical.rules.assessment import OVERRIDDEN_EARLIER
from cds_service.replay.course import YIELD_DAYS, Course, course_of
from cds_service.replay.evaluate import Answer, Evaluator, PatientAnswers
from cds_service.replay.moments import Kind, visits_without_start
from cds_service.replay.observed import days_observed
from cds_service.replay.options import LAST
from cds_service.replay.tally import Tally

# Moments at which somebody opened the chart or wrote an order, and the look at the end of the data.
OPENINGS, END = "openings", "end"

# Decades of age that are told apart.
_YOUNGEST, _OLDEST = 40, 80

UNKNOWN = "unknown"


def scope_of(answer: Answer) -> str:
    """Whether a moment counts as an opening of the chart, or as the end of the data."""
    return END if answer.moment.kind is Kind.END else OPENINGS


def age_group(age: int | None) -> str:
    """`under 40`, `40-49` … `80 and over`."""
    if age is None:
        return UNKNOWN
    if age < _YOUNGEST:
        return f"under {_YOUNGEST}"
    if age >= _OLDEST:
        return f"{_OLDEST} and over"
    return f"{age // 10 * 10}-{age // 10 * 10 + 9}"


def count_patient(tally: Tally, found: PatientAnswers, evaluator: Evaluator) -> None:
    """Count the answers about one patient."""
    _count_record(tally, found, evaluator)
    for answer in found.by_variant[0]:
        _count_answer(tally, answer)
    _count_understanding(tally, found)
    base = found.by_variant[0]
    _count_course(tally, course_of(found, base), found.course.at_risk, evaluator)
    for variant, answers in zip(evaluator.variants[1:], found.by_variant[1:], strict=True):
        _count_variant(tally, variant.name, base, answers)
        if course := course_of(found, answers):
            _count_yield(tally, ("vary", variant.name, "yield"), course, evaluator)


def _count_record(tally: Tally, found: PatientAnswers, evaluator: Evaluator) -> None:
    patient, period = found.patient, evaluator.period
    tally.add("patients")
    if patient.record is None:
        tally.add("patients-without-record")
    if patient.is_merged:
        tally.add("patients-merged")
        tally.add("resources-of-merged", count=sum(line.kind != "Patient" for line in patient.lines))
    if found.course.at_risk:
        tally.add("patients-at-risk")
    if found.by_variant[0]:
        tally.add("patients-asked")
    if evaluator.options.moments == LAST:
        # At the end of the data nothing depends on when an entry was recorded, and nobody is observed over time.
        return
    for entry in patient.entries:
        if entry.kind != "Patient":
            tally.add("known", entry.kind, entry.known.source)
    for element, names in patient.later.untold.items():
        tally.add("untold", element, count=len(names))
    for doubt, kind in {entry.name: (entry.known.doubt, entry.kind) for entry in patient.entries}.values():
        if doubt is not None:
            tally.add("doubt", doubt, kind)
    tally.add("days-observed", count=days_observed(patient, period))
    tally.add("visits-without-start", count=visits_without_start(patient))


def _count_answer(tally: Tally, answer: Answer) -> None:
    assessment, scope = answer.assessment, scope_of(answer)
    tally.add("outcome", scope, assessment.outcome, assessment.reason)
    if assessment.reason == OVERRIDDEN_EARLIER and assessment.active_override:
        tally.add("answered", scope, assessment.active_override.reason)
    for key in assessment.missing:
        tally.add("missing", scope, key)
    if not answer.fired:
        return
    kind = "repeated" if answer.is_repeated else "first"
    values: dict[str, Iterable[str]] = {
        "kind": [kind],
        "indicator": [assessment.indicator],
        "reason": [str(assessment.reason)],
        "age": [age_group(answer.age)],
        "place": [answer.followed.place or UNKNOWN],
        "order": assessment.studies,
        "caution": dict.fromkeys(item.caution.id for item in assessment.cautions),
    }
    for name, some in values.items():
        for value in some:
            tally.add("cards", scope, name, value)
            if kind == "first":
                tally.add("first-cards", scope, name, value)


def _count_understanding(tally: Tally, found: PatientAnswers) -> None:
    """What was not understood of the whole record, by prefetch key and code system, never by code."""
    for item in found.final.understanding:
        tally.add("entries", item.key, count=item.entries)
        for system, count in item.gaps.items():
            tally.add("not-understood", "entries", item.key, system, count=count)
            tally.add("not-understood", "patients", item.key, system)
    if found.final.unreadable:
        tally.add("unreadable", "entries", count=found.final.unreadable)
        tally.add("unreadable", "patients")


def _count_course(tally: Tally, course: Course | None, at_risk: bool, evaluator: Evaluator) -> None:
    if course is None:
        return
    if course.has_card:
        tally.add("patients-with-card")
        _count_yield(tally, ("yield", "card"), course, evaluator)
        _count_times(tally, course)
        return
    _count_yield(tally, ("yield", "no-card"), course, evaluator)
    if at_risk:
        _count_yield(tally, ("yield", "no-card-at-risk"), course, evaluator)


def _count_yield(tally: Tally, name: tuple[str, ...], course: Course, evaluator: Evaluator) -> None:
    """Patients by whether the disease was known before, and, of the others, found within so many days.

    Only patients whom the data follow for so long count for a span; else a card of last week would count as a miss.
    """
    if not course.has_card and name[0] == "vary":
        return
    tally.add(*name, "patients")
    if course.was_known or course.is_undated:
        tally.add(*name, "undated" if course.is_undated else "known-before")
        return
    for days in YIELD_DAYS:
        if course.is_followed(days, evaluator.period.data_end):
            tally.add(*name, "followed", str(days))
            if course.found_within(days):
                tally.add(*name, "found", str(days))


def _count_times(tally: Tally, course: Course) -> None:
    """Days from the first record of the complaint to the card, to imaging and to the disease; and from the card on."""
    if course.complaint is None:
        tally.add("time-undated")
        return
    disease = None if course.was_known else course.disease
    ends = {"card": course.index, "imaging": course.imaging, "disease": disease}
    for name, end in ends.items():
        if end is not None and end >= course.complaint:
            tally.add("time", f"complaint-to-{name}", _days(end - course.complaint))
    for name in ("imaging", "disease"):
        end = ends[name]
        if end is not None and end >= course.complaint:
            tally.add("time", f"card-to-{name}", _days(end - course.index))


def _days(span: timedelta) -> str:
    """Whole days, rounded down; negative where the end came first."""
    return str(span.days)


def _count_variant(tally: Tally, name: str, base: Sequence[Answer], others: Sequence[Answer]) -> None:
    """How many cards there are under another rule, and which patients gain or lose theirs."""
    for other in others:
        if other.fired:
            tally.add("vary", name, "cards", scope_of(other), "repeated" if other.is_repeated else "first")
    here, there = any(item.fired for item in base), any(item.fired for item in others)
    if there:
        tally.add("vary", name, "patients-with-card")
    if here != there:
        tally.add("vary", name, "patients-gained" if there else "patients-lost")
