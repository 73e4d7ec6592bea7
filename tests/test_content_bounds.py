"""A number of the content that cannot be meant stops the start; the settings keep the same bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import THRESHOLDS
from cds_service.content.bounds import EGFR_RECENT_DAYS, Bounds
from cds_service.settings import Settings, SettingsError, make_settings
from tests.content_copies import RULE, refusal, replace_in

# file, pattern, replacement, field
NUMBERS = {
    "window of 8,400,000 days": ("rule.toml", "^value = 84", "value = 8400000", "threshold.new_window_days.value"),
    "no window": ("rule.toml", "^value = 84", "value = 0", "threshold.new_window_days.value"),
    "negative clean days": ("rule.toml", "^value = 180", "value = -1", "threshold.clean_days.value"),
    "recent eGFR of no day": ("cautions.toml", "^recent_days = 90", "recent_days = 0", "kidneys.recent_days"),
    "recent eGFR of a century": ("cautions.toml", "^recent_days = 90", "recent_days = 36500", "kidneys.recent_days"),
    "injury of a century": ("cautions.toml", "^injury_days = 30", "injury_days = 36500", "kidneys.injury_days"),
    "injury of no day": ("cautions.toml", "^injury_days = 30", "injury_days = 0", "kidneys.injury_days"),
    "eGFR that no kidney has": ("cautions.toml", "^weigh_below = 45", "weigh_below = 3000", "kidneys.weigh_below"),
    "eGFR from above its end": ("cautions.toml", "^contrast_from = 30", "contrast_from = 45", "kidneys.contrast_from"),
    "pregnancy of a year": (
        "cautions.toml",
        "^after_record_days = 280",
        "after_record_days = 365",
        "after_record_days",
    ),
    "late age of a child": ("cautions.toml", "^unlikely_from_years = 60", "unlikely_from_years = 12", "unlikely_from"),
    "unclear above positive": ("cautions.toml", "^unclear_from = 5", "unclear_from = 50", "test.hcg-test.unclear_from"),
    "override of two years": ("override-reasons.toml", "^days = 90", "days = 730", "days"),
    "override of no day": ("override-reasons.toml", "^days = 90", "days = 0", "days"),
}


@pytest.mark.parametrize(("file", "pattern", "replacement", "field"), NUMBERS.values(), ids=NUMBERS)
def test_a_number_out_of_bounds_is_named(
    content_copy: Path, file: str, pattern: str, replacement: str, field: str
) -> None:
    replace_in(content_copy, f"{RULE}/{file}", pattern, replacement)
    error = refusal(content_copy)
    assert error.file == f"{RULE}/{file}"
    assert field in error.field


def test_a_threshold_that_the_rule_reads_must_be_there(content_copy: Path) -> None:
    replace_in(content_copy, f"{RULE}/rule.toml", r"^\[threshold\.clean_days\]", "[threshold.clean_day]")
    error = refusal(content_copy)
    assert (error.file, error.field) == (f"{RULE}/rule.toml", "threshold.clean_days")


def test_a_threshold_that_nothing_reads_is_refused(content_copy: Path) -> None:
    more = '[threshold.rainy_days]\nvalue = 1\nwhy = "x"\nsource = "x"\n\n[prefetch]'
    replace_in(content_copy, f"{RULE}/rule.toml", r"^\[prefetch\]", more)
    error = refusal(content_copy)
    assert (error.file, error.field) == (f"{RULE}/rule.toml", "threshold.rainy_days")


SETTINGS = {
    **{name: THRESHOLDS[name] for name in ("new_window_days", "clean_days")},
    "egfr_recent_days": EGFR_RECENT_DAYS,
}


@pytest.mark.parametrize(("setting", "bounds"), SETTINGS.items(), ids=SETTINGS)
def test_a_setting_has_the_bounds_of_the_number_that_it_overrides(setting: str, bounds: Bounds) -> None:
    for value in (bounds.least, bounds.most):
        assert getattr(make_settings({setting: value}), setting) == value
    for value in (bounds.least - 1, bounds.most + 1):
        with pytest.raises(SettingsError, match=setting):
            make_settings({setting: value})
    assert getattr(Settings(), setting) is None
