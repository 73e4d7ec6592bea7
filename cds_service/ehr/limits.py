"""How much may be asked of an EHR's FHIR server in one call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# When what refines a card is asked for beside what decides: at a server that is slow, at every one, at none.
ReadAhead = Literal["slow", "always", "never"]


@dataclass(frozen=True, slots=True)
class FhirLimits:
    """Bounds of all reading for one hook call.

    Attributes:
        deadline_seconds: wall time for everything together.
        connect_seconds: for one connection.
        pages: search pages per prefetch key.
        bytes: of all answers together.
        parallel: requests at the same time; one for each prefetch key, so that one round is enough for all of them.
        ca_bundle: a PEM file with the certificate authorities to trust, instead of the public ones.
        read_ahead: when what may not be needed is asked for in the same round as what is.
    """

    deadline_seconds: float = 4.0
    connect_seconds: float = 1.0
    pages: int = 20
    bytes: int = 20_000_000
    parallel: int = 9
    ca_bundle: str | None = None
    read_ahead: ReadAhead = "slow"
