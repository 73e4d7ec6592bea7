"""Who calls, and may they: tokens of trusted clients, and how often they call."""

from __future__ import annotations

from functools import partial

from flask import g, request

from cds_service.clock import Clock
from cds_service.decision.recorder import Books
from cds_service.decision.support import Caller
from cds_service.errors import Forbidden, TooManyCalls, Unauthorized
from cds_service.ledger.store import LedgerDown
from cds_service.settings import Settings
from cds_service.trust.gate import Gate, NotPermitted, RefusalReason, Refused
from cds_service.trust.keys import key_source
from cds_service.trust.rate import RateLimit
from cds_service.trust.replay import InProcessReplay, SharedReplay

NOT_PERMITTED, TOO_MANY_CALLS = "not-permitted", "too-many-calls"

# All reasons for turning a caller away, as they stand in log and metrics.
REFUSALS = frozenset({*RefusalReason, NOT_PERMITTED, TOO_MANY_CALLS})


class Door:
    """Lets callers in. Without trusted clients in the settings everyone is `anonymous`.

    Args:
        clock: the moment of a call.
    """

    def __init__(self, settings: Settings, books: Books, clock: Clock) -> None:
        self._metrics = books.metrics
        self._rate = RateLimit(settings.calls_per_minute)
        self._gate: Gate | None = None
        if settings.clients:
            # The settings see to it; without an address no token could be checked, and nobody may come in.
            assert settings.base_url is not None
            bundle = str(settings.ca_bundle) if settings.ca_bundle else None
            self._gate = Gate(
                settings.clients,
                str(settings.base_url),
                SharedReplay(books, LedgerDown, InProcessReplay(now=clock)),
                keys=partial(key_source, ca_bundle=bundle),
                leeway_seconds=settings.token_leeway_seconds,
                longest_lifetime_seconds=settings.token_lifetime_seconds,
                now=clock,
            )

    def admit(self) -> Caller:
        """The caller of the current request.

        Raises:
            Unauthorized, Forbidden, TooManyCalls: why is in the log and the metrics, and not in the answer.
        """
        caller, per_minute = self._known() if self._gate else (Caller(), None)
        g.caller = caller
        seconds = self._rate.allow(caller.client, per_minute)
        if seconds is not None:
            self._turn_away(TOO_MANY_CALLS)
            raise TooManyCalls(seconds)
        return caller

    def _known(self) -> tuple[Caller, int | None]:
        assert self._gate is not None
        try:
            known = self._gate.admit(request.headers.get("Authorization"), request.path)
        except Refused as refusal:
            self._turn_away(refusal.reason, refusal.issuer)
            raise Unauthorized from None
        except NotPermitted as refusal:
            self._turn_away(NOT_PERMITTED, refusal.issuer)
            raise Forbidden from None
        # A client without servers of its own may name those of the settings.
        return Caller(known.client, known.tenant, known.fhir_servers or None), known.calls_per_minute

    def _turn_away(self, reason: str, issuer: str = "") -> None:
        """Note why; `issuer` is a configured one that the token names, which nothing may have proved."""
        g.refusal, g.refused_issuer = str(reason), issuer
        self._metrics.refused(reason)
