"""A replay gives the same bytes however it is computed: by how many workers, on a cluster, killed and resumed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.replay import ask, deal, plan
from cds_service.replay.errors import ReplayError
from cds_service.replay.evaluate import Evaluator, PatientAnswers
from cds_service.replay.export import parts_of
from cds_service.replay.record import PatientRecord
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, Json, condition, day, encounter, patient
from tests.replays import KEY, Found, empty_files, run, write_export

ROOT = Path(__file__).parent.parent

RESULTS = ("summary.json", "answers.parquet", "report.html", "damaged-lines.csv")


def crowd(count: int) -> list[Json]:
    """Patients with visits, of whom every third has a card."""
    made: list[Json] = []
    for number in range(count):
        own = [condition(LOW_BACK_PAIN, onset=day(20), recorded=day(15 + number % 5))]
        own += [condition(BREAST_CANCER, recorded=day(900))] if number % 3 == 0 else []
        own += [encounter(when=f"{day(back)}T10:00:00Z") for back in (30, 10)]
        subject = {"subject": {"reference": f"Patient/p-{number}"}}
        made += [
            patient() | {"id": f"p-{number}"},
            *(item | subject | {"id": f"{item['id']}-{number}"} for item in own),
        ]
    return made


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An export in several parts and partitions, with a damaged line."""
    folder = write_export(tmp_path / "export", crowd(60))
    empty_files(folder)
    with (folder / "Condition.ndjson").open("ab") as file:
        file.write(b'{"resourceType": "Condition", "id": "cut o')
    monkeypatch.setattr("cds_service.replay.run.all_parts", lambda files: parts_of(files, 6000))
    monkeypatch.setattr("cds_service.replay.run.partitions_for", lambda files: 4)
    return folder


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in RESULTS}


def replayed(export: Path, out: Path, **options: object) -> Found:
    return run(export, out, moments="visits", with_ids=False, **options)  # type: ignore[arg-type]


def test_the_same_replay_gives_the_same_bytes(export: Path, tmp_path: Path) -> None:
    first, second = (replayed(export, tmp_path / name).folder for name in ("one", "two"))
    assert bytes_of(first) == bytes_of(second)


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_local_processes_give_the_bytes_of_one(export: Path, tmp_path: Path, workers: int) -> None:
    alone = replayed(export, tmp_path / "alone")
    shared = replayed(export, tmp_path / "shared", workers=workers)
    assert bytes_of(alone.folder) == bytes_of(shared.folder)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """A Dask scheduler with two workers, each a process of its own, as a cluster has them; its address."""
    file = tmp_path / "scheduler.json"
    common = {"cwd": ROOT, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet = ["--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0", "--scheduler-file", str(file), "--port", "0"]
    started = [subprocess.Popen([*dask, *quiet], **common)]  # type: ignore[call-overload]
    try:
        for _ in range(300):
            if file.exists():
                break
            time.sleep(0.1)
        worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(file), "--nthreads", "1"]
        local = [
            "--host",
            "127.0.0.1",
            "--dashboard-address",
            "127.0.0.1:0",
            "--local-directory",
            str(tmp_path / "scratch"),
        ]
        started += [subprocess.Popen([*worker, *local], **common) for _ in range(2)]  # type: ignore[call-overload]
        yield str(json.loads(file.read_text())["address"])
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(30)


@pytest.mark.server
@pytest.mark.slow
def test_a_cluster_gives_the_bytes_of_one_process(export: Path, tmp_path: Path, cluster: str) -> None:
    alone = replayed(export, tmp_path / "alone")
    elsewhere = replayed(export, tmp_path / "elsewhere", scheduler=cluster)
    assert bytes_of(alone.folder) == bytes_of(elsewhere.folder)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tls://127.0.0.1"])
def test_a_scheduler_that_does_not_answer_is_named_as_the_fault(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr("cds_service.replay.engine._CONNECT_SECONDS", 1)
    with pytest.raises(ReplayError, match="scheduler does not answer"):
        replayed(export, tmp_path / "out", scheduler=address)


class Killed(Exception):
    """What stands for a kill inside of a test."""


@pytest.mark.parametrize("after", [1, 4, 7, 9])
def test_what_is_finished_is_not_done_again_after_a_kill(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    whole = replayed(export, tmp_path / "whole")
    done: list[str] = []

    def task(real: object, name: str) -> object:
        def limited(out: str, number: int) -> int:
            if len(done) == after:
                raise Killed
            done.append(f"{name} {number}")
            return real(out, number)  # type: ignore[operator, no-any-return]

        return limited

    with monkeypatch.context() as patched:
        patched.setattr("cds_service.replay.run.deal_part", task(deal.deal_part, "part"))
        patched.setattr("cds_service.replay.run.ask_partition", task(ask.ask_partition, "partition"))
        with pytest.raises(Killed):
            replayed(export, tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists()
    first, again = list(done), list[str]()
    monkeypatch.setattr("cds_service.replay.run.deal_part", _noted(deal.deal_part, "part", again))
    monkeypatch.setattr("cds_service.replay.run.ask_partition", _noted(ask.ask_partition, "partition", again))
    resumed = replayed(export, tmp_path / "out")
    assert not set(first) & set(again)
    assert bytes_of(resumed.folder) == bytes_of(whole.folder)


def _noted(real: object, name: str, done: list[str]) -> object:
    def noted(out: str, number: int) -> int:
        done.append(f"{name} {number}")
        return real(out, number)  # type: ignore[operator, no-any-return]

    return noted


@pytest.mark.server
@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(300))
    empty_files(export)
    command = [sys.executable, "-m", "cds_service", "replay", str(export), "--workers", "1", "--with-ids"]
    environment = os.environ | {"CDS_PSEUDONYM_KEY": KEY}
    whole = subprocess.run([*command, "--out", str(tmp_path / "whole")], cwd=ROOT, env=environment, capture_output=True)
    assert whole.returncode == 0, whole.stderr
    out = tmp_path / "out"
    killed = subprocess.Popen([*command, "--out", str(out)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    while not (out / "work" / "facts.json").exists() and killed.poll() is None:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait(30)
    assert not (out / "summary.json").exists()
    resumed = subprocess.run([*command, "--out", str(out)], cwd=ROOT, env=environment, capture_output=True)
    assert resumed.returncode == 0, resumed.stderr
    assert bytes_of(out) == bytes_of(tmp_path / "whole")


def test_while_it_runs_only_its_owner_may_look_and_at_the_end_nothing_of_the_work_is_left(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def looked(out: str, number: int) -> int:
        work = Path(out) / "work"
        seen.extend(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in (work, work / "plan.json"))
        return ask.ask_partition(out, number)

    monkeypatch.setattr("cds_service.replay.run.ask_partition", looked)
    replayed(export, tmp_path / "out")
    assert seen and not any(seen)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*RESULTS, "run.json"])


def test_a_folder_with_something_else_in_it_is_not_written_into(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    with pytest.raises(ReplayError, match="not empty"):
        replayed(export, out)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]


def test_another_replay_is_not_mixed_with_an_unfinished_one(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(_out: str, _number: int) -> int:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr("cds_service.replay.run.ask_partition", kill)
        with pytest.raises(Killed):
            replayed(export, tmp_path / "out")
    with pytest.raises(ReplayError, match="another replay, unfinished"):
        replayed(export, tmp_path / "out", answers="accept")
    with pytest.raises(ReplayError, match="another replay, unfinished"):
        replayed(export, tmp_path / "out", new_window_days=30)
    # As many bytes as before.
    path = export / "Condition.ndjson"
    path.write_bytes(path.read_bytes())
    with pytest.raises(ReplayError, match="another export, or a changed one"):
        replayed(export, tmp_path / "out")
    (tmp_path / "out" / "work" / "plan.json").write_bytes(b"{")
    with pytest.raises(ReplayError, match="is damaged"):
        replayed(export, tmp_path / "out")
    shutil.rmtree(tmp_path / "out")
    assert replayed(export, tmp_path / "out", answers="accept").rows


def test_two_commands_do_not_work_in_one_folder_at_the_same_time(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again(_out: str, _number: int) -> int:
        replayed(export, tmp_path / "out")
        return 0

    monkeypatch.setattr("cds_service.replay.run.ask_partition", again)
    with pytest.raises(ReplayError, match="another command is replaying into"):
        replayed(export, tmp_path / "out")


def test_pseudonyms_are_those_of_the_site_or_of_the_run_and_no_result_holds_an_id(export: Path, tmp_path: Path) -> None:
    keyed = replayed(export, tmp_path / "keyed")
    other = replayed(export, tmp_path / "other", pseudonym_key="another key 0123456789 abcdefghij")
    unkeyed = replayed(export, tmp_path / "unkeyed", pseudonym_key=None)
    names = [{row["patient"] for row in found.rows} for found in (keyed, other, unkeyed)]
    assert all(len(found) == 60 for found in names)
    assert not names[0] & names[1] and not names[0] & names[2]
    for path in keyed.folder.iterdir():
        assert b"p-1" not in path.read_bytes(), path.name
    assert [len(found.summary["compared"]) for found in (keyed, other, unkeyed)] == [0, 0, 0]


def test_the_summary_names_no_time_of_computation_and_no_worker(export: Path, tmp_path: Path) -> None:
    found = replayed(export, tmp_path / "out")
    text = (found.folder / "summary.json").read_text()
    assert not any(word in text for word in ("seconds", "worker", "memory", "finished", str(tmp_path)))


def test_a_fault_of_ours_costs_one_patient_and_is_told(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Evaluator.answers

    def fails(self: Evaluator, patient: PatientRecord) -> PatientAnswers:
        if patient.patient_id == "p-7":
            raise ZeroDivisionError
        return real(self, patient)

    monkeypatch.setattr(Evaluator, "answers", fails)
    found = run(export, tmp_path / "out")
    assert found.summary["patients"]["failed"] == {"ZeroDivisionError": 1}
    assert len(found.rows) == 59
    lost = (found.folder / "damaged-lines.csv").read_text()
    assert (
        lost.count("no answer for its patient") == found.summary["export"]["bad_lines"]["no answer for its patient"] > 0
    )
    assert "1 patient. They count nowhere below." in (found.folder / "report.html").read_text()


def test_a_worker_that_serves_another_replay_in_a_folder_of_the_same_name_reads_its_plan(
    export: Path, tmp_path: Path
) -> None:
    first = run(export, tmp_path / "out", moments="visits")
    assert any(row["outcome"] == "fired" for row in first.rows)
    shutil.rmtree(tmp_path / "out")
    second = run(export, tmp_path / "out", moments="last", new_window_days=2)
    assert {row["moment"] for row in second.rows} == {"end"}
    assert not any(row["outcome"] == "fired" for row in second.rows)


def test_a_worker_that_reads_another_content_stops_the_replay(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan.Plan, "variants", property(lambda self: plan.variants_of(self.options, other, {})))
    other = plan.ContentFolders(overlays=(str(overlay(tmp_path)),))
    with pytest.raises(ReplayError, match="another content than this command"):
        run(export, tmp_path / "out")


def overlay(folder: Path) -> Path:
    """An overlay that changes a number."""
    own = folder / "overlay" / "breast_cancer_back_pain"
    own.mkdir(parents=True)
    number = '[threshold.new_window_days]\nvalue = 5\nwhy = "A trial."\nsource = "none"\n'
    (own / "rule.toml").write_text(number)
    return own.parent
