"""Who has a history of breast cancer, and who only seems to. Every patient here also has new low back pain."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.clinical.rules.assessment import Answer, Criterion, Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    IN_SITU,
    LOW_BACK_PAIN,
    PATIENT_ID,
    Json,
    assess,
    assessment,
    bundle,
    coding,
    condition,
    day,
    observation,
    outcome,
    patient,
    prefetch,
    reference,
    status,
)


def new_pain() -> Json:
    return condition(LOW_BACK_PAIN, onset=day(5))


def with_pain(*resources: Json, options: RuleOptions | None = None) -> Assessment:
    """The assessment of a patient with new low back pain and these resources."""
    return assessment(new_pain(), *resources, options=options)


def history(found: Assessment) -> Criterion:
    return found.criterion("breast-cancer-history")


def counts(*resources: Json, options: RuleOptions | None = None) -> bool:
    """Whether these resources prove a history of breast cancer, so that the card is shown."""
    found = with_pain(*resources, options=options)
    assert found.outcome in (Outcome.FIRED, Outcome.NOT_APPLICABLE)
    if found.outcome is Outcome.NOT_APPLICABLE:
        assert found.reason is Reason.NO_CANCER_HISTORY
    return found.outcome is Outcome.FIRED


def codes(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("code", names)


# --- Codes


@codes(
    "icd10cm C50",
    "icd10cm C50.911",
    "icd10cm C50.929",
    "icd10cm C50.A1",
    "icd10cm C50911",
    "icd10cm c50.911",
    "icd10cm  C50.911 ",
    "icd10cm Z85.3",
    "icd9cm 174.9",
    "icd9cm 1749",
    "icd9cm 175.9",
    "icd9cm V10.3",
    "icd10 C50.9",
    "icd10 Z85.3",
    "snomed 254837009",
    "snomed 372095001",
    "snomed 706970001",
    "snomed 417181009",
    "snomed 314955001",
    "snomed 403946000",
    "snomed 429087003",
    "snomed 415076002",
)
def test_every_code_of_breast_cancer_or_its_history_counts(code: str) -> None:
    assert counts(condition(code))


# Decision 1.3.
@codes(
    "icd10cm Z80.3",
    "icd9cm V16.3",
    "snomed 429740004",
    "icd10cm Z12.31",
    "snomed 268547008",
    "icd10cm Z15.01",
    "snomed 718220008",
    "icd10cm Z40.01",
    "snomed 136071000119101",
    "icd10cm D24.1",
    "icd9cm 217",
    "icd10cm N63.0",
    "icd10cm R92.8",
    "icd10cm D48.60",
)
def test_family_history_screening_risk_and_benign_disease_do_not_count(code: str) -> None:
    assert not counts(condition(code))


# Decision 1.3.
@codes("icd10cm C79.81", "snomed 94297009", "snomed 145501000119108", "snomed 1264497008")
def test_metastasis_to_the_breast_does_not_count(code: str) -> None:
    assert not counts(condition(code))


# Decision 1.3.
@codes("icd10cm C44.511", "snomed 278052009", "snomed 93215006", "icd10cm C61", "icd10cm Z85.43")
def test_another_cancer_does_not_count(code: str) -> None:
    assert not counts(condition(code))


# Decision 1.5.
@codes("icd10cm Z90.10", "icd10cm Z79.810", "snomed 428540007", "snomed 1287652008")
def test_a_trace_of_treatment_supports_a_history_and_never_proves_it(code: str) -> None:
    assert not counts(condition(code))


# Decision 1.3.
@codes("snomed 126926005", "snomed 278053004", "snomed 255068000", "snomed 712989008")
def test_an_ambiguous_code_does_not_count(code: str) -> None:
    assert not counts(condition(code, display="Breast cancer"))


@codes("local C50.911", " C50.911", "snomed C50.911", "icd9cm C50.911", "icd10cm 254837009")
def test_a_code_counts_only_in_its_own_code_system(code: str) -> None:
    assert not counts(condition(code))


def test_any_one_of_several_codings_suffices() -> None:
    assert counts(condition("local 4711", "icd9cm 174.9", "snomed 254837009"))


# --- Statuses


# Decision 1.1.
@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse", "inactive", "remission", "resolved", None])
def test_cancer_that_is_over_is_history_still(clinical: str | None) -> None:
    assert counts(condition(BREAST_CANCER, clinical=clinical, abatementDateTime=day(4000)))


# Decision 1.6.
@pytest.mark.parametrize("verification", ["refuted", "entered-in-error"])
def test_a_refuted_or_mistaken_cancer_is_no_history(verification: str) -> None:
    assert not counts(condition(BREAST_CANCER, verification=verification))


# Decision 1.6.
@pytest.mark.parametrize("verification", ["provisional", "differential"])
def test_a_suspected_cancer_is_no_history(verification: str) -> None:
    assert not counts(condition(BREAST_CANCER, verification=verification))


# Decision 1.6.
@pytest.mark.parametrize("verification", ["confirmed", None])
def test_a_cancer_that_nobody_doubts_is_history(verification: str | None) -> None:
    assert counts(condition(BREAST_CANCER, verification=verification))


# Decision 1.6.
@pytest.mark.parametrize(("choice", "expected"), [("ignore", False), ("count", True)])
def test_the_site_decides_whether_an_unconfirmed_cancer_counts(choice: Any, expected: bool) -> None:
    cancer = condition(BREAST_CANCER, verification="unconfirmed")
    assert counts(cancer, options=RuleOptions(unconfirmed_cancer=choice)) is expected


@pytest.mark.parametrize(
    "verification",
    [
        {"coding": [coding("local R", "Refuted"), *status("ver-status", "refuted")["coding"]]},
        {"coding": [{"display": "Refuted"}, *status("ver-status", "refuted")["coding"]]},
        {"coding": status("ver-status", "refuted")["coding"], "text": "not present"},
        {"text": "Refuted"},
        {"text": "Entered in Error"},
        "refuted",
        "Refuted",
    ],
    ids=["after a local coding", "after a code-less coding", "with text", "text", "words", "string", "upper case"],
)
def test_a_refuted_cancer_is_no_history_however_the_status_is_written(verification: object) -> None:
    assert not counts(condition(BREAST_CANCER, verification=None, verificationStatus=verification))


# --- One entry that says two things


# Decision 1.7.
def test_a_family_history_code_in_the_same_entry_takes_the_proof_away() -> None:
    found = with_pain(condition(BREAST_CANCER, "icd10cm Z80.3"))
    assert found.outcome is Outcome.NOT_APPLICABLE
    assert "Passed over: Condition/" in history(found).because


# Decision 1.7.
@codes(
    "icd10cm Z15.01",
    "icd9cm V84.01",
    "snomed 718220008",
    "icd10cm Z12.31",
    "icd10cm Z12.39",
    "icd10 Z12.3",
    "icd10cm C79.81",
    "snomed 94297009",
    "icd10cm N63.0",
    "icd10cm D24.9",
    "icd10cm Z40.01",
    "snomed 254845004",
    "snomed 313376005",
)
@pytest.mark.parametrize("cancer", [BREAST_CANCER, BREAST_CANCER_HISTORY, "icd9cm 174.2", "snomed 254837009"])
def test_a_code_of_a_gene_of_screening_or_of_spread_in_the_same_entry_takes_nothing_back(
    cancer: str, code: str
) -> None:
    assert counts(condition(code, cancer))


# Decision 1.7.
@codes("icd10cm Z80.3", "icd10 Z80.3", "icd9cm V16.3", "snomed 429740004", "snomed 160392000")
def test_every_code_of_family_history_in_the_same_entry_takes_the_proof_away(code: str) -> None:
    assert not counts(condition(BREAST_CANCER, code, "icd10cm Z15.01"))


# Decision 1.7.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Screening mammogram, history of breast cancer", True),
        ("Screening mammogram in breast cancer survivor", True),
        ("Screening for recurrence of breast cancer", True),
        ("Personal history of breast cancer; screening mammogram", True),
        ("Breast cancer in BRCA2 carrier", True),
        ("Screening mammogram", False),
        ("Encounter for screening mammogram for malignant neoplasm of breast", False),
        ("Screening for breast cancer", False),
        ("Breast cancer screening", False),
        ("Annual screening", False),
        ("Family history of breast cancer", False),
        ("r/o breast cancer", False),
    ],
)
def test_beside_a_code_of_screening_words_that_speak_of_nothing_else_take_the_proof_away(
    text: str, expected: bool
) -> None:
    assert counts(condition(BREAST_CANCER_HISTORY, "icd10cm Z12.31", text=text)) is expected


# Decision 1.7.
def test_the_words_of_a_code_of_cancer_alone_may_speak_of_screening() -> None:
    assert counts(condition(BREAST_CANCER_HISTORY, text="Screening mammogram"))


# Decision 1.3.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Metastatic breast cancer", True),
        ("Stage IV breast cancer", True),
        ("Breast carcinoma, metastatic", True),
        ("Breast cancer metastasized to contralateral breast", True),
        ("Metastasis of the breast", False),
        ("Secondary malignant neoplasm of breast", False),
        ("Metastatic melanoma to breast", False),
        ("Breast metastasis from lung cancer", False),
        ("Mother: metastatic breast cancer", False),
        ("r/o metastatic breast cancer", False),
        ("", False),
    ],
)
@pytest.mark.parametrize("code", ["icd10cm C79.81", "snomed 94297009", "snomed 12241031000119108"])
def test_words_may_name_the_primary_beside_a_code_of_metastasis_to_the_breast(
    code: str, text: str, expected: bool
) -> None:
    assert counts(condition(code, text=text)) is expected


# Decision 1.3.
@codes("icd10cm C34.90", "icd10cm C43.9", "icd10cm Z80.3", "icd10cm Z12.31")
def test_no_words_name_a_primary_beside_a_code_of_another_cancer_of_a_relative_or_of_screening(code: str) -> None:
    assert not counts(condition("icd10cm C79.81", code, text="Metastatic breast cancer"))


# Decision 1.7.
@pytest.mark.parametrize("text", ["Mother: breast cancer", "FH breast cancer", "r/o breast cancer", "Breast cancer?"])
def test_a_text_that_contradicts_the_code_takes_the_proof_away(text: str) -> None:
    assert not counts(condition(BREAST_CANCER, text=text))


# Decision 1.7.
@pytest.mark.parametrize(
    "text",
    [
        "Right breast cancer",
        "Breast cancer 2014, NED",
        "Breast cancer, possible bone metastases",
        "Right breast cancer at high risk of recurrence",
        "Right breast cancer 2014. Sister had ovarian cancer.",
    ],
)
def test_a_text_that_doubts_or_tells_something_else_leaves_the_code_standing(text: str) -> None:
    assert counts(condition(BREAST_CANCER, text=text))


def test_the_usual_name_of_a_code_never_contradicts_the_code() -> None:
    breast_cancer = load_content().terminology.value_sets["breast-cancer"]
    passed_over = [
        display
        for _, code, display in breast_cancer.concepts
        if display and not counts(condition(BREAST_CANCER, text=display))
    ]
    assert passed_over == []


def test_a_refuted_entry_beside_a_confirmed_one_does_not_take_the_history_away() -> None:
    assert counts(condition(BREAST_CANCER, verification="refuted"), condition(BREAST_CANCER_HISTORY))


# --- In situ disease


# Decision 1.4.
@codes("icd10cm D05.11", "icd10cm D05", "icd10cm Z86.000", "icd9cm 233.0", "snomed 189336000")
def test_in_situ_disease_alone_is_silent(code: str) -> None:
    assert not counts(condition(code))


# Decision 1.4.
def test_in_situ_disease_beside_invasive_disease_is_a_history() -> None:
    assert counts(condition(IN_SITU), condition(BREAST_CANCER))


# Decision 1.4.
def test_a_site_may_hear_of_in_situ_disease_and_gets_no_orders() -> None:
    found = with_pain(condition(IN_SITU), options=RuleOptions(dcis_mode="info"))
    assert (found.outcome, found.reason, found.studies) == (Outcome.FIRED, Reason.IN_SITU_ONLY, ())


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional", "differential"])
def test_in_situ_disease_that_is_refuted_or_suspected_is_silent_everywhere(verification: str) -> None:
    in_situ = condition(IN_SITU, verification=verification)
    assert not counts(in_situ, options=RuleOptions(dcis_mode="info"))


def test_a_site_that_hears_of_in_situ_disease_still_gets_the_full_card_for_invasive_disease() -> None:
    found = with_pain(condition(IN_SITU), condition(BREAST_CANCER), options=RuleOptions(dcis_mode="info"))
    assert found.reason is Reason.IMAGING_ADVISED


# --- Who, and when


# Decision 1.2.
@pytest.mark.parametrize("gender", ["female", "male", "other", "unknown", None])
def test_sex_does_not_matter(gender: str | None) -> None:
    assert counts(condition(BREAST_CANCER), patient(**({"gender": gender} if gender else {})))


# Decision 1.1.
@pytest.mark.parametrize("days_ago", [0, 30, 365, 8_400, 18_000])
def test_there_is_no_limit_of_time(days_ago: int) -> None:
    assert counts(condition(BREAST_CANCER, onset=day(days_ago)))


def test_a_cancer_without_any_date_is_history() -> None:
    assert counts(condition(BREAST_CANCER))


def test_a_cancer_with_a_date_in_the_future_is_history_without_a_date() -> None:
    [finding] = history(with_pain(condition(BREAST_CANCER, onset=day(-40)))).findings
    assert finding.when is None


# Decision 1.1.
def test_cancer_found_after_the_pain_began_counts() -> None:
    found = assessment(condition(LOW_BACK_PAIN, onset=day(42)), condition(BREAST_CANCER, onset=day(7)))
    assert found.outcome is Outcome.FIRED


def test_the_cancer_of_another_patient_is_never_this_patients() -> None:
    assert not counts(condition(BREAST_CANCER, subject=reference("Patient", "pt-2")))


# --- Text


# Decision 1.8.
def test_cancer_stated_in_text_alone_counts_and_is_quoted() -> None:
    found = with_pain(condition(text="hx L breast ca 2011, mastectomy"))
    assert found.outcome is Outcome.FIRED
    assert history(found).findings[0].quote == "hx L breast ca 2011, mastectomy"
    assert Note.TEXT_ONLY in found.notes


def test_the_display_of_a_code_that_nobody_knows_is_text() -> None:
    assert counts(condition("local 4711", display="Malignant neoplasm of breast"))


@pytest.mark.parametrize("text", ["Mother: breast cancer", "No evidence of breast cancer"])
def test_a_text_that_denies_is_stronger_than_the_display_of_an_unknown_code(text: str) -> None:
    assert not counts(condition("local 4711", display="Breast cancer", text=text))


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional", "differential", "unconfirmed"])
def test_statuses_hold_for_text_as_well(verification: str) -> None:
    assert not counts(condition(text="breast cancer", verification=verification))


# Decision 11.4.
def test_text_never_overrides_a_code_that_says_something_else() -> None:
    assert not counts(condition("icd10cm Z12.31", text="Breast cancer"))


def test_a_site_may_switch_text_off() -> None:
    assert not counts(condition(text="breast cancer 2011"), options=RuleOptions(text_match=False))


# --- What is found, and what is missing


def test_the_same_diagnosis_recorded_twice_is_named_once() -> None:
    found = with_pain(condition(BREAST_CANCER, onset=day(900)), condition(BREAST_CANCER, onset=day(400)))
    assert len(history(found).findings) == 1


def test_a_coded_and_dated_diagnosis_is_named_before_text() -> None:
    found = with_pain(condition(text="breast cancer"), condition(BREAST_CANCER, onset=day(900)))
    assert [finding.from_text for finding in history(found).findings] == [False, True]


def assessed_with(conditions: object) -> Assessment:
    values = prefetch(observation("snomed 279039007", day(2))) | {"conditions": conditions}
    return assess(build_chart(PATIENT_ID, values))


@pytest.mark.parametrize(
    "conditions",
    [
        outcome(),
        bundle(next_page=True),
        bundle(outcome()),
        bundle(condition(BREAST_CANCER, subject=reference("Patient", "pt-2"))),
        bundle(condition("local 1") | {"code": 7}),
        {"resourceType": "Bundle", "entry": [{"resource": None}]},
        "<html>session expired</html>",
    ],
    ids=["error", "first page", "error inside", "other patient", "unreadable code", "empty entry", "HTML"],
)
def test_conditions_that_may_not_be_all_leave_the_question_open(conditions: object) -> None:
    found = assessed_with(conditions)
    assert (found.outcome, found.missing) == (Outcome.UNDETERMINED, ("conditions",))
    assert history(found).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    "conditions", [None, bundle(), bundle(outcome("warning", "processing"))], ids=["null", "none", "warning"]
)
def test_conditions_that_are_known_to_be_none_settle_the_question(conditions: object) -> None:
    found = assessed_with(conditions)
    assert (found.outcome, found.reason) == (Outcome.NOT_APPLICABLE, Reason.NO_CANCER_HISTORY)


def test_cancer_on_the_first_page_settles_the_question() -> None:
    assert assessed_with(bundle(condition(BREAST_CANCER), next_page=True)).outcome is Outcome.FIRED
