"""Checks of who may call: the clients, their keys, and a token of a call against the service's address."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import requests
import urllib3

from cds_service.addresses import server_problem
from cds_service.decision.support import DecisionSupport
from cds_service.readiness.checks import Check, Finding, failed, passed, warned
from cds_service.readiness.vendors import Vendor, VendorCode
from cds_service.settings import Settings
from cds_service.trust.bearer import Bearer, read_bearer
from cds_service.trust.claims import audiences
from cds_service.trust.clients import TrustedClient
from cds_service.trust.jwks import BadKeySet, KeySet, read_key_file, read_key_set
from cds_service.trust.keys import fetch_body
from cds_service.trust.refusal import Refused

# Keys are to be changed once a year at least; a file that nobody renewed is then out of date.
_OLD_FILE = timedelta(days=365)

# A call waits two seconds for keys at most; a server that takes longer fails the first call after each start.
_SLOW_SECONDS = 2.0
_FETCH_SECONDS = 10.0

_DISCOVERY = "/cds-services"


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """The keys of one client as they are now, or why there are none; `note` is what to say of them."""

    client: TrustedClient
    keys: KeySet = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def clients_check(settings: Settings, asked: str, chosen: Sequence[TrustedClient], vendor: Vendor) -> Check:
    """Whether strangers are kept out, and the client in question is known."""
    return Check("clients", "Trusted clients", tuple(_clients(settings, asked, chosen, vendor)))


def _clients(settings: Settings, asked: str, chosen: Sequence[TrustedClient], vendor: Vendor) -> Iterator[Finding]:
    if not settings.clients:
        yield failed(
            "No clients are set: whoever reaches the service may call it.",
            "set clients, as the section on security says",
        )
    if asked and not chosen:
        known = ", ".join(client.issuer for client in settings.clients) or "none"
        yield failed("There is no such client as --client names.", f"use the `iss` of its tokens; known: {known}")
    for client in chosen:
        yield passed(f"{client.issuer} may call {', '.join(client.services) or 'every service'}.")
        if VendorCode.SIGNS_RS384 in vendor.codes and "RS384" not in client.algorithms:
            yield failed(f"{vendor.name} signs with RS384, which {client.issuer} may not use.", "add it to algorithms")


def base_url_check(settings: Settings) -> Check:
    """Whether the service knows the address that clients write."""
    if settings.base_url is None:
        finding = failed("base_url is not set: no token can be checked.", "set it to the address that clients call")
    elif problem := server_problem(str(settings.base_url)):
        finding = failed(f"base_url {problem}.", "set it to the public https address, as clients write it")
    elif settings.base_url.scheme != "https":
        finding = warned("base_url is not https.", "end TLS in front of the service and name the https address")
    else:
        finding = passed(f"{str(settings.base_url).rstrip('/')}{_DISCOVERY} is what clients are to be given.")
    return Check("base-url", "Address of the service", (finding,))


def keys_check(found: Sequence[ClientKeys]) -> Check:
    """Whether the keys of the clients can be had, and are no old ones."""
    findings = [finding for item in found for finding in item.findings]
    nobody = warned("No client, no keys.", "set clients")
    return Check("keys", "Keys of the clients", tuple(findings) or (nobody,))


def keys_of(client: TrustedClient, settings: Settings, now: datetime) -> ClientKeys:
    """Fetch or read the keys of a client, once, as the service would."""
    who = client.issuer
    try:
        if client.jwks_file is not None:
            keys, findings = _from_file(client.jwks_file, who, now)
        else:
            keys, findings = _from_address(client, settings)
    except BadKeySet as error:
        return ClientKeys(client, {}, (failed(f"{who}: the key set {error}.", "ask the client for its key set"),))
    except OSError as error:
        kind = error.strerror or type(error).__name__
        return ClientKeys(client, {}, (failed(f"{who}: the key file cannot be read ({kind}).", "see jwks_file"),))
    fitting = {kid for kid, each in keys.items() if any(key.algorithms & set(client.algorithms) for key in each)}
    if not fitting:
        allowed = ", ".join(client.algorithms)
        text = f"{who}: none of the {len(keys)} keys fits the algorithms {allowed}."
        findings = (*findings, failed(text, "set algorithms of the client to what its keys are for"))
    return ClientKeys(client, keys, findings)


def _from_file(path: Path, who: str, now: datetime) -> tuple[KeySet, tuple[Finding, ...]]:
    keys, holds_private = read_key_file(path.read_bytes())
    changed = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    findings = [passed(f"{who}: {len(keys)} usable keys in the file of {changed.date()}.")]
    if now - changed > _OLD_FILE:
        findings = [warned(f"{who}: the key file is of {changed.date()}.", "ask the client for its present keys")]
    if holds_private:
        findings.append(warned(f"{who}: the file holds a private key.", "keep only the public part in it"))
    return keys, tuple(findings)


def _from_address(client: TrustedClient, settings: Settings) -> tuple[KeySet, tuple[Finding, ...]]:
    began = time.monotonic()
    try:
        body = fetch_body(str(client.jwks_url), _FETCH_SECONDS, str(settings.ca_bundle) if settings.ca_bundle else None)
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise BadKeySet(f"does not come ({type(error).__name__})") from None
    keys, took = read_key_set(body), time.monotonic() - began
    text = f"{client.issuer}: {len(keys)} usable keys, fetched in {took:.2f} s."
    if took > _SLOW_SECONDS:
        return keys, (warned(text, f"the key server should answer within {_SLOW_SECONDS:g} s"),)
    return keys, (passed(text),)


def read_token(text: str) -> Bearer | None:
    """The token of a call; None where the text is no signed token."""
    try:
        return read_bearer(f"Bearer {text.strip()}")
    except Refused:
        return None


def token_check(
    bearer: Bearer | None, is_given: bool, support: DecisionSupport, found: Sequence[ClientKeys], now: datetime
) -> Check:
    """Whether a token, as the EHR sends it with a call, would be accepted.

    An expired one will do: nobody has a fresh one at hand. `jti` is not looked at.
    """
    return Check("call-token", "Token of a call", tuple(_token(bearer, is_given, support, found, now)))


def _token(
    bearer: Bearer | None, is_given: bool, support: DecisionSupport, found: Sequence[ClientKeys], now: datetime
) -> Iterator[Finding]:
    if bearer is None and is_given:
        yield failed("It is not a signed token (JWT).", "give the token of the Authorization header, without `Bearer`")
        return
    if bearer is None:
        to_do = "have the EHR call once, and give the token of its Authorization header with --call-token"
        yield warned("None was given: `aud`, issuer and signature were not checked.", to_do)
        return
    yield _audience(bearer.claims, support, found)
    keys = next((item for item in found if item.client.issuer == bearer.claims.get("iss")), None)
    if keys is None:
        issuer = _plain(bearer.claims.get("iss"))
        yield failed(f"`iss` is {issuer}, which is no trusted client.", "set `issuer` of the client to exactly that")
        return
    yield from _signature(bearer, keys)
    yield from _times(bearer.claims, support.settings, now)


def _audience(claims: Mapping[str, Any], support: DecisionSupport, found: Sequence[ClientKeys]) -> Finding:
    value = claims.get("aud")
    named = [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
    settings = support.settings
    base = str(settings.base_url).rstrip("/") if settings.base_url else ""
    paths = [_DISCOVERY, *(f"{_DISCOVERY}/{name}{end}" for name in support.services for end in ("", "/feedback"))]
    accepted = {each for path in paths for each in audiences(base, path)} if base else set()
    accepted.update(each for item in found for each in item.client.audiences)
    if any(name in accepted for name in named):
        return passed("`aud` is an address of this service.")
    shown = ", ".join(map(_plain, named)) or "missing"
    to_do = f"the EHR is to name {base or 'the address of base_url'}{_DISCOVERY}/<service>"
    if prefix := next((name.partition(_DISCOVERY)[0] for name in named if _DISCOVERY in name), ""):
        to_do += f"; or, if clients call {_plain(prefix)}, set base_url to it"
    else:
        to_do += "; or accept the value by `audiences` of the client"
    return failed(f"`aud` is {shown}, which is no address of this service: every call would be answered 401.", to_do)


def _signature(bearer: Bearer, keys: ClientKeys) -> Iterator[Finding]:
    client, algorithm, kid = keys.client, bearer.header.get("alg"), bearer.header.get("kid")
    if "jku" in bearer.header and bearer.header["jku"] != client.expected_jku:
        yield failed(f"`jku` is {_plain(bearer.header['jku'])}, not what is configured.", "set jku of the client to it")
    if algorithm not in client.algorithms:
        yield failed(f"It is signed with {_plain(algorithm)}.", "add it to algorithms of the client, if it may be used")
        return
    if not keys.keys:
        yield warned("The signature was not checked: there are no keys.", "see the check of the keys")
        return
    candidates = keys.keys.get(kid, ()) if isinstance(kid, str) else ()
    if not candidates:
        yield failed("Its key id is not in the key set.", "the key set is not that of the EHR, or out of date")
        return
    for key in candidates:
        try:
            jwt.decode(
                bearer.token,
                key=key.public_key,
                algorithms=[name for name in client.algorithms if name in key.algorithms],
                options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except (jwt.PyJWTError, ValueError):
            continue
        yield passed("The signature is that of a key of the client.")
        return
    yield failed("The signature is not that of the named key.", "the key set is not that of the EHR")


def _times(claims: Mapping[str, Any], settings: Settings, now: datetime) -> Iterator[Finding]:
    issued, expires = claims.get("iat"), claims.get("exp")
    if not isinstance(issued, int | float) or not isinstance(expires, int | float):
        yield failed("`iat` or `exp` is missing or no number.", "the EHR is to send both (CDS Hooks 2.0.1)")
        return
    if expires - issued > settings.token_lifetime_seconds:
        text = f"It lives {expires - issued:,.0f} s, longer than token_lifetime_seconds."
        yield failed(text, "let the EHR issue shorter tokens, or raise token_lifetime_seconds")
    if issued > now.timestamp() + settings.token_leeway_seconds:
        text = f"It was issued {issued - now.timestamp():,.0f} s in the future: the clock of one side is wrong."
        yield failed(text, "set both clocks by NTP")


def _plain(value: object) -> str:
    """A claim or header in one short line; of an address without user and query."""
    text = "".join(sign for sign in str(value)[:200] if sign.isprintable() and sign != " ")
    try:
        parts = urlsplit(text)
    except ValueError:
        return "no address"
    return text.partition("?")[0].replace(f"{parts.netloc}", parts.netloc.rpartition("@")[2]) if parts.netloc else text
