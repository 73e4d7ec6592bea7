"""Authentication over HTTP: tokens at every route, what a refusal reveals, and how often a client may call."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.decision.open_ledger import open_ledger
from cds_service.settings import Settings, SettingsError, make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, condition, day, request, supplied
from tests.token_maker import BASE_URL, ISSUER, NOW, PATH, bearer, key, key_set, token
from tests.wire_fhir_server import WireFhirServer

CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))
FEEDBACK = {"feedback": [{"card": "f0000000-0000-4000-8000-000000000001", "outcome": "overridden"}]}
ORIGIN = "https://ehr.example.org"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "keys.json").write_bytes(key_set(key()))
    yield tmp_path


def settings_in(folder: Path, client: dict[str, Any] | None = None, **settings: Any) -> Settings:
    trusted = {"issuer": ISSUER, "jwks_file": str(folder / "keys.json")} | (client or {})
    values = {"data_folder": str(folder), "base_url": BASE_URL, "clients": [trusted]}
    return make_settings(values | settings)


def client_in(folder: Path, client: dict[str, Any] | None = None, **settings: Any) -> FlaskClient:
    return make_app(settings_in(folder, client, **settings), lambda: NOW).test_client()


def with_token(**changes: Any) -> dict[str, str]:
    return {"Authorization": bearer(token(**changes))}


def test_a_trusted_client_gets_a_card(folder: Path) -> None:
    response = client_in(folder).post(PATH, json=CALL, headers=with_token())
    assert (response.status_code, len(response.get_json()["cards"])) == (200, 1)


@pytest.mark.parametrize("path", [PATH, f"{PATH}/feedback"])
def test_a_call_without_a_token_is_turned_away_without_a_reason(folder: Path, path: str) -> None:
    response = client_in(folder).post(path, json=CALL)
    assert response.status_code == 401
    assert response.get_json()["issue"][0]["details"]["text"] == "The caller is not authorized."


def test_every_refusal_reads_the_same(folder: Path) -> None:
    client = client_in(folder)
    tokens = [{}, {"Authorization": "Bearer x"}, with_token(aud="https://elsewhere.example.org"), with_token(exp=0)]
    responses = [client.post(PATH, json=CALL, headers=headers) for headers in tokens]
    assert len({response.data for response in responses}) == 1
    assert {response.status_code for response in responses} == {401}


def test_strangers_are_turned_away_before_their_body_is_read(folder: Path) -> None:
    assert client_in(folder).post(PATH, data=b"{", content_type="application/json").status_code == 401


def test_strangers_do_not_learn_which_services_there_are(folder: Path) -> None:
    client = client_in(folder)
    assert client.post("/cds-services/unknown", json=CALL).status_code == 401


def test_discovery_is_open_unless_the_settings_close_it(folder: Path) -> None:
    assert client_in(folder).get("/cds-services").status_code == 200
    closed = client_in(folder, open_discovery=False)
    assert closed.get("/cds-services").status_code == 401
    assert closed.get("/cds-services", headers=with_token(aud=f"{BASE_URL}/cds-services")).status_code == 200


def test_one_token_is_good_for_one_call(folder: Path) -> None:
    client = client_in(folder)
    headers = with_token()
    assert [client.post(PATH, json=CALL, headers=headers).status_code for _ in range(2)] == [200, 401]


def test_two_workers_share_their_memory_of_tokens(folder: Path) -> None:
    headers = with_token()
    workers = [client_in(folder) for _ in range(2)]
    assert [worker.post(PATH, json=CALL, headers=headers).status_code for worker in workers] == [200, 401]


def test_a_token_for_the_feedback_address_is_accepted_there(folder: Path) -> None:
    headers = with_token(aud=f"{BASE_URL}{PATH}/feedback")
    assert client_in(folder).post(f"{PATH}/feedback", json=FEEDBACK, headers=headers).status_code == 200


def test_a_token_for_the_service_is_accepted_with_its_feedback(folder: Path) -> None:
    assert client_in(folder).post(f"{PATH}/feedback", json=FEEDBACK, headers=with_token()).status_code == 200


def test_the_address_is_never_taken_from_the_host_header(folder: Path) -> None:
    headers = with_token(aud=f"https://evil.example.org{PATH}") | {"Host": "evil.example.org"}
    assert client_in(folder).post(PATH, json=CALL, headers=headers).status_code == 401


def test_a_client_may_call_only_its_own_services(folder: Path) -> None:
    client = client_in(folder, {"services": ["breast-cancer-back-pain-order-sign"]})
    assert client.post(PATH, json=CALL, headers=with_token()).status_code == 403


def test_the_ledger_knows_which_client_and_tenant_called(folder: Path) -> None:
    client_in(folder).post(PATH, json=CALL, headers=with_token(tenant="north"))
    ledger = open_ledger(settings_in(folder))
    (row,) = ledger.decisions(NOW.replace(year=2000), NOW.replace(year=2100))
    ledger.close()
    assert (row.client, row.tenant) == (ISSUER, "north")


def test_a_client_reads_only_from_its_own_fhir_servers(folder: Path) -> None:
    with WireFhirServer() as own, WireFhirServer() as other:
        client = client_in(folder, {"fhir_servers": [own.base]}, fhir_servers=[other.base])
        call = request("patient-view") | {"fhirServer": other.base}
        refused = client.post(PATH, json=call, headers=with_token())
        assert refused.status_code == 412
        assert "not allowed" in refused.text
        assert not other.requests


def test_a_strange_caller_makes_the_service_read_nothing(folder: Path) -> None:
    with WireFhirServer() as server:
        client = client_in(folder, fhir_servers=[server.base])
        client.post(PATH, json=request("patient-view") | {"fhirServer": server.base})
        assert not server.requests


def test_a_preflight_needs_no_token(folder: Path) -> None:
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    asked |= {"Access-Control-Request-Headers": "authorization,content-type"}
    response = client_in(folder, {"cors_origins": [ORIGIN]}).options(PATH, headers=asked)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"authorization", "content-type"} <= set(
        response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    )


@pytest.mark.parametrize("origin", [f"{ORIGIN}.evil.example.com", "http://ehr.example.org", "null"])
def test_other_origins_get_no_cors_header(folder: Path, origin: str) -> None:
    response = client_in(folder, {"cors_origins": [ORIGIN]}).post(PATH, json=CALL, headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_a_refusal_carries_the_cors_header_that_lets_the_browser_read_it(folder: Path) -> None:
    response = client_in(folder, {"cors_origins": [ORIGIN]}).post(PATH, json=CALL, headers={"Origin": ORIGIN})
    assert (response.status_code, response.headers["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_credentials_are_never_allowed_across_origins(folder: Path) -> None:
    response = client_in(folder, {"cors_origins": [ORIGIN]}).post(PATH, json=CALL, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_client_that_calls_too_often_is_told_when_to_call_again(folder: Path) -> None:
    client = client_in(folder, {"calls_per_minute": 2})
    responses = [client.post(PATH, json=CALL, headers=with_token()) for _ in range(3)]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert 1 <= int(responses[2].headers["Retry-After"]) <= 60


def test_strangers_do_not_use_up_the_calls_of_a_client(folder: Path) -> None:
    client = client_in(folder, {"calls_per_minute": 1})
    for _ in range(5):
        client.post(PATH, json=CALL, headers={"Authorization": "Bearer x"})
    assert client.post(PATH, json=CALL, headers=with_token()).status_code == 200


def test_the_public_sandbox_is_trusted_in_development_only(folder: Path) -> None:
    sandbox = {"issuer": "https://sandbox.cds-hooks.org"}
    with pytest.raises(SettingsError, match="private key is public"):
        settings_in(folder, sandbox)
    assert settings_in(folder, sandbox, development=True).clients


def test_clients_need_the_public_address_of_the_service(folder: Path) -> None:
    with pytest.raises(SettingsError, match="base_url"):
        settings_in(folder, base_url=None)


def test_the_log_names_the_client_whose_token_was_refused(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    client = client_in(folder)
    client.post(PATH, json=CALL, headers=with_token(aud=BASE_URL))
    client.post(PATH, json=CALL, headers=with_token(iss="https://somebody.example.org"))
    lines = [json.loads(record.message) for record in caplog.records if record.name == "cds_service.requests"]
    assert [(line["refusal"], line["issuer"]) for line in lines] == [("audience", ISSUER), ("unknown-issuer", None)]


def test_the_reason_of_a_refusal_stands_in_the_metrics(folder: Path) -> None:
    client = client_in(folder)
    client.post(PATH, json=CALL, headers=with_token(aud=BASE_URL))
    client.post(PATH, json=CALL)
    text = client.get("/metrics").text
    assert 'cds_refused_total{reason="no-token"} 1.0' in text
    assert 'cds_refused_total{reason="audience"} 1.0' in text
