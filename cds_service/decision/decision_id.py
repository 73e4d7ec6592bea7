"""The id of a decision, the same in the response header, the log, the ledger and the card."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Sequence

import orjson

from cds_service.decision.hook_call import HookCall
from cds_service.protocol.hook_request import HookRequest

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "https://cds-service.example.org/decisions")


def decision_id(
    call: HookCall, request: HookRequest, proposed: Sequence[str], rule_version: str, key: str = ""
) -> uuid.UUID:
    """The id of the decision on a call: the same for a retry of the same call, and for no other.

    Two patients, clients, tenants, EHR servers, hook instances, versions of the rule or proposals never share one.
    It stands in logs beside the hook instance. Only under the site's key is it safe from someone who tries out
    patient ids until one fits.

    Args:
        proposed: what the card proposes.
        rule_version: of the rule with its content.
        key: the site's key, or an empty string.
    """
    parts = [
        call.caller.client,
        request.fhir_server or "",
        call.service.id,
        request.hook_instance,
        request.patient_id,
        rule_version,
        list(proposed),
        # Only where there is one: ids of clients without tenants stay what they were.
        *([call.caller.tenant] if call.caller.tenant else []),
    ]
    name = orjson.dumps(parts)
    if key:
        return uuid.UUID(bytes=hmac.digest(key.encode(), name, "sha256")[:16], version=5)
    return uuid.uuid5(_NAMESPACE, name.decode())
