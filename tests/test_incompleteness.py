"""What an OperationOutcome says of the completeness of a prefetch key, and what that does to the answer (decision 6.6).

Every issue code and severity is tried under every key, in place of the data and among it, on every hook. The codes are
written out here once more, so that the table does not repeat what the service holds.
"""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.records import Gap
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.settings import SettingsError
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    bundle,
    condition,
    day,
    decision,
    draft,
    only_card,
    outcome,
)

Json = dict[str, Any]

LEAVES_OUT = [
    "incomplete", "throttled", "timeout", "exception", "no-store", "lock-error", "transient", "too-costly",
    "not-supported", "suppressed", "security", "login", "unknown", "expired", "forbidden",
]  # fmt: skip
HARMLESS_AMONG_ENTRIES = [
    "success", "processing", "informational", "not-found", "deleted", "duplicate", "business-rule", "value", "invalid",
    "structure", "required", "invariant", "multiple-matches", "too-long", "code-invalid", "extension", "conflict",
]  # fmt: skip
NOT_OF_R4 = ["limited-filter", "made-up", "4119", ""]
CODES = [*LEAVES_OUT, *HARMLESS_AMONG_ENTRIES, *NOT_OF_R4]

MILD = ["information", "warning", "Warning", " information "]
GRAVE = ["error", "fatal", "ERROR", "", "grave"]

DECIDING = ["conditions", "observations"]
REFINING = ["serviceRequests", "diagnosticReports", "procedures", "allergies", "encounters"]
HOOKS = ["patient-view", "order-select", "order-sign"]

CANCER = condition(BREAST_CANCER, onset="2018", id="cancer")
PAIN = condition(LOW_BACK_PAIN, onset=day(6), id="pain")
RADIOGRAPH = draft("cpt 72100")
SOMETHING_ELSE = condition("icd10cm I10", id="other")


def among(*resources: Json, severity: str, code: str) -> Json:
    """A search result with an OperationOutcome beside its entries."""
    return bundle(*resources, outcome(severity, code))


def is_gap(code: str, severity: str, in_place: bool) -> bool:
    """What the decision says, in the words of the decision."""
    if severity.strip().lower() not in ("information", "warning"):
        return True
    return code != "informational" if in_place else code not in HARMLESS_AMONG_ENTRIES


def asked(hook: str, *resources: Json, **replaced: Json) -> Any:
    """The decision on a chart with some keys replaced; order hooks have a radiograph drafted."""
    drafts = () if hook == "patient-view" else (RADIOGRAPH,)
    return decision(*resources, hook=hook, drafts=drafts, replaced=replaced)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("in_place", [False, True], ids=["among the entries", "in place of the entries"])
def test_nothing_is_ruled_out_where_something_decisive_may_have_been_left_out(
    hook: str, code: str, in_place: bool
) -> None:
    for severity in (*MILD, *GRAVE):
        for key in (*DECIDING, *REFINING):
            found = (CANCER,) if key == "conditions" else ()
            said = outcome(severity, code) if in_place else among(*found, severity=severity, code=code)
            decided = asked(hook, CANCER, **{key: said})
            missing = is_gap(code, severity, in_place) and key in DECIDING
            # Without its conditions, the chart has no cancer either.
            known = Reason.NO_CANCER_HISTORY if in_place and key == "conditions" else Reason.NO_BACK_PAIN
            expected = (Outcome.UNDETERMINED, (key,)) if missing else (Outcome.NOT_APPLICABLE, ())
            assert (decided.assessment.outcome, decided.assessment.missing) == expected, (severity, key)
            assert missing or decided.assessment.reason == known


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("code", CODES)
def test_where_no_cancer_is_recorded_only_the_conditions_can_leave_the_question_open(hook: str, code: str) -> None:
    for severity in (*MILD, *GRAVE):
        for key in (*DECIDING, *REFINING):
            found = (SOMETHING_ELSE, PAIN) if key == "conditions" else ()
            decided = asked(hook, SOMETHING_ELSE, PAIN, **{key: among(*found, severity=severity, code=code)})
            missing = is_gap(code, severity, in_place=False) and key == "conditions"
            assert (decided.assessment.outcome is Outcome.UNDETERMINED) is missing, (severity, key)


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("code", CODES)
def test_a_gap_never_takes_back_a_card(hook: str, code: str) -> None:
    whole = only_card(asked(hook, CANCER, PAIN))
    for severity in (*MILD, *GRAVE):
        for key in (*DECIDING, *REFINING):
            found = (CANCER, PAIN) if key == "conditions" else ()
            card = only_card(asked(hook, CANCER, PAIN, **{key: among(*found, severity=severity, code=code)}))
            assert (card["summary"], card["indicator"]) == (whole["summary"], whole["indicator"]), (severity, key)


@pytest.mark.parametrize("hook", HOOKS)
def test_an_outcome_in_place_of_the_patient_leaves_the_patient_unknown(hook: str) -> None:
    decided = asked(hook, CANCER, PAIN, patient=outcome("warning", "processing"))
    assert (decided.assessment.outcome, decided.assessment.missing) == (Outcome.UNDETERMINED, ("patient",))


# What one vendor sends beside the entries of every search, and with a search that finds nothing.
VENDOR_REMARKS = [
    ("4119", "warning", "processing"),
    ("4101", "warning", "processing"),
    ("4119", "information", "informational"),
]


@pytest.mark.parametrize(("number", "severity", "code"), VENDOR_REMARKS)
def test_what_a_vendor_sends_with_every_search_is_no_gap(number: str, severity: str, code: str) -> None:
    remark: Json = outcome(severity, code)
    remark["issue"][0]["details"] = {"coding": [{"system": "urn:oid:1.2.840.114350", "code": number}]}
    decided = asked("patient-view", CANCER, **{key: bundle(remark) for key in ("observations", *REFINING)})
    assert (decided.assessment.reason, decided.gaps) == (Reason.NO_BACK_PAIN, {})


@pytest.mark.parametrize(
    ("said", "gap"),
    [
        ({"resourceType": "OperationOutcome"}, Gap.SOURCE_ERROR),
        ({"resourceType": "OperationOutcome", "issue": []}, Gap.SOURCE_ERROR),
        ({"resourceType": "OperationOutcome", "issue": ["x"]}, Gap.SOURCE_ERROR),
        (
            {"resourceType": "OperationOutcome", "issue": {"severity": "warning", "code": "incomplete"}},
            Gap.LEFT_OUT,
        ),
        (outcome("warning", "incomplete"), Gap.LEFT_OUT),
        (outcome("error", "incomplete"), Gap.SOURCE_ERROR),
    ],
)
def test_an_error_is_told_apart_from_what_was_left_out(said: Json, gap: Gap) -> None:
    decided = asked("patient-view", CANCER, observations=bundle(said))
    assert decided.gaps == {"observations": str(gap)}


def test_one_issue_that_leaves_a_gap_is_enough() -> None:
    said = outcome("information", "informational")
    said["issue"].append({"severity": "warning", "code": "timeout"})
    assert asked("patient-view", CANCER, observations=bundle(said)).assessment.missing == ("observations",)


# --- What a site never grants


@pytest.mark.parametrize("code", ["suppressed", "security", "forbidden"])
def test_what_a_site_never_grants_is_no_gap_where_the_site_has_said_so(code: str) -> None:
    said = {"allergies": bundle(outcome("warning", code))}
    named = decision(CANCER, PAIN, replaced=said)
    accepted = decision(CANCER, PAIN, replaced=said, accepted_gaps=("allergies",))
    assert (named.gaps, accepted.gaps) == ({"allergies": str(Gap.LEFT_OUT)}, {})
    whole = only_card(decision(CANCER, PAIN))["detail"]
    assert only_card(named)["detail"] != whole == only_card(accepted)["detail"]


@pytest.mark.parametrize(
    ("severity", "code"), [("error", "suppressed"), ("warning", "timeout"), ("warning", "incomplete")]
)
def test_what_is_accepted_is_no_error_and_no_accident(severity: str, code: str) -> None:
    said = {"observations": bundle(outcome(severity, code))}
    assert decision(CANCER, replaced=said, accepted_gaps=("observations",)).assessment.missing == ("observations",)


def test_what_is_accepted_of_one_key_is_not_accepted_of_another() -> None:
    said = {"observations": bundle(outcome("warning", "suppressed"))}
    assert decision(CANCER, replaced=said, accepted_gaps=("allergies",)).assessment.missing == ("observations",)


def test_a_key_that_does_not_exist_cannot_be_accepted() -> None:
    with pytest.raises(SettingsError, match="accepted_gaps.*no prefetch key medications"):
        decision(CANCER, accepted_gaps=("medications",))
