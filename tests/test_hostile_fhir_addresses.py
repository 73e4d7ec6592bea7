"""A FHIR server that leads elsewhere: by redirects, next pages, visits, proxies. No other server is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    LOW_BACK_PAIN,
    PATIENT_ID,
    condition,
    patient,
    prefetch,
)
from tests.hostile_fhir import (
    CANCER,
    KIND,
    NOT_ALLOWED,
    PAIN,
    TOKEN,
    decide,
    lacking,
    page,
    sends_json,
    why_unknown,
)
from tests.wire_fhir_server import Exchange, WireFhirServer


@pytest.fixture
def elsewhere() -> Iterator[WireFhirServer]:
    """Another server, which would give what is asked for; nothing may arrive there."""
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        yield server
        assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_a_redirect_is_not_followed(elsewhere: WireFhirServer, status: int) -> None:
    to = sends_json(page(CANCER, PAIN), status, Location=f"{elsewhere.base}/Condition?patient={PATIENT_ID}")
    with WireFhirServer(handlers={KIND: to}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


@pytest.mark.parametrize(
    "location", ["/fhir/Condition?page=2", "http://[", "//[::", "\u00ff\u00fe", "http://\u00b2", ""]
)
def test_a_redirect_to_anywhere_is_not_followed(location: str) -> None:
    with WireFhirServer(handlers={KIND: sends_json(page(CANCER, PAIN), 302, Location=location)}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


FOREIGN_PAGES = [
    "{elsewhere}/Condition?page=2",
    "//{elsewhere_host}/fhir/Condition?page=2",
    "http://{host}@{elsewhere_host}/fhir/Condition?page=2",
    "http://{elsewhere_host}#@{host}/fhir/Condition?page=2",
    "ht\ntp://{elsewhere_host}/fhir/Condition?page=2",
    "\\\\{elsewhere_host}\\fhir\\Condition?page=2",
    "http://{elsewhere_host}\\@{host}/fhir/Condition?page=2",
    "http://user@{host}/fhir/Condition?page=2",
    "http://user:secret@{host}/fhir/Condition?page=2",
    "http://@{host}/fhir/Condition?page=2",
    "https://{host}/fhir/Condition?page=2",
    "http://localhost:{port}/fhir/Condition?page=2",
    "http://{host}0/fhir/Condition?page=2",
    "{origin}/admin/Condition?page=2",
    "{origin}/fhirs/Condition?page=2",
    "{origin}/FHIR/Condition?page=2",
    "/admin/Condition?page=2",
    "../admin",
    "../../admin",
    "{base}/../admin",
    "{base}/./../admin",
    "{base}/..",
    "{base}/%2e%2e/admin",
    "{base}/%2E%2E/admin",
    "{base}/.%2e/admin",
    "{base}/..%2fadmin",
    "{base}/..%5cadmin",
    "{base}/..\\admin",
    "{base}/..;/admin",
    "file:///etc/passwd",
    "ftp://{host}/fhir/Condition?page=2",
    "data:application/fhir+json,{{}}",
    "http://[",
    "http://[::1/fhir/Condition?page=2",
    "http://{host}99999/fhir/Condition?page=2",
]


@pytest.mark.parametrize("link", FOREIGN_PAGES)
def test_a_next_page_outside_of_the_base_address_is_not_asked_for(elsewhere: WireFhirServer, link: str) -> None:
    def first(exchange: Exchange) -> None:
        host, other = server.origin.removeprefix("http://"), elsewhere.origin.removeprefix("http://")
        places = {"host": host, "port": host.partition(":")[2], "elsewhere": elsewhere.base, "elsewhere_host": other}
        exchange.resource(page(after=link.format(base=server.base, origin=server.origin, **places)))

    with WireFhirServer(CANCER, PAIN, handlers={KIND: first}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


@pytest.mark.parametrize("link", ["http://[", "https://ehr.example.org/fhir/Condition?page=2", "../admin"])
def test_a_foreign_next_page_leaves_a_gap_behind_what_was_read(link: str) -> None:
    with WireFhirServer(handlers={KIND: sends_json(page(CANCER, PAIN, after=link))}) as server:
        decision = decide(server.base, lacking("conditions"))
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {"conditions": NOT_ALLOWED})


@pytest.mark.parametrize("link", ["{elsewhere}/Condition?page=2", "http://[", "../admin", "file:///etc/passwd"])
def test_a_foreign_next_page_in_the_prefetch_is_not_asked_for(elsewhere: WireFhirServer, link: str) -> None:
    first = page(after=link.format(elsewhere=elsewhere.base))
    with WireFhirServer() as server:
        decide(server.base, prefetch() | {"conditions": first})
        beyond = [query for query in server.asked if f"patient={PATIENT_ID}" not in query]
        beyond = [query for query in beyond if query != f"Patient/{PATIENT_ID}"]
    assert beyond == []


@pytest.mark.parametrize(
    "visit",
    [
        "Encounter/../../x",
        "Encounter/..",
        "Encounter/.",
        "Encounter/%2e%2e",
        "Encounter/e-1?patient=pt-2",
        "Encounter/e-1#1",
        "Encounter/e 1",
        "Encounter/e-1\n",
        "Encounter/e\\..",
        "Encounter/\u0661",
        "Encounter/" + "e" * 65,
        "Encounter?patient=pt-2",
        "Patient/pt-2",
        "https://ehr.example.org/fhir/Encounter/..",
        "https://ehr.example.org/Encounter/@x",
        "//ehr.example.org/Encounter/x@y",
        "urn:uuid:e-1",
        "#e-1",
    ],
)
def test_a_visit_whose_id_bends_the_address_is_not_read(visit: str) -> None:
    pain = condition(LOW_BACK_PAIN, encounter={"reference": visit})
    with WireFhirServer() as server:
        decision = decide(server.base, prefetch(CANCER, pain))
        assert server.asked == []
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_a_visit_on_another_server_is_looked_for_on_the_server_of_the_call(elsewhere: WireFhirServer) -> None:
    pain = condition(LOW_BACK_PAIN, encounter={"reference": f"{elsewhere.base}/Encounter/e-1"})
    with WireFhirServer() as server:
        decide(server.base, prefetch(CANCER, pain))
        assert server.asked == ["Encounter/e-1"]


@pytest.mark.parametrize("lower", [False, True], ids=["upper case", "lower case"])
def test_a_proxy_of_the_environment_is_not_used(
    elsewhere: WireFhirServer, monkeypatch: pytest.MonkeyPatch, lower: bool
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name.lower() if lower else name, elsewhere.origin)
    with WireFhirServer(CANCER, PAIN) as server:
        decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1


@pytest.mark.parametrize("token", ["", TOKEN], ids=["without a token", "with a token"])
def test_passwords_of_the_machine_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login somebody password secret\ndefault login a password b\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with WireFhirServer(CANCER, PAIN) as server:
        decide(server.base, lacking("conditions"), token=token)
        (asked,) = server.requests
    assert asked.headers.get("authorization") == (f"Bearer {token}" if token else None)
