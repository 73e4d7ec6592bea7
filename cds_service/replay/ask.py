"""Second pass: ask the rule about every patient of one partition, and count what comes of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from cds_service.replay.counting import count_patient
from cds_service.replay.errors import ReplayError
from cds_service.replay.evaluate import Evaluator, PatientAnswers
from cds_service.replay.facts import Facts, read_facts
from cds_service.replay.heads import NOT_JSON
from cds_service.replay.plan import Plan, plan_in
from cds_service.replay.record import Line, PatientRecord
from cds_service.replay.rows import answer_rows, answers_schema, difference_rows, differences_schema, write_rows
from cds_service.replay.segments import read_block
from cds_service.replay.tally import Tally
from cds_service.replay.work import Work, peak_kilobytes, read_json, write_json

# Where a line stands in the export: the number of a part, and that of the line in it.
Place: TypeAlias = tuple[bytes, bytes]

# A line of a partition: its text, its type, its id, the server that it names, and its place.
_Found: TypeAlias = tuple[bytes, bytes, bytes, bytes, bytes, bytes]

# What is counted of lines and of patients that have no answer.
FOREIGN, FAILED = "foreign-server", "failed"

# Why the lines of a patient without an answer stand among those that were not used.
FAULT = "no answer for its patient"


def ask_partition(out: str, number: int) -> int:
    """Answer for one partition; returns the peak memory of the worker (kB). What is done is not done again."""
    folder = Path(out)
    work, plan = Work(folder), plan_in(folder)
    if work.answered(number).exists():
        return peak_kilobytes()
    facts = read_facts(work)
    evaluator = _evaluator_of(plan, facts)
    tally, bad = Tally(), list[tuple[str, str]]()
    rows, differences = list[dict[str, Any]](), list[dict[str, Any]]()
    lines = _lines(work, number)
    for (order, name), patient_id in sorted((plan.name_of(item), item) for item in lines):
        del order
        own = list(_lines_of(lines.pop(patient_id), facts, tally))
        if not own:
            continue
        counts = Tally()
        try:
            found = _answers(patient_id, own, evaluator, facts, bad)
            own_rows = list(answer_rows(name, found))
            own_differences = list(difference_rows(name, found, plan.variants))
            count_patient(counts, found, evaluator)
        except Exception as error:
            # A fault of ours costs one patient, not the night; the report and the command say that it is there.
            tally.add(FAILED, type(error).__name__)
            named = {place for place, _ in bad}
            bad += [(_written(place), FAULT) for _, place in own if _written(place) not in named]
            continue
        rows += own_rows
        differences += own_differences
        tally.update(counts)
    write_rows(work.rows(number), rows, answers_schema())
    if plan.variants[1:]:
        write_rows(work.differences(number), differences, differences_schema())
    write_json(work.answered(number), {"tally": tally.plain(), "bad": bad})
    return peak_kilobytes()


def _answers(
    patient_id: str, lines: list[tuple[Line, Place]], evaluator: Evaluator, facts: Facts, bad: list[tuple[str, str]]
) -> PatientAnswers:
    """The answers about one patient; of lines that look like JSON and are none, without these."""
    try:
        return evaluator.answers(_record(patient_id, [line for line, _ in lines], facts))
    except orjson.JSONDecodeError:
        bad += [(_written(place), NOT_JSON) for line, place in lines if not _is_json(line.text)]
        whole = [line for line, _ in lines if _is_json(line.text)]
        return evaluator.answers(_record(patient_id, whole, facts))


def _record(patient_id: str, lines: list[Line], facts: Facts) -> PatientRecord:
    return PatientRecord(patient_id, lines, facts.supplied, facts.data_end)


@lru_cache(maxsize=2)
def _evaluator_of(plan: Plan, facts: Facts) -> Evaluator:
    if tuple(variant.rule.content.digest for variant in plan.variants) != plan.digests:
        raise ReplayError("a worker reads another content than this command: start the workers anew")
    return Evaluator(
        plan.variants,
        plan.options,
        facts.period(plan),
        plan.pseudonyms,
        facts.server,
        plan.accepted_gaps,
        facts.supplied,
    )


def _written(place: Place) -> str:
    """A place in the export, as it is kept: part and line."""
    part, line = place
    return f"{part.decode()}:{line.decode()}"


def _lines(work: Work, number: int) -> dict[str, list[_Found]]:
    """The lines of a partition by patient."""
    found: dict[bytes, list[_Found]] = defaultdict(list)
    for line in _segments(work, number):
        patient, kind, base, part, identity, place, text = line.split(b"\t", 6)
        found[patient].append((text, kind, identity, base, part, place))
    return {patient.decode(): lines for patient, lines in found.items()}


def _segments(work: Work, number: int) -> Iterator[bytes]:
    for part in range(len(plan_in(work.out).parts)):
        for turn in range(read_json(work.part(part))["segments"]):
            yield from read_block(work.segment(part, turn), number).split(b"\n")[:-1]


def _lines_of(found: list[_Found], facts: Facts, tally: Tally) -> Iterator[tuple[Line, Place]]:
    """The lines of one patient, each once, in an order that does not depend on the files, and where they stand."""
    found.sort()
    before = b""
    for text, kind, identity, base, part, place in found:
        if text == before:
            tally.add("same-line-again")
            continue
        before = text
        if base and base.decode() != facts.server:
            # Nobody knows whose it is: the reading of the chart leaves the answer open where that matters.
            tally.add(FOREIGN)
        yield Line(kind.decode(), identity.decode(), text), (part, place)


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
