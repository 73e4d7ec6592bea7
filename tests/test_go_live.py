"""The check-list before going live names what is wrong with the EHR's FHIR server, and says what to do."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.readiness.checks import Result as Verdict
from tests.builders import BREAST_CANCER, NOW, Json, condition, day, observation, patient
from tests.go_live_lists import (
    CANCER,
    LOCAL,
    PAIN,
    TYPES,
    a_server,
    checked,
    metadata,
    of,
    says,
    statement,
    words,
)
from tests.wire_fhir_server import Exchange, Handler


def truncated(total: int | None, came: int, counts: bool = False) -> Handler:
    """A search that gives a few of many entries and no next link; with `counts` it tells their number if asked."""

    def answer(exchange: Exchange) -> None:
        bundle: Json = {"resourceType": "Bundle", "type": "searchset"}
        if counts and "_summary=count" in exchange.target:
            exchange.resource(bundle | {"total": 230})
            return
        entries = [{"resource": CANCER | {"id": f"c-{number}"}} for number in range(came)]
        exchange.resource(bundle | {"entry": entries} | ({} if total is None else {"total": total}))

    return answer


def test_a_server_that_is_right_passes(tmp_path: Path) -> None:
    with a_server() as server:
        found = checked(server, tmp_path)
    for name in ("fhir-server-allowed", "capability-statement", "clock", "prefetch-conditions"):
        assert of(found, name).result is Verdict.PASS, words(of(found, name))
    assert "2 of 2 entries" in words(of(found, "prefetch-conditions"))
    assert "fired (imaging-advised), by the prefetch alone and by reading" in words(of(found, "patients"))
    assert of(found, "coverage").result is Verdict.PASS


def test_each_prefetch_query_is_sent_as_an_ehr_sends_it(tmp_path: Path) -> None:
    with a_server() as server:
        checked(server, tmp_path)
        asked = [item.target.removeprefix("/fhir/") for item in server.requests]
    assert "Condition?patient=pt-1&_count=500" in asked
    assert any(item.startswith("Observation?patient=pt-1&code=") and "_count=200" in item for item in asked)


@pytest.mark.parametrize(
    "handler", [truncated(230, 100), truncated(None, 100, counts=True)], ids=["with a total", "without a word"]
)
def test_a_truncating_server_is_named(tmp_path: Path, handler: Handler) -> None:
    with a_server(handlers={"Condition": handler}) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
    assert check.result is Verdict.FAIL
    assert "there are 230, 100 came, and the page has no next link" in words(check)


def test_a_server_with_small_pages_is_a_warning_and_its_next_page_is_tried(tmp_path: Path) -> None:
    many = [condition(BREAST_CANCER, onset=day(4000)) for _ in range(9)]
    with a_server(*many, PAIN, page=4) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
        assert any("page=2" in item.target for item in server.requests)
    assert check.result is Verdict.WARNING
    assert "a page has 4 entries where 500 were asked for" in words(check)


def test_a_next_page_that_leads_elsewhere_fails(tmp_path: Path) -> None:
    away = {"resourceType": "Bundle", "entry": [{"resource": CANCER}], "total": 9}
    away |= {"link": [{"relation": "next", "url": "http://127.0.0.1:9/fhir/Condition?page=2"}]}
    with a_server(handlers={"Condition": says(away)}) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
    assert check.result is Verdict.FAIL
    assert "leads out of the base address" in words(check)


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "none was given (--token-file"), (403, "patient/Condition.read"), (500, "is answered 500"), (302, "302")],
)
def test_a_refused_or_broken_query_fails_with_what_to_do(tmp_path: Path, status: int, said: str) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "login"}]}
    with a_server(handlers={"Condition": says(outcome, status)}) as server:
        found = checked(server, tmp_path)
    assert of(found, "prefetch-conditions").result is Verdict.FAIL
    assert said in words(of(found, "prefetch-conditions"))
    assert of(found, "patients").result is Verdict.FAIL


@pytest.mark.parametrize(
    "handler", [Exchange.be_silent, lambda exchange: _dripping(exchange)], ids=["silent", "dripping"]
)
def test_a_server_that_never_ends_its_answer_is_given_up(tmp_path: Path, handler: Handler) -> None:
    with a_server(handlers={"Condition": handler}) as server:
        found = checked(server, tmp_path, fhir_deadline_seconds=0.4)
    assert "timed out" in words(of(found, "prefetch-conditions"))
    assert of(found, "prefetch-conditions").result is of(found, "patients").result is Verdict.FAIL


def _dripping(exchange: Exchange) -> None:
    exchange.head(Content_Length="100000")
    exchange.drip(b" " * 100_000)


def test_a_body_beyond_the_bound_is_not_read_to_its_end(tmp_path: Path) -> None:
    with a_server(handlers={"Condition": says({"resourceType": "Bundle", "id": "x" * 200_000})}) as server:
        check = of(checked(server, tmp_path, fhir_max_bytes=20_000), "prefetch-conditions")
    assert "more data than is read for one call" in words(check)


def test_a_query_that_works_only_without_its_extras_is_a_warning(tmp_path: Path) -> None:
    with a_server(known={"patient"}) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
    assert check.result is Verdict.WARNING
    assert "With the patient alone it works" in words(check)


def test_entries_of_another_patient_fail(tmp_path: Path) -> None:
    theirs = CANCER | {"subject": {"reference": "Patient/somebody"}}
    bundle = {"resourceType": "Bundle", "total": 2, "entry": [{"resource": CANCER}, {"resource": theirs}]}
    with a_server(handlers={"Condition": says(bundle)}) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
    assert check.result is Verdict.FAIL
    assert "1 entries are of another patient" in words(check)
    assert "somebody" not in words(check)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_refused_needs_the_scope(tmp_path: Path, status: int) -> None:
    with a_server(handlers={"Condition": says({}, status)}) as server:
        told = words(of(checked(server, tmp_path, asked={"token": "of-another-scope"}), "prefetch-conditions"))
    assert "grant the scope of this type" in told and "none was given" not in told


@pytest.mark.parametrize("has_total", [True, False])
def test_the_answer_about_a_chart_that_is_known_to_be_cut_off_does_not_pass(tmp_path: Path, has_total: bool) -> None:
    handler = truncated(230, 100) if has_total else truncated(None, 100, counts=True)
    with a_server(handlers={"Condition": handler}) as server:
        check = of(checked(server, tmp_path), "patients")
    assert check.result is not Verdict.PASS
    assert "conditions" in words(check)


def test_what_is_no_fhir_server_is_named_as_such(tmp_path: Path) -> None:
    def page(exchange: Exchange) -> None:
        exchange.body(b"<html><body>Sign in</body></html>")

    with a_server(handlers={"Condition": page}) as server:
        told = words(of(checked(server, tmp_path), "prefetch-conditions"))
    assert "what answers there sends no FHIR resource" in told and "server's log" not in told


def test_entries_of_another_type_or_with_other_codes_are_named(tmp_path: Path) -> None:
    hemoglobin = observation("loinc 718-7", when=day(3))
    bundle = {"resourceType": "Bundle", "total": 2, "entry": [{"resource": CANCER}, {"resource": hemoglobin}]}
    with a_server(handlers={"Observation": says(bundle)}) as server:
        check = of(checked(server, tmp_path), "prefetch-observations")
    assert check.result is Verdict.WARNING
    assert "1 entries are of another type" in words(check)
    assert "2 entries have none of the codes" in words(check)


def test_an_operation_outcome_among_the_entries_is_named_by_its_code(tmp_path: Path) -> None:
    issue = {"severity": "warning", "code": "suppressed", "diagnostics": "Jane Doe"}
    outcome = {"resourceType": "OperationOutcome", "issue": [issue]}
    bundle = {"resourceType": "Bundle", "entry": [{"resource": CANCER}, {"resource": outcome}]}
    with a_server(handlers={"Condition": says(bundle)}) as server:
        check = of(checked(server, tmp_path), "prefetch-conditions")
    assert "warning suppressed" in words(check)
    assert "Jane" not in words(check)


def test_an_unknown_patient_fails(tmp_path: Path) -> None:
    with a_server() as server:
        found = checked(server, tmp_path, asked={"patients": ("nobody",)})
    assert "is answered 404" in words(of(found, "prefetch-patient"))
    assert of(found, "prefetch-patient").result is of(found, "patients").result is Verdict.FAIL


def test_a_query_that_brings_nothing_for_anybody_is_not_shown_to_work(tmp_path: Path) -> None:
    with a_server() as server:
        check = of(checked(server, tmp_path), "prefetch-devices")
    assert check.result is Verdict.WARNING
    assert "None of the patients has an entry" in words(check)


def test_a_server_without_a_capability_statement_or_of_another_version_is_named(tmp_path: Path) -> None:
    with a_server(handlers={"metadata": says({}, 404)}) as server:
        assert "is answered 404" in words(of(checked(server, tmp_path), "capability-statement"))
    with a_server(handlers={"metadata": metadata(document=statement(*TYPES, version="1.0.2"))}) as server:
        assert of(checked(server, tmp_path), "capability-statement").result is Verdict.FAIL
    with a_server(handlers={"metadata": metadata(document=statement(*TYPES[:-1]))}) as server:
        check = of(checked(server, tmp_path), "capability-statement")
    assert check.result is Verdict.WARNING
    assert "encounters: it does not name the type Encounter" in words(check)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0, Verdict.PASS), (-90, Verdict.WARNING), (90, Verdict.WARNING), (4000, Verdict.FAIL)]
)
def test_a_clock_that_is_off_is_named(tmp_path: Path, seconds: int, verdict: Verdict) -> None:
    with a_server(handlers={"metadata": metadata(NOW + timedelta(seconds=seconds))}) as server:
        assert of(checked(server, tmp_path), "clock").result is verdict


def test_local_codes_are_named_with_their_share(tmp_path: Path) -> None:
    local = {"code": {"coding": [{"system": LOCAL, "code": "DX7"}]}}
    with a_server(CANCER, PAIN, condition() | local, condition("icd10cm I10"), condition("icd10cm I10")) as server:
        check = of(checked(server, tmp_path), "coverage")
    assert check.result is Verdict.FAIL
    assert f"1 of 5 entries are not understood (20%): {LOCAL}" in words(check)


def test_a_server_that_is_not_there_is_named_for_every_query(tmp_path: Path) -> None:
    with a_server() as server:
        pass
    found = checked(server, tmp_path)
    for name in ("capability-statement", "prefetch-conditions", "patients"):
        assert of(found, name).result is Verdict.FAIL
        assert "could not be reached" in words(of(found, name))
    assert "the server runs and can be reached" in words(of(found, "prefetch-conditions"))


def test_nothing_of_a_patient_stands_in_the_list(tmp_path: Path) -> None:
    mark = "Zebraxyl"
    named = patient() | {"name": [{"family": mark}], "identifier": [{"system": "urn:mrn", "value": mark}]}
    local = {"code": {"coding": [{"system": LOCAL, "code": "DX7", "display": mark}], "text": mark}}
    odd = {"clinicalStatus": {"text": mark}, "id": mark, "note": [{"text": mark}]}
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "x", "diagnostics": mark}]}
    handlers = {"Device": says(outcome, 500), "Patient/pt-1": says(named), "Procedure": says({mark: mark}, 200)}
    with a_server(CANCER, PAIN, condition() | local | odd, handlers=handlers) as server:
        found = checked(server, tmp_path)
    assert mark not in json.dumps(found.to_json())
    assert f"1 of 3 entries are not understood (33%): {LOCAL}" in words(of(found, "coverage"))
