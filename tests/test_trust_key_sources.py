"""Where the keys of a client come from: its own address and no other, or a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from jwt.algorithms import ECAlgorithm

from cds_service.trust.clients import check_clients
from cds_service.trust.keys import KeysFromFile, KeysUnavailable, key_source
from cds_service.trust.token_verifier import RefusalReason, Refused
from tests.token_maker import ISSUER, PATH, KeyServer, a_client, a_verifier, bearer, key, key_set, token

OLD, NEW = key(kid="old"), key(kid="new")


# --- At the verifier


def test_a_foreign_jku_is_never_asked() -> None:
    with KeyServer(key_set(OLD)) as ours, KeyServer(key_set(NEW)) as foreign:
        client = a_client(jwks_url=ours.url)
        verifier = a_verifier(client, keys=key_source(client))
        for jku in (foreign.url, f"{ours.url}@{foreign.url}", f"{ours.url}/../{foreign.url}", f"{ours.url}#"):
            with pytest.raises(Refused) as refused:
                verifier.verify(bearer(token(NEW, header={"jku": jku})), PATH)
            assert refused.value.reason is RefusalReason.KEY_ADDRESS
        assert (ours.asked, foreign.asked) == ([], [])


def test_a_token_that_is_refused_for_its_form_or_issuer_causes_no_request() -> None:
    with KeyServer(key_set(OLD)) as ours:
        client = a_client(jwks_url=ours.url)
        verifier = a_verifier(client, keys=key_source(client))
        for text in ("x", token(iss="https://evil.example.org"), token(alg="ES384", header={"alg": "none"})):
            with pytest.raises(Refused):
                verifier.verify(bearer(text), PATH)
        assert ours.asked == []


def test_a_gate_reads_the_keys_of_each_client_from_its_own_address() -> None:
    other = "https://other.example.org"
    with KeyServer(key_set(OLD)) as one, KeyServer(key_set(NEW)) as two:
        clients = (a_client(jwks_url=one.url), a_client(issuer=other, jwks_url=two.url))
        verifier = a_verifier(*clients, keys={client.issuer: key_source(client) for client in clients})
        assert verifier.verify(bearer(token(OLD)), PATH).issuer == ISSUER
        assert verifier.verify(bearer(token(NEW, iss=other)), PATH).issuer == other
        with pytest.raises(Refused) as refused:
            verifier.verify(bearer(token(NEW)), PATH)
        assert refused.value.reason is RefusalReason.UNKNOWN_KEY


# --- Files


def changed(path: Path, body: bytes) -> None:
    """Write a file so that it looks changed even within one tick of the file system's clock."""
    path.write_bytes(body)
    later = path.stat().st_mtime_ns + 1_000_000_000
    os.utime(path, ns=(later, later))


def test_a_key_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    keys = KeysFromFile(ISSUER, path)
    assert keys.find("old") and not keys.find("new")
    changed(path, key_set(NEW))
    assert keys.find("new") and not keys.find("old")


@pytest.mark.parametrize("broken", [b"", b"{}", b'{"keys": []}', b'{"keys": ['])
def test_a_broken_key_file_leaves_the_last_good_keys_and_is_logged_once(
    tmp_path: Path, broken: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(key_set(OLD))
    keys = KeysFromFile(ISSUER, path)
    keys.find("old")
    changed(path, broken)
    assert keys.find("old") and keys.find("old")
    assert len(caplog.records) == 1
    path.unlink()
    assert keys.find("old")
    path.write_bytes(key_set(NEW))
    assert keys.find("new")


def test_without_a_key_file_there_are_no_keys_until_there_is_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = a_client(jwks_url=None, jwks_file=str(tmp_path / "keys.json"))
    keys = key_source(client)
    for _ in range(3):
        with pytest.raises(KeysUnavailable):
            keys.find("old")
    assert len(caplog.records) == 1
    (tmp_path / "keys.json").write_bytes(key_set(OLD))
    assert keys.find("old")


def test_a_key_file_with_the_private_part_is_read_with_a_warning_that_shows_nothing_of_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "pair.json"
    assert isinstance(OLD.private, EllipticCurvePrivateKey)
    private = ECAlgorithm.to_jwk(OLD.private, as_dict=True) | {"kid": "old"}
    path.write_bytes(key_set(private))
    keys = KeysFromFile(ISSUER, path)
    assert keys.find("old") and keys.find("old")
    (warned,) = caplog.messages
    assert warned.startswith(f"key file of {ISSUER}: holds a private key, of which only the public part is read")
    assert private["d"] not in caplog.text
    client = a_client(jwks_url=None, jwks_file=str(path))
    check_clients([client], development=False)
    verifier = a_verifier(client, keys=key_source(client))
    assert verifier.verify(bearer(token(OLD)), PATH).issuer == ISSUER
