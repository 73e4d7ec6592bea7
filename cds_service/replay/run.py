"""A whole replay: plan, deal, ask, sum up; what is finished is not done again."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cds_service.decision.content_in_use import content_place
from cds_service.replay.ask import ask_partition
from cds_service.replay.deal import deal_part
from cds_service.replay.engine import Engine, Task, engine
from cds_service.replay.errors import ReplayError
from cds_service.replay.export import find_files, passed_over
from cds_service.replay.facts import Facts, gather_facts
from cds_service.replay.options import Options
from cds_service.replay.page import replay_page
from cds_service.replay.plan import ContentFolders, Plan, all_parts, partitions_for, variants_of
from cds_service.replay.rows import answers_schema, differences_schema, join_rows
from cds_service.replay.summary import export_of, summary_of
from cds_service.replay.tally import Tally
from cds_service.replay.work import Work, peak_kilobytes, read_json, write_json, write_whole
from cds_service.settings import Settings

ANSWERS, DIFFERENCES, SUMMARY, REPORT, RUN, DAMAGED = (
    "answers.parquet",
    "differences.parquet",
    "summary.json",
    "report.html",
    "run.json",
    "damaged-lines.csv",
)

# What is going on, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Means:
    """With what a replay is done: it decides on the time that it takes, and on nothing else."""

    workers: int = 1
    scheduler: str | None = None


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay came to: its summary, and how it was computed (`run.json`)."""

    summary: dict[str, Any]
    run: dict[str, Any]


def replay(
    export: str,
    out: Path,
    options: Options,
    settings: Settings,
    now: datetime,
    means: Means = Means(),
    progress: Progress = lambda _what, _done, _of: None,
) -> Replayed:
    """Replay an export into a folder.

    Args:
        export: the folder or `fsspec` address of the NDJSON files.
        out: where the results go; it may hold this same replay, unfinished.
        now: the moment of the run, with a time zone.

    Raises:
        ReplayError: the export, the folder or the options cannot be used.
        ContentError: a content cannot be used.
    """
    started = time.perf_counter()
    work = Work(out)
    plan = _plan(export, work, options, settings, now)
    with work.alone(), engine(means.workers, means.scheduler) as runner:
        dealt = _stage(runner, work, deal_part, _left(work.part, len(plan.parts)), "reading", progress)
        facts = _facts(work, plan)
        left = _left(work.answered, plan.partitions)
        asked = _stage(runner, work, ask_partition, left, "asking", progress)
        workers = runner.workers
    summary = _results(work, plan, facts)
    run = {
        "fingerprint": plan.fingerprint,
        "started": now.isoformat(),
        "version": plan.version,
        "dask": version("distributed"),
        "pyarrow": version("pyarrow"),
        "workers": workers,
        "scheduler": "cluster" if means.scheduler else "local",
        "partitions": plan.partitions,
        "seconds": {
            "deal": round(dealt.seconds, 3),
            "ask": round(asked.seconds, 3),
            "all": round(time.perf_counter() - started, 3),
        },
        "peak_memory_mb": {
            "command": round(peak_kilobytes() / 1024),
            "worker": round(max(dealt.peak_kilobytes, asked.peak_kilobytes) / 1024),
        },
        "pseudonyms": "ids" if options.with_ids else "site key" if settings.pseudonym_key else "key of this run",
    }
    write_json(out / RUN, run)
    work.remove()
    return Replayed(summary, run)


def _facts(work: Work, plan: Plan) -> Facts:
    """What the first pass found out; where nothing can be asked of it, the folder is left as it was found."""
    try:
        return gather_facts(work, plan)
    except ReplayError:
        work.remove()
        with suppress(OSError):
            work.out.rmdir()
        raise


def _plan(export: str, work: Work, options: Options, settings: Settings, now: datetime) -> Plan:
    """The plan, kept beside the work; the one that is there where it is of the same replay."""
    files = find_files(export)
    key = settings.pseudonym_key
    place = content_place(settings)
    content = ContentFolders(
        str(place.folder.resolve()) if place.folder else "", tuple(str(overlay.resolve()) for overlay in place.overlays)
    )
    choices = {name: getattr(settings, name) for name in Settings.model_fields}
    variants = variants_of(options, content, choices)
    plan = Plan(
        files=files,
        parts=all_parts(files),
        partitions=partitions_for(files),
        options=options,
        # As the site has set them: what it has not set is for each content to say.
        choices={name: choices[name] for name in variants[0].rule.choices},
        content=content,
        accepted_gaps=settings.accepted_gaps,
        key=key.get_secret_value() if key else secrets.token_hex(32),
        today=now.date(),
        version=version("cds-service"),
        digests=tuple(item.rule.content.digest for item in variants),
        passed_over=passed_over(export, files),
    )
    if work.plan.exists():
        try:
            earlier = Plan.of(read_json(work.plan))
        except (ValueError, KeyError, TypeError) as error:
            raise ReplayError(f"{work.folder} is damaged, and its replay cannot go on: remove {work.out}") from error
        if earlier.fingerprint != plan.fingerprint or (key and earlier.key != plan.key):
            differs = "another export, or a changed one" if earlier.files != plan.files else "other options or settings"
            raise ReplayError(
                f"{work.out} holds another replay, unfinished ({differs}): give another folder, or remove it"
            )
        return earlier
    if work.out.exists() and any(work.out.iterdir()):
        raise ReplayError(f"{work.out} is not empty: give another folder for the results, or remove it")
    try:
        work.make()
        write_json(work.plan, plan.plain())
    except OSError as error:
        raise ReplayError(
            f"{work.out} cannot be made or written to: {error.strerror or type(error).__name__}"
        ) from error
    return plan


def _left(done: Callable[[int], Path], count: int) -> list[int]:
    return [number for number in range(count) if not done(number).exists()]


@dataclass(frozen=True, slots=True)
class _Stage:
    """How long a stage took, and the most memory that one of its workers had at a time."""

    seconds: float
    peak_kilobytes: int


def _stage(runner: Engine, work: Work, task: Task, left: Sequence[int], what: str, progress: Progress) -> _Stage:
    """Do what is left of a stage."""
    started, peak = time.perf_counter(), 0
    progress(what, 0, len(left))
    for done, used in enumerate(runner.run(task, str(work.out.resolve()), left), start=1):
        progress(what, done, len(left))
        peak = max(peak, used)
    return _Stage(time.perf_counter() - started, peak)


def _results(work: Work, plan: Plan, facts: Facts) -> dict[str, Any]:
    """Put together what the partitions came to."""
    tally, late = Tally(), list[tuple[int, int, str]]()
    for number in range(plan.partitions):
        found = read_json(work.answered(number))
        tally.update(Tally.of(found["tally"]))
        for place, why in found["bad"]:
            part, _, line = place.partition(":")
            late.append((int(part), int(line), why))
    parts = [read_json(work.part(number)) for number in range(len(plan.parts))]
    late_bad = Counter(why for _, _, why in late)
    summary = summary_of(tally, export_of(parts, plan, tally, late_bad), plan, facts)
    numbers = range(plan.partitions)
    join_rows([work.rows(number) for number in numbers], work.out / ANSWERS, answers_schema())
    if plan.variants[1:]:
        paths = [work.differences(number) for number in numbers]
        join_rows(paths, work.out / DIFFERENCES, differences_schema())
    write_whole(work.out / DAMAGED, _damaged(work, plan, facts, late).encode())
    write_whole(work.out / REPORT, replay_page(summary, plan.variants[0].rule.content).encode())
    write_json(work.out / SUMMARY, summary)
    return summary


def _damaged(work: Work, plan: Plan, facts: Facts, late: Sequence[tuple[int, int, str]]) -> str:
    """The lines that could not be used, by file and number, as CSV; none of their content."""
    found = [(part, line, why) for part, line, why in late]
    for number in range(len(plan.parts)):
        for row in work.bad_lines(number).read_text(encoding="utf-8").splitlines():
            line, _, why = row.partition("\t")
            found.append((number, int(line), why))
    named = sorted(
        (plan.files[plan.parts[part].file].name, line + facts.first_lines[part], why) for part, line, why in found
    )
    quoted = (f'"{name.replace(chr(34), chr(34) * 2)}",{line},{why}\n' for name, line, why in named)
    return "".join(["file,line,why\n", *quoted])
