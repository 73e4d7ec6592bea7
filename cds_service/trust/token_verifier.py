"""Verify the tokens of trusted clients (CDS Hooks 2.0.1, Trusting CDS Clients; RFC 7519, RFC 8725).

The checks of one call, cheap ones first and replay last:

1. form: length, scheme, three parts, JSON, nothing critical
2. the issuer is configured; algorithm, `jku` and key id are as configured for it. Nothing has been fetched so far.
3. the key, of this client and for this algorithm
4. the signature
5. the claims: times, the address called, the tenant
6. whether the client may call this service
7. replay, only for a token that passed all the rest: else anyone could use up the ids of others

It verifies tokens of clients. It does not read access tokens for FHIR servers, and it does not know medicine or HTTP
beyond one header.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import jwt

from cds_service.clock import Clock, utc_now
from cds_service.trust.bearer import Bearer, read_bearer
from cds_service.trust.claims import (
    TimeLimits,
    audiences,
    check_audience,
    check_tenant,
    check_times,
    check_token_id,
    plain_path,
    service_of,
)
from cds_service.trust.clients import TrustedClient
from cds_service.trust.jwks import VerifyingKey
from cds_service.trust.keys import KeySource, KeysUnavailable, key_source
from cds_service.trust.refusal import NotPermitted, RefusalReason, Refused
from cds_service.trust.replay import ReplayStore

if TYPE_CHECKING:
    from jwt.types import Options

__all__ = ["NotPermitted", "RefusalReason", "Refused", "TokenVerifier", "VerifiedClient"]

# A used token is remembered a little longer than it is valid, for calls on their way and workers whose clock lags.
_REMEMBERED_LONGER_SECONDS = 60

# Every option is set, also where it is the default. What is False here is checked in claims.py, more strictly.
_OPTIONS: Options = {
    "verify_signature": True,
    "enforce_minimum_key_length": True,
    "require": ["iss"],
    "verify_iss": True,
    "verify_aud": False,
    "strict_aud": False,
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_sub": False,
    "verify_jti": False,
}


@dataclass(frozen=True, slots=True)
class VerifiedClient:
    """A trusted client whose token was verified, with what its configuration allows.

    Attributes:
        issuer: `iss` of the token, by which the client is known.
        tenant: as the token says, or empty.
        fhir_servers: base addresses of the FHIR servers that this client may name.
        calls_per_minute: the client's own limit, if it has one.
    """

    issuer: str
    tenant: str
    fhir_servers: tuple[str, ...] = ()
    calls_per_minute: int | None = None


class TokenVerifier:
    """Tells trusted clients from others. Safe for several threads.

    Args:
        clients: the trusted ones; checked by `check_clients`.
        base_url: the public address of this service, as clients write it; never taken from a request.
        replay: remembers used tokens.
        keys: gives the source of a client's keys; tests give their own.
        leeway_seconds: how far the clocks of client and service may differ.
        longest_lifetime_seconds: from issue to expiry of a token. CDS Hooks best practices name one hour.
        now: the moment of a call.
    """

    def __init__(
        self,
        clients: Iterable[TrustedClient],
        base_url: str,
        replay: ReplayStore,
        keys: Callable[[TrustedClient], KeySource] = key_source,
        leeway_seconds: float = 30,
        longest_lifetime_seconds: float = 3600,
        now: Clock = utc_now,
    ) -> None:
        self._clients = {client.issuer: client for client in clients}
        self._keys = {client.issuer: keys(client) for client in self._clients.values()}
        self._base_url = base_url
        self._replay = replay
        self._limits = TimeLimits(leeway_seconds, longest_lifetime_seconds)
        self._now = now

    def verify(self, authorization: str | None, path: str) -> VerifiedClient:
        """The verified caller of a call.

        Args:
            authorization: the `Authorization` header as it came.
            path: the path that was called, below the base address.

        Raises:
            Refused: it does not come from a trusted client, or its token was used before.
            NotPermitted: the client is trusted, but not for this service.
        """
        bearer = read_bearer(authorization)
        client = self._client(bearer)
        try:
            return self._verify(client, bearer, path)
        except Refused as refusal:
            refusal.issuer = client.issuer
            raise

    def _client(self, bearer: Bearer) -> TrustedClient:
        issuer = bearer.claims.get("iss")
        client = self._clients.get(issuer) if isinstance(issuer, str) else None
        if client is None:
            raise Refused(RefusalReason.UNKNOWN_ISSUER)
        return client

    def _verify(self, client: TrustedClient, bearer: Bearer, path: str) -> VerifiedClient:
        claims = _verified(bearer, client, self._key_candidates(client, bearer))
        forgotten_at = check_times(claims, self._now().timestamp(), self._limits) + _REMEMBERED_LONGER_SECONDS
        check_audience(claims, audiences(self._base_url, path).union(client.audiences))
        tenant = check_tenant(claims, client.tenants)
        token_id = check_token_id(claims)
        service = service_of(plain_path(path))
        if service and client.services and service not in client.services:
            raise NotPermitted(client.issuer)
        if not self._replay.take_token(client.issuer, token_id, datetime.fromtimestamp(forgotten_at, UTC)):
            raise Refused(RefusalReason.REPLAYED)
        return VerifiedClient(client.issuer, tenant, client.fhir_servers, client.calls_per_minute)

    def _key_candidates(self, client: TrustedClient, bearer: Bearer) -> tuple[VerifyingKey, ...]:
        """The client's keys with the id that the token names."""
        algorithm, kid = bearer.header.get("alg"), bearer.header.get("kid")
        if algorithm not in client.algorithms:
            raise Refused(RefusalReason.ALGORITHM)
        if "jku" in bearer.header and bearer.header["jku"] != client.expected_jku:
            raise Refused(RefusalReason.KEY_ADDRESS)
        if not isinstance(kid, str) or not kid:
            raise Refused(RefusalReason.KEY_ID)
        try:
            found = self._keys[client.issuer].find(kid)
        except KeysUnavailable:
            raise Refused(RefusalReason.KEY_SERVER) from None
        if not found:
            raise Refused(RefusalReason.UNKNOWN_KEY)
        return found


def _verified(bearer: Bearer, client: TrustedClient, keys: Iterable[VerifyingKey]) -> dict[str, object]:
    """The claims, once one of the keys verifies the signature.

    The algorithms are those of the client that fit the key; the token chooses among them and adds none.
    """
    for key in keys:
        try:
            return jwt.decode(
                bearer.token,
                key=key.public_key,
                algorithms=[name for name in client.algorithms if name in key.algorithms],
                issuer=client.issuer,
                options=_OPTIONS,
            )
        except (jwt.PyJWTError, ValueError):
            # A key that does not verify; another one may have the same id.
            continue
    raise Refused(RefusalReason.SIGNATURE)
