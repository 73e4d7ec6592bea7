"""The check-list names what is wrong with the service itself: content, ledger, settings, codes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Result as Verdict
from cds_service.readiness.go_live import Asked, go_live
from cds_service.readiness.vendors import vendors
from cds_service.settings import make_settings
from tests.builders import PATIENT_ID
from tests.content_copies import RULE, copy_of_content, replace_in
from tests.go_live_lists import (
    LOCAL,
    a_server,
    checked,
    client_of,
    of,
    words,
)
from tests.token_maker import BASE_URL, ISSUER, KeyServer, key, key_set


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer(key_set(key())) as server:
        yield server


def test_a_server_that_is_not_allowed_fails_and_is_looked_at_all_the_same(tmp_path: Path) -> None:
    with a_server() as server:
        found = checked(server, tmp_path, fhir_servers=[])
    assert of(found, "fhir-server-allowed").result is Verdict.FAIL
    assert "fired (imaging-advised)" in words(of(found, "patients"))


def test_what_to_do_about_a_server_that_is_not_allowed_names_the_list_that_holds(
    tmp_path: Path, keys: KeyServer
) -> None:
    with a_server() as server:
        elsewhere = client_of(keys, fhir_servers=["https://other.example.org/fhir"])
        own = checked(server, tmp_path, base_url=BASE_URL, clients=[elsewhere])
        general = checked(server, tmp_path, base_url=BASE_URL, clients=[client_of(keys)], fhir_servers=[])
    assert of(own, "fhir-server-allowed").result is of(general, "fhir-server-allowed").result is Verdict.FAIL
    assert "of this client, whose own list holds instead of the general" in words(of(own, "fhir-server-allowed"))
    assert "add the address to the general setting" in words(of(general, "fhir-server-allowed"))


def test_content_in_date_passes(tmp_path: Path) -> None:
    with a_server() as server:
        support = DecisionSupport(make_settings({"data_folder": str(tmp_path)}))
        released = datetime.fromisoformat(support.rules[0].content.rule.released).replace(tzinfo=UTC)
        found = go_live(Asked(server.base, (PATIENT_ID,)), support, lambda: released + timedelta(days=1))
    assert of(found, "content-review").result is Verdict.PASS


def test_content_past_its_review_is_named(tmp_path: Path) -> None:
    folder = copy_of_content(tmp_path)
    replace_in(folder, f"{RULE}/rule.toml", r"^review_by = .*$", 'review_by = "2026-11-01"')
    with a_server() as server:
        check = of(checked(server, tmp_path, content_folder=str(folder)), "content-review")
    assert check.result is Verdict.FAIL
    assert "was to be reviewed by 2026-11-01" in words(check)


def test_a_ledger_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a folder belongs")
    with a_server() as server:
        check = of(checked(server, tmp_path), "ledger")
    assert check.result is Verdict.FAIL
    assert "data_folder" in words(check)


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with a_server() as server:
        found = checked(server, tmp_path, ledger_url="postgresql://cds:pass-81b2@127.0.0.1:9/ledger")
    assert of(found, "ledger").result is Verdict.FAIL
    assert "ledger_url" in words(of(found, "ledger")) and "pass-81b2" not in str(found)


def test_epic_needs_order_codes_reason_codes_and_rs384(tmp_path: Path, keys: KeyServer) -> None:
    client = client_of(keys, algorithms=["ES384"])
    with a_server() as server:
        found = checked(server, tmp_path, vendor="epic", base_url=BASE_URL, clients=[client])
    for name in ("order-codings", "override-reasons", "clients"):
        assert of(found, name).result is Verdict.FAIL
        assert "Epic" in words(of(found, name))
    with a_server() as server:
        assert of(checked(server, tmp_path), "order-codings").result is Verdict.WARNING


def test_complete_order_and_reason_codes_pass(tmp_path: Path) -> None:
    (rule,) = DecisionSupport().rules
    codings = {slug: [{"system": LOCAL, "code": slug, "display": slug}] for slug in rule.content.orders}
    reasons = {f"R{number}": item.code for number, item in enumerate(rule.content.override_reasons)}
    with a_server() as server:
        found = checked(server, tmp_path, vendor="epic", order_codings=codings, override_reason_codes=reasons)
    assert of(found, "order-codings").result is of(found, "override-reasons").result is Verdict.PASS


def test_codes_are_looked_for_among_those_of_the_client(tmp_path: Path, keys: KeyServer) -> None:
    coding = {"system": LOCAL, "code": "IMG-1", "display": "MRI"}
    own = client_of(keys, order_codings={"mri-lumbar-spine": [coding]}, override_reason_codes={"7": "pain-not-new"})
    other = client_of(keys, issuer="https://other.example.org")
    with a_server() as server:
        found = checked(server, tmp_path, base_url=BASE_URL, clients=[own, other])
    told = words(of(found, "order-codings"))
    assert f"{ISSUER}: 15 of 16" in told and "https://other.example.org: 16 of 16" in told
    assert of(found, "override-reasons").findings[0].result is Verdict.WARNING
    assert of(found, "override-reasons").findings[1].result is Verdict.PASS


def test_every_vendor_has_facts_with_a_public_source() -> None:
    assert vendors().keys() == {"epic", "oracle-health", "athenahealth", "medplum", "hapi"}
    for vendor in vendors().values():
        assert vendor.facts
        assert all(fact.text and fact.source for fact in vendor.facts)
