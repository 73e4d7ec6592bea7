"""What a visit, an onset and a bulk day say of the date of pain and signs, and which open orders are named."""

from __future__ import annotations

import pytest

from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    LOW_BACK_PAIN,
    LOWER_BACK,
    NECK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    PATIENT_ID,
    Json,
    assessment,
    concept,
    condition,
    day,
    encounter,
    name_of,
    observation,
    reference,
    study,
)

CANCER = condition(BREAST_CANCER, recorded=day(2000), **ON_THE_LIST)
PAIN = condition(LOW_BACK_PAIN, recorded=day(0), **OF_A_VISIT)
SIGNS = ["icd10cm R32", "icd10cm R33.9", "icd10cm M21.371", "icd10cm G82.20"]
WITHOUT_CATEGORY: Json = {}


def answer(*resources: Json, cancer: bool = True) -> str:
    """`critical`, `warning`, or `none`."""
    found = assessment(*([CANCER] if cancer else []), *resources)
    return found.indicator if found.outcome == "fired" else "none"


# --- Decision 3.1: signs of now


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("category", [ON_THE_LIST, WITHOUT_CATEGORY, OF_A_VISIT])
@pytest.mark.parametrize("days", [0, 5])
def test_a_sign_whose_own_onset_is_old_is_named_and_no_emergency(sign: str, category: Json, days: int) -> None:
    found = assessment(CANCER, PAIN, condition(sign, onset="2012", recorded=day(days), **category))
    assert found.indicator == "warning"
    assert found.flags.known


@pytest.mark.parametrize("sign", SIGNS)
def test_an_old_sign_that_became_worse_is_an_emergency(sign: str) -> None:
    worse = condition(sign, onset="2012", recorded=day(0), text="getting worse", **OF_A_VISIT)
    assert answer(PAIN, worse) == "critical"


@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_with_an_onset_of_this_week_is_an_emergency(sign: str) -> None:
    assert answer(PAIN, condition(sign, onset=day(6), recorded=day(5), **ON_THE_LIST)) == "critical"


# --- Decision 2.24: a bulk day is no date


def imported(count: int, days: int) -> list[Json]:
    return [condition("icd10cm I10", recorded=day(days), **ON_THE_LIST) for _ in range(count)]


@pytest.mark.parametrize("sign", [*SIGNS, "icd10cm G83.4", "icd10cm M46.46"])
@pytest.mark.parametrize("days", [5, 40])
def test_a_sign_dated_only_by_the_day_of_an_import_is_old_and_counted(sign: str, days: int) -> None:
    found = assessment(CANCER, PAIN, *imported(10, days), condition(sign, recorded=day(days), **ON_THE_LIST))
    assert found.indicator == "warning"
    assert [item.besides.get("imported") for item in found.understanding if item.key == "conditions"] == [1]


@pytest.mark.parametrize("sign", [*SIGNS, "icd10cm G83.4", "icd10cm M46.46"])
def test_a_sign_with_a_date_of_its_own_or_of_a_visit_is_of_now(sign: str) -> None:
    with_onset = condition(sign, onset=day(3), recorded=day(5), **ON_THE_LIST)
    of_a_visit = condition(sign, recorded=day(5), **OF_A_VISIT)
    for stated in (with_onset, of_a_visit):
        assert answer(PAIN, *imported(10, 5), stated) == "critical"
    assert answer(PAIN, *imported(8, 5), condition(sign, recorded=day(5), **ON_THE_LIST)) == "critical"


# --- Decision 2.19: a visit diagnosis tells of its visit


def seen_in(start: int, end: int, recorded: int) -> list[Json]:
    visit = encounter() | {"period": {"start": day(start), "end": day(end)}}
    stay = reference("Encounter", visit["id"])
    return [visit, condition(LOW_BACK_PAIN, recorded=day(recorded), encounter=stay, **OF_A_VISIT)]


@pytest.mark.parametrize("recorded", [100, 500])
def test_the_days_of_the_visit_come_before_that_of_the_recording(recorded: int) -> None:
    assert answer(*seen_in(3, 3, recorded)) == "warning"
    assert answer(*seen_in(100, 100, 0)) == "none"


def test_a_stay_that_reaches_into_the_window_tells_of_pain_in_it() -> None:
    assert answer(*seen_in(120, 2, 119)) == "warning"
    assert answer(*seen_in(220, 102, 119)) == "none"


# --- Decision 1.10: an encounter reason that is coded as the cancer


@pytest.mark.parametrize("code", [BREAST_CANCER, BREAST_CANCER_HISTORY])
def test_a_reason_coded_as_breast_cancer_is_a_history(code: str) -> None:
    told = concept(code, text="breast cancer follow-up, severe new low back pain for a week")
    assert answer(encounter(told, when=day(1)), cancer=False) == "warning"
    assert answer(encounter(concept(code), when=day(900)), PAIN, cancer=False) == "warning"


@pytest.mark.parametrize("text", ["Mother: breast cancer", "r/o breast cancer"])
def test_a_reason_that_takes_its_code_back_is_none(text: str) -> None:
    assert answer(encounter(concept(BREAST_CANCER, text=text), when=day(9)), PAIN, cancer=False) == "none"


def test_a_reason_of_a_cancelled_visit_or_of_screening_is_none() -> None:
    cancelled = encounter(concept(BREAST_CANCER), when=day(9), status="cancelled")
    assert answer(cancelled, PAIN, cancer=False) == "none"
    assert answer(encounter(concept("icd10cm Z12.31"), when=day(9)), PAIN, cancer=False) == "none"


# --- Decision 2.22: chronic pain and pain of the spine in one visit


@pytest.mark.parametrize("code", ["icd10cm G89.21", "icd10cm G89.29", "icd10cm G89.4"])
def test_reasons_of_one_visit_pair_as_its_diagnoses_do(code: str) -> None:
    assert answer(encounter(concept(code), concept(LOW_BACK_PAIN), when=day(0))) == "none"
    visit = encounter(concept(code), when=day(0))
    diagnosis = condition(LOW_BACK_PAIN, encounter=reference("Encounter", visit["id"]), recorded=day(0), **OF_A_VISIT)
    assert answer(visit, diagnosis) == "none"


def test_chronic_pain_after_surgery_or_beside_a_painful_knee_pairs_with_nothing() -> None:
    assert answer(encounter(concept("icd10cm G89.28"), concept(LOW_BACK_PAIN), when=day(0))) == "warning"
    knee = concept("icd10cm M25.561")
    assert answer(encounter(concept("icd10cm G89.29"), concept(LOW_BACK_PAIN), knee, when=day(0))) == "warning"


def test_chronic_pain_with_the_lower_back_as_its_site_is_chronic_back_pain() -> None:
    assert answer(condition("icd10cm G89.28", sites=[LOWER_BACK], recorded=day(0), **OF_A_VISIT)) == "none"


# --- Decision 2.11: visits that did not take place


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "noshow"])
@pytest.mark.parametrize("element", ["reasonReference", "diagnosis"])
@pytest.mark.parametrize("recorded", [None, day(1)])
def test_pain_that_only_a_visit_names_that_did_not_take_place_is_none(
    status: str, element: str, recorded: str | None
) -> None:
    pain = condition(LOW_BACK_PAIN, recorded=recorded)
    pointer = {"reference": name_of(pain)}
    named = [pointer] if element == "reasonReference" else [{"condition": pointer}]
    assert answer(pain, encounter(when=day(1), status=status, **{element: named})) == "none"


def test_pain_on_the_list_or_of_another_visit_as_well_is_there() -> None:
    listed = condition(LOW_BACK_PAIN, recorded=day(1), **ON_THE_LIST)
    cancelled = encounter(when=day(1), status="cancelled", reasonReference=[{"reference": name_of(listed)}])
    assert answer(listed, cancelled) == "warning"
    pain = condition(LOW_BACK_PAIN, recorded=day(1))
    pointer = [{"reference": name_of(pain)}]
    cancelled = encounter(when=day(1), status="cancelled", reasonReference=pointer)
    assert answer(pain, cancelled, encounter(when=day(0), reasonReference=pointer)) == "warning"


# --- Decision 3.7: temperatures


@pytest.mark.parametrize(("celsius", "expected"), [(38.6, "critical"), (37.1, "warning")])
def test_a_temperature_in_a_panel_of_vital_signs_is_read(celsius: float, expected: str) -> None:
    part = {"code": concept("loinc 8310-5"), "valueQuantity": {"value": celsius, "unit": "Cel", "code": "Cel"}}
    assert answer(PAIN, observation("loinc 85353-1", day(1), component=[part])) == expected


# --- Decisions 5.3 and 5.9: open orders

LUMBAR_MRI = "loinc 24968-0"


def order(**elements: object) -> Json:
    return study("ServiceRequest", LUMBAR_MRI, when=day(1), status="active") | {"id": PATIENT_ID} | elements


def test_an_order_that_answers_a_part_only_is_named() -> None:
    sign = condition("icd10cm R33.9", recorded=day(3), **OF_A_VISIT)
    neck = condition(NECK_PAIN, recorded=day(0), **OF_A_VISIT)
    for beside in (sign, neck):
        found = assessment(CANCER, PAIN, beside, order())
        assert found.orders[0].slug == "mri-whole-spine"
        assert [str(item.when) for item in found.open_orders] == [day(1)]


@pytest.mark.parametrize("elements", [{"status": "on-hold"}, {"intent": "proposal"}, {"intent": "plan"}])
def test_an_order_that_nobody_acts_on_is_named_and_answers_nothing(elements: Json) -> None:
    found = assessment(CANCER, PAIN, order(**elements))
    assert found.orders[0].slug == "mri-lumbar-spine"
    assert [str(item.when) for item in found.open_orders] == [day(1)]


def test_an_order_of_now_answers_the_pain_and_is_not_named_as_another() -> None:
    found = assessment(CANCER, PAIN, order())
    assert "mri-lumbar-spine" not in {item.slug for item in found.orders}
    assert found.open_orders == ()
