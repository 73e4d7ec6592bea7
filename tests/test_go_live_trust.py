"""The check-list names what is wrong with clients, their keys and their tokens, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Result as Verdict
from cds_service.readiness.go_live import Asked, go_live
from cds_service.settings import make_settings
from tests.builders import NOW, PATIENT_ID
from tests.go_live_lists import (
    a_server,
    checked,
    of,
    with_token,
    words,
)
from tests.token_maker import BASE_URL, ISSUER, KeyServer, key, key_set, token


@pytest.fixture
def keys() -> Iterator[KeyServer]:
    with KeyServer(key_set(key())) as server:
        yield server


def test_a_token_for_this_service_passes(tmp_path: Path, keys: KeyServer) -> None:
    found = with_token(tmp_path, keys, token())
    assert of(found, "call-token").result is of(found, "keys").result is Verdict.PASS, words(of(found, "call-token"))
    assert of(found, "base-url").result is of(found, "clients").result is Verdict.PASS


@pytest.mark.parametrize("as_access_token", [False, True])
def test_a_wrong_audience_is_named_and_so_is_the_base_url_that_fits_it(
    tmp_path: Path, keys: KeyServer, as_access_token: bool
) -> None:
    other = "https://other.example.org/cds-services/breast-cancer-back-pain-patient-view"
    check = of(with_token(tmp_path, keys, token(aud=other), as_access_token), "call-token")
    assert check.result is Verdict.FAIL
    assert f"`aud` is {other}" in words(check)
    assert "set base_url to it" in words(check) and "https://other.example.org," in words(check)


def test_an_audience_that_the_client_may_use_passes(tmp_path: Path, keys: KeyServer) -> None:
    found = with_token(tmp_path, keys, token(aud="sand_man"), audiences=["sand_man"])
    assert of(found, "call-token").result is Verdict.PASS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("no token", "not a signed token"),
        (token(iss="https://stranger.example.org"), "which is no trusted client"),
        (token(key(kid="key-9")), "not in the key set"),
        (token(key("P-384", "key-2"), header={"kid": "key-1"}), "not that of the named key"),
        (token(header={"jku": "https://elsewhere.example.org/keys"}), "set jku of the client"),
        (token(exp=int(NOW.timestamp()) + 90_000), "longer than token_lifetime_seconds"),
        (token(iat=int(NOW.timestamp()) + 900, exp=int(NOW.timestamp()) + 1000), "in the future"),
        (token(iat=None), "`iat` or `exp` is missing"),
    ],
)
def test_whatever_else_is_wrong_with_a_token_is_named(tmp_path: Path, keys: KeyServer, text: str, said: str) -> None:
    check = of(with_token(tmp_path, keys, text), "call-token")
    assert check.result is Verdict.FAIL
    assert said in words(check)


def test_a_token_of_yesterday_will_do(tmp_path: Path, keys: KeyServer) -> None:
    old = int((NOW - timedelta(days=1)).timestamp())
    assert of(with_token(tmp_path, keys, token(iat=old, exp=old + 300)), "call-token").result is Verdict.PASS


def test_keys_that_cannot_be_had_are_named(tmp_path: Path, keys: KeyServer) -> None:
    keys.status = 503
    found = with_token(tmp_path, keys, token())
    assert "has status 503" in words(of(found, "keys"))
    assert of(found, "keys").result is Verdict.FAIL


def test_an_old_key_file_and_one_with_a_private_key_are_named(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(key().jwk(d="AAAA")))
    clients = [{"issuer": ISSUER, "jwks_file": str(file)}]
    with a_server() as server:
        support = DecisionSupport(
            make_settings({"clients": clients, "base_url": BASE_URL, "data_folder": str(tmp_path)})
        )
        later = datetime.now(UTC) + timedelta(days=400)
        found = go_live(Asked(server.base, (PATIENT_ID,)), support, lambda: later)
    assert "ask the client for its present keys" in words(of(found, "keys"))
    assert "holds a private key" in words(of(found, "keys"))


def test_an_unknown_client_and_an_open_service_fail(tmp_path: Path) -> None:
    with a_server() as server:
        found = checked(server, tmp_path, asked={"client": "https://nobody.example.org"})
    assert "whoever reaches the service may call it" in words(of(found, "clients"))
    assert "no such client" in words(of(found, "clients"))
    assert of(found, "base-url").result is Verdict.FAIL
