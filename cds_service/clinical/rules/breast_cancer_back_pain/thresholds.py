"""The numbers that this rule reads from `rule.toml`, and between which values each must lie."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.content.bounds import MOST_DAYS, Bounds

NEW_WINDOW_DAYS = Bounds(1, MOST_DAYS)
CLEAN_DAYS = Bounds(0, MOST_DAYS)

THRESHOLDS: Mapping[str, Bounds] = {
    "new_window_days": NEW_WINDOW_DAYS,
    "clean_days": CLEAN_DAYS,
    "sign_days": Bounds(1, 90),
    "brain_point_days": Bounds(1, 365),
}
