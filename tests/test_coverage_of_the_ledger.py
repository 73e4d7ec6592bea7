"""The coverage of the calls that were answered, as the ledger knows it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.ledger.entries import DecisionEntry
from cds_service.ledger.store import Ledger
from tests.ledger_entries import NOON, fired, quiet

LOCAL = "urn:oid:1.2.840.113619.21.1.7"
KEYS = ("patient", "conditions", "observations", "serviceRequests")


def coverage(folder: Path, monkeypatch: pytest.MonkeyPatch, *entries: DecisionEntry, options: str = "") -> Result:
    monkeypatch.setenv("CDS_DATA_FOLDER", str(folder))
    with time_machine.travel(NOON + timedelta(minutes=1)):
        ledger = Ledger.sqlite(folder)
        ledger.prepare()
        for entry in entries:
            ledger.record_decision(entry)
        ledger.close()
        return CliRunner().invoke(main, ["coverage", "--ledger", *options.split()])


def test_the_ledger_tells_systems_and_missing_keys_by_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = [
        fired(1, prefetched=KEYS, not_understood={"conditions": {LOCAL: 3, "hints": 1}}),
        quiet(2, prefetched=KEYS[:2], fetched=("observations",), not_understood={"conditions": {LOCAL: 2}}),
        quiet(3, outcome="undetermined", reason="data-missing", prefetched=(), missing=("conditions",)),
        quiet(4, outcome="failed", reason="timeout"),
        quiet(5, at=NOON - timedelta(days=40)),
    ]
    result = coverage(tmp_path, monkeypatch, *entries, options="--format json --since 30d")
    found = json.loads(result.output)
    assert found["source"]["calls"] == 3
    assert [(row["system"], row["count"], row["share"]) for row in found["unknown_systems"]] == [(LOCAL, 5, 0.6667)]
    gaps = {(row["key"], row["gap"]): row["count"] for row in found["prefetch_gaps"]}
    assert gaps["observations", "not-supplied"] == 2
    assert gaps["conditions", "lacked"] == 1
    assert found["besides"] == {"conditions": {"hints": 1}}


def test_the_table_says_that_the_ledger_holds_no_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = coverage(tmp_path, monkeypatch, fired(1, not_understood={"conditions": {LOCAL: 3}})).output
    assert LOCAL in output
    assert "The ledger holds no codes" in output


def test_a_ledger_that_was_never_made_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path / "empty"))
    result = CliRunner().invoke(main, ["coverage", "--ledger"])
    assert result.exit_code == 1
    assert "there is no ledger" in result.output


def test_a_ledger_without_a_call_of_that_time_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = quiet(1, at=NOON - timedelta(days=40))
    result = coverage(tmp_path, monkeypatch, old, options="--since 30d")
    assert result.exit_code == 1
    assert "holds no call of this time" in result.output
