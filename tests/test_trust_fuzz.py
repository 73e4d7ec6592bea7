"""Whatever arrives as a token, the verifier admits it or refuses it: nothing else ever comes out."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.trust.jwks import BadKeySet, read_key_set
from cds_service.trust.token_verifier import NotPermitted, Refused, VerifiedClient
from tests.token_maker import (
    BASE_URL,
    ISSUER,
    JWKS_URL,
    NOW,
    PATH,
    Json,
    a_client,
    a_verifier,
    bearer,
    claims,
    joined,
    key,
    signed,
    token,
)

SECONDS = int(NOW.timestamp())

# One token for all examples: an example must mean the same when it is tried again. Each verifier sees it first.
GOOD = token()

# A busy machine is no fault of the verifier.
untimed = settings(deadline=None)


def json_values(numbers: st.SearchStrategy[float]) -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=10,
    )


STRICT_JSON = json_values(st.floats(allow_nan=False, allow_infinity=False))
# Python writes NaN and Infinity, and so may a client.
JSON = json_values(st.floats())

HEADER_NAMES = ["alg", "typ", "kid", "jku", "jwk", "x5u", "x5c", "crit", "b64", "cty", "zip"]
HEADER_VALUES = JSON | st.sampled_from(["ES384", "RS384", "none", "HS256", "JWT", "key-1", JWKS_URL, ["exp"]])
CLAIM_NAMES = ["iss", "aud", "exp", "iat", "nbf", "jti", "tenant", "sub"]
CLAIM_VALUES = JSON | st.sampled_from([ISSUER, f"{BASE_URL}{PATH}", [f"{BASE_URL}{PATH}"], SECONDS, SECONDS + 300, "x"])


def outcome(authorization: str | None, path: str = PATH) -> VerifiedClient | Refused | NotPermitted:
    """What the verifier makes of a header. Any other exception ends the test."""
    try:
        return a_verifier(a_client(services=["breast-cancer-back-pain-patient-view"])).verify(authorization, path)
    except (Refused, NotPermitted) as refusal:
        return refusal


@untimed
@given(st.text() | st.text().map(bearer) | st.binary().map(lambda data: bearer(data.decode("latin-1"))))
def test_no_text_is_admitted_by_chance(text: str) -> None:
    assert isinstance(outcome(text), Refused)


@untimed
@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=100))
def test_no_bytes_in_the_three_parts_are_admitted_by_chance(header: bytes, payload: bytes, signature: bytes) -> None:
    assert isinstance(outcome(bearer(joined(header, payload, lambda _: signature))), Refused)


@untimed
@given(st.data())
def test_a_token_with_one_change_is_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(GOOD) - 1))
    character = data.draw(st.characters(max_codepoint=255).filter(lambda drawn: drawn != GOOD[place]))
    change = data.draw(st.sampled_from([character, f"{GOOD[place]}{character}", ""]))
    # White space at the end belongs to the header and not to the token.
    changed = f"{GOOD[:place]}{change}{GOOD[place + 1 :]}".strip(" \t")
    if changed != GOOD:
        assert isinstance(outcome(bearer(changed)), Refused)


@untimed
@given(st.integers(0, len(GOOD) - 1))
def test_a_token_that_is_cut_off_is_refused(length: int) -> None:
    assert isinstance(outcome(bearer(GOOD[:length])), Refused)


def test_the_token_that_is_changed_here_is_a_good_one() -> None:
    assert isinstance(outcome(bearer(GOOD)), VerifiedClient)


@untimed
@given(st.dictionaries(st.sampled_from(HEADER_NAMES), HEADER_VALUES, min_size=1, max_size=4))
def test_any_header_under_a_good_signature_is_admitted_or_refused(header: Json) -> None:
    result = outcome(bearer(token(header=header)))
    if isinstance(result, VerifiedClient):
        assert header.get("alg", "ES384") == "ES384"
        assert header.get("kid", "key-1") == "key-1"
        assert header.get("jku") in (None, JWKS_URL)
        assert (header.get("crit"), header.get("b64")) == (None, None)


@untimed
@given(st.dictionaries(st.sampled_from(CLAIM_NAMES), CLAIM_VALUES, min_size=1, max_size=4))
def test_any_claims_under_a_good_signature_are_admitted_or_refused(changes: Json) -> None:
    payload: dict[str, Any] = claims() | changes
    result = outcome(bearer(signed(json.dumps(payload).encode())))
    if isinstance(result, VerifiedClient):
        assert payload["iss"] == ISSUER
        assert f"{BASE_URL}{PATH}" in (payload["aud"] if isinstance(payload["aud"], list) else [payload["aud"]])
        assert payload["exp"] + 30 > SECONDS
        assert isinstance(payload["jti"], str)


@untimed
@given(JSON)
def test_any_json_under_a_good_signature_is_refused(payload: object) -> None:
    assert isinstance(outcome(bearer(signed(json.dumps(payload).encode()))), Refused)


@untimed
@given(st.text(max_size=80))
def test_no_path_is_answered_for_a_token_of_another_address(path: str) -> None:
    result = outcome(bearer(token(aud="https://elsewhere.example.org/cds-services")), f"/{path}")
    assert isinstance(result, Refused)


@untimed
@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps({"keys": value}).encode()))
def test_no_bytes_make_a_key_set_fail_otherwise(body: bytes) -> None:
    try:
        read_key_set(body)
    except BadKeySet:
        return
    raise AssertionError("a key by chance")


@untimed
@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "d", "alg", "use", "key_ops", "kid"]),
        STRICT_JSON | st.sampled_from(["EC", "RSA", "oct", "P-384", "P-256", "AQAB", "sig", "A" * 64, "_" * 342]),
        max_size=6,
    )
)
def test_no_strange_key_hides_a_good_one(members: Json) -> None:
    strange = key().jwk() | {"kid": "strange"} | members
    assert "good" in read_key_set(json.dumps({"keys": [strange, key(kid="good").jwk()]}).encode())
