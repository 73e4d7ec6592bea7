"""One short name for all settings that can change the answers of a rule, beside the versions of rule and content.

It holds the choices of the rule with its thresholds as they are in force, what is added to orders, how reasons are
mapped, and what may be read. It does not hold the limits of time and size: what they cut off, each decision names as a
gap. No secret goes into it; of the key it matters only whether there is one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import orjson

from cds_service.clinical.rules.rule import Rule
from cds_service.settings import Settings

_NAMES = ("accepted_gaps", "order_codings", "order_intent", "override_reason_codes", "undetermined_card")


def settings_digest(settings: Settings, rule: Rule, fhir_servers: Collection[str]) -> str:
    """SHA-256 in hexadecimal digits, the same for the same settings in every process.

    Args:
        settings: as they are in force for a client.
        rule: that answers, with the choices of these settings.
        fhir_servers: those that the client may name.
    """
    told: dict[str, Any] = settings.model_dump(mode="json", include=set(_NAMES))
    told |= {
        "rule": rule.content.rule.id,
        "choices": dict(rule.choices),
        "fhir_servers": sorted(fhir_servers),
        "links": [str(settings.source_url or ""), settings.evidence_url() or ""],
        "remembers": settings.pseudonym_key is not None,
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
