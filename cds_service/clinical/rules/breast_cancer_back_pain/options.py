"""The site's choices that change how the rule reads a chart (part of the settings)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from cds_service.clinical.rules.cautions import RenalGadolinium
from cds_service.content.model import Content


@dataclass(frozen=True, slots=True)
class RuleOptions:
    """See `cds_service.settings` for what each choice means; days are whole days."""

    new_window_days: int = 84
    clean_days: int = 180
    egfr_recent_days: int = 90
    text_match: bool = True
    unconfirmed_cancer: Literal["ignore", "count"] = "ignore"
    undated_pain: Literal["card", "silent"] = "card"
    dcis_mode: Literal["off", "info"] = "off"
    region_unspecified: Literal["whole-spine", "spine"] = "whole-spine"
    mri_extent: Literal["region", "whole-spine"] = "region"
    nonspecific_signs: Literal["text", "critical"] = "text"
    pain_required_for_cord_signs: bool = True
    hospice_suppress: bool = True
    renal_gadolinium: RenalGadolinium = "without"
    brain_any_subtype: Literal["consider", "her2-or-triple-negative"] = "consider"
    surveillance_advice: Literal["info", "off"] = "info"

    @classmethod
    def of(cls, content: Content, choices: Mapping[str, Any]) -> RuleOptions:
        """A site's choices by the names of its settings, with the thresholds of the content where none is set."""
        known = {"egfr_recent_days": content.cautions.kidneys.recent_days, **content.rule.thresholds}
        chosen: dict[str, Any] = {}
        for item in fields(cls):
            value = choices.get(item.name)
            chosen[item.name] = known.get(item.name, item.default) if value is None else value
        return cls(**chosen)
