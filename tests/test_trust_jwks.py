"""What is taken from a key set, and what is passed over."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.trust.jwks import BadKeySet, read_key_file, read_key_set
from tests.token_maker import Json, base64url, key, key_set

EC, RSA = key(), key(2048, "rsa")


def algorithms(member: Json) -> frozenset[str]:
    """The algorithms of the one key in a set; empty where it is passed over."""
    found = read_key_set(key_set(key(kid="another"), member))
    return found[member["kid"]][0].algorithms if member.get("kid") in found else frozenset()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("P-256", {"ES256"}),
        ("P-384", {"ES384"}),
        ("P-521", {"ES512"}),
        (2048, {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ],
)
def test_a_key_fits_the_algorithms_of_its_type_and_curve(kind: str | int, expected: set[str]) -> None:
    assert algorithms(key(kind).jwk()) == expected


@pytest.mark.parametrize(
    ("declared", "expected"),
    [("RS384", {"RS384"}), ("HS256", set()), ("ES384", set()), ("none", set()), (["RS384"], set())],
)
def test_a_key_that_says_its_algorithm_fits_that_one_only(declared: object, expected: set[str]) -> None:
    assert algorithms(RSA.jwk(alg=declared)) == expected


def test_a_short_rsa_key_is_passed_over() -> None:
    assert not algorithms(key(1024, "short").jwk())
    assert not algorithms(key(2047, "short").jwk())


FITTING: dict[str, Json] = {
    "use absent": {"use": "sig"},
    "key_ops": {"key_ops": ["verify"]},
    "unknown members": {"x5c": ["AAAA"], "x5u": "https://evil.example.org", "x": "y", "issuer": "any"},
    "an id with spaces": {"kid": "a key"},
    "8,192 bits": {"n": base64url(b"\xff" * 1024)},
}


@pytest.mark.parametrize("members", FITTING.values(), ids=FITTING.keys())
def test_what_does_not_concern_the_key_does_not_matter(members: Json) -> None:
    assert algorithms(RSA.jwk(**members))


UNFIT: dict[str, Json] = {
    "for encryption": EC.jwk(use="enc"),
    "for signing only": EC.jwk(key_ops=["sign"]),
    "operations no list": EC.jwk(key_ops="verify"),
    "private": EC.jwk(d="AAAA"),
    "without id": {name: value for name, value in EC.jwk().items() if name != "kid"},
    "id empty": EC.jwk(kid=""),
    "id a number": EC.jwk(kid=7),
    "symmetric": {"kty": "oct", "kid": "s", "k": "AAAA", "alg": "HS256"},
    "edwards": {"kty": "OKP", "kid": "s", "crv": "Ed25519", "x": "A" * 43},
    "unknown type": EC.jwk(kty="XX"),
    "type a list": EC.jwk(kty=["EC"]),
    "no type": {"kid": "s"},
    "unknown curve": EC.jwk(crv="P-999"),
    "a curve for other things": EC.jwk(crv="secp256k1"),
    "curve a list": EC.jwk(crv=["P-384"]),
    "not on the curve": EC.jwk(x="A" * 64),
    "wrong length": EC.jwk(x="AAAA"),
    "no base64": EC.jwk(x="!" * 64),
    "a number for x": EC.jwk(x=7),
    "no y": EC.jwk(y=None),
    "rsa without n": RSA.jwk(n=None),
    "rsa of zero": RSA.jwk(n="AA"),
    "rsa with an even exponent": RSA.jwk(e="Ag"),
    "rsa with the exponent 1": RSA.jwk(e="AQ"),
    "rsa of a million bits": RSA.jwk(n="_" * 170_000),
    "rsa of 8,193 bits": RSA.jwk(n=base64url(b"\x01" + b"\xff" * 1024)),
    "rsa called ec": {**RSA.jwk(), "kty": "EC"},
    "ec called rsa": {**EC.jwk(), "kty": "RSA"},
}


@pytest.mark.parametrize("member", UNFIT.values(), ids=UNFIT.keys())
def test_a_key_that_does_not_fit_is_passed_over_and_hides_no_other(member: Json) -> None:
    good = key(kid="good")
    for members in ((member, good), (good, member)):
        assert list(read_key_set(key_set(*members))) == ["good"]


@pytest.mark.parametrize("stray", ["text", 7, None, [], True])
def test_a_member_that_is_no_key_hides_no_other(stray: object) -> None:
    body = json.dumps({"keys": [stray, EC.jwk()]}).encode()
    assert list(read_key_set(body)) == [EC.kid]


def test_keys_with_the_same_id_are_all_kept() -> None:
    found = read_key_set(key_set(EC, RSA.jwk(kid=EC.kid)))
    assert len(found[EC.kid]) == 2


def test_of_a_set_without_measure_the_first_hundred_keys_are_read() -> None:
    members = [EC.jwk(kid=str(number)) for number in range(101)]
    assert len(read_key_set(key_set(*members))) == 100


NO_SETS: dict[str, bytes] = {
    "empty": b"",
    "no json": b"<html>",
    "not utf-8": b'{"keys": ["\xff"]}',
    "cut off": key_set(EC)[:-2],
    "nested beyond measure": b"[" * 100_000,
    "a list": b"[]",
    "null": b"null",
    "no keys": b"{}",
    "keys an object": b'{"keys": {}}',
    "keys a text": b'{"keys": "abc"}',
    "no key in keys": b'{"keys": []}',
    "no usable key": key_set(EC.jwk(use="enc")),
    "a key without a set": json.dumps(EC.jwk()).encode(),
}


@pytest.mark.parametrize("body", NO_SETS.values(), ids=NO_SETS.keys())
def test_what_holds_no_usable_key_is_no_key_set(body: bytes) -> None:
    with pytest.raises(BadKeySet) as error:
        read_key_set(body)
    assert "html" not in str(error.value)


# --- Files


def pair(kind: str | int = "P-384", **members: object) -> Json:
    """A key with its private part, as developers keep the pair of a test client."""
    owner = key(kind)
    algorithm: Any = RSAAlgorithm if isinstance(kind, int) else ECAlgorithm
    return {**algorithm.to_jwk(owner.private, as_dict=True), "kid": owner.kid, **members}


@pytest.mark.parametrize("kind", ["P-256", "P-384", 2048])
def test_of_a_private_key_in_a_file_the_public_part_is_read(kind: str | int) -> None:
    keys, holds_private = read_key_file(key_set(pair(kind, key_ops=["sign"])))
    (found,) = keys[key(kind).kid]
    assert found.public_key == key(kind).private.public_key() and holds_private


def test_a_file_may_hold_one_key_alone() -> None:
    assert read_key_file(json.dumps(pair()).encode()) == read_key_file(key_set(pair()))
    keys, holds_private = read_key_file(json.dumps(EC.jwk()).encode())
    assert list(keys) == [EC.kid] and not holds_private


def test_a_file_of_public_keys_is_read_as_a_published_set_is() -> None:
    body = key_set(EC, RSA, EC.jwk(use="enc", kid="other"))
    assert read_key_file(body) == (read_key_set(body), False)


def test_a_private_key_that_a_server_publishes_is_passed_over() -> None:
    with pytest.raises(BadKeySet):
        read_key_set(key_set(pair()))


def test_a_symmetric_key_in_a_file_is_none() -> None:
    with pytest.raises(BadKeySet):
        read_key_file(json.dumps({"kty": "oct", "kid": "s", "k": "AAAA", "d": "AAAA"}).encode())


@pytest.mark.parametrize("body", [body for name, body in NO_SETS.items() if name != "a key without a set"])
def test_what_holds_no_usable_key_is_no_key_file(body: bytes) -> None:
    with pytest.raises(BadKeySet):
        read_key_file(body)
