"""Exports made of resources, and what a replay makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from cds_service.replay.options import Answers, Options
from cds_service.replay.run import Means, replay
from cds_service.settings import make_settings
from tests.builders import NOW, Json

# A key, so that pseudonyms are the same in two runs.
KEY = "0123456789abcdef0123456789abcdef"


@dataclass(frozen=True)
class Found:
    """The results of a replay, read back."""

    folder: Path
    summary: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]

    def of(self, patient: str) -> list[Mapping[str, Any]]:
        """The rows of one patient, in the order of their moments; the replay named patients by their ids."""
        return [row for row in self.rows if row["patient"] == patient]


def write_export(folder: Path, resources: Iterable[Json]) -> Path:
    """A folder with one NDJSON file for each type."""
    folder.mkdir(parents=True, exist_ok=True)
    by_type: dict[str, list[bytes]] = {}
    for resource in resources:
        by_type.setdefault(resource["resourceType"], []).append(orjson.dumps(resource))
    for name, lines in by_type.items():
        (folder / f"{name}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
    return folder


def empty_files(folder: Path) -> None:
    """Files that say that there is nothing of a type, where there is none: then nothing is unknown."""
    for name in ("Condition", "Observation", "ServiceRequest", "DiagnosticReport", "Procedure", "AllergyIntolerance",
                 "Encounter", "Device"):  # fmt: skip
        (folder / f"{name}.ndjson").touch()


def run(
    export: Path | str,
    out: Path,
    moments: str = "last",
    since: date | None = None,
    until: date | None = None,
    hook: str = "patient-view",
    answers: str = "none",
    patients: Sequence[str] | None = None,
    vary: Mapping[str, tuple[Any, ...]] | None = None,
    against: str = "",
    with_ids: bool = True,
    workers: int = 1,
    scheduler: str | None = None,
    **settings: Any,
) -> Found:
    """Replay an export in this process, patients by their ids; `settings` as the site has them."""
    options = Options(
        moments=moments,
        since=since,
        until=until,
        hook=hook,
        answers=Answers(answers),
        with_ids=with_ids,
        patients=None if patients is None else tuple(patients),
        vary=vary or {},
        against=against,
    )
    made = make_settings({"pseudonym_key": KEY} | settings)
    done = replay(str(export), out, options, made, NOW, Means(workers, scheduler))
    return Found(out, done.summary, pq.read_table(out / "answers.parquet").to_pylist())


def replayed(tmp_path: Path, *resources: Json, **options: Any) -> Found:
    """Replay the export that holds just these resources, and nothing of any other type."""
    export = write_export(tmp_path / "export", resources)
    empty_files(export)
    return run(export, tmp_path / "out", **options)
