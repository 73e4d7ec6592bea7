"""`config check` tells everything that is wrong with the settings at once, with what was probably meant."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.decision.support import DecisionSupport
from cds_service.settings import SettingsError, make_settings
from tests.content_copies import RULE, replace_in
from tests.overlays import RULE_FILE, changed_number, write

LOCAL = {"system": "https://hospital.example.org/orderables", "code": "MRLS", "display": "MRI L-spine w/wo"}


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)


def run(folder: Path, text: str = "", **variables: str) -> Result:
    file = folder / "cds.toml"
    file.write_text(text, "utf-8")
    return CliRunner(env={"CDS_CONFIG": str(file), **variables}).invoke(main, ["config", "check"])


def test_settings_without_fault_are_told_by_their_number_and_not_shown(tmp_path: Path) -> None:
    result = run(tmp_path, "clean_days = 90\npseudonym_key = '0123456789abcdef0123456789abcdef'\n")
    assert result.exit_code == 0
    assert "No problem: 2 settings are set, and they fit the content." in result.output
    assert "0123" not in result.output


def test_all_faults_are_told_at_once_with_what_was_meant(tmp_path: Path) -> None:
    text = """
    new_windw_days = 42
    dcis_mode = "on"
    fhir_serves = []
    """
    result = run(tmp_path, text, CDS_TEXT_MATCH="yes")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert "setting 'new_windw_days': there is no such setting; did you mean 'new_window_days'?" in lines
    assert "setting 'fhir_serves': there is no such setting; did you mean 'fhir_servers'?" in lines
    assert any("'dcis_mode'" in line and "'off' or 'info'" in line for line in lines)
    assert any("'text_match'" in line and "boolean" in line for line in lines)
    assert lines[-1] == "Error: 4 problems"


def test_a_misspelt_part_of_a_client_is_told_with_what_was_meant(tmp_path: Path) -> None:
    text = """
    base_url = "https://cds.example.org"
    [[clients]]
    isuer = "https://ehr.example.org"
    jwks_url = "https://ehr.example.org/keys"
    """
    output = run(tmp_path, text).output
    assert "setting 'clients.0.isuer': there is no such setting; did you mean 'issuer'?" in output
    assert "setting 'clients.0.issuer': field required" in output


def test_a_misspelt_name_hides_no_fault_that_needs_all_settings(tmp_path: Path) -> None:
    text = """
    colour = "blue"
    [[modes]]
    service = "gone"
    mode = "off"
    [[modes]]
    client = "nobody"
    mode = "silent"
    [order_codings]
    """
    output = run(tmp_path, text).output
    assert "setting 'colour': there is no such setting; there are\n  content_folder, " in output
    listed = [line for line in output.splitlines() if line.startswith("  ")]
    assert len(listed) > 5 and max(map(len, listed)) <= 100
    assert "there is no service 'gone'" in output and "there is no client 'nobody'" in output


def test_settings_of_a_wrong_type_hide_nothing_that_does_not_fit_the_content(tmp_path: Path) -> None:
    text = f"""
    text_match = "yes"
    clean_days = "many"
    content_overlay = "{tmp_path / "absent"}"
    """
    output = run(tmp_path, text).output
    assert "'text_match'" in output and "'clean_days'" in output
    assert f"content: {tmp_path / 'absent'}: there is no such folder" in output
    text = f"""
    base_url = "nowhere"
    dcis_mode = "on"
    [[clients]]
    issuer = "https://ehr.example.org"
    jwks_url = "https://ehr.example.org/keys"
    mode = "silent"
    [order_codings]
    mri-lumbar-spin = [{{ system = "{LOCAL["system"]}", code = "MRLS", display = "MRI" }}]
    [override_reason_codes]
    "7" = "imaged-elswhere"
    """
    output = run(tmp_path, text).output
    assert "'base_url'" in output and "'dcis_mode'" in output
    assert "did you mean 'mri-lumbar-spine'?" in output and "did you mean 'imaged-elsewhere'?" in output
    assert output.splitlines()[-1] == "Error: 4 problems"


def test_a_mode_of_nobody_hides_nothing_that_does_not_fit_the_content(tmp_path: Path) -> None:
    text = 'accepted_gaps = ["observation"]\n[[modes]]\nclient = "nobody"\nmode = "off"\n'
    output = run(tmp_path, text).output
    assert "there is no client 'nobody'" in output and "did you mean 'observations'?" in output


def test_what_does_not_fit_the_content_is_told(tmp_path: Path) -> None:
    text = f"""
    accepted_gaps = ["observation"]
    [order_codings]
    mri-lumbar-spin = [{{ system = "{LOCAL["system"]}", code = "MRLS", display = "MRI" }}]
    [override_reason_codes]
    "7" = "imaged-elswhere"
    """
    result = run(tmp_path, text)
    assert result.output.splitlines() == [
        "setting 'accepted_gaps': there is no prefetch key observation; did you mean 'observations'?",
        "setting 'order_codings.mri-lumbar-spin': there is no such order; did you mean 'mri-lumbar-spine'?",
        "setting 'override_reason_codes.7': there is no override reason 'imaged-elswhere' in the content; did you mean"
        " 'imaged-elsewhere'?",
        "Error: 3 problems",
    ]


def test_a_reason_that_the_content_drops_stops_a_start_with_a_map_to_it(tmp_path: Path) -> None:
    overlay = write(
        tmp_path / "overlay", f"{RULE}/override-reasons.toml", '[[reason]]\nremove = true\ncode = "pain-not-new"\n'
    )
    settings = make_settings({"content_overlay": overlay, "override_reason_codes": {"7": "pain-not-new"}})
    with pytest.raises(SettingsError, match="no override reason 'pain-not-new'"):
        DecisionSupport(settings)


def test_problems_of_the_content_are_told_as_those_of_the_content(tmp_path: Path, content_copy: Path) -> None:
    replace_in(content_copy, RULE_FILE, "^value = 84", "value = 9999")
    overlay = write(tmp_path / "overlay", RULE_FILE, changed_number(9998, "clean_days"))
    variables = {"CDS_CONTENT_FOLDER": str(content_copy), "CDS_CONTENT_OVERLAY": str(overlay)}
    result = run(tmp_path, "", **variables)
    assert result.exit_code == 1
    assert [line.partition(":")[0] for line in result.output.splitlines()] == ["content", "content", "Error"]


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    result = CliRunner(env={"CDS_CONFIG": str(tmp_path / "absent.toml")}).invoke(main, ["config", "check"])
    assert result.exit_code == 1 and "cannot be read" in result.output


def test_the_codes_of_a_variable_are_checked_as_those_of_the_file(tmp_path: Path) -> None:
    result = run(tmp_path, "", CDS_ORDER_CODINGS=json.dumps({"mri-brian": [LOCAL]}))
    assert "did you mean 'mri-brain'?" in result.output
