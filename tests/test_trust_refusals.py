"""Every way in which a token is refused, with its reason and how many of the checks it passed before."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from uuid import uuid4

import jwt
import pytest

from cds_service.trust.bearer import LONGEST_TOKEN
from cds_service.trust.jwks import VerifyingKey
from cds_service.trust.keys import KeysUnavailable
from cds_service.trust.token_verifier import RefusalReason, Refused
from tests.token_maker import (
    ISSUER,
    JWKS_URL,
    NOW,
    PATH,
    HeldKeys,
    Json,
    Key,
    a_client,
    a_verifier,
    base64url,
    bearer,
    claims,
    joined,
    key,
    key_set,
    signed,
    token,
)

R = RefusalReason
SECONDS = int(NOW.timestamp())
EVIL = "https://evil.example.org/keys"

EC, RSA = key(), key(2048, "rsa")


def refusal(authorization: str | None, keys: HeldKeys | None = None, algorithms: tuple[str, ...] = ()) -> Refused:
    """Why a call is refused by a client that has an EC and an RSA key."""
    client = a_client(algorithms=algorithms) if algorithms else a_client()
    with pytest.raises(Refused) as refused:
        a_verifier(client, keys=keys or HeldKeys(EC, RSA)).verify(authorization, PATH)
    return refused.value


def hmac_token(secret: bytes, header: Json, alg: str = "HS256") -> str:
    """A token signed with a secret that everybody knows."""
    hashes = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
    head = json.dumps({"typ": "JWT", "alg": alg, **header}).encode()
    return joined(head, json.dumps(claims()).encode(), lambda text: hmac.new(secret, text, hashes[alg]).digest())


def unsigned(alg: str, signature: str = "") -> str:
    head = base64url(json.dumps({"alg": alg, "typ": "JWT", "kid": EC.kid}).encode())
    return f"{head}.{base64url(json.dumps(claims()).encode())}.{signature}"


# --- Refused by its form: no key is looked for


GOOD = token()
HEAD, BODY, SIGNATURE = GOOD.split(".")

BY_FORM: dict[str, tuple[str | None, RefusalReason]] = {
    "no header": (None, R.NO_TOKEN),
    "empty header": ("", R.NO_TOKEN),
    "white space": (" \t ", R.NO_TOKEN),
    "scheme only": ("Bearer", R.NO_TOKEN),
    "scheme and spaces": ("Bearer   ", R.NO_TOKEN),
    "another scheme": (f"Basic {GOOD}", R.NOT_BEARER),
    "no scheme": (GOOD, R.NOT_BEARER),
    "a longer scheme": (f"Bearers {GOOD}", R.NOT_BEARER),
    "a tab between": (f"Bearer\t{GOOD}", R.NOT_BEARER),
    "a line between": (f"Bearer\n{GOOD}", R.NOT_BEARER),
    "one character too long": (f"Bearer {'a' * (LONGEST_TOKEN + 1)}", R.TOO_LONG),
    "very long": (f"Bearer {'a' * 1_000_000}", R.TOO_LONG),
    "as long as may be": (f"Bearer {'a' * LONGEST_TOKEN}", R.MALFORMED),
    "long, in order otherwise": (bearer(token(padding="a" * LONGEST_TOKEN)), R.TOO_LONG),
    "two tokens": (f"Bearer {GOOD} {GOOD}", R.MALFORMED),
    "two headers joined": (f"Bearer {GOOD}, Bearer {GOOD}", R.MALFORMED),
    "two schemes": (f"Bearer Bearer {GOOD}", R.MALFORMED),
    "in quotes": (f'Bearer "{GOOD}"', R.MALFORMED),
    "one part": ("Bearer abc", R.MALFORMED),
    "two parts": (f"Bearer {HEAD}.{BODY}", R.MALFORMED),
    "four parts": (f"Bearer {GOOD}.{BODY}", R.MALFORMED),
    "five parts, encrypted": (f"Bearer {HEAD}.{BODY}.{BODY}.{BODY}.{SIGNATURE}", R.MALFORMED),
    "empty header part": (f"Bearer .{BODY}.{SIGNATURE}", R.MALFORMED),
    "empty claims part": (f"Bearer {HEAD}..{SIGNATURE}", R.MALFORMED),
    "no signature": (f"Bearer {HEAD}.{BODY}.", R.MALFORMED),
    "padding": (f"Bearer {HEAD}.{BODY}.{SIGNATURE}==", R.MALFORMED),
    "standard base64": (f"Bearer {HEAD}.{BODY}.{SIGNATURE[:-1]}+", R.MALFORMED),
    "white space within": (f"Bearer {HEAD}. {BODY}.{SIGNATURE}", R.MALFORMED),
    "a line at the end": (f"Bearer {GOOD}\n", R.MALFORMED),
    "letters that look alike": (f"Bearer {GOOD[:-1]}\u0430", R.MALFORMED),
    "digits of another script": (f"Bearer {GOOD[:-1]}\u0661", R.MALFORMED),
    "a length that base64 cannot have": (f"Bearer {HEAD}.aaaaa.{SIGNATURE}", R.MALFORMED),
    "a zero byte": (f"Bearer {GOOD}\x00", R.MALFORMED),
    "header no JSON": (bearer(joined(b"{", b"{}", lambda text: b"x")), R.MALFORMED),
    "header not UTF-8": (bearer(joined(b'{"alg":"\xff"}', b"{}", lambda text: b"x")), R.MALFORMED),
    "header UTF-16": (bearer(joined('{"alg":"ES384"}'.encode("utf-16"), b"{}", lambda text: b"x")), R.MALFORMED),
    "header a list": (bearer(joined(b"[]", b"{}", lambda text: b"x")), R.MALFORMED),
    "claims a text": (bearer(signed(b'"claims"')), R.MALFORMED),
    "claims null": (bearer(signed(b"null")), R.MALFORMED),
    "claims nested beyond measure": (bearer(signed(b"[" * 3000)), R.MALFORMED),
    "a claim twice": (bearer(signed(json.dumps(claims()).encode()[:-1] + b', "iss": "x"}')), R.MALFORMED),
    "NaN": (bearer(signed(json.dumps(claims(exp=math.nan)).encode())), R.MALFORMED),
    "a number of 5,000 digits": (bearer(signed(b'{"exp": ' + b"9" * 5_000 + b"}")), R.MALFORMED),
    "an access token": (bearer(token(header={"typ": "at+jwt"})), R.TYPE),
    "type a number": (bearer(token(header={"typ": 7})), R.TYPE),
    "type empty": (bearer(token(header={"typ": ""})), R.TYPE),
    "crit": (bearer(token(header={"crit": ["exp"]})), R.CRITICAL),
    "crit empty": (bearer(token(header={"crit": []})), R.CRITICAL),
    "crit of a known extension": (bearer(token(header={"crit": ["b64"], "b64": True})), R.CRITICAL),
    "payload not encoded": (bearer(token(header={"b64": False})), R.CRITICAL),
    "issuer not configured": (bearer(token(iss="https://evil.example.org")), R.UNKNOWN_ISSUER),
    "issuer in capitals": (bearer(token(iss=ISSUER.upper())), R.UNKNOWN_ISSUER),
    "issuer with a slash": (bearer(token(iss=f"{ISSUER}/")), R.UNKNOWN_ISSUER),
    "issuer with a suffix": (bearer(token(iss=f"{ISSUER}.evil.example.org")), R.UNKNOWN_ISSUER),
    "issuer a list": (bearer(token(iss=[ISSUER])), R.UNKNOWN_ISSUER),
    "issuer an object": (bearer(token(iss={})), R.UNKNOWN_ISSUER),
    "no issuer": (bearer(token(iss=None)), R.UNKNOWN_ISSUER),
    "none": (bearer(unsigned("none", "AAAA")), R.ALGORITHM),
    "None": (bearer(unsigned("None", "AAAA")), R.ALGORITHM),
    "NONE": (bearer(unsigned("NONE", "AAAA")), R.ALGORITHM),
    "none without signature": (bearer(unsigned("none")), R.MALFORMED),
    "algorithm empty": (bearer(unsigned("", "AAAA")), R.ALGORITHM),
    "no algorithm": (bearer(token(header={"alg": None})), R.ALGORITHM),
    "algorithm a list": (bearer(token(header={"alg": ["ES384"]})), R.ALGORITHM),
    "algorithm in small letters": (bearer(token(header={"alg": "es384"})), R.ALGORITHM),
    "an algorithm of others": (bearer(token(key("P-256"), "ES256")), R.ALGORITHM),
    "PS for RS": (bearer(token(RSA, "PS384")), R.ALGORITHM),
    "HS256 with the public key as PEM": (bearer(hmac_token(EC.pem(), {"kid": EC.kid})), R.ALGORITHM),
    "HS256 with the RSA key as PEM": (bearer(hmac_token(RSA.pem(), {"kid": RSA.kid})), R.ALGORITHM),
    "HS384 with the key set": (bearer(hmac_token(key_set(EC, RSA), {"kid": EC.kid}, "HS384")), R.ALGORITHM),
    "HS512 with the JWK": (bearer(hmac_token(json.dumps(EC.jwk()).encode(), {"kid": EC.kid}, "HS512")), R.ALGORITHM),
    "HS256 with nothing": (bearer(hmac_token(b"", {"kid": EC.kid})), R.ALGORITHM),
    "another jku": (bearer(token(header={"jku": EVIL})), R.KEY_ADDRESS),
    "jku with ours in front": (bearer(token(header={"jku": f"{JWKS_URL}.evil.example.org"})), R.KEY_ADDRESS),
    "jku with ours as user": (bearer(token(header={"jku": f"{JWKS_URL}@evil.example.org"})), R.KEY_ADDRESS),
    "jku below ours": (bearer(token(header={"jku": f"{JWKS_URL}/../evil"})), R.KEY_ADDRESS),
    "jku with a query": (bearer(token(header={"jku": f"{JWKS_URL}?a"})), R.KEY_ADDRESS),
    "jku in capitals": (bearer(token(header={"jku": JWKS_URL.upper()})), R.KEY_ADDRESS),
    "jku a list": (bearer(token(header={"jku": [JWKS_URL]})), R.KEY_ADDRESS),
    "jku empty": (bearer(token(header={"jku": ""})), R.KEY_ADDRESS),
    "no key id": (bearer(token(header={"kid": None})), R.KEY_ID),
    "key id empty": (bearer(token(header={"kid": ""})), R.KEY_ID),
    "key id a number": (bearer(token(header={"kid": 1})), R.KEY_ID),
    "key id a list": (bearer(token(header={"kid": ["key-1"]})), R.KEY_ID),
}


@pytest.mark.parametrize(("authorization", "reason"), BY_FORM.values(), ids=BY_FORM.keys())
def test_what_is_wrong_in_form_is_refused_before_any_key_is_looked_for(
    authorization: str | None, reason: RefusalReason
) -> None:
    keys = HeldKeys(EC, RSA)
    assert refusal(authorization, keys).reason is reason
    assert keys.asked == []


# --- Refused by its signature


def forged_with(header: Json) -> str:
    """A token of a stranger that brings its own key along."""
    return token(key(kid="stranger"), header={"kid": EC.kid, **header})


def _bit_flipped(text: str) -> str:
    head, body, signature = text.split(".")
    return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _other_claims(text: str) -> str:
    head, _, signature = text.split(".")
    return f"{head}.{base64url(json.dumps(claims(tenant='other')).encode())}.{signature}"


def _other_header(text: str) -> str:
    _, body, signature = text.split(".")
    return f"{base64url(json.dumps({'alg': 'ES384', 'kid': EC.kid}).encode())}.{body}.{signature}"


STRANGER = key(kid="stranger")

BY_SIGNATURE: dict[str, tuple[str, RefusalReason]] = {
    "an unknown key id": (token(STRANGER), R.UNKNOWN_KEY),
    "a key id with a path": (token(header={"kid": "../key-1"}), R.UNKNOWN_KEY),
    "a key id with a query": (token(header={"kid": "key-1' OR '1'='1"}), R.UNKNOWN_KEY),
    "another key under a known id": (token(STRANGER, header={"kid": EC.kid}), R.SIGNATURE),
    "a key in the token": (forged_with({"jwk": STRANGER.jwk(kid=EC.kid)}), R.SIGNATURE),
    "a certificate in the token": (forged_with({"x5c": [base64url(STRANGER.pem())]}), R.SIGNATURE),
    "a certificate's address": (forged_with({"x5u": EVIL, "x5t": "a"}), R.SIGNATURE),
    "one bit of the signature": (_bit_flipped(token()), R.SIGNATURE),
    "other claims": (_other_claims(token()), R.SIGNATURE),
    "another header": (_other_header(token()), R.SIGNATURE),
    "a signature of zeros": (f"{HEAD}.{BODY}.{base64url(bytes(96))}", R.SIGNATURE),
    "a signature too short": (f"{HEAD}.{BODY}.{base64url(bytes(95))}", R.SIGNATURE),
    "a signature of one byte": (f"{HEAD}.{BODY}.AA", R.SIGNATURE),
    "a signature with loose bits": (f"{HEAD}.{BODY}.AB", R.SIGNATURE),
    "RS384 with the id of an EC key": (token(RSA, "RS384", {"kid": EC.kid}), R.SIGNATURE),
    "ES384 with the id of an RSA key": (token(EC, header={"kid": RSA.kid}), R.SIGNATURE),
    "PS384 called RS384": (token(RSA, "PS384", {"alg": "RS384"}), R.SIGNATURE),
    "RS256 called RS384": (token(RSA, "RS256", {"alg": "RS384"}), R.SIGNATURE),
    "a key of another curve": (token(key("P-256"), "ES256", {"alg": "ES384", "kid": EC.kid}), R.SIGNATURE),
}


@pytest.mark.parametrize(("text", "reason"), BY_SIGNATURE.values(), ids=BY_SIGNATURE.keys())
def test_what_no_key_of_the_client_signed_is_refused(text: str, reason: RefusalReason) -> None:
    refused = refusal(bearer(text))
    assert refused.reason is reason
    assert refused.issuer == ISSUER


@pytest.mark.parametrize(("alg", "called"), [("RS384", "PS384"), ("PS384", "RS384"), ("RS256", "RS512")])
def test_an_algorithm_is_not_swapped_even_where_both_are_allowed(alg: str, called: str) -> None:
    text = token(RSA, alg, {"alg": called})
    assert refusal(bearer(text), algorithms=(alg, called)).reason is R.SIGNATURE


def test_a_key_that_says_its_algorithm_is_used_for_no_other() -> None:
    keys = HeldKeys(RSA.jwk(alg="RS384"))
    assert refusal(bearer(token(RSA, "PS384")), keys, ("RS384", "PS384")).reason is R.SIGNATURE


def test_the_keys_of_one_client_do_not_serve_another() -> None:
    other = "https://other.example.org"
    verifier = a_verifier(a_client(), a_client(issuer=other), keys={ISSUER: HeldKeys(EC), other: HeldKeys(STRANGER)})
    assert verifier.verify(bearer(token(STRANGER, iss=other)), PATH).issuer == other
    with pytest.raises(Refused) as refused:
        verifier.verify(bearer(token(STRANGER)), PATH)
    assert refused.value.reason is R.UNKNOWN_KEY


def test_of_two_keys_with_the_same_id_either_may_have_signed() -> None:
    twin = Key(EC.kid, STRANGER.private)
    verifier = a_verifier(keys=HeldKeys(EC, twin, Key(EC.kid, RSA.private)))
    for signer, alg in ((EC, "ES384"), (twin, "ES384"), (Key(EC.kid, RSA.private), "RS384")):
        assert verifier.verify(bearer(token(signer, alg)), PATH).issuer == ISSUER


def test_a_token_is_refused_where_its_keys_cannot_be_had() -> None:
    class NoKeys:
        def find(self, kid: str) -> tuple[VerifyingKey, ...]:
            raise KeysUnavailable

    with pytest.raises(Refused) as refused:
        a_verifier(keys=NoKeys()).verify(bearer(token()), PATH)
    assert refused.value.reason is R.KEY_SERVER


def test_a_token_may_carry_no_jku_where_none_is_configured() -> None:
    client = a_client(jwks_url=None, jwks_file="keys.json")
    with pytest.raises(Refused) as refused:
        a_verifier(client).verify(bearer(token(header={"jku": JWKS_URL})), PATH)
    assert refused.value.reason is R.KEY_ADDRESS


def test_a_configured_jku_stands_beside_a_key_file() -> None:
    client = a_client(jwks_url=None, jwks_file="keys.json", jku="https://ehr.example.org/public-keys")
    called = token(header={"jku": "https://ehr.example.org/public-keys"})
    assert a_verifier(client).verify(bearer(called), PATH).issuer == ISSUER


# --- What a refusal says


REASONS_BY_CLAIM = {R.TIMES, R.LIFETIME, R.ISSUED_IN_FUTURE, R.NOT_YET_VALID, R.EXPIRED, R.AUDIENCE, R.TENANT}
# Refused in test_trust_claims and test_trust_token_verifier.
REASONS_ELSEWHERE = REASONS_BY_CLAIM | {R.TOKEN_ID, R.REPLAYED, R.KEY_SERVER}


def test_every_reason_is_reached_by_a_test() -> None:
    reached = {reason for _, reason in (*BY_FORM.values(), *BY_SIGNATURE.values())}
    assert reached | REASONS_ELSEWHERE == set(RefusalReason)


@pytest.mark.parametrize(
    "text", [token(iss="Zq7351Zq"), token(header={"kid": "Zq7351Zq"}), token(jti="Zq7351Zq", exp=1)]
)
def test_a_refusal_repeats_nothing_of_the_token(text: str) -> None:
    refused = refusal(bearer(text))
    said = f"{refused!s} {refused!r} {refused.args} {refused.issuer}"
    assert "Zq7351Zq" not in said
    assert not any(part in said for part in text.split("."))


def test_a_refusal_holds_on_to_no_error_that_holds_the_token() -> None:
    refused = refusal(bearer(signed(b'{"iss": Zq7351Zq}')))
    assert (refused.__context__, refused.__cause__) == (None, None)


def test_an_issuer_is_named_only_where_it_is_configured() -> None:
    assert refusal(bearer(token(iss="https://evil.example.org"))).issuer == ""
    assert refusal(bearer(token(aud="x"))).issuer == ISSUER


def test_our_tokens_are_what_the_library_makes_of_the_same_claims() -> None:
    made = jwt.encode(claims(jti=str(uuid4())), EC.private, "ES384", {"kid": EC.kid})
    assert a_verifier().verify(bearer(made), PATH).issuer == ISSUER
