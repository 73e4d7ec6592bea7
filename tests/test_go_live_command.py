"""The command `go-live`, as its users call it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.readiness.go_live_text import WIDTH, check_text, summary_text
from tests.builders import PATIENT_ID
from tests.go_live_lists import (
    a_server,
    client_of,
    metadata,
    with_token,
)
from tests.token_maker import BASE_URL, KeyServer, key, key_set, token
from tests.wire_fhir_server import WireFhirServer


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer(key_set(key())) as server:
        yield server


def run(server: WireFhirServer, tmp_path: Path, *arguments: str, text: str | None = None, **environment: str) -> Result:
    usual = {"CDS_FHIR_SERVERS": json.dumps([server.base]), "CDS_DATA_FOLDER": str(tmp_path / "data")}
    command = ["go-live", "--fhir-server", server.base, "--patient", PATIENT_ID, *arguments]
    return CliRunner().invoke(main, command, env=usual | environment, input=text)


def test_no_line_of_the_list_is_longer_than_a_hundred_columns(tmp_path: Path, keys: KeyServer) -> None:
    found = with_token(tmp_path, keys, token(aud="https://other.example.org/cds-services/" + "x" * 40))
    lines = [line for check in found.checks for line in check_text(check).splitlines()]
    assert max(map(len, lines + summary_text(found).splitlines())) <= WIDTH


def test_the_command_prints_stable_json_and_fails_where_something_failed(tmp_path: Path) -> None:
    with a_server() as server:
        result = run(server, tmp_path, "--format", "json", "--vendor", "epic")
    found = json.loads(result.output)
    assert result.exit_code == 1
    assert found["result"] == "fail" and found["counts"]["fail"] > 0
    assert {"id", "title", "result", "findings"} == found["checks"][0].keys()
    assert {"result", "text", "to_do"} == found["checks"][0]["findings"][0].keys()
    assert found["vendor"]["name"] == "Epic" and found["vendor"]["known"]


def test_warnings_end_the_command_with_1_only_where_they_are_to(tmp_path: Path, keys: KeyServer) -> None:
    ready = {"CDS_CLIENTS": json.dumps([client_of(keys)]), "CDS_BASE_URL": BASE_URL}
    now = metadata(datetime.now(UTC))
    with a_server(handlers={"metadata": now}) as server:
        usual = run(server, tmp_path, **ready)
        strict = run(server, tmp_path, "--strict", **ready)
    assert "WARNING" in usual.output and "FAIL" not in usual.output
    assert (usual.exit_code, strict.exit_code) == (0, 1)


def test_the_access_token_may_come_from_a_file_or_the_input_and_is_never_shown(tmp_path: Path) -> None:
    secret = "token-5f0c7a"
    file = tmp_path / "token"
    file.write_text(f"{secret}\n")
    with a_server(token=secret) as server:
        for result in (
            run(server, tmp_path, "--token-file", str(file)),
            run(server, tmp_path, "--token-file", "-", text=secret),
            run(server, tmp_path, "--token", secret),
            run(server, tmp_path, FHIR_TOKEN=secret),
        ):
            assert "2 of 2 entries" in result.output
            assert secret not in result.output
        assert "none was given (--token-file, or FHIR_TOKEN)" in " ".join(run(server, tmp_path).output.split())


def test_a_token_of_a_call_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jwt"
    file.write_text(token(aud="https://other.example.org"))
    with a_server() as server:
        assert "no address of this service" in run(server, tmp_path, "--call-token", str(file)).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--token", "x", "--token-file", "-"], "either --token or --token-file"),
        (["--token-file", "-", "--call-token", "-"], "two tokens, from two places"),
        (["--token", "a token"], "characters that no token has"),
        (["--token", "t\u00f6ken"], "characters that no token has"),
        (["--patient", ".."], "must name a patient"),
        (["--patient", "pt 001/../x"], "must name a patient"),
        (["--patient", "Patient/pt-1"], "without the type before it"),
        (["--vendor", "nobody"], "'nobody' is not one of"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(tmp_path: Path, arguments: list[str], said: str) -> None:
    with a_server() as server:
        result = run(server, tmp_path, *arguments, text="x")
        assert not server.requests
    assert result.exit_code == 2
    assert said in result.output


def test_a_setting_that_is_wrong_stops_the_command_with_its_name(tmp_path: Path) -> None:
    with a_server() as server:
        result = run(server, tmp_path, CDS_NEW_WINDOW_DAYS="soon")
    assert result.exit_code == 1
    assert "new_window_days" in result.output
