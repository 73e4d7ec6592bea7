"""Which tokens are accepted: as real clients send them, for the address called, and for the services of a client."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from cds_service.trust.replay import InProcessReplay
from cds_service.trust.token_verifier import NotPermitted, RefusalReason, Refused, TokenVerifier, VerifiedClient
from tests.token_maker import (
    BASE_URL,
    ISSUER,
    JWKS_URL,
    NOW,
    PATH,
    SERVICE,
    HeldKeys,
    Json,
    a_client,
    a_verifier,
    bearer,
    key,
    token,
)

DISCOVERY = "/cds-services"
FEEDBACK = f"{PATH}/feedback"
SECONDS = int(NOW.timestamp())


# --- Tokens in the shapes that clients send


def test_a_token_in_the_shape_of_the_public_sandbox_is_admitted() -> None:
    header = {"jku": JWKS_URL}
    assert a_verifier().verify(bearer(token(header=header)), PATH) == VerifiedClient(ISSUER, "")


def test_feedback_of_the_public_sandbox_expires_when_it_is_issued_and_is_admitted() -> None:
    called = token(aud=f"{BASE_URL}{FEEDBACK}", exp=SECONDS)
    assert a_verifier().verify(bearer(called), FEEDBACK).issuer == ISSUER


def test_a_token_in_the_shape_of_epic_is_admitted() -> None:
    signer = key(2048, "epic")
    called = token(signer, "RS384", {"jku": JWKS_URL}, nbf=SECONDS - 300, sub="our-client-id", exp=SECONDS + 300)
    assert a_verifier(keys=HeldKeys(signer)).verify(bearer(called), PATH).issuer == ISSUER


@pytest.mark.parametrize(
    ("alg", "kind"),
    [("ES256", "P-256"), ("ES384", "P-384"), ("ES512", "P-521")]
    + [(f"{family}{bits}", 2048) for family in ("RS", "PS") for bits in (256, 384, 512)],
)
def test_every_algorithm_that_can_be_configured_works(alg: str, kind: str | int) -> None:
    signer = key(kind)
    verifier = a_verifier(a_client(algorithms=[alg]), keys=HeldKeys(signer))
    assert verifier.verify(bearer(token(signer, alg)), PATH).issuer == ISSUER


@pytest.mark.parametrize("typ", ["JWT", "jwt", "application/jwt", None])
def test_the_type_is_a_jwt_in_any_case_or_not_said(typ: str | None) -> None:
    assert a_verifier().verify(bearer(token(header={"typ": typ})), PATH).issuer == ISSUER


@pytest.mark.parametrize("header", ["bearer {}", "BEARER {}", "Bearer   {}", "  Bearer {}\t"])
def test_the_scheme_is_read_in_any_case_with_any_spaces_around_the_token(header: str) -> None:
    assert a_verifier().verify(header.format(token()), PATH).issuer == ISSUER


def test_times_may_have_fractions_of_a_second() -> None:
    assert a_verifier().verify(bearer(token(iat=SECONDS - 0.5, exp=SECONDS + 0.5)), PATH).issuer == ISSUER


def test_claims_that_are_not_known_are_passed_over() -> None:
    assert a_verifier().verify(bearer(token(sub=7, scope=["any"], extension={"a": None})), PATH).issuer == ISSUER


def test_the_caller_brings_what_its_configuration_allows() -> None:
    client = a_client(fhir_servers=["https://EHR.example.org/fhir/"], calls_per_minute=600, tenants=["north"])
    caller = a_verifier(client).verify(bearer(token(tenant="north")), PATH)
    assert caller == VerifiedClient(ISSUER, "north", ("https://ehr.example.org/fhir",), 600)


def test_without_a_clock_of_its_own_the_gate_goes_by_that_of_the_machine() -> None:
    keys = HeldKeys(key())
    verifier = TokenVerifier([a_client()], BASE_URL, InProcessReplay(), keys=lambda client: keys)
    now = int(datetime.now(UTC).timestamp())
    assert verifier.verify(bearer(token(iat=now, exp=now + 300)), PATH).issuer == ISSUER
    with pytest.raises(Refused) as refused:
        verifier.verify(bearer(token(iat=now - 600, exp=now - 300)), PATH)
    assert refused.value.reason is RefusalReason.EXPIRED


# --- The address called


ADDRESSES = [
    (DISCOVERY, "/cds-services"),
    (DISCOVERY, "/cds-services/"),
    (PATH, PATH),
    (PATH, f"{PATH}/"),
    (PATH, f"/cds-services//{SERVICE}"),
    (FEEDBACK, FEEDBACK),
    (FEEDBACK, f"/cds-services//{SERVICE}/feedback"),
    (FEEDBACK, PATH),
    (FEEDBACK, f"/cds-services//{SERVICE}"),
    ("/evidence", "/evidence"),
]


@pytest.mark.parametrize(("path", "named"), ADDRESSES)
def test_the_audience_is_the_address_called_as_clients_write_it(path: str, named: str) -> None:
    assert a_verifier().verify(bearer(token(aud=f"{BASE_URL}{named}")), path).issuer == ISSUER


@pytest.mark.parametrize("path", [f"/cds-services//{SERVICE}", f"{PATH}/", f"//cds-services/{SERVICE}//"])
def test_slashes_in_the_path_called_change_nothing(path: str) -> None:
    assert a_verifier().verify(bearer(token()), path).issuer == ISSUER


def test_the_audience_may_be_one_of_a_list() -> None:
    called = token(aud=["https://other.example.org", f"{BASE_URL}{PATH}"])
    assert a_verifier().verify(bearer(called), PATH).issuer == ISSUER


def test_a_wrong_audience_is_accepted_from_the_client_that_is_known_to_send_it() -> None:
    verifier = a_verifier(a_client(audiences=["sand_man"]), a_client(issuer="https://other.example.org"))
    assert verifier.verify(bearer(token(aud="sand_man")), PATH).issuer == ISSUER
    with pytest.raises(Refused) as refused:
        verifier.verify(bearer(token(iss="https://other.example.org", aud="sand_man")), PATH)
    assert refused.value.reason is RefusalReason.AUDIENCE


WRONG_AUDIENCES: dict[str, object] = {
    "host only": BASE_URL,
    "base address with slash": f"{BASE_URL}/",
    "discovery instead of the service": f"{BASE_URL}{DISCOVERY}",
    "feedback instead of the service": f"{BASE_URL}{FEEDBACK}",
    "another service": f"{BASE_URL}/cds-services/other",
    "a prefix": f"{BASE_URL}{PATH}"[:-1],
    "a suffix": f"{BASE_URL}{PATH}-2",
    "two slashes at the end": f"{BASE_URL}{PATH}//",
    "three slashes within": f"{BASE_URL}/cds-services///{SERVICE}",
    "host in capitals": f"{BASE_URL.upper()}{PATH}",
    "path in capitals": f"{BASE_URL}{PATH.upper()}",
    "http": f"{BASE_URL}{PATH}".replace("https", "http"),
    "port": f"{BASE_URL}:443{PATH}",
    "another host": f"https://evil.example.org{PATH}",
    "our host as a user": f"{BASE_URL}@evil.example.org{PATH}",
    "our host as a part": f"{BASE_URL}.evil.example.org{PATH}",
    "query": f"{BASE_URL}{PATH}?a=b",
    "fragment": f"{BASE_URL}{PATH}#a",
    "dots": f"{BASE_URL}/a/..{PATH}",
    "space": f" {BASE_URL}{PATH}",
    "percent": f"{BASE_URL}{PATH}".replace("-", "%2D"),
    "path only": PATH,
    "empty text": "",
    "empty list": [],
    "list of others": ["https://other.example.org"],
    "a list within": [[f"{BASE_URL}{PATH}"]],
    "a number beside ours": [f"{BASE_URL}{PATH}", 7],
    "an object": {f"{BASE_URL}{PATH}": True},
    "a number": 7,
    "true": True,
    "none": None,
}


@pytest.mark.parametrize("wrong", WRONG_AUDIENCES.values(), ids=WRONG_AUDIENCES.keys())
def test_any_other_audience_is_refused(wrong: object) -> None:
    with pytest.raises(Refused) as refused:
        a_verifier().verify(bearer(token(aud=wrong)), PATH)
    assert refused.value.reason is RefusalReason.AUDIENCE


def test_a_token_for_the_feedback_of_one_service_opens_no_other() -> None:
    with pytest.raises(Refused):
        a_verifier().verify(bearer(token(aud=f"{BASE_URL}{FEEDBACK}")), "/cds-services/other/feedback")


def test_what_lies_below_a_service_is_not_opened_by_a_token_for_the_service() -> None:
    with pytest.raises(Refused):
        a_verifier().verify(bearer(token()), f"{PATH}/more/feedback")


def test_a_service_with_the_name_of_the_feedback_path_is_not_the_discovery() -> None:
    with pytest.raises(Refused):
        a_verifier().verify(bearer(token(aud=f"{BASE_URL}{DISCOVERY}")), "/cds-services/feedback")


# --- Tenants


@pytest.mark.parametrize("tenant", [None, "north", "a tenant – with spaces"])
def test_without_configured_tenants_any_and_none_is_accepted(tenant: str | None) -> None:
    assert a_verifier().verify(bearer(token(tenant=tenant)), PATH).tenant == (tenant or "")


def test_each_configured_tenant_is_accepted() -> None:
    verifier = a_verifier(a_client(tenants=["north", "south"]))
    assert [verifier.verify(bearer(token(tenant=name)), PATH).tenant for name in ("north", "south")] == [
        "north",
        "south",
    ]


@pytest.mark.parametrize("tenant", [None, "", "North", "north ", "nort", "northern", ["north"], 1, True])
def test_with_configured_tenants_any_other_and_none_is_refused(tenant: object) -> None:
    with pytest.raises(Refused) as refused:
        a_verifier(a_client(tenants=["north"])).verify(bearer(token(tenant=tenant)), PATH)
    assert refused.value.reason is RefusalReason.TENANT


@pytest.mark.parametrize("tenant", ["", "x" * 256, "a\u0000b", "a\nb", "\ud800", ["north"], {}, 1, True])
def test_a_tenant_that_could_not_be_kept_is_refused(tenant: object) -> None:
    with pytest.raises(Refused) as refused:
        a_verifier().verify(bearer(token(tenant=tenant)), PATH)
    assert refused.value.reason is RefusalReason.TENANT


# --- Who may call what


@pytest.mark.parametrize("path", [PATH, FEEDBACK])
def test_a_trusted_client_may_be_kept_from_a_service(path: str) -> None:
    verifier = a_verifier(a_client(services=["another-service"]))
    with pytest.raises(NotPermitted) as refused:
        verifier.verify(bearer(token(aud=f"{BASE_URL}{path}")), path)
    assert refused.value.issuer == ISSUER


@pytest.mark.parametrize("path", [DISCOVERY, PATH, FEEDBACK])
def test_a_client_may_call_its_services_and_discovery(path: str) -> None:
    verifier = a_verifier(a_client(services=[SERVICE]))
    assert verifier.verify(bearer(token(aud=f"{BASE_URL}{path}")), path).issuer == ISSUER


def test_a_stranger_does_not_learn_what_a_client_may_call() -> None:
    verifier = a_verifier(a_client(services=["another-service"]))
    with pytest.raises(Refused):
        verifier.verify(bearer(token(key(kid="key-1", kind="P-256"), "ES256")), PATH)


# --- Once only


def test_a_token_is_admitted_once() -> None:
    verifier, called = a_verifier(), bearer(token())
    verifier.verify(called, PATH)
    with pytest.raises(Refused) as refused:
        verifier.verify(called, PATH)
    assert refused.value.reason is RefusalReason.REPLAYED


def test_the_same_id_in_another_token_is_refused_too() -> None:
    verifier = a_verifier()
    verifier.verify(bearer(token(jti="one")), PATH)
    with pytest.raises(Refused) as refused:
        verifier.verify(bearer(token(jti="one", exp=SECONDS + 299)), PATH)
    assert refused.value.reason is RefusalReason.REPLAYED


def test_two_issuers_may_use_the_same_id() -> None:
    verifier = a_verifier(a_client(), a_client(issuer="https://other.example.org"))
    verifier.verify(bearer(token(jti="one")), PATH)
    assert verifier.verify(bearer(token(jti="one", iss="https://other.example.org")), PATH).issuer != ISSUER


REFUSED_LATE: dict[str, Json] = {
    "audience": {"aud": "https://evil.example.org"},
    "expired": {"iat": SECONDS - 400, "exp": SECONDS - 100},
    "tenant": {"tenant": 7},
}


@pytest.mark.parametrize("changes", REFUSED_LATE.values(), ids=REFUSED_LATE.keys())
def test_a_token_that_is_refused_does_not_use_up_its_id(changes: Json) -> None:
    verifier = a_verifier()
    with pytest.raises(Refused):
        verifier.verify(bearer(token(jti="one", **changes)), PATH)
    assert verifier.verify(bearer(token(jti="one")), PATH).issuer == ISSUER


def test_a_forged_token_does_not_use_up_the_id_of_a_real_one() -> None:
    verifier, real = a_verifier(), token(jti="one")
    with pytest.raises(Refused):
        verifier.verify(bearer(real[:-8] + "AAAAAAAA"), PATH)
    assert verifier.verify(bearer(real), PATH).issuer == ISSUER


def test_a_used_token_is_remembered_for_longer_than_it_is_valid() -> None:
    asked: list[object] = []

    class Store:
        def take_token(self, issuer: str, token_id: str, expires_at: object) -> bool:
            asked.append(expires_at)
            return True

    a_verifier(replay=Store()).verify(bearer(token(exp=SECONDS + 300)), PATH)
    assert asked == [NOW + timedelta(seconds=300 + 30 + 60)]
