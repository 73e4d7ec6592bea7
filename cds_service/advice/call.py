"""What a card needs to know of the call it answers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson

from cds_service.content.model import CodingData

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cds-service.example.org/decisions")


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, about whom, when. `client` is the trusted issuer, or `anonymous`. The repr names nobody."""

    service_id: str
    client: str
    now: datetime
    hook_instance: str = field(repr=False)
    patient_id: str = field(repr=False)
    user_id: str = field(repr=False)
    encounter_id: str | None = field(repr=False, default=None)
    fhir_server: str = field(repr=False, default="")
    tenant: str = ""

    def decision_id(self, rule_version: str, proposed: Sequence[str]) -> uuid.UUID:
        """The id of this decision: the same for a retry of the same call, and for no other.

        Two patients, clients, tenants, EHR servers, hook instances, versions of the rule or proposals never share one.
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
        return uuid.uuid5(_NAMESPACE, orjson.dumps(parts).decode())


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """The site's choices for proposed orders: extra codings by slug, and the intent."""

    codings: Mapping[str, Sequence[CodingData]] = field(default_factory=dict)
    intent: str = "proposal"
