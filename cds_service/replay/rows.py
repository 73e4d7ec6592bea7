"""The rows of `answers.parquet` and of `differences.parquet`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cds_service.replay.evaluate import Answer, PatientAnswers, Variant
from cds_service.replay.work import write_whole

if TYPE_CHECKING:
    import pyarrow as pa


def answers_schema() -> pa.Schema:
    """A row for each patient and moment."""
    import pyarrow as pa

    counted = pa.struct([("key", pa.string()), ("system", pa.string()), ("entries", pa.int32())])
    return pa.schema(
        [
            ("patient", pa.string()),
            ("at", pa.timestamp("ms", tz="UTC")),
            ("moment", pa.string()),
            ("outcome", pa.string()),
            ("reason", pa.string()),
            ("indicator", pa.string()),
            ("repeated", pa.bool_()),
            ("place", pa.string()),
            ("age", pa.int16()),
            ("orders", pa.list_(pa.string())),
            ("covered", pa.list_(pa.string())),
            ("cautions", pa.list_(pa.string())),
            ("answered", pa.string()),
            ("missing", pa.list_(pa.string())),
            ("unreadable", pa.int32()),
            ("not_understood", pa.int32()),
            ("not_understood_by", pa.list_(counted)),
            ("days_to_imaging", pa.int32()),
            ("days_to_disease", pa.int32()),
        ]
    )


def differences_schema() -> pa.Schema:
    """A row for each moment at which a card stands under one rule and not under the other."""
    import pyarrow as pa

    return pa.schema(
        [
            ("patient", pa.string()),
            ("at", pa.timestamp("ms", tz="UTC")),
            ("moment", pa.string()),
            ("against", pa.string()),
            ("outcome", pa.string()),
            ("reason", pa.string()),
            ("other_outcome", pa.string()),
            ("other_reason", pa.string()),
        ]
    )


def answer_rows(name: str, found: PatientAnswers) -> Iterator[dict[str, Any]]:
    """The rows of one patient, who stands in them under `name`."""
    dates = [
        sorted(at for item in names if (at := found.patient.recorded_at(item)))
        for names in (found.course.imaging, found.course.disease)
    ]
    for answer in found.by_variant[0]:
        assessment = answer.assessment
        gaps = [
            {"key": item.key, "system": system, "entries": count}
            for item in assessment.understanding
            for system, count in sorted(item.gaps.items())
        ]
        override = assessment.active_override
        yield {
            **_where(name, answer),
            "outcome": str(assessment.outcome),
            "reason": str(assessment.reason),
            "indicator": assessment.indicator if answer.fired else "",
            "repeated": answer.is_repeated,
            "place": answer.followed.place,
            "age": answer.age,
            "orders": list(assessment.studies) if answer.fired else [],
            "covered": [item.slug for item in assessment.covered],
            "cautions": [item.caution.id for item in assessment.cautions],
            "answered": override.reason if override else "",
            "missing": list(assessment.missing),
            "unreadable": assessment.unreadable,
            "not_understood": sum(item["entries"] for item in gaps),
            "not_understood_by": gaps,
            "days_to_imaging": _days(answer, [at for at in dates[0] if at > answer.moment.at]),
            "days_to_disease": _days(answer, dates[1]),
        }


def difference_rows(name: str, found: PatientAnswers, variants: Sequence[Variant]) -> Iterator[dict[str, Any]]:
    """The moments of one patient at which a card stands under one rule and not under the other."""
    for variant, others in zip(variants[1:], found.by_variant[1:], strict=True):
        for answer, other in zip(found.by_variant[0], others, strict=True):
            if answer.fired != other.fired:
                yield {
                    **_where(name, answer),
                    "against": variant.name,
                    "outcome": str(answer.assessment.outcome),
                    "reason": str(answer.assessment.reason),
                    "other_outcome": str(other.assessment.outcome),
                    "other_reason": str(other.assessment.reason),
                }


def _where(name: str, answer: Answer) -> dict[str, Any]:
    return {"patient": name, "at": answer.moment.at, "moment": str(answer.moment.kind)}


def _days(answer: Answer, dates: Sequence[Any]) -> int | None:
    """Whole days from the moment to the first of these; negative where that was before."""
    return (dates[0].date() - answer.moment.at.date()).days if dates else None


def write_rows(path: Path, rows: Sequence[dict[str, Any]], schema: pa.Schema) -> None:
    """Write rows as Parquet, whole: the same rows give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema), sink, compression="zstd")
    write_whole(path, sink.getvalue().to_pybytes())


def join_rows(paths: Sequence[Path], out: Path, schema: pa.Schema) -> int:
    """Write the rows of several files one after another into one; returns how many there are."""
    import pyarrow.parquet as pq

    beside = out.with_name(f"{out.name}.new")
    count = 0
    # Made before it is written, for its owner only, as the other results are.
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    with pq.ParquetWriter(beside, schema, compression="zstd") as writer:
        for path in paths:
            table = pq.read_table(path, schema=schema)
            count += table.num_rows
            if table.num_rows:
                writer.write_table(table)
    beside.replace(out)
    return count
