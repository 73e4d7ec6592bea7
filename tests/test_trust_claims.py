"""Times, tenant and id in a token's claims: each limit from both sides, and values of a wrong type."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from cds_service.trust.claims import TimeLimits, check_times
from cds_service.trust.token_verifier import RefusalReason, Refused
from tests.token_maker import ISSUER, NOW, PATH, Json, a_verifier, bearer, claims, signed, token

R = RefusalReason
SECONDS = int(NOW.timestamp())
LEEWAY, HOUR = 30, 3600


def outcome_of(**changes: Any) -> str:
    """The reason for which a token with these claims is refused, or `admitted`."""
    try:
        a_verifier().verify(bearer(token(**changes)), PATH)
    except Refused as refused:
        return str(refused.reason)
    return "admitted"


def answer_to(text: str) -> str:
    """The same for a payload as text: for what Python's JSON cannot write."""
    try:
        a_verifier().verify(bearer(signed(text.encode())), PATH)
    except Refused as refused:
        return str(refused.reason)
    return "admitted"


# --- Times


@pytest.mark.parametrize(
    ("seconds_ago", "expected"),
    [(-1, "admitted"), (0, "admitted"), (LEEWAY - 1, "admitted"), (LEEWAY, R.EXPIRED), (LEEWAY + 1, R.EXPIRED)],
)
def test_a_token_ends_when_the_leeway_after_its_expiry_has_passed(seconds_ago: int, expected: str) -> None:
    assert outcome_of(exp=SECONDS - seconds_ago, iat=SECONDS - 100) == expected


@pytest.mark.parametrize(("ahead", "expected"), [(0, "admitted"), (LEEWAY, "admitted"), (LEEWAY + 1, R.NOT_YET_VALID)])
def test_a_token_begins_the_leeway_before_its_nbf(ahead: int, expected: str) -> None:
    assert outcome_of(nbf=SECONDS + ahead) == expected


def test_the_nbf_of_epic_five_minutes_before_the_issue_is_admitted() -> None:
    assert outcome_of(nbf=SECONDS - 300) == "admitted"


@pytest.mark.parametrize(
    ("ahead", "expected"), [(0, "admitted"), (LEEWAY, "admitted"), (LEEWAY + 1, R.ISSUED_IN_FUTURE)]
)
def test_a_token_may_be_issued_ahead_of_our_clock_by_the_leeway(ahead: int, expected: str) -> None:
    assert outcome_of(iat=SECONDS + ahead, exp=SECONDS + 300) == expected


@pytest.mark.parametrize(
    ("lifetime", "expected"),
    [(-1, R.LIFETIME), (0, "admitted"), (HOUR - 1, "admitted"), (HOUR, "admitted"), (HOUR + 1, R.LIFETIME)],
)
def test_a_token_lives_an_hour_at_most_and_does_not_end_before_it_begins(lifetime: int, expected: str) -> None:
    assert outcome_of(exp=SECONDS + lifetime) == expected


def test_an_old_token_of_allowed_lifetime_is_admitted_until_its_end() -> None:
    assert outcome_of(iat=SECONDS - HOUR, exp=SECONDS) == "admitted"


def test_a_token_with_several_faults_of_time_is_refused_once() -> None:
    assert outcome_of(iat=SECONDS + 9999, exp=SECONDS - 9999) == R.LIFETIME


def test_the_moment_of_forgetting_is_the_expiry_with_the_leeway() -> None:
    ends = check_times({"iat": 1000, "exp": 1300}, 1100, TimeLimits(leeway=30, lifetime=3600))
    assert ends == 1330


NO_TIMES: dict[str, object] = {
    "a text": str(SECONDS),
    "a date": "2026-11-22T12:00:00Z",
    "true": True,
    "false": False,
    "a list": [SECONDS],
    "an object": {},
    "negative": -1,
    "milliseconds": SECONDS * 1000,
    "beyond every date": 253_402_300_800,
    "huge": 10**300,
    "huge with fraction": 1e300,
}


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", NO_TIMES.values(), ids=NO_TIMES.keys())
def test_a_moment_is_a_number_of_seconds(name: str, value: object) -> None:
    assert outcome_of(**{name: value}) == R.TIMES


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_malformed(name: str, number: str) -> None:
    text = json.dumps(claims(**{name: "here"})).replace('"here"', number)
    assert answer_to(text) == R.MALFORMED


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "null"])
def test_a_number_that_overflows_and_null_are_no_moment(name: str, number: str) -> None:
    text = json.dumps(claims(**{name: "here"})).replace('"here"', number)
    assert answer_to(text) == R.TIMES


# --- Claims that must be there


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("iss", R.UNKNOWN_ISSUER),
        ("aud", R.AUDIENCE),
        ("exp", R.TIMES),
        ("iat", R.TIMES),
        ("jti", R.TOKEN_ID),
        ("nbf", "admitted"),
        ("tenant", "admitted"),
        ("sub", "admitted"),
    ],
)
def test_the_claims_that_the_specification_asks_for_must_be_there(name: str, expected: str) -> None:
    usual = claims(nbf=SECONDS, tenant="north", sub="us")
    del usual[name]
    assert answer_to(json.dumps(usual)) == expected


def test_a_token_without_claims_is_refused() -> None:
    assert answer_to("{}") == R.UNKNOWN_ISSUER


# --- The id


@pytest.mark.parametrize("token_id", ["x", "x" * 255, "ä ß 漢", "a/b?c", "' OR 1=1 --"])
def test_any_short_text_is_an_id(token_id: str) -> None:
    assert outcome_of(jti=token_id) == "admitted"


NO_IDS: dict[str, object] = {
    "empty": "",
    "too long": "x" * 256,
    "a number": 1,
    "zero": 0,
    "true": True,
    "a list": ["x"],
    "an object": {},
    "a zero byte": "a\u0000",
    "a line": "a\nb",
    "half a character": "\ud800",
}


@pytest.mark.parametrize("token_id", NO_IDS.values(), ids=NO_IDS.keys())
def test_what_cannot_be_kept_is_no_id(token_id: object) -> None:
    assert outcome_of(jti=token_id) == R.TOKEN_ID


# --- The configured limits


@pytest.mark.parametrize(("later", "expected"), [(9, "admitted"), (10, R.EXPIRED)])
def test_leeway_and_lifetime_are_as_configured(later: int, expected: str) -> None:
    limits = TimeLimits(leeway=10, lifetime=60)
    given: Json = {"iat": SECONDS - 60, "exp": SECONDS}
    moment = (NOW + timedelta(seconds=later)).timestamp()
    if expected == "admitted":
        assert check_times(given, moment, limits) == SECONDS + 10
        return
    with pytest.raises(Refused) as refused:
        check_times(given, moment, limits)
    assert refused.value.reason == expected


def test_the_issuer_that_was_admitted_is_the_one_that_signed() -> None:
    assert a_verifier().verify(bearer(token()), PATH).issuer == ISSUER
