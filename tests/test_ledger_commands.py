"""The commands on the ledger, as the people who answer for the service call them."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import pytest
import time_machine
from click.testing import CliRunner, Result

from cds_service.cli.ledger import LEDGER_COMMANDS
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import DecisionEntry, FeedbackEntry, Mode
from cds_service.ledger.store import Ledger
from tests.ledger_entries import NOON, SERVICE, feedback_to, fired, quiet

TODAY = NOON
DAY = timedelta(days=1)


@click.group(commands=list(LEDGER_COMMANDS))
def commands() -> None:
    """The commands as the service's own command line has them."""


def run(*arguments: str) -> Result:
    return CliRunner().invoke(commands, list(arguments))


@pytest.fixture(autouse=True)
def _today() -> Iterator[None]:
    """The tests are run shortly after noon, so that no midnight comes between a call and its report."""
    with time_machine.travel(NOON + timedelta(minutes=1)):
        yield


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and the settings of a ledger inside it."""
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with an empty ledger, made once."""
    made = tmp_path_factory.mktemp("prepared") / "data"
    ledger = Ledger.sqlite(made)
    ledger.prepare()
    ledger.close()
    return made


@pytest.fixture
def ledger(folder: Path, prepared: Path) -> Iterator[Ledger]:
    shutil.copytree(prepared, folder / "data")
    opened = Ledger.sqlite(folder / "data")
    yield opened
    opened.close()


def fill(ledger: Ledger, decisions: Iterable[DecisionEntry], feedback: Iterable[FeedbackEntry] = ()) -> None:
    for entry in decisions:
        ledger.record_decision(entry)
    ledger.record_feedback(list(feedback))


def answered(number: int = 1, outcome: str = "overridden", **changes: Any) -> FeedbackEntry:
    given: dict[str, Any] = {"outcome_at": TODAY, "received_at": TODAY}
    return feedback_to(number, outcome, **given | changes)


def test_report_prints_a_table_and_writes_a_page_of_its_own(ledger: Ledger, folder: Path) -> None:
    fill(ledger, [fired(1, at=TODAY), quiet(2, at=TODAY)], [answered(1, reason="pain-not-new")])
    result = run("report")
    assert result.exit_code == 0
    assert "The back pain is not new" in result.output
    page = folder / f"cds-report-{TODAY.date()}.html"
    assert f"Page: {page.name}" in result.output
    assert "MRI lumbar spine without and with IV contrast" in page.read_text(encoding="utf-8")


def test_report_writes_the_page_where_it_is_told(ledger: Ledger, folder: Path) -> None:
    assert run("report", "--html", "mine.html").exit_code == 0
    assert [path.name for path in folder.glob("*.html")] == ["mine.html"]


def test_report_prints_the_page_alone_for_a_dash(ledger: Ledger, folder: Path) -> None:
    result = run("report", "--html", "-")
    assert result.output.startswith("<!doctype html>") and result.output.rstrip().endswith("</html>")
    assert not list(folder.glob("*.html"))


def test_report_writes_no_page_if_none_is_wanted(ledger: Ledger, folder: Path) -> None:
    assert "Calls" in run("report", "--no-html").output
    assert not list(folder.glob("*.html"))


def test_report_says_where_a_page_cannot_be_written(ledger: Ledger) -> None:
    result = run("report", "--html", "missing/page.html")
    assert result.exit_code == 1
    assert "Error: missing/page.html: No such file or directory" in result.output


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (["--since", "1d"], 1), (["--since", "2d"], 2), (["--since", "1w"], 2),
        (["--since", (TODAY - DAY).date().isoformat()], 2),
        (["--since", "9d", "--until", (TODAY - DAY).date().isoformat()], 1),
    ],
)  # fmt: skip
def test_the_period_is_of_whole_days_with_the_last_one_included(ledger: Ledger, options: list[str], calls: int) -> None:
    fill(ledger, [quiet(1, at=TODAY), quiet(2, at=TODAY - DAY)])
    assert f"Calls                             {calls}\n" in run("report", "--no-html", *options).output


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "--since", "3x"], ["report", "--since", "0d"], ["report", "--until", "soon"],
        ["report", "--until", (TODAY + DAY).date().isoformat()], ["report", "--since", "10000d"],
        ["report", "--since", "2026-02-02", "--until", "2026-02-01"], ["report", "--format", "xml"],
        ["report", "--html", "a", "--no-html"], ["report", "--format", "csv", "--no-html"],
        ["report", "--check", "--html", "a"], ["report", "--check", "--format", "csv"],
        ["report", "--check", "--days", "0"], ["prune", "--older-than", "2026-02-01"], ["prune", "--older-than", "d"],
        ["mode", "loud"], ["mode", "off"], ["mode", "off", "--by", "Ann"], ["mode", "off", "--why", "test"],
        ["mode", "--by", "Ann"], ["decision"], ["decision", "1"],
    ],
)  # fmt: skip
def test_a_command_that_is_not_understood_ends_with_its_usage(ledger: Ledger, arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.output


def test_a_first_day_that_is_the_last_day_is_a_period(ledger: Ledger) -> None:
    fill(ledger, [quiet(1, at=TODAY)])
    day = TODAY.date().isoformat()
    assert "Calls                             1\n" in run("report", "--no-html", "--since", day, "--until", day).output


def test_the_export_as_csv_has_a_row_for_each_feedback_and_each_unanswered_card(ledger: Ledger) -> None:
    fill(ledger, [fired(1, at=TODAY), fired(2, at=TODAY)], [answered(1, reason="pain-not-new")])
    found = list(csv.DictReader(io.StringIO(run("report", "--format", "csv").output)))
    assert [(row["action_taken"], row["user_feedback"]) for row in found] == [
        ("overridden", "The back pain is not new"), ("no response", "")
    ]  # fmt: skip


def test_the_export_as_json_is_nothing_but_json(ledger: Ledger, folder: Path) -> None:
    fill(ledger, [fired(1, at=TODAY)])
    assert [row["action_taken"] for row in json.loads(run("report", "--format", "json").output)] == ["no response"]
    assert not list(folder.glob("*.html"))


def test_late_feedback_counts_for_the_period_of_its_card(ledger: Ledger) -> None:
    fill(ledger, [fired(1, at=TODAY - 5 * DAY)], [answered(1)])
    until = (TODAY - 4 * DAY).date().isoformat()
    assert "Cards answered                    1" in run("report", "--no-html", "--until", until).output


def test_the_check_says_that_a_rate_is_within_the_band(ledger: Ledger) -> None:
    fill(ledger, [*(quiet(number, at=TODAY - 20 * DAY) for number in range(30)), quiet(99, at=TODAY - DAY)])
    result = run("report", "--check")
    assert result.exit_code == 0
    assert result.output.startswith(f"{SERVICE}: within the band: fired in 0 of 1 calls")


def test_the_check_fails_and_says_why_when_the_rate_left_the_band(ledger: Ledger) -> None:
    before = [fired(number, at=TODAY - 20 * DAY) for number in range(15)]
    before += [quiet(number, at=TODAY - 20 * DAY) for number in range(100, 115)]
    fill(ledger, [*before, *(quiet(number, at=TODAY - DAY) for number in range(200, 230))])
    result = run("report", "--check")
    assert result.exit_code == 1
    assert "out of the band: fired in 0 of 30 calls (0.0 %), before in 15 of 30 calls (50.0 %)" in result.output


def test_the_check_takes_its_periods_from_the_options(ledger: Ledger) -> None:
    fill(ledger, [quiet(number, at=TODAY - 20 * DAY) for number in range(30)])
    assert "in the last 7 days" in run("report", "--check").output
    assert "in the last 3 days" in run("report", "--check", "--days", "3").output
    assert "no calls in the last 10 days" in run("report", "--check", "--days", "3", "--baseline", "7").output


def test_the_check_fails_where_the_ledger_has_no_call_at_all(ledger: Ledger) -> None:
    result = run("report", "--check")
    assert result.exit_code == 1
    assert result.output.startswith("Error: no calls in the last 63 days: the service was never called, or this is not")
    fill(ledger, [quiet(1, at=TODAY - DAY)])
    assert run("report", "--check").exit_code == 0


def test_feedback_to_a_card_of_before_the_period_is_exported_with_its_decision(ledger: Ledger) -> None:
    entry = fired(1, at=TODAY - 8 * DAY, user="pseudonym")
    moment = TODAY - 6 * DAY
    fill(ledger, [entry], [answered(1, "accepted", outcome_at=moment, received_at=moment)])
    (row,) = csv.DictReader(io.StringIO(run("report", "--since", "7d", "--format", "csv").output))
    assert (row["user"], row["decision_id"]) == ("pseudonym", str(entry.decision_id))
    assert row["action_taken"] == "accepted: mri-lumbar-spine"
    assert (row["rule_version"], row["shown_at"]) == ("1.0.0+3f2a9c1b", "2026-11-14T12:00:00Z")


def test_prune_deletes_what_is_older_than_it_is_told(ledger: Ledger) -> None:
    old = TODAY - 31 * DAY
    fill(ledger, [quiet(1, at=old), quiet(2, at=TODAY - 29 * DAY)], [answered(9, received_at=old, outcome_at=old)])
    result = run("prune", "--older-than", "30d")
    assert "1 decisions, 1 feedback entries" in result.output
    assert len(list(ledger.decisions(TODAY - 99 * DAY, TODAY + DAY))) == 1


def test_prune_keeps_to_the_setting_if_it_is_told_nothing(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_LEDGER_RETENTION_DAYS", "10")
    fill(ledger, [quiet(1, at=TODAY - 11 * DAY), quiet(2, at=TODAY - 9 * DAY)])
    assert "1 decisions, 0 feedback entries" in run("prune").output


def test_a_change_of_mode_is_recorded_with_who_and_why(ledger: Ledger) -> None:
    result = run("mode", "silent", "--service", SERVICE, "--client", "anonymous", "--by", " Ann ", "--why", "pilot")
    assert result.exit_code == 0
    (change,) = ledger.mode_history()
    assert (change.service, change.client, change.mode) == (SERVICE, "anonymous", Mode.SILENT)
    assert (change.who, change.why) == ("Ann", "pilot")


def test_a_mode_without_service_and_client_is_for_all(ledger: Ledger) -> None:
    assert run("mode", "off", "--by", "Ann", "--why", "wrong codes").exit_code == 0
    (change,) = ledger.modes()
    assert (change.service, change.client) == ("*", "*")


def test_the_modes_are_shown_newest_first_and_their_history_in_order(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_MODES", json.dumps([{"mode": "silent"}, {"mode": "live", "service": SERVICE}]))
    run("mode", "off", "--by", "Ann", "--why", "wrong codes")
    run("mode", "live", "--service", SERVICE, "--by", "Bob", "--why", "codes mended")
    lines = run("mode").output.splitlines()
    assert lines[1].startswith(f"  live   service {SERVICE}, client * (since ")
    assert lines[2].startswith("  off    service *, client * (since ")
    assert lines[3:6] == [
        f"  live   service {SERVICE}, client * (settings)", "  silent service *, client * (settings)",
        "  live   everything else",
    ]  # fmt: skip
    assert [line.partition(", by ")[2] for line in lines[7:]] == ["Ann: wrong codes", "Bob: codes mended"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--service", "nope", "--by", "Ann", "--why", "x"], "there is no service 'nope'; there are breast-cancer"),
        (["--client", "nope", "--by", "Ann", "--why", "x"], "there is no client 'nope'; there are anonymous, *"),
        (["--by", "  ", "--why", "x"], "--by and --why must not be empty"),
        (["--by", "Ann", "--why", ""], "--by and --why must not be empty"),
    ],
)
def test_a_change_of_mode_that_cannot_hold_is_refused(ledger: Ledger, options: list[str], problem: str) -> None:
    result = run("mode", "off", *options)
    assert result.exit_code == 1
    assert problem in result.output
    assert ledger.mode_history() == []


def test_a_decision_is_told_in_words_with_its_feedback(ledger: Ledger) -> None:
    entry = fired(1, at=TODAY, met=("breast-cancer-history",), tenant="north")
    fill(ledger, [entry], [
        answered(1, "accepted", tenant="north", outcome_at=TODAY - DAY),
        answered(1, tenant="north", reason="pain-not-new", comment="Since spring"),
        answered(1, reason="patient-declines"),
    ])  # fmt: skip
    output = run("decision", str(entry.decision_id)).output
    assert f"Decision {entry.decision_id}" in output
    for line in (
        "client      https://ehr.example.org, tenant north", "mode        live",
        "outcome     fired, imaging-advised", "rule        1.0.0+3f2a9c1b", "met         breast-cancer-history",
        f"card        {entry.card_id}, warning, shown", "accepted: mri-lumbar-spine",
        "overridden: The back pain is not new (Since spring), counts",
    ):  # fmt: skip
        assert line in output, line
    # That one came from a client that was not shown this card.
    assert "Patient declines" not in output


def test_a_decision_without_a_card_has_no_feedback_to_tell(ledger: Ledger) -> None:
    fill(ledger, [quiet(1, at=TODAY), fired(2, at=TODAY)])
    assert "Feedback" not in run("decision", str(UUID(int=1001))).output
    assert run("decision", str(UUID(int=1002))).output.endswith("Feedback\n  none\n")


def test_a_decision_that_nobody_made_is_said(ledger: Ledger) -> None:
    result = run("decision", str(UUID(int=5)))
    assert result.exit_code == 1
    assert f"no decision {UUID(int=5)} in the ledger" in result.output


def test_migrate_makes_the_ledger_where_there_is_none(folder: Path) -> None:
    assert "there is no ledger in" in run("report").output
    assert run("migrate").exit_code == 0
    assert run("report", "--no-html").exit_code == 0


@pytest.mark.parametrize("arguments", [["report"], ["report", "--check"], ["prune"], ["mode"], ["migrate"]])
def test_a_ledger_that_is_down_is_one_line_without_its_password(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    # Nothing listens on port 1.
    monkeypatch.setenv("CDS_LEDGER_URL", "postgresql://user:marked-secret@127.0.0.1:1/ledger")
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.output.startswith("Error: the ledger cannot be") and result.output.count("\n") == 1
    assert "marked-secret" not in result.output


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("CDS_LEDGER_URL", "mysql://user:marked-secret@host/x", "setting 'ledger_url'"),
        ("CDS_LEDGER_RETENTION_DAYS", "0", "setting 'ledger_retention_days'"),
        ("CDS_CONTENT_FOLDER", "/nowhere", "the file is missing"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_line(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, name: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(name, value)
    result = run("report")
    assert result.exit_code == 1
    assert problem in result.output and "marked-secret" not in result.output


KEY = "a key of the tests, that guards nothing"


def test_patient_finds_what_was_recorded_of_an_id_of_the_ehr(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_PSEUDONYM_KEY", KEY)
    pseudonym = Pseudonyms(KEY).patient("anonymous", "", "", "pt-1")
    fill(ledger, [fired(1, at=TODAY, patient=pseudonym), fired(2, at=TODAY, patient="of somebody else")])
    result = run("patient", "pt-1")
    assert result.exit_code == 0
    assert f"Pseudonym {pseudonym}" in result.output
    assert "1 decisions" in result.output and "fired, imaging-advised" in result.output
    assert "pt-1" not in result.output


def test_patient_looks_among_the_patients_of_every_client(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = "https://south.example.org/fhir"
    clients = [{"issuer": issuer, "jwks_url": "https://south.example.org/keys", "tenants": ["south"]}]
    monkeypatch.setenv("CDS_PSEUDONYM_KEY", KEY)
    monkeypatch.setenv("CDS_CLIENTS", json.dumps(clients))
    monkeypatch.setenv("CDS_BASE_URL", "https://cds.example.org")
    fill(ledger, [fired(1, at=TODAY, patient=Pseudonyms(KEY).patient(issuer, "south", "", "pt-1"))])
    result = run("patient", "pt-1")
    assert "1 decisions" in result.output
    assert f"(client {issuer})" in result.output


@pytest.mark.parametrize("other", [["--client", "x"], ["--tenant", "x"], ["--fhir-server", "https://x.example.org"]])
def test_patient_finds_nothing_of_another_clients_patient(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, other: list[str]
) -> None:
    monkeypatch.setenv("CDS_PSEUDONYM_KEY", KEY)
    fill(ledger, [fired(1, at=TODAY, patient=Pseudonyms(KEY).patient("anonymous", "", "", "pt-1"))])
    assert "0 decisions" in run("patient", "pt-1", *other).output


def test_patient_says_that_nothing_is_recorded_without_a_key(ledger: Ledger) -> None:
    result = run("patient", "pt-1")
    assert (result.exit_code, "pseudonym_key" in result.output) == (1, True)
