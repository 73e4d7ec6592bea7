"""The evaluate command, asked of a patient on a FHIR server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.main import main
from cds_service.demo.scenarios import scenarios_folder

if TYPE_CHECKING:
    from tests.fhir_server import LoadedServer

pytest_plugins = ("tests.fhir_server",)

PATIENT = "pt-001"
FIXTURE = scenarios_folder() / "row-001-lumbar-pain-icd10"
SERVER = "https://ehr.example.org/fhir"
WRONG_TOKEN = "another-token-of-the-tests"


def evaluate(*arguments: str | Path, allowed: tuple[str, ...] = (), token: str | None = None) -> Result:
    """Run the command where the settings allow these FHIR servers, and FHIR_TOKEN holds `token`."""
    environment = {
        "CDS_CONFIG": None,
        "CDS_FHIR_SERVERS": json.dumps(list(allowed)),
        "CDS_FHIR_DEADLINE_SECONDS": "20",
        "FHIR_TOKEN": token,
    }
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)], env=environment)


def ask(server: LoadedServer, patient: str, *arguments: str, token: str | None = None) -> Result:
    """Ask of a patient on an allowed server, as of the day from which its dates count."""
    on_server = ("--fhir-server", server.base_url, "--patient", patient)
    as_of = ("--as-of", server.now.date().isoformat())
    return evaluate(*on_server, *as_of, *arguments, allowed=(server.base_url,), token=token)


def cards(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, Any]] = json.loads(result.output)["cards"]
    return found


def issue(result: Result) -> tuple[str, str]:
    """Code and text of the OperationOutcome with which the command failed."""
    assert result.exit_code == 1, result.output
    (only,) = json.loads(result.output)["issue"]
    return only["code"], only["details"]["text"]


# --- The answer


def test_the_card_of_a_patient_on_the_server_is_that_of_the_same_patient_in_a_file(
    fhir_server: LoadedServer,
) -> None:
    (card,) = cards(ask(fhir_server, PATIENT))
    (same,) = cards(evaluate(FIXTURE, "--as-of", fhir_server.now.date().isoformat()))
    told = ("summary", "detail", "indicator")
    assert [card[key] for key in told] == [same[key] for key in told]
    assert card["indicator"] == "warning"


def test_the_hook_is_patient_view_unless_another_is_named(fhir_server: LoadedServer) -> None:
    named = cards(ask(fhir_server, PATIENT, "--hook", "patient-view"))
    assert len(named) == len(cards(ask(fhir_server, PATIENT))) == 1


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_hook_has_nothing_to_say_without_an_order_and_explains_that(
    fhir_server: LoadedServer, hook: str
) -> None:
    assert cards(ask(fhir_server, PATIENT, "--hook", hook)) == []
    explained = ask(fhir_server, PATIENT, "--hook", hook, "--explain")
    assert explained.exit_code == 0
    assert explained.output.startswith("No card: no order")


def test_explain_says_why_in_words(fhir_server: LoadedServer) -> None:
    result = ask(fhir_server, PATIENT, "--explain")
    assert result.exit_code == 0
    assert result.output.startswith("Card: a history of breast cancer and new back pain")
    assert "http://hl7.org/fhir/sid/icd-10-cm M54.50" in result.output
    assert "Not wholly known" not in result.output


def test_a_slash_at_the_end_of_the_address_means_the_same_server(fhir_server: LoadedServer) -> None:
    server = ("--fhir-server", f"{fhir_server.base_url}/", "--patient", PATIENT)
    day = fhir_server.now.date().isoformat()
    assert len(cards(evaluate(*server, "--as-of", day, allowed=(fhir_server.base_url,)))) == 1


# --- Patients that are not there


def test_a_patient_whom_the_server_does_not_know_is_not_called_free_of_cancer(fhir_server: LoadedServer) -> None:
    result = ask(fhir_server, "nobody")
    assert result.exception is None or isinstance(result.exception, SystemExit)
    code, text = issue(result)
    assert code == "processing"
    assert "patient: the patient is not known to the FHIR server" in text


def test_explain_says_of_a_patient_whom_the_server_does_not_know_that_there_is_no_record(
    fhir_server: LoadedServer,
) -> None:
    assert "The patient record is not at hand" in ask(fhir_server, "nobody", "--explain").output


@pytest.mark.parametrize("identity", ["a/b", "Patient/pt/001", "../pt-001", "..", "pt-001?", "pt-1,pt-2", ""])
def test_an_id_that_would_bend_an_address_is_refused_by_name(fhir_server: LoadedServer, identity: str) -> None:
    code, text = issue(ask(fhir_server, identity))
    assert code == "invalid"
    assert text.startswith("context.patientId: ")


# --- Which servers


@pytest.mark.parametrize("allowed", [(), (SERVER,)], ids=["no server allowed", "another server allowed"])
def test_a_server_that_the_settings_do_not_allow_is_not_read(
    fhir_server: LoadedServer, allowed: tuple[str, ...]
) -> None:
    code, text = issue(evaluate("--fhir-server", fhir_server.base_url, "--patient", PATIENT, allowed=allowed))
    assert code == "required"
    assert "not allowed" in text
    assert "conditions" in text


@pytest.mark.parametrize("address", ["ehr.example.org", "file:///etc", ""])
def test_what_is_no_address_of_a_server_is_refused_by_name(address: str) -> None:
    code, text = issue(evaluate("--fhir-server", address, "--patient", PATIENT))
    assert code == "invalid"
    assert text.startswith("fhirServer: ")


# --- The token


def test_the_token_is_taken_from_the_option_or_the_environment(secured_fhir_server: LoadedServer) -> None:
    token = secured_fhir_server.token
    assert token is not None
    by_option = ask(secured_fhir_server, PATIENT, "--token", token)
    by_environment = ask(secured_fhir_server, PATIENT, token=token)
    assert len(cards(by_option)) == len(cards(by_environment)) == 1


@pytest.mark.parametrize("arguments", [(), ("--token", WRONG_TOKEN)], ids=["no token", "a wrong token"])
def test_a_refusal_of_the_server_is_said(secured_fhir_server: LoadedServer, arguments: tuple[str, ...]) -> None:
    code, text = issue(ask(secured_fhir_server, PATIENT, *arguments))
    assert code == "processing"
    assert "conditions: refused" in text


@pytest.mark.parametrize("arguments", [(), ("--explain",)], ids=["the answer", "the explanation"])
def test_the_token_is_not_printed(secured_fhir_server: LoadedServer, arguments: tuple[str, ...]) -> None:
    assert WRONG_TOKEN not in ask(secured_fhir_server, PATIENT, *arguments, "--token", WRONG_TOKEN).output
    assert secured_fhir_server.token is not None
    printed = ask(secured_fhir_server, PATIENT, *arguments, token=secured_fhir_server.token).output
    assert secured_fhir_server.token not in printed


# --- Commands that cannot be meant


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "either REQUEST, or --fhir-server"),
        ((FIXTURE, "--fhir-server", SERVER, "--patient", PATIENT), "either REQUEST, or --fhir-server"),
        (("--patient", PATIENT), "either REQUEST, or --fhir-server"),
        (("--fhir-server", SERVER), "--fhir-server needs --patient"),
        (("--fhir-server", SERVER, "--patient", PATIENT, "--hook", "other"), "'other' is not one of"),
    ],
    ids=["nothing", "a file and a server", "a patient alone", "a server alone", "an unknown hook"],
)
def test_a_command_that_asks_of_nobody_or_of_two_is_not_understood(
    arguments: tuple[str | Path, ...], message: str
) -> None:
    result = evaluate(*arguments)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.parametrize("arguments", [("--patient", "pt-002"), ("--hook", "order-sign")], ids=["a patient", "a hook"])
def test_a_patient_or_hook_other_than_that_of_the_file_is_not_passed_over(arguments: tuple[str, str]) -> None:
    """The file answers for its own patient and hook; a card for another than was asked of would mislead."""
    assert evaluate(FIXTURE, *arguments).exit_code == 2
