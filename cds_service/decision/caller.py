"""Who makes a call, as far as the service knows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cds_service.ledger.entries import ANONYMOUS


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the trusted issuer, its tenant, and the FHIR servers it may name (None: those of the settings)."""

    client: str = ANONYMOUS
    tenant: str = ""
    fhir_servers: Collection[str] | None = None


# Whoever calls a service without trusted clients, or by the command line.
ANONYMOUS_CALLER = Caller()
