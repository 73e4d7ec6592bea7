"""Why an assessment of this rule came out as it did, and what its card must say beside the findings."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why an assessment came out as it did. The values are stable: logs and reports count them."""

    IMAGING_ADVISED = "imaging-advised"
    IN_SITU_ONLY = "in-situ-only"
    CHILD = "child"
    NO_SYMPTOMS = "no-symptoms"
    ALREADY_DRAFTED = "already-drafted"
    ALREADY_IMAGED = "already-imaged-or-ordered"
    HOSPICE = "hospice"
    NO_CANCER_HISTORY = "no-breast-cancer-history"
    NO_BACK_PAIN = "no-back-pain"
    PAIN_NOT_NEW = "back-pain-not-new"
    DECEASED = "patient-deceased"
    RECORD_NOT_CURRENT = "patient-record-not-current"
    UNRELATED_ORDER = "unrelated-order"
    DATA_MISSING = "data-missing"


# Kinds of cards that propose no imaging, and what the wording calls them.
WITHOUT_IMAGING = {Reason.IN_SITU_ONLY: "in_situ", Reason.CHILD: "child", Reason.NO_SYMPTOMS: "surveillance"}


class Note(StrEnum):
    """What the card must say beside its findings."""

    TEXT_ONLY = "text-only"
    ONSET_NOT_RECORDED = "onset-not-recorded"
    ONSET_IMPRECISE = "onset-imprecise"
    PAIN_CHANGED = "pain-changed"
    CHECK_PREGNANCY = "check-pregnancy"
    BONE_SCAN_DONE = "bone-scan-done"
    SIGN_AFTER_ORDER = "sign-after-order"
    INCLUDE_SACRUM = "include-sacrum"
    MRI_WITHOUT_CONTRAST = "mri-without-contrast"
    MRI_AT_ONCE = "mri-at-once"
