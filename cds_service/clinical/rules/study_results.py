"""Which studies are quoted on the card, each once (decisions 5.11 and 5.13): the newest of each kind that was done.

A study often stands in the chart several times: its report, its images and the procedure. The report speaks for all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta

from cds_service.clinical.rules.imaging_history import PriorStudy

_REPORT = "DiagnosticReport"
_PRELIMINARY = "preliminary"

# Report, images and procedure of one study are dated on the same day, or on two beside each other.
_SAME_STUDY_DAYS = 1


def newest_of_each_kind(
    studies: Iterable[PriorStudy], kinds: Collection[str], variants: Collection[str]
) -> tuple[PriorStudy, ...]:
    """The studies to quote, newest first.

    Args:
        studies: since the pain began.
        kinds: the value sets of studies that are quoted.
        variants: value sets that make no kind of their own (with or without contrast).
    """
    done = [study for study in studies if study.done and not study.value_sets.isdisjoint(kinds)]
    reports = [study for study in done if study.record.kind == _REPORT]
    others = [study for study in done if study not in reports and not _is_reported(study, reports)]
    newest: dict[frozenset[str], PriorStudy] = {}
    for study in sorted((*reports, *others), key=_rank, reverse=True):
        newest.setdefault((study.value_sets & frozenset(kinds)) - frozenset(variants), study)
    return tuple(newest.values())


def _rank(study: PriorStudy) -> tuple[date, bool, bool, str]:
    """The newest first; of one day the report first, and of two reports the final one."""
    return (
        _day(study) or date.min,
        study.record.kind == _REPORT,
        study.record.status != _PRELIMINARY,
        study.record.reference,
    )


def _is_reported(study: PriorStudy, reports: Sequence[PriorStudy]) -> bool:
    return any(_are_one(study, report) for report in reports)


def _are_one(study: PriorStudy, report: PriorStudy) -> bool:
    """Whether images, a procedure or an order are of the study that a report tells of."""
    record, told = study.record, report.record
    if record.reference in told.same_study or told.reference in record.same_study:
        return True
    if study.value_sets.isdisjoint(report.value_sets):
        return False
    if set(record.fulfills) & set(told.fulfills):
        return True
    ours, theirs = _day(study), _day(report)
    return ours is not None and theirs is not None and abs(ours - theirs) <= timedelta(days=_SAME_STUDY_DAYS)


def _day(study: PriorStudy) -> date | None:
    return study.finding.when.latest if study.finding.when else None
