"""How much may be asked of an EHR's FHIR server in one call."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FhirLimits:
    """Bounds of all reading for one hook call.

    Attributes:
        deadline_seconds: wall time for everything together.
        connect_seconds: for one connection.
        pages: search pages per prefetch key.
        bytes: of all answers together.
        parallel: requests at the same time.
        ca_bundle: a PEM file with the certificate authorities to trust, instead of the public ones.
    """

    deadline_seconds: float = 4.0
    connect_seconds: float = 1.0
    pages: int = 20
    bytes: int = 20_000_000
    parallel: int = 6
    ca_bundle: str | None = None
