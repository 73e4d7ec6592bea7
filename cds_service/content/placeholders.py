"""Which sentences `cards/wording.toml` must have, and which names in braces each may use."""

from __future__ import annotations

from collections.abc import Mapping

_NONE: frozenset[str] = frozenset()
_FINDING = frozenset({"finding", "when", "source"})
_DATE = frozenset({"date", "ago"})
_COUNT = frozenset({"count"})
_REGIONS = ("cervical", "thoracic", "lumbar", "sacral", "several", "unspecified")

PLACEHOLDERS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "summary": {
        "imaging": frozenset({"pain", "study"}),
        "staging_only": frozenset({"pain", "study"}),
        "in_situ": frozenset({"pain"}),
    },
    "pain": dict.fromkeys(_REGIONS, _NONE),
    "pain_undated": dict.fromkeys(_REGIONS, _NONE),
    "why": {
        "heading": _NONE,
        "cancer": _FINDING,
        "in_situ": _FINDING,
        "pain": _FINDING,
        "more": _COUNT,
        "quoted": frozenset({"quote"}),
        "text_only": _NONE,
        "onset_not_recorded": _NONE,
        "onset_imprecise": frozenset({"onset"}),
        "changed": _NONE,
        "recent_injury": frozenset({"finding", "when"}),
    },
    "when": {
        "onset": _DATE,
        "recorded": _DATE,
        "encounter": _DATE,
        "observed": _DATE,
        "ordered": _NONE,
        "unknown": _NONE,
        "today": _NONE,
        "one_day": _NONE,
        "days": _COUNT,
        "weeks": _COUNT,
        "months": _COUNT,
        "years": _COUNT,
    },
    "source": {"Condition": _NONE, "Observation": _NONE, "Encounter": _NONE, "order": _NONE},
    "proposed": {
        "heading": _NONE,
        "mri": frozenset({"study", "modality_note"}),
        "mri_drafted": _NONE,
        "without_contrast_drafted": _NONE,
        "staging": frozenset({"studies"}),
        "drafted": frozenset({"studies"}),
        "pregnancy": _NONE,
        "in_situ": _NONE,
        "radiograph": _NONE,
    },
    "unchecked": {
        "heading": _NONE,
        "always": _NONE,
        "missing": frozenset({"keys"}),
        "unread": _COUNT,
    },
    "key": dict.fromkeys(
        (
            "patient",
            "conditions",
            "observations",
            "encounters",
            "serviceRequests",
            "diagnosticReports",
            "procedures",
            "allergies",
        ),
        _NONE,
    ),
    "evidence": {"heading": _NONE, "statement": frozenset({"text", "cite"})},
    "suggestion": {"label": frozenset({"study"}), "description": frozenset({"study"})},
}
