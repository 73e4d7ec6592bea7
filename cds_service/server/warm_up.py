"""What a worker does before it takes calls, so that the first call costs no more than those after it.

Value sets, patterns and schemas are prepared when they are first used, which takes some tenths of a second. Here each
service answers a call about nobody: a chart in which everything is known to be empty. It goes past the web, the ledger
and the metrics, so that it leaves no trace.
"""

from __future__ import annotations

import gc
import logging
from datetime import datetime
from typing import Any

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.protocol.services import Service

_HOOK_INSTANCE = "00000000-0000-4000-8000-000000000000"
_NOBODY = "nobody"

# An order that asks for nothing, for the hooks that want one.
_DRAFT = {"resourceType": "ServiceRequest", "id": "nothing", "status": "draft", "intent": "order"}

_log = logging.getLogger(__name__)


def warm_up(support: DecisionSupport, now: datetime) -> None:
    """Have each service answer a call about nobody. What goes wrong is logged, and stops no start."""
    try:
        for service in support.services.values():
            support.decide(HookCall(service, now), _call_about_nobody(support, service))
    except Exception as error:
        # A call that meets the same fault will tell what it is.
        _log.warning("the worker starts cold: %s", type(error).__name__)
    # Content and code stay for as long as the process: they need not be gone through at each collection of garbage.
    gc.collect()
    gc.freeze()


def _call_about_nobody(support: DecisionSupport, service: Service) -> dict[str, Any]:
    context: dict[str, Any] = {"userId": f"Practitioner/{_NOBODY}", "patientId": _NOBODY}
    if service.has_orders:
        orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _DRAFT}]}
        context |= {"draftOrders": orders, "selections": ["ServiceRequest/nothing"]}
    known_to_be_empty = dict.fromkeys(support.rule_of(service).prefetch)
    return {"hook": service.hook, "hookInstance": _HOOK_INSTANCE, "context": context, "prefetch": known_to_be_empty}
