"""Where this rule's content lies, what the rule reads from it by name, and that content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.breast_cancer_back_pain.card_frames import card_frames
from cds_service.clinical.rules.breast_cancer_back_pain.order_labels import longest_labels
from cds_service.clinical.rules.breast_cancer_back_pain.sentences import SENTENCES
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import TEXT_NAMES
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import THRESHOLDS
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet
from cds_service.content.load import load_content as load_content_of
from cds_service.content.model import Content, OrderDefinition
from cds_service.content.rule_source import RuleSource, Wording

# The longest list of what may be left to do beside the spine MRI.
_LONGEST_MODALITIES = "bone scan, CT and brain MRI"


def load_content(folder: Path | None = None) -> Content:
    """This rule's content in `folder` (default: the one that came with the service), once per process.

    Raises:
        ContentError: see `cds_service.content.load`.
    """
    return load_content_of(folder, SOURCE)


def _longest_names(wording: Wording, orders: Mapping[str, OrderDefinition]) -> Mapping[str, str]:
    """The longest text that each name in a summary can stand for: any pain, any study."""
    return {
        "pain": max((*wording["pain"].values(), *wording["pain_undated"].values()), key=len),
        "flag": max(wording["flag"].values(), key=len),
        "study": max((order.title for order in orders.values()), key=len),
        "modalities": _LONGEST_MODALITIES,
        "state": max(wording["state_short"].values(), key=len),
    }


SOURCE = RuleSource(
    folder="breast_cancer_back_pain",
    value_sets=(SharedValueSet, RuleValueSet),
    tables=frozenset({"mri_of_region", "studies"}),
    thresholds=THRESHOLDS,
    text=TEXT_NAMES,
    sentences=SENTENCES,
    longest_names=_longest_names,
    frames=card_frames,
    labels=longest_labels,
)
