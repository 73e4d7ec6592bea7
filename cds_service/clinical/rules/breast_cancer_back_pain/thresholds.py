"""The numbers that this rule reads from `rule.toml`, and between which values each must lie."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from cds_service.content.bounds import MOST_DAYS, Bounds


class Threshold(StrEnum):
    """A number by its name in `rule.toml`, where its value stands with the reason and the source."""

    NEW_WINDOW_DAYS = "new_window_days"
    CLEAN_DAYS = "clean_days"
    NONSPECIFIC_SIGN_GROUPS = "nonspecific_sign_groups"
    ADULT_FROM_YEARS = "adult_from_years"
    HOSPICE_DAYS = "hospice_days"
    PREGNANCY_RECENT_DAYS = "pregnancy_recent_days"
    MAY_BE_PREGNANT_FROM_YEARS = "may_be_pregnant_from_years"
    MAY_BE_PREGNANT_TO_YEARS = "may_be_pregnant_to_years"
    IMAGED_WITHOUT_ONSET_DAYS = "imaged_without_onset_days"
    CT_BEFORE_ONSET_DAYS = "ct_before_onset_days"
    OPEN_ORDER_DAYS = "open_order_days"
    RECEPTOR_POSITIVE_PERCENT = "receptor_positive_percent"
    SURVEILLANCE_FROM_DAYS = "surveillance_from_days"
    ORDER_BEFORE_PAIN_DAYS = "order_before_pain_days"
    ORDER_BEFORE_ONSET_DAYS = "order_before_onset_days"
    ORDER_DUE_DAYS = "order_due_days"
    EMERGENCY_DUE_DAYS = "emergency_due_days"
    MRI_WITHIN_DAYS = "mri_within_days"
    EMERGENCY_MRI_WITHIN_HOURS = "emergency_mri_within_hours"
    SIGN_DAYS = "sign_days"
    BRAIN_POINT_DAYS = "brain_point_days"
    WORSE_ENTRY_DAYS = "worse_entry_days"
    AFTER_PROCEDURE_DAYS = "after_procedure_days"
    PLANNED_VISIT_DAYS = "planned_visit_days"
    IMPORTED_ENTRIES = "imported_entries"
    CT_PARTS_DAYS = "ct_parts_days"
    FEVER_FROM_CELSIUS = "fever_from_celsius"
    FEVER_NOW_DAYS = "fever_now_days"
    FEVER_DAYS = "fever_days"
    INFECTION_SOURCE_DAYS = "infection_source_days"


THRESHOLDS: Mapping[str, Bounds] = {
    Threshold.NEW_WINDOW_DAYS: Bounds(1, MOST_DAYS),
    Threshold.CLEAN_DAYS: Bounds(0, MOST_DAYS),
    # One group alone is the choice of a site (the setting `nonspecific_signs`); there are four.
    Threshold.NONSPECIFIC_SIGN_GROUPS: Bounds(2, 4),
    Threshold.ADULT_FROM_YEARS: Bounds(12, 25),
    Threshold.HOSPICE_DAYS: Bounds(1, MOST_DAYS),
    Threshold.PREGNANCY_RECENT_DAYS: Bounds(0, 300),
    Threshold.MAY_BE_PREGNANT_FROM_YEARS: Bounds(8, 20),
    Threshold.MAY_BE_PREGNANT_TO_YEARS: Bounds(40, 70),
    Threshold.IMAGED_WITHOUT_ONSET_DAYS: Bounds(0, MOST_DAYS),
    Threshold.CT_BEFORE_ONSET_DAYS: Bounds(0, 365),
    Threshold.OPEN_ORDER_DAYS: Bounds(1, MOST_DAYS),
    Threshold.RECEPTOR_POSITIVE_PERCENT: Bounds(1, 10),
    Threshold.SURVEILLANCE_FROM_DAYS: Bounds(1, MOST_DAYS),
    Threshold.ORDER_BEFORE_PAIN_DAYS: Bounds(0, 365),
    Threshold.ORDER_BEFORE_ONSET_DAYS: Bounds(0, 365),
    Threshold.ORDER_DUE_DAYS: Bounds(1, 365),
    Threshold.EMERGENCY_DUE_DAYS: Bounds(0, 7),
    Threshold.MRI_WITHIN_DAYS: Bounds(1, 14),
    Threshold.EMERGENCY_MRI_WITHIN_HOURS: Bounds(1, 48),
    Threshold.SIGN_DAYS: Bounds(1, 90),
    Threshold.BRAIN_POINT_DAYS: Bounds(1, 365),
    Threshold.WORSE_ENTRY_DAYS: Bounds(1, MOST_DAYS),
    Threshold.AFTER_PROCEDURE_DAYS: Bounds(0, 365),
    Threshold.PLANNED_VISIT_DAYS: Bounds(0, 90),
    # Two entries of one day are no import.
    Threshold.IMPORTED_ENTRIES: Bounds(3, 100),
    Threshold.CT_PARTS_DAYS: Bounds(0, 90),
    Threshold.FEVER_FROM_CELSIUS: Bounds(37, 39),
    Threshold.FEVER_NOW_DAYS: Bounds(1, 30),
    Threshold.FEVER_DAYS: Bounds(1, 90),
    Threshold.INFECTION_SOURCE_DAYS: Bounds(1, 365),
}
