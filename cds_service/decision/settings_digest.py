"""One short name for all settings that can change the answers of a rule, beside the versions of rule and content.

It holds the choices of the rule with its thresholds as they are in force, what is added to orders, how reasons are
mapped, and the links of the card. It does not hold which FHIR servers may be read, nor the limits of time and size: the
same chart gives the same answer however it comes, and each decision names what was read and what was not to be had. No
secret goes into it; of the key it matters only whether there is one.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from cds_service.clinical.rules.rule import Rule
from cds_service.settings import Settings

_NAMES = ("accepted_gaps", "order_codings", "order_intent", "override_reason_codes", "undetermined_card")


def settings_digest(settings: Settings, rule: Rule) -> str:
    """SHA-256 in hexadecimal digits, the same for the same settings in every process.

    Args:
        settings: as they are in force for a client.
        rule: that answers, with the choices of these settings.
    """
    told: dict[str, Any] = settings.model_dump(mode="json", include=set(_NAMES))
    told |= {
        "rule": rule.content.rule.id,
        "choices": dict(rule.choices),
        "links": [str(settings.source_url or ""), settings.evidence_url() or ""],
        "remembers": settings.pseudonym_key is not None,
    }
    return hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()
