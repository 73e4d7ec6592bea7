"""The table of trusted clients: what a mistake in it says, and what is refused outside development."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cds_service.trust.clients import SANDBOX_ISSUER, TrustedClient, check_clients
from tests.token_maker import ISSUER, JWKS_URL, a_client, key, key_set

OTHER = "https://other.example.org"
SANDBOX_KEYS = f"{SANDBOX_ISSUER}/.well-known/jwks.json"


def problems(**values: Any) -> str:
    """What is said of a client with these values, fields and messages."""
    with pytest.raises(ValidationError) as raised:
        TrustedClient.model_validate(values)
    return "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in raised.value.errors())


def test_issuer_and_keys_are_enough() -> None:
    client = TrustedClient(issuer=ISSUER, jwks_url=JWKS_URL)
    assert client.algorithms == ("ES384", "RS384")
    assert (client.audiences, client.tenants, client.services, client.fhir_servers, client.cors_origins) == ((),) * 5
    assert client.calls_per_minute is None


@pytest.mark.parametrize("name", TrustedClient.model_fields)
def test_every_field_says_what_it_means(name: str) -> None:
    assert TrustedClient.model_fields[name].description


def test_lists_and_a_path_are_read_as_toml_and_json_give_them() -> None:
    client = TrustedClient.model_validate(
        {
            "issuer": ISSUER,
            "label": "Main hospital",
            "jwks_file": "keys.json",
            "algorithms": ["ES256"],
            "fhir_servers": ["HTTPS://EHR.example.org:443/fhir/"],
            "cors_origins": ["https://ehr.example.org"],
        }
    )
    assert client.jwks_file == Path("keys.json")
    assert client.fhir_servers == ("https://ehr.example.org/fhir",)


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example.org/keys",
        "https://ehr.example.org:8443/keys?policy=a%20b",
        "https://10.1.2.3/keys",
        "https://[2001:db8::1]/keys",
        "http://127.0.0.1:8080/keys",
        "http://localhost/keys",
        "http://[::1]:8080/keys",
    ],
)
def test_keys_come_by_https_or_from_this_machine(url: str) -> None:
    assert TrustedClient(issuer=ISSUER, jwks_url=url).expected_jku == url


BAD_ADDRESSES = [
    ("ehr.example.org/keys", "is not an https URL"),
    ("file:///etc/keys", "is not an https URL"),
    ("ftp://ehr.example.org/keys", "is not an https URL"),
    ("https://", "is not an https URL"),
    ("https://:443/keys", "is not an https URL"),
    ("https://ehr.example.org:0/keys", "is not an https URL"),
    ("https://ehr.example.org:keys/", "is not a URL"),
    ("https://[2001:db8::1/keys", "is not a URL"),
    ("http://ehr.example.org/keys", "must use https"),
    ("http://127.0.0.1.example.org/keys", "must use https"),
    ("http://169.254.169.254/latest", "must use https"),
    ("http://0.0.0.0/keys", "must use https"),
    ("https://user:Zq7351Zq@ehr.example.org/keys", "must not hold a user or password"),
    ("https://@ehr.example.org/keys", "must not hold a user or password"),
    ("http://127.0.0.1@ehr.example.org/keys", "must not hold a user or password"),
    ("https://ehr.example.org/keys#a", "must be a plain address"),
    ("https://ehr.example.org/keys#", "must be a plain address"),
    ("https://ehr.example.org/a b", "must be a plain address"),
    ("https://ehr.example.org\\@evil.example.org/", "must"),
    ("https://ehr.exämple.org/keys", "must be a plain address"),
]


@pytest.mark.parametrize(("url", "problem"), BAD_ADDRESSES)
def test_an_address_that_keys_cannot_come_from_is_refused(url: str, problem: str) -> None:
    said = problems(issuer=ISSUER, jwks_url=url)
    assert said.startswith("jwks_url: ")
    assert problem in said


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"issuer": ""}, "issuer"),
    ({"issuer": "a b"}, "issuer"),
    ({"issuer": "a\nb"}, "issuer"),
    ({"issuer": "x" * 256}, "issuer"),
    ({"issuer": "anonymous"}, "issuer"),
    ({"issuer": "*"}, "issuer"),
    ({"issuer": 7}, "issuer"),
    ({"algorithms": []}, "algorithms"),
    ({"algorithms": ["HS256"]}, "algorithms.0"),
    ({"algorithms": ["none"]}, "algorithms.0"),
    ({"algorithms": ["ES384", "es384"]}, "algorithms.1"),
    ({"algorithms": "ES384"}, "algorithms"),
    ({"audiences": [""]}, "audiences.0"),
    ({"tenants": ["a b"]}, "tenants.0"),
    ({"services": [7]}, "services.0"),
    ({"fhir_servers": ["https://ehr.example.org/fhir", "http://ehr.example.org"]}, "fhir_servers"),
    ({"fhir_servers": ["https://*.example.org"]}, "fhir_servers"),
    ({"cors_origins": ["*"]}, "cors_origins.0"),
    ({"cors_origins": ["https://ehr.example.org/"]}, "cors_origins.0"),
    ({"cors_origins": ["null"]}, "cors_origins.0"),
    ({"calls_per_minute": 0}, "calls_per_minute"),
    ({"calls_per_minute": 1.5}, "calls_per_minute"),
    ({"calls_per_minute": True}, "calls_per_minute"),
    ({"label": ""}, "label"),
    ({"jku": ""}, "jku"),
    ({"secret": "Zq7351Zq"}, "secret"),
]


@pytest.mark.parametrize(("values", "field"), WRONG)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(values: dict[str, Any], field: str) -> None:
    said = problems(**{"issuer": ISSUER, "jwks_url": JWKS_URL, **values})
    assert said.startswith(f"{field}: ")


@pytest.mark.parametrize("sources", [{}, {"jwks_url": JWKS_URL, "jwks_file": "keys.json"}])
def test_keys_come_from_an_address_or_a_file_and_not_from_both(sources: dict[str, Any]) -> None:
    assert "either 'jwks_url' or 'jwks_file'" in problems(issuer=ISSUER, **sources)


def test_what_is_wrong_is_said_without_what_was_given() -> None:
    secret = "https://user:Zq7351Zq@ehr.example.org/keys"
    with pytest.raises(ValidationError) as raised:
        TrustedClient.model_validate({"issuer": ISSUER, "jwks_url": secret, "fhir_servers": [secret]})
    assert "Zq7351Zq" not in "".join(traceback.format_exception(raised.value))


def test_a_client_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        a_client().issuer = OTHER  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, JWKS_URL),
        ({"jku": "https://ehr.example.org/other"}, "https://ehr.example.org/other"),
        ({"jwks_url": None, "jwks_file": "keys.json"}, None),
        ({"jwks_url": None, "jwks_file": "keys.json", "jku": "urn:keys"}, "urn:keys"),
    ],
)
def test_the_jku_that_a_token_may_carry_is_the_configured_one(values: dict[str, Any], expected: str | None) -> None:
    assert a_client(**values).expected_jku == expected


# --- The table as a whole


def test_a_table_in_order_raises_nothing() -> None:
    check_clients([a_client(), a_client(issuer=OTHER)], development=False)
    check_clients([], development=False)


def test_an_issuer_occurs_once() -> None:
    with pytest.raises(ValueError, match=f"'{ISSUER}' occurs 2 times"):
        check_clients([a_client(), a_client(issuer=OTHER), a_client(tenants=["north"])], development=True)


SANDBOXES: list[dict[str, Any]] = [
    {"issuer": SANDBOX_ISSUER},
    {"issuer": f"{SANDBOX_ISSUER}/"},
    {"issuer": SANDBOX_ISSUER.upper()},
    {"issuer": f"{SANDBOX_ISSUER}:443"},
    {"issuer": f"{SANDBOX_ISSUER}."},
    {"issuer": OTHER, "jwks_url": SANDBOX_KEYS},
    {"issuer": OTHER, "jwks_url": SANDBOX_KEYS.upper()},
    {"issuer": OTHER, "jku": SANDBOX_KEYS},
]


@pytest.mark.parametrize("values", SANDBOXES)
def test_the_public_sandbox_is_refused_outside_development(values: dict[str, Any]) -> None:
    client = TrustedClient.model_validate({"jwks_url": JWKS_URL, **values})
    with pytest.raises(ValueError, match="private key is public"):
        check_clients([client], development=False)
    check_clients([client], development=True)


@pytest.mark.parametrize("issuer", ["https://sandbox.cds-hooks.org.example.org", "urn:ehr", "https://[", "sandbox"])
def test_a_client_that_is_not_the_sandbox_is_not_taken_for_it(issuer: str) -> None:
    check_clients([a_client(issuer=issuer)], development=False)


def test_a_key_file_is_read_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    client = a_client(jwks_url=None, jwks_file=str(path))
    with pytest.raises(ValueError, match=f"'jwks_file' of '{ISSUER}' cannot be read"):
        check_clients([client], development=False)
    path.write_text('{"keys": []}')
    with pytest.raises(ValueError, match="holds no usable key"):
        check_clients([client], development=False)
    path.write_bytes(key_set(key()))
    check_clients([client], development=False)
