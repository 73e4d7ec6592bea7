"""What a card needs to know of the call it answers."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from cds_service.content.model import CodingData

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cds-service.example.org/decisions")


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, about whom, when. `client` is the trusted issuer, or `anonymous`; `key` is the site's, if it has one.

    The repr names nobody.
    """

    service_id: str
    client: str
    now: datetime
    hook_instance: str = field(repr=False)
    patient_id: str = field(repr=False)
    user_id: str = field(repr=False)
    encounter_id: str | None = field(repr=False, default=None)
    fhir_server: str = field(repr=False, default="")
    tenant: str = ""
    key: str = field(repr=False, default="")

    def decision_id(self, rule_version: str, proposed: Sequence[str]) -> uuid.UUID:
        """The id of this decision: the same for a retry of the same call, and for no other.

        Two patients, clients, tenants, EHR servers, hook instances, versions of the rule or proposals never share one.
        It stands in logs beside the hook instance. Only under the site's key is it safe from someone who tries out
        patient ids until one fits.
        """
        parts = [
            self.client,
            self.fhir_server,
            self.service_id,
            self.hook_instance,
            self.patient_id,
            rule_version,
            list(proposed),
            # Only where there is one: ids of clients without tenants stay what they were.
            *([self.tenant] if self.tenant else []),
        ]
        name = orjson.dumps(parts)
        if self.key:
            return uuid.UUID(bytes=hmac.digest(self.key.encode(), name, "sha256")[:16], version=5)
        return uuid.uuid5(_NAMESPACE, name.decode())


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """The site's choices for proposed orders: extra codings by slug, and the intent."""

    codings: Mapping[str, Sequence[CodingData]] = field(default_factory=dict)
    intent: str = "proposal"
