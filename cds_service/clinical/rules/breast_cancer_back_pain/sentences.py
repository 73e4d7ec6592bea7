"""Which sentences `cards/breast_cancer_back_pain/wording.toml` must have, and which names in braces each may use."""

from __future__ import annotations

from cds_service.content.rule_source import Sentences

_NONE: frozenset[str] = frozenset()
_FINDING = frozenset({"finding", "when", "source"})
_WHEN = frozenset({"finding", "when"})
_DATE = frozenset({"date", "ago"})
_COUNT = frozenset({"count"})
_STUDIES = frozenset({"studies"})
_REGIONS = ("cervical", "thoracic", "lumbar", "sacral", "several", "unspecified", "instead")
_KEYS = (
    "patient",
    "conditions",
    "observations",
    "encounters",
    "serviceRequests",
    "diagnosticReports",
    "procedures",
    "allergies",
)

_VERDICTS = (
    "imaging-advised",
    "in-situ-only",
    "child",
    "no-symptoms",
    "already-drafted",
    "already-imaged-or-ordered",
    "hospice",
)
_GROUPS = (
    "cord",
    "nonspecific",
    "infection",
    "pathological_fracture",
    "cord_metastasis",
    "collapse",
    "systemic",
    "bone_metastasis",
    "other_metastasis",
    "brain_her2_positive",
    "brain_triple_negative",
    "brain_other",
    "brain_unknown",
    "injuries",
    "radiographs",
)
_NOTES = (
    "text-only",
    "onset-not-recorded",
    "onset-imprecise",
    "pain-changed",
    "check-pregnancy",
    "bone-scan-done",
    "mri-at-once",
    "mri-without-contrast",
)

SENTENCES: Sentences = {
    "question": dict.fromkeys(("relevant-order", "current-patient", "breast-cancer-history", "new-back-pain"), _NONE),
    "summary": {
        "critical": frozenset({"pain", "study"}),
        "critical_imaged": frozenset({"pain"}),
        "critical_at_once": frozenset({"pain"}),
        "critical_done": frozenset({"pain"}),
        "known_metastases": frozenset({"pain", "study"}),
        "imaging": frozenset({"pain", "study"}),
        "staging_only": frozenset({"pain", "modalities", "state"}),
        "cautioned": frozenset({"pain"}),
        "in_situ": frozenset({"pain"}),
        "child": frozenset({"pain"}),
        "surveillance": _NONE,
    },
    "pain": dict.fromkeys(_REGIONS, _NONE),
    "pain_undated": dict.fromkeys(_REGIONS, _NONE),
    "why": {
        "heading": _NONE,
        "emergency": _FINDING,
        "cancer": _FINDING,
        "in_situ": _FINDING,
        "metastasis": _FINDING,
        "pain": _FINDING,
        "collapse": _FINDING,
        "nonspecific": _WHEN,
        "systemic": _WHEN,
        "brain": _FINDING,
        "more": _COUNT,
        "quoted": frozenset({"quote"}),
        "listed": frozenset({"finding", "date"}),
        "text_only": _NONE,
        "onset_not_recorded": _NONE,
        "onset_imprecise": frozenset({"onset"}),
        "changed": _NONE,
        "pain_quality": frozenset({"finding"}),
        "recent_injury": _WHEN,
    },
    "when": {
        **dict.fromkeys(("onset", "recorded", "encounter", "observed"), _DATE),
        **dict.fromkeys(("ordered", "unknown", "today", "one_day"), _NONE),
        **dict.fromkeys(("days", "weeks", "months", "years"), _COUNT),
    },
    "source": dict.fromkeys(("Condition", "Observation", "Encounter", "order", "Procedure", "Device"), _NONE),
    "proposed": {
        "heading": _NONE,
        "mri_critical": frozenset({"study"}),
        "mri": frozenset({"study"}),
        "mri_present": frozenset({"state"}),
        "mri_present_critical": frozenset({"state"}),
        "mri_present_at_once": frozenset({"state"}),
        "without_contrast_present": frozenset({"state"}),
        "staging_critical": _STUDIES,
        "staging": _STUDIES,
        "staging_known": _STUDIES,
        "brain": frozenset({"study", "receptors"}),
        "brain_consider": frozenset({"study", "receptors"}),
        "present": frozenset({"studies", "state"}),
        "bone_scan_negative": _NONE,
        "radiograph": frozenset({"when"}),
        "caution": frozenset({"modalities", "sentence"}),
        "more_cautions": frozenset({"names"}),
        "in_situ": _NONE,
        "child": _NONE,
        "surveillance": _NONE,
    },
    "state": {"drafted": _NONE, "ordered": frozenset({"date"}), "done": frozenset({"date"})},
    "state_short": dict.fromkeys(("drafted", "ordered", "done"), _NONE),
    "receptors": dict.fromkeys(("HER2-positive", "triple-negative", "other", "unknown"), _NONE),
    "unchecked": {
        "heading": _NONE,
        "line": frozenset({"what"}),
        "missing": frozenset({"keys"}),
        "partly": frozenset({"keys"}),
        "no_egfr": frozenset({"days"}),
        "odd_egfr": _NONE,
        "old_egfr": frozenset({"value", "when"}),
        "pregnancy": _NONE,
        "unread": _COUNT,
        "nothing": _NONE,
    },
    "key": dict.fromkeys(_KEYS, _NONE),
    "evidence": {"heading": _NONE, "statement": frozenset({"text", "cite"})},
    "suggestion": {
        "label": frozenset({"study"}),
        "description": frozenset({"study"}),
        "delete_label": frozenset({"study"}),
        "delete_description": frozenset({"study"}),
    },
    "link": {"evidence": _NONE},
    "verdict": dict.fromkeys(_VERDICTS, _NONE),
    "group": dict.fromkeys(_GROUPS, _NONE),
    "note": dict.fromkeys(_NOTES, _NONE),
    "removal": dict.fromkeys(("radiograph", "spine-ct", "bone-scan", "ct", "pet-ct"), _NONE),
}
