"""Clinical numbers and words of the rule are read from the content: another value there gives another answer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cds_service.chart.build import build_chart
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.brain import Receptors
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.rule import BreastCancerBackPain
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import THRESHOLDS, Threshold
from cds_service.content.model import Content, Flag
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    OF_A_VISIT,
    ON_THE_LIST,
    PATIENT_ID,
    SYSTEMS,
    Json,
    concept,
    condition,
    day,
    draft,
    encounter,
    observation,
    patient,
    study,
    supplied,
)

CONTENT = load_content()


def with_numbers(numbers: Mapping[str, int]) -> Content:
    return replace(CONTENT, rule=replace(CONTENT.rule, thresholds={**CONTENT.rule.thresholds, **numbers}))


def with_words(flag: str, *patterns: str) -> Content:
    flags = {**CONTENT.text_patterns.flags, flag: Flag(patterns, alone=())}
    return replace(CONTENT, text_patterns=replace(CONTENT.text_patterns, flags=flags))


def assessment_of(content: Content, *resources: Json, drafts: Sequence[Json] | None = None) -> Assessment:
    """What the rule says of a patient with this content; `drafts` are all selected."""
    rule = BreastCancerBackPain(content, RuleOptions.of(content, {}))
    known = build_chart(PATIENT_ID, supplied(*resources), None, drafts)
    found = rule.assess(known, rule.reader(), NOW)
    assert isinstance(found, Assessment)
    return found


def test_every_number_that_the_rule_reads_stands_in_the_content_with_reason_and_source() -> None:
    assert CONTENT.rule.thresholds.keys() == set(Threshold) == THRESHOLDS.keys()
    assert all(item.why.endswith(".") and item.source for item in CONTENT.rule.threshold_reasons.values())


def test_a_rule_without_a_sites_choices_has_the_numbers_of_the_content() -> None:
    assert RuleOptions() == RuleOptions.of(CONTENT, {})


SICK = (condition(BREAST_CANCER, onsetDateTime=day(900)), condition(LOW_BACK_PAIN, onsetDateTime=day(10)))


def coded(set_id: str) -> str:
    """The first code of a value set, as the builders write it."""
    system, code, _ = CONTENT.terminology.value_sets[set_id].concepts[0]
    return f"{next(name for name, uri in SYSTEMS.items() if uri == system)} {code}"


def born(years: int) -> Json:
    return patient(birth=f"{NOW.year - years}-01-01")


def procedure(set_id: str, days: int) -> Json:
    return {
        "resourceType": "Procedure",
        "id": f"procedure-{set_id}",
        "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
        "code": concept(coded(set_id)),
        "performedDateTime": day(days),
    }


def order(set_id: str, days: int) -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": f"order-{set_id}",
        "status": "active",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT_ID}"},
        "code": concept(coded(set_id)),
        "authoredOn": day(days),
    }


def test_who_is_an_adult_is_content() -> None:
    assert assessment_of(CONTENT, born(20), *SICK).reason is Reason.IMAGING_ADVISED
    assert assessment_of(with_numbers({"adult_from_years": 25}), born(20), *SICK).reason is Reason.CHILD


def test_how_long_hospice_is_in_force_is_content() -> None:
    admitted = procedure("hospice", 100)
    assert assessment_of(CONTENT, *SICK, admitted).reason is Reason.HOSPICE
    assert assessment_of(with_numbers({"hospice_days": 90}), *SICK, admitted).reason is Reason.IMAGING_ADVISED


@pytest.mark.parametrize(
    ("numbers", "years"), [({"may_be_pregnant_from_years": 20}, 19), ({"may_be_pregnant_to_years": 40}, 41)]
)
def test_at_which_age_pregnancy_is_asked_for_is_content(numbers: dict[str, int], years: int) -> None:
    asked = assessment_of(CONTENT, born(years), *SICK)
    assert Note.CHECK_PREGNANCY in asked.notes
    assert Note.CHECK_PREGNANCY not in assessment_of(with_numbers(numbers), born(years), *SICK).notes


def test_how_long_a_record_of_pregnancy_is_recent_is_content() -> None:
    test = observation(coded("hcg-test"), day(20), valueCodeableConcept=concept(coded("result-negative")))
    assert Note.CHECK_PREGNANCY not in assessment_of(CONTENT, born(30), *SICK, test).notes
    assert (
        Note.CHECK_PREGNANCY in assessment_of(with_numbers({"pregnancy_recent_days": 10}), born(30), *SICK, test).notes
    )


def bone_scans(found: Assessment) -> list[str]:
    return [item.slug for item in found.covered if item.slug.startswith("bone-scan")]


def test_how_long_an_order_counts_as_open_is_content() -> None:
    open_order = order("imaging-mri-lumbar-spine", 300)
    assert assessment_of(CONTENT, *SICK, open_order).open_orders
    assert not assessment_of(with_numbers({"open_order_days": 200}), *SICK, open_order).open_orders


RECORDED = condition(LOW_BACK_PAIN, recorded=day(10))
OLD_ENTRY = condition(LOW_BACK_PAIN, onset=day(300), text="Low back pain, worse", **ON_THE_LIST)
AFTER_PROCEDURE = (
    study("Procedure", text="Lumbar epidural steroid injection", status="completed", when=day(60)),
    condition(LOW_BACK_PAIN, onset=day(10)),
)
IMPORTED = tuple(condition(code, recorded=day(20), **ON_THE_LIST) for code in (LOW_BACK_PAIN, *["icd10cm I10"] * 7))
PLANNED = encounter(concept(LOW_BACK_PAIN), when=day(-10), status="planned")
FEVER_10_DAYS_AGO = condition("icd10cm R50.9", recorded=day(10), **OF_A_VISIT)
BACTEREMIA = condition("icd10cm R78.81", recorded=day(60), **OF_A_VISIT)
WARM = observation("loinc 8310-5", day(1), valueQuantity={"value": 38.4, "unit": "Cel"})
HEADACHE = condition("snomed 25064002", recorded=day(20), **OF_A_VISIT)
SIGN = condition("icd10cm G83.4", recorded=day(10), **OF_A_VISIT)
HER2_POSITIVE = observation(coded("her2-protein-test"), day(800), valueString="3+")


@pytest.mark.parametrize(
    ("number", "value", "resources", "name", "answers"),
    [
        ("worse_entry_days", 200, (OLD_ENTRY,), "outcome", (Outcome.FIRED, Outcome.NOT_APPLICABLE)),
        ("after_procedure_days", 30, AFTER_PROCEDURE, "outcome", (Outcome.FIRED, Outcome.NOT_APPLICABLE)),
        ("imported_entries", 5, IMPORTED, "outcome", (Outcome.FIRED, Outcome.NOT_APPLICABLE)),
        ("planned_visit_days", 5, (PLANNED,), "outcome", (Outcome.FIRED, Outcome.NOT_APPLICABLE)),
        ("fever_now_days", 12, (RECORDED, FEVER_10_DAYS_AGO), "critical", (False, True)),
        ("fever_from_celsius", 39, (RECORDED, WARM), "critical", (True, False)),
        ("sign_days", 5, (RECORDED, SIGN), "critical", (True, False)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_number_of_the_content_decides(
    number: str, value: int, resources: tuple[Json, ...], name: str, answers: tuple[object, object]
) -> None:
    contents = (CONTENT, with_numbers({number: value}))
    assert tuple(getattr(assessment_of(content, SICK[0], *resources), name) for content in contents) == answers


@pytest.mark.parametrize(
    ("number", "value", "beside"),
    [("fever_days", 8, FEVER_10_DAYS_AGO), ("infection_source_days", 30, BACTEREMIA)],
    ids=["fever_days", "infection_source_days"],
)
def test_how_long_an_infection_is_possible_is_content(number: str, value: int, beside: Json) -> None:
    assert assessment_of(CONTENT, SICK[0], RECORDED, beside).flags.possible_infection
    assert not assessment_of(with_numbers({number: value}), SICK[0], RECORDED, beside).flags.possible_infection


def test_how_long_a_brain_symptom_of_a_visit_counts_is_content() -> None:
    assert assessment_of(CONTENT, *SICK, HEADACHE, HER2_POSITIVE).brain
    assert not assessment_of(with_numbers({"brain_point_days": 10}), *SICK, HEADACHE, HER2_POSITIVE).brain


# Decision 3.11.
@pytest.mark.parametrize(
    ("number", "value", "beside", "days"),
    [("mri_within_days", 3, (), (7, 3)), ("emergency_mri_within_hours", 12, (SIGN,), (1, 0.5))],
    ids=["mri_within_days", "emergency_mri_within_hours"],
)
def test_by_when_the_mri_is_wanted_is_content(
    number: str, value: int, beside: tuple[Json, ...], days: tuple[float, float]
) -> None:
    contents = (CONTENT, with_numbers({number: value}))
    within = [assessment_of(content, SICK[0], RECORDED, *beside).orders[0].within for content in contents]
    assert within == [timedelta(days=wanted) for wanted in days]


def mri_is_proposed(content: Content, *resources: Json) -> bool:
    return any(slug.startswith("mri") for slug in assessment_of(content, SICK[0], *resources).studies)


@pytest.mark.parametrize(
    ("number", "value", "pain", "elements"),
    [
        ("order_before_pain_days", 5, RECORDED, {"when": day(20)}),
        ("order_before_onset_days", 2, SICK[1], {"when": day(15)}),
        ("order_due_days", 10, SICK[1], {"when": day(2), "occurrenceDateTime": day(-20)}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_which_order_answers_the_pain_is_content(number: str, value: int, pain: Json, elements: Json) -> None:
    open_order = study("ServiceRequest", coded("imaging-mri-lumbar-spine"), status="active", **elements)
    assert not mri_is_proposed(CONTENT, pain, open_order)
    assert mri_is_proposed(with_numbers({number: value}), pain, open_order)


def test_how_soon_an_order_must_be_due_in_an_emergency_is_content() -> None:
    code = coded("imaging-mri-whole-spine")
    open_order = study("ServiceRequest", code, status="active", when=day(0), occurrenceDateTime=day(-3))
    sick = (SICK[1], condition("icd10cm G83.4", recorded=day(1), **OF_A_VISIT), open_order)
    assert mri_is_proposed(CONTENT, *sick)
    assert not mri_is_proposed(with_numbers({"emergency_due_days": 5}), *sick)


def test_how_close_the_parts_of_a_ct_must_lie_is_content() -> None:
    parts = (procedure("imaging-ct-chest", 9), procedure("imaging-ct-abdomen-pelvis", 1))
    assert ct(assessment_of(CONTENT, *SICK, *parts))
    assert not ct(assessment_of(with_numbers({"ct_parts_days": 5}), *SICK, *parts))


def ct(found: Assessment) -> list[str]:
    return [item.slug for item in found.covered if item.slug.startswith("ct-")]


def test_how_long_before_the_pain_a_ct_counts_is_content() -> None:
    done = procedure("imaging-ct-chest-abdomen-pelvis", 30)
    assert ct(assessment_of(CONTENT, *SICK, done))
    assert not ct(assessment_of(with_numbers({"ct_before_onset_days": 10}), *SICK, done))


def test_how_long_ago_a_study_counts_without_an_onset_is_content() -> None:
    undated = (SICK[0], condition(LOW_BACK_PAIN))
    done = procedure("imaging-bone-scan-whole-body", 20)
    assert bone_scans(assessment_of(CONTENT, *undated, done))
    assert not bone_scans(assessment_of(with_numbers({"imaged_without_onset_days": 10}), *undated, done))


def test_from_how_many_percent_a_receptor_is_positive_is_content() -> None:
    five_percent = [
        observation(coded(name), day(800), valueQuantity={"value": 5, "unit": "%"}) for name in ("er-test", "pr-test")
    ]
    negative = observation(coded("her2-protein-test"), day(800), valueCodeableConcept=concept(coded("result-negative")))
    results = (*five_percent, negative)
    assert assessment_of(CONTENT, *SICK, *results).receptors is Receptors.OTHER
    ten = with_numbers({"receptor_positive_percent": 10})
    assert assessment_of(ten, *SICK, *results).receptors is Receptors.TRIPLE_NEGATIVE


def test_how_many_groups_of_signs_are_an_emergency_is_content() -> None:
    signs = [condition(coded(f"nonspecific-sign-{group}"), onsetDateTime=day(5)) for group in ("motor", "sphincter")]
    assert assessment_of(CONTENT, *SICK, *signs).critical
    assert not assessment_of(with_numbers({"nonspecific_sign_groups": 3}), *SICK, *signs).critical


def test_the_words_of_a_her2_score_are_content() -> None:
    score = observation(coded("her2-protein-test"), day(800), valueString="3+")
    assert assessment_of(CONTENT, *SICK, score).receptors is Receptors.HER2_POSITIVE
    other = with_words("her2-positive", "strong")
    assert assessment_of(other, *SICK, score).receptors is not Receptors.HER2_POSITIVE


def test_the_words_that_deny_a_finding_are_content() -> None:
    pain = observation(LOW_BACK_PAIN, day(5), valueString="none")
    assert assessment_of(CONTENT, SICK[0], pain).outcome is Outcome.NOT_APPLICABLE
    swapped = replace(CONTENT.result_words, negative=re.compile("^never$"), affirmative=re.compile("^none$"))
    assert assessment_of(replace(CONTENT, result_words=swapped), SICK[0], pain).outcome is Outcome.FIRED


def test_how_long_ago_the_cancer_must_be_for_routine_imaging_is_content() -> None:
    search = [draft(coded("imaging-bone-scan-whole-body"))]
    assert assessment_of(CONTENT, SICK[0], drafts=search).reason is Reason.NO_SYMPTOMS
    longer = with_numbers({"surveillance_from_days": 1000})
    assert assessment_of(longer, SICK[0], drafts=search).reason is Reason.NO_BACK_PAIN


def test_the_words_of_an_advanced_cancer_are_content() -> None:
    search = [draft(coded("imaging-bone-scan-whole-body"))]
    advanced = condition(BREAST_CANCER, onsetDateTime=day(900), text="breast cancer, stage IV")
    assert assessment_of(CONTENT, advanced, drafts=search).reason is Reason.NO_BACK_PAIN
    assert assessment_of(with_words("advanced", "widespread"), advanced, drafts=search).reason is Reason.NO_SYMPTOMS
