"""Keyed pseudonyms: how the ledger knows a patient again without knowing who it is.

HMAC-SHA256 (RFC 2104) under the site's key. Without the key nobody can try out patient ids; with it, the
informatics team can find what was recorded of one it asks about (`cds-service patient`).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from uuid import UUID

import orjson

from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.settings import Settings

# 128 of the 256 bits: no collision between the patients of a hospital is to be expected, and a row stays short.
_HEX_DIGITS = 32


class Pseudonyms:
    """Pseudonyms under one key."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def patient(self, client: str, tenant: str, fhir_server: str, patient_id: str) -> str:
        """Of a patient; the same id at another client, tenant or FHIR server (empty: none named) is another patient."""
        return self._keyed("patient", client, tenant, fhir_server.rstrip("/"), patient_id)

    def user(self, client: str, tenant: str, user_id: str) -> str:
        """Of a user, as the hook context names one: `Practitioner/123`."""
        return self._keyed("user", client, tenant, user_id)

    def foreign_id(self, text: str) -> UUID:
        """Of a card or suggestion that is none of ours: its id may hold any text."""
        return UUID(hex=self._keyed("foreign", text), version=5)

    def findings(self, patient: str, findings: Iterable[Finding]) -> tuple[str, ...]:
        """Fingerprints of findings of the patient with this pseudonym, sorted, each once."""
        return tuple(sorted({self._finding(patient, item) for item in findings}))

    def _finding(self, patient: str, finding: Finding) -> str:
        code = [finding.coding.system, finding.coding.code] if finding.coding else finding.quote
        # A visit of unknown start counts as today; the same visit tomorrow is not newer evidence.
        dated = finding.when is not None and finding.date_source is not DateSource.ENCOUNTER
        return self._keyed("finding", patient, finding.source, code, str(finding.when) if dated else "")

    def _keyed(self, *parts: object) -> str:
        return hmac.digest(self._key, orjson.dumps(parts), "sha256").hex()[:_HEX_DIGITS]


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """Pseudonyms under the site's key, if it has one."""
    key = settings.pseudonym_key
    return Pseudonyms(key.get_secret_value()) if key else None
