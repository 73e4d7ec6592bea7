"""`cds-service replay` as its users call it."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, condition, day, patient
from tests.replays import empty_files, write_export


def command(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@pytest.fixture
def export(tmp_path: Path) -> Path:
    cancer = condition(BREAST_CANCER, recorded=day(900))
    pain = condition(LOW_BACK_PAIN, onset=day(8), recorded=day(5))
    folder = write_export(tmp_path / "export", [patient(), cancer, pain])
    empty_files(folder)
    return folder


def test_it_says_what_it_found_and_where_the_results_are(export: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = command(export, "--out", out, "--moments", "last", "--workers", "1")
    assert result.exit_code == 0, result.output
    assert "1 patient, 1 of them with a card." in result.output
    assert f"The results are in {out}." in result.output
    names = {path.name for path in out.iterdir()}
    assert names == {"answers.parquet", "summary.json", "run.json", "report.html", "damaged-lines.csv"}


def test_lines_that_could_not_be_used_are_told(export: Path, tmp_path: Path) -> None:
    path = export / "Condition.ndjson"
    path.write_bytes(path.read_bytes() + b"{\n")
    result = command(export, "--out", tmp_path / "out", "--workers", "1")
    assert "Not used: 1 line, see damaged-lines.csv." in result.output


def test_what_is_not_read_is_named(export: Path, tmp_path: Path) -> None:
    (export / "manifest.json").write_text("{}")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (export / "more").symlink_to(elsewhere)
    out = tmp_path / "out"
    result = command(export, "--out", out, "--workers", "1")
    assert "Not read, for they are no NDJSON files: manifest.json, more/." in result.output
    assert orjson.loads((out / "summary.json").read_bytes())["export"]["passed_over"] == ["manifest.json", "more/"]
    assert "manifest.json: no NDJSON file" in (out / "report.html").read_text()


def test_the_patients_of_a_list_alone_are_replayed(export: Path, tmp_path: Path) -> None:
    listed = tmp_path / "patients.txt"
    listed.write_text("Patient/somebody-else\n\n")
    result = command(export, "--out", tmp_path / "out", "--workers", "1", "--patients", listed)
    assert result.exit_code == 1
    assert "none of the patients" in result.output


@pytest.mark.parametrize("moments", ["weekly", "days:", "days:0", "days:-3", "days:9999999"])
def test_moments_that_are_none_are_refused(export: Path, tmp_path: Path, moments: str) -> None:
    result = command(export, "--out", tmp_path / "out", "--moments", moments)
    assert result.exit_code == 2
    assert "neither visits, last nor days:N" in result.output


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("new_window_days", "is not NAME=VALUE"),
        ("new_window_days=0", "greater than or equal to 1"),
        ("new_windows=7", "there are brain_any_subtype, clean_days,"),
        ("mri_extent=all", "mri_extent"),
        ("calls_per_minute=7", "does not change an answer"),
    ],
)
def test_a_setting_that_cannot_be_varied_so_is_refused_before_anything_is_read(
    export: Path, tmp_path: Path, given: str, said: str
) -> None:
    result = command(export, "--out", tmp_path / "out", "--vary", given)
    assert result.exit_code != 0
    assert said in result.output
    assert not (tmp_path / "out").exists()


def test_a_period_that_ends_before_it_begins_is_refused(export: Path, tmp_path: Path) -> None:
    result = command(export, "--out", tmp_path / "out", "--since", "2026-02-01", "--until", "2026-01-01")
    assert result.exit_code == 2 and "--since lies after --until" in result.output


def test_a_period_after_the_data_is_refused(export: Path, tmp_path: Path) -> None:
    result = command(export, "--out", tmp_path / "out", "--since", "2026-12-01", "--workers", "1")
    assert result.exit_code == 1 and "before --since" in result.output


def test_days_and_an_order_hook_do_not_go_together(export: Path, tmp_path: Path) -> None:
    result = command(export, "--out", tmp_path / "out", "--hook", "order-sign", "--moments", "days:7")
    assert result.exit_code == 2 and "those of the orders" in result.output


def test_an_export_that_is_not_there_is_named_as_the_fault(tmp_path: Path) -> None:
    result = command(tmp_path / "nowhere", "--out", tmp_path / "out")
    assert result.exit_code == 1 and "there is no .ndjson" in result.output


def test_without_the_extra_it_says_what_to_install(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "cds_service.replay.run", raising=False)
    monkeypatch.setitem(sys.modules, "cds_service.replay.heads", None)
    monkeypatch.delitem(sys.modules, "cds_service.replay.deal", raising=False)
    result = command(export, "--out", tmp_path / "out")
    assert result.exit_code == 1 and "pip install 'cds-service[replay]'" in result.output


def test_settings_are_those_of_the_service(export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CDS_NEW_WINDOW_DAYS", "2")
    result = command(export, "--out", tmp_path / "out", "--workers", "1")
    assert "0 of them with a card" in result.output
    summary = orjson.loads((tmp_path / "out" / "summary.json").read_bytes())
    assert summary["rule"]["choices"]["new_window_days"] == 2


def test_a_list_of_patients_with_a_byte_order_mark_is_read_and_one_that_is_no_text_is_refused(
    export: Path, tmp_path: Path
) -> None:
    listed = tmp_path / "patients.csv"
    listed.write_bytes(b"\xef\xbb\xbfpt-1\r\n")
    result = command(export, "--out", tmp_path / "out", "--workers", "1", "--patients", listed)
    assert "1 patient" in result.output, result.output
    listed.write_bytes(b"\xff\xfep")
    result = command(export, "--out", tmp_path / "out-2", "--patients", listed)
    assert result.exit_code == 2 and "is no text in UTF-8" in result.output


def test_an_empty_folder_is_nothing_to_compare_with(export: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = command(export, "--out", tmp_path / "out", "--against", tmp_path / "empty")
    assert result.exit_code == 1 and "neither an overlay nor a content" in result.output


def test_a_folder_that_cannot_be_made_is_named_and_no_traceback_is_shown(export: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = command(export, "--out", tmp_path / "file" / "out", "--workers", "1")
    assert result.exit_code == 1 and "cannot be made" in result.output


def test_a_period_before_the_data_is_refused(export: Path, tmp_path: Path) -> None:
    result = command(export, "--out", tmp_path / "out", "--until", "1990-01-01", "--workers", "1")
    assert result.exit_code == 1 and f"the data begin on {day(900)}, after --until" in result.output


def test_where_until_ends_the_moments_the_end_of_the_data_is_told_beside_it(export: Path, tmp_path: Path) -> None:
    result = command(export, "--out", tmp_path / "out", "--until", day(6), "--workers", "1")
    assert f"({day(6)}, where --until put it: they go on until {day(5)})" in result.output


def test_an_export_without_patients_is_no_answer_and_says_so(export: Path, tmp_path: Path) -> None:
    (export / "Patient.ndjson").unlink()
    result = command(export, "--out", tmp_path / "out", "--workers", "1")
    said = "100% of the answers are undetermined; not in the export, and so unknown: patient."
    assert said in result.output
    assert "Most answers are open" in (tmp_path / "out" / "report.html").read_text()


def test_listed_patients_who_are_not_in_the_export_are_told(export: Path, tmp_path: Path) -> None:
    listed = tmp_path / "patients.txt"
    listed.write_text("pt-1\nsomebody-else\n")
    result = command(export, "--out", tmp_path / "out", "--workers", "1", "--patients", listed)
    assert "Not in the export: 1 patient of --patients." in result.output


def test_all_results_are_for_their_owner_only(export: Path, tmp_path: Path) -> None:
    command(export, "--out", tmp_path / "out", "--workers", "1", "--vary", "new_window_days=42")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "out").iterdir()} == {0o600}


@pytest.mark.parametrize("value", ["{}", "[]", '{"a":1}'])
def test_a_value_that_no_setting_of_the_rule_can_have_is_refused(export: Path, tmp_path: Path, value: str) -> None:
    result = command(export, "--out", tmp_path / "out", "--vary", f"mri_extent={value}")
    assert result.exit_code == 2
    assert "a value must be a number, a word, true or false" in result.output


def test_types_that_are_not_read_are_told_in_the_report(export: Path, tmp_path: Path) -> None:
    write_export(export, [{"resourceType": "Medication", "id": "1"}, {"resourceType": "MedicationRequest", "id": "1"}])
    assert command(export, "--out", tmp_path / "out", "--workers", "1").exit_code == 0
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Medication: a type that is not read" in report
    assert "MedicationRequest: a type that is not read" in report
