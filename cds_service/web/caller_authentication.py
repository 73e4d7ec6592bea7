"""Authenticate callers: tokens of trusted clients, and how often they may call."""

from __future__ import annotations

from functools import partial

from flask import request

from cds_service.clock import Clock
from cds_service.decision.caller import ANONYMOUS_CALLER, Caller
from cds_service.decision.recorder import LedgerRecorder
from cds_service.errors import Forbidden, TooManyCalls, Unauthorized
from cds_service.ledger.store import LedgerDown
from cds_service.settings import Settings
from cds_service.trust.keys import key_source
from cds_service.trust.proxies import network_of
from cds_service.trust.rate import RateLimit
from cds_service.trust.replay import InProcessReplay, SharedReplay
from cds_service.trust.token_verifier import NotPermitted, RefusalReason, Refused, TokenVerifier
from cds_service.web.request_record import request_record

NOT_PERMITTED, TOO_MANY_CALLS = "not-permitted", "too-many-calls"

# All reasons for refusing a caller, as they stand in log and metrics.
REFUSALS = frozenset({*RefusalReason, NOT_PERMITTED, TOO_MANY_CALLS})


class CallerAuthenticator:
    """Tells who calls, and refuses who may not. Without trusted clients in the settings everyone is `anonymous`.

    Args:
        clock: the moment of a call.
    """

    def __init__(self, settings: Settings, recorder: LedgerRecorder, clock: Clock) -> None:
        self._metrics = recorder.metrics
        self._rate = RateLimit(settings.calls_per_minute)
        self._by_address = bool(settings.trusted_proxies)
        self._verifier: TokenVerifier | None = None
        if settings.clients:
            # The settings demand it: without a base address the audience of a token could not be checked.
            assert settings.base_url is not None
            bundle = str(settings.ca_bundle) if settings.ca_bundle else None
            self._verifier = TokenVerifier(
                settings.clients,
                str(settings.base_url),
                SharedReplay(recorder, LedgerDown, InProcessReplay(now=clock)),
                keys=partial(key_source, ca_bundle=bundle),
                leeway_seconds=settings.token_leeway_seconds,
                longest_lifetime_seconds=settings.token_lifetime_seconds,
                now=clock,
            )

    def authenticate(self) -> Caller:
        """The caller of the current request.

        Raises:
            Unauthorized, Forbidden, TooManyCalls: why is in the log and the metrics, and not in the response.
        """
        caller, per_minute = self._verified() if self._verifier else (ANONYMOUS_CALLER, None)
        request_record().caller = caller
        seconds = self._rate.allow(self._counted_with(caller), per_minute)
        if seconds is not None:
            self._refuse(TOO_MANY_CALLS)
            raise TooManyCalls(seconds)
        return caller

    def _counted_with(self, caller: Caller) -> str:
        """Whose calls count together: a trusted client's, or those from an address that a proxy names."""
        if caller is ANONYMOUS_CALLER and self._by_address:
            return f"{caller.client} {network_of(request_record().address)}"
        return caller.client

    def _verified(self) -> tuple[Caller, int | None]:
        assert self._verifier is not None
        try:
            client = self._verifier.verify(request.headers.get("Authorization"), request.path)
        except Refused as refusal:
            self._refuse(refusal.reason, refusal.issuer)
            raise Unauthorized from None
        except NotPermitted as refusal:
            self._refuse(NOT_PERMITTED, refusal.issuer)
            raise Forbidden from None
        # A client without servers of its own may name those of the settings.
        return Caller(client.issuer, client.tenant, client.fhir_servers or None), client.calls_per_minute

    def _refuse(self, reason: str, issuer: str = "") -> None:
        """Note why; `issuer` is a configured one that the token names, which nothing may have proved."""
        record = request_record()
        record.refusal, record.refused_issuer = str(reason), issuer
        self._metrics.refused(reason)
