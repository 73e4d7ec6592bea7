"""The command line, as its users call it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main

SCENARIOS = Path(__file__).parent.parent / "fixtures" / "scenarios"
FIRES = SCENARIOS / "row-001-lumbar-pain-icd10"
NO_PAIN = SCENARIOS / "row-053-no-pain"
NO_CONDITIONS = SCENARIOS / "row-073-1-conditions-not-sent"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_lists_every_command() -> None:
    for command in ("serve", "demo", "evaluate", "explain", "check", "fixture"):
        assert command in run("--help").output


def test_evaluate_prints_the_response() -> None:
    result = run("evaluate", FIRES)
    assert result.exit_code == 0
    assert json.loads(result.output)["cards"][0]["indicator"] == "warning"


def test_evaluate_of_a_call_without_needed_data_prints_the_outcome_and_fails() -> None:
    result = run("evaluate", NO_CONDITIONS)
    assert result.exit_code == 1
    assert "conditions" in json.loads(result.output)["issue"][0]["details"]["text"]


def test_evaluate_as_of_a_day_counts_the_dates_of_a_request_from_there(tmp_path: Path) -> None:
    request = tmp_path / "request.json"
    request.write_text(run("fixture", FIRES, "--as-of", "2026-01-10").output)
    assert json.loads(run("evaluate", request, "--as-of", "2026-01-10").output)["cards"]
    assert json.loads(run("evaluate", request, "--as-of", "2026-08-10").output) == {"cards": []}


def test_a_synthetic_patient_is_found_by_its_name_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("explain", FIRES.name).output == run("explain", FIRES).output
    absent = run("explain", "row-000-nobody")
    assert absent.exit_code == 2
    assert "'row-000-nobody' does not exist, and no synthetic patient has this name" in absent.output


def test_explain_names_each_criterion_its_answer_and_its_evidence() -> None:
    output = run("explain", FIRES).output
    assert output.startswith("Card: a history of breast cancer and new back pain (or what stands for it) are recorded.")
    assert "[yes] Does the patient have a history of breast cancer?" in output
    assert "http://hl7.org/fhir/sid/icd-10-cm M54.50" in output


def test_explain_says_in_one_sentence_why_there_is_no_card() -> None:
    assert run("explain", NO_PAIN).output.startswith("No card: no new back pain in conditions, observations or visits.")


def test_explain_says_what_is_missing_where_nothing_can_be_concluded() -> None:
    output = run("explain", NO_CONDITIONS).output
    assert output.startswith("No answer: it depends on data that is missing (conditions).")
    assert "conditions: not supplied" in output


def test_explain_counts_and_names_what_could_not_be_read(tmp_path: Path) -> None:
    call = json.loads(run("fixture", FIRES).output)
    call["prefetch"]["conditions"]["entry"] += [
        {"resource": "?"},
        {"resource": {**_condition(call), "onsetDateTime": 7}},
    ]
    request = tmp_path / "request.json"
    request.write_text(json.dumps(call))
    output = run("explain", request).output
    assert "Not read, wholly or in part (2 entries)" in output
    assert "conditions.entry[2]: holds no resource" in output
    assert output.startswith("Card:")


def _condition(call: dict[str, object]) -> dict[str, object]:
    prefetch = call["prefetch"]
    assert isinstance(prefetch, dict)
    resource = prefetch["conditions"]["entry"][0]["resource"]
    assert isinstance(resource, dict)
    return resource


def test_check_gives_its_verdict_entry_by_entry(tmp_path: Path) -> None:
    assert run("check", FIRES).exit_code == 0
    call = json.loads(run("fixture", FIRES).output)
    _condition(call)["onsetDateTime"] = "last week"
    request = tmp_path / "request.json"
    request.write_text(json.dumps(call))
    result = run("check", request)
    assert result.exit_code == 1
    assert "FAULT prefetch.conditions.entry[0]" in result.output
    assert "ok    prefetch.conditions.entry[1]" in result.output


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "Expecting property name"),
        ("[]", "not a hook call"),
        ('{"hook": "appointment-book"}', "'hook' must be one of patient-view, order-select, order-sign"),
        ("[" * 100_000, "recursion"),
        ('"{{5 dyas ago}}"', "not a date: {{5 dyas ago}}"),
    ],
    ids=["not JSON", "a list", "another hook", "deep nesting", "a slip in a date"],
)
def test_a_file_that_is_no_call_is_refused_with_the_reason(tmp_path: Path, content: str, message: str) -> None:
    request = tmp_path / "request.json"
    request.write_text(content)
    result = run("evaluate", request)
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


def test_a_wrong_setting_stops_the_command_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_NEW_WINDOW_DAYS", "soon")
    result = run("evaluate", FIRES)
    assert result.exit_code == 1
    assert "new_window_days" in result.output
