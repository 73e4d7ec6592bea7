"""What Prometheus is told: counts by closed sets only, together for all workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cds_service.chart.records import Gap
from cds_service.ledger.entries import DecisionEntry, Mode
from cds_service.reporting.metrics import (
    FHIR_RESULTS,
    LEDGER_OPERATIONS,
    Metrics,
    Vocabulary,
)
from cds_service.reporting.metrics_folder import FOLDER_VARIABLE, metrics_folder

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
CARD = UUID(int=1)
VOCABULARY = Vocabulary(
    hooks={"the-service": "patient-view"},
    reasons={"imaging-advised", "no-back-pain"},
    override_reasons={"pain-not-new"},
    refusals={"expired"},
)


def decision(**changes: Any) -> DecisionEntry:
    values: dict[str, Any] = {
        "decision_id": UUID(int=2), "at": NOON, "client": "anonymous", "service": "the-service",
        "hook": "patient-view", "mode": Mode.LIVE, "outcome": "fired", "reason": "imaging-advised",
        "rule_version": "1.0.0", "content_digest": "abc", "milliseconds": 3.0, "card_id": CARD, "indicator": "warning",
    }  # fmt: skip
    return DecisionEntry(**(values | changes))


@pytest.fixture
def metrics() -> Metrics:
    return Metrics("1.0.0+abc", VOCABULARY)


def value(metrics: Metrics, name: str, **labels: str) -> float:
    """The sum of the samples of a name that have these labels."""
    text = metrics.exposition()[0].decode()
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def test_a_call_is_counted_by_service_hook_outcome_reason_and_mode(metrics: Metrics) -> None:
    metrics.call(decision())
    metrics.call(decision())
    labels = {"service": "the-service", "hook": "patient-view", "outcome": "fired", "reason": "imaging-advised"}
    assert value(metrics, "cds_calls_total", **labels, mode="live") == 2
    assert value(metrics, "cds_calls_total") == 2


def test_only_a_card_that_was_sent_counts_as_shown(metrics: Metrics) -> None:
    metrics.call(decision())
    metrics.call(decision(mode=Mode.SILENT))
    metrics.call(decision(card_id=None, outcome="not-applicable", reason="no-back-pain", indicator=""))
    assert value(metrics, "cds_cards_shown_total", service="the-service", indicator="warning") == 1
    assert value(metrics, "cds_cards_shown_total") == 1


def test_the_time_of_a_call_falls_into_its_bucket(metrics: Metrics) -> None:
    metrics.call(decision(milliseconds=5.0))
    metrics.call(decision(milliseconds=5.1))
    assert value(metrics, "cds_call_seconds_bucket", le="0.0025") == 0
    assert value(metrics, "cds_call_seconds_bucket", le="0.005") == 1
    assert value(metrics, "cds_call_seconds_bucket", le="0.01") == 2
    assert value(metrics, "cds_call_seconds_sum") == pytest.approx(0.0101)


def test_feedback_is_counted_by_outcome_reason_and_whether_the_card_is_known(metrics: Metrics) -> None:
    metrics.feedback("the-service", "overridden", "pain-not-new", True)
    metrics.feedback("the-service", "accepted", "", False)
    metrics.feedback("the-service", "overridden", "unlisted")
    assert value(metrics, "cds_feedback_total", outcome="overridden", reason="pain-not-new", known="true") == 1
    assert value(metrics, "cds_feedback_total", outcome="accepted", reason="none", known="false") == 1
    assert value(metrics, "cds_feedback_total", outcome="overridden", reason="unlisted", known="unsaid") == 1


def test_reads_failures_refusals_and_errors_are_counted_by_what_they_were(metrics: Metrics) -> None:
    metrics.fhir_read("timed-out")
    metrics.ledger_failed("feedback")
    metrics.refused("expired")
    metrics.http_error(412)
    assert value(metrics, "cds_fhir_reads_total", result="timed-out") == 1
    assert value(metrics, "cds_ledger_failures_total", operation="feedback") == 1
    assert value(metrics, "cds_refused_total", reason="expired") == 1
    assert value(metrics, "cds_http_errors_total", status="412") == 1


def test_every_operation_of_the_ledger_stands_at_nothing_from_the_start(metrics: Metrics) -> None:
    text = metrics.exposition()[0].decode()
    assert all(f'cds_ledger_failures_total{{operation="{name}"}} 0.0' in text for name in LEDGER_OPERATIONS)


def test_every_gap_of_a_chart_is_a_result_of_a_read_under_a_name_that_stays() -> None:
    assert {gap.code for gap in Gap} | {"answered"} == FHIR_RESULTS
    assert {
        *("answered", "source-error", "not-fhir", "other-patient", "unreadable", "timed-out", "refused"),
        *("not-allowed", "unreachable", "too-much", "endless", "first-page-only", "not-supplied"),
        *("left-out", "subject-unknown", "patient-unknown"),
    } == FHIR_RESULTS


def test_the_name_of_a_python_error_is_a_reason_and_no_other_name_is(metrics: Metrics) -> None:
    metrics.call(decision(outcome="failed", reason="ZeroDivisionError", card_id=None))
    metrics.call(decision(outcome="failed", reason="MarkedError", card_id=None))
    assert value(metrics, "cds_calls_total", outcome="failed", reason="ZeroDivisionError") == 1
    assert value(metrics, "cds_calls_total", outcome="failed", reason="other") == 1


def test_the_version_of_the_rule_is_told(metrics: Metrics) -> None:
    assert value(metrics, "cds_rule_info", version="1.0.0+abc") == 1


def test_nothing_of_a_request_becomes_a_label(metrics: Metrics) -> None:
    mark = "Marked Patient-4711"
    metrics.call(decision(service=mark, hook=mark, outcome=mark, reason=mark, indicator=mark, client=mark, tenant=mark))
    metrics.call(decision(patient=mark, user=mark, suggestions={mark: mark}))
    metrics.feedback(mark, mark, mark, False)
    metrics.fhir_read(mark)
    metrics.ledger_failed(mark)
    metrics.refused(mark)
    metrics.http_error(4711)
    text = metrics.exposition()[0].decode()
    # Moments are told, too, and their digits may be any.
    assert "Marked" not in text and "Patient" not in text and '"4711"' not in text
    assert 'cds_calls_total{hook="other",mode="live",outcome="other",reason="other",service="other"} 1.0' in text
    assert 'cds_http_errors_total{status="other"} 1.0' in text


def test_two_apps_in_one_process_count_apart(metrics: Metrics) -> None:
    other = Metrics("1.0.0+abc", VOCABULARY)
    metrics.call(decision())
    assert value(other, "cds_calls_total") == 0


# In a process of its own, because the library decides on the mode of counting when it is imported.
_WORKER = """
import sys
from tests.test_metrics import VOCABULARY, decision
from cds_service.reporting.metrics import Metrics
metrics = Metrics("1.0.0+abc", VOCABULARY)
for _ in range(int(sys.argv[1])):
    metrics.call(decision())
    metrics.feedback("the-service", "accepted", "", True)
metrics.ledger_failed("decision")
print("counted", flush=True)
sys.stdin.readline()
sys.stdout.write(metrics.exposition()[0].decode())
"""


def worker(folder: Path, calls: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _WORKER, str(calls)],
        env={**os.environ, FOLDER_VARIABLE: str(folder)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent.parent,
    )  # fmt: skip


def test_each_of_two_processes_tells_what_both_counted() -> None:
    with metrics_folder() as folder:
        assert folder
        first, second = worker(folder, 3), worker(folder, 4)
        for process in (first, second):
            assert process.stdout is not None and process.stdout.readline() == "counted\n"
        told = [process.communicate("\n")[0] for process in (first, second)]
    for text in told:
        assert re.search(r'^cds_calls_total\{.*outcome="fired".*\} 7\.0$', text, re.MULTILINE)
        assert re.search(r'^cds_call_seconds_bucket\{le="\+Inf",.*\} 7\.0$', text, re.MULTILINE)
        assert re.search(r"^cds_feedback_total\{.*\} 7\.0$", text, re.MULTILINE)
        assert 'cds_ledger_failures_total{operation="decision"} 2.0' in text
        assert 'cds_rule_info{version="1.0.0+abc"} 1.0' in text


def test_what_a_worker_counted_stays_after_it_has_ended() -> None:
    with metrics_folder() as folder:
        assert folder and "cds_calls_total" in worker(folder, 5).communicate("\n")[0]
        later = worker(folder, 1).communicate("\n")[0]
    assert re.search(r'^cds_calls_total\{.*outcome="fired".*\} 6\.0$', later, re.MULTILINE)


# As `cds-service serve` does: the folder first, then workers (forked on Linux), each with its own metrics.
_FORKING = """
import multiprocessing
import cds_service
from cds_service.reporting.metrics_folder import metrics_folder
from cds_service.reporting.metrics import Metrics, Vocabulary
def count():
    Metrics("1", Vocabulary({})).http_error(500)
with metrics_folder():
    forks = multiprocessing.get_context("fork")
    workers = [forks.Process(target=count) for _ in range(3)]
    for process in workers:
        process.start()
    for process in workers:
        process.join()
    print(Metrics("1", Vocabulary({})).exposition()[0].decode())
"""


def test_forked_workers_count_together_when_the_folder_was_named_before_them() -> None:
    command = [sys.executable, "-c", _FORKING]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent).stdout
    assert 'cds_http_errors_total{status="500"} 3.0' in told


# As `_FORKING`, with a file system that has no room for what one of the workers counts.
_WITHOUT_ROOM = """
import multiprocessing, resource
import cds_service
from cds_service.reporting.metrics_folder import metrics_folder
from cds_service.reporting.metrics import Metrics, Vocabulary
def count(room):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
    metrics = Metrics("1", Vocabulary({}))
    metrics.http_error(500)
    print(metrics.exposition()[0].decode(), flush=True)
with metrics_folder() as folder:
    forks = multiprocessing.get_context("fork")
    for room in (10**7, 600_000, 100):
        process = forks.Process(target=count, args=(room,))
        process.start()
        process.join()
        print(room, process.exitcode, sorted({file.stat().st_size for file in folder.iterdir()}))
"""


def test_a_worker_for_whose_counts_there_is_no_room_lives_and_tells_what_the_others_count() -> None:
    command = [sys.executable, "-c", _WITHOUT_ROOM]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent.parent)
    ends = [line for line in run.stdout.splitlines() if line.startswith(("1", "6"))]
    assert ends == ["10000000 0 [524288]", "600000 0 [524288]", "100 0 [524288]"]
    assert re.findall(r'^cds_http_errors_total{status="500"} (.*)$', run.stdout, re.MULTILINE) == ["1.0", "2.0", "2.0"]
    assert "missing in the metrics: no room" in run.stderr


def test_without_a_folder_each_worker_counts_for_itself(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a-file").touch()
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "a-file" / "folder"))
    with metrics_folder() as folder:
        assert folder is None and FOLDER_VARIABLE not in os.environ
    assert "each worker counts for itself" in caplog.text


def test_the_library_is_not_imported_before_the_first_metrics_are_made() -> None:
    code = "import sys, cds_service.reporting.metrics; sys.exit('prometheus_client' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_folder_that_is_named_too_late_stops_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(RuntimeError, match="before prometheus_client is imported"):
        Metrics("1.0.0+abc", VOCABULARY)


def test_the_folder_is_fresh_named_by_the_variable_and_gone_afterwards() -> None:
    with metrics_folder() as folder:
        assert folder and folder.is_dir() and not list(folder.iterdir())
        assert os.environ[FOLDER_VARIABLE] == str(folder)
    assert not folder.exists()
    assert FOLDER_VARIABLE not in os.environ


def test_a_folder_that_is_named_already_is_emptied_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / "counter_1.db").touch()
    with metrics_folder() as folder:
        assert folder == tmp_path and not list(tmp_path.iterdir())
    assert tmp_path.is_dir() and os.environ[FOLDER_VARIABLE] == str(tmp_path)


def test_every_operation_that_is_counted_stands_there_and_no_other() -> None:
    source = files("cds_service.decision").joinpath("recorder.py").read_text(encoding="utf-8")
    assert set(re.findall(r"_failed\(\"([a-z-]+)\"", source)) == LEDGER_OPERATIONS
