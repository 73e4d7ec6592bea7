"""From records to episodes: visits, lists, treatments, chronic pain elsewhere, words of the day, imported lists."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    NECK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    PAIN_ANYWHERE,
    Json,
    assessment,
    concept,
    condition,
    day,
    encounter,
    observation,
    reference,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
CHRONIC_LOW_BACK_PAIN = "snomed 278860009"
BACKACHE = "snomed 161891005"


def is_new(*resources: Json, **arguments: Any) -> bool:
    """Whether the card is shown for a patient with breast cancer and these resources."""
    return assessment(CANCER, *resources, **arguments).outcome is Outcome.FIRED


def at_visit(days_ago: int, *codes: str, visit: str = "", **elements: Any) -> Json:
    """A diagnosis of a visit, active for ever as EHRs leave it."""
    named: Json = {"encounter": reference("Encounter", visit)} if visit else {}
    return condition(*(codes or (LOW_BACK_PAIN,)), recorded=day(days_ago), **named, **OF_A_VISIT, **elements)


def on_list(days_ago: int, *codes: str, **elements: Any) -> Json:
    return condition(*(codes or (LOW_BACK_PAIN,)), onset=day(days_ago), **ON_THE_LIST, **elements)


# --- Visits


# Decisions 2.2 and 2.19.
@pytest.mark.parametrize(("days_ago", "expected"), [(1000, True), (190, True), (100, False)])
def test_a_visit_for_the_same_pain_makes_it_old_inside_the_clean_days_only(days_ago: int, expected: bool) -> None:
    assert is_new(at_visit(days_ago), at_visit(3)) is expected


# Decision 2.19.
def test_a_visit_of_years_ago_is_no_pain_of_now() -> None:
    assert not is_new(at_visit(1000))


# Decision 2.19.
def test_an_onset_before_the_visit_says_when_the_episode_began() -> None:
    assert not is_new(at_visit(0, onset=day(1000)))


# Decision 2.19.
def test_an_entry_without_category_is_a_point_where_it_could_only_make_pain_old() -> None:
    assert is_new(condition(LOW_BACK_PAIN, recorded=day(400)), at_visit(3))


# Decision 2.11.
@pytest.mark.parametrize(
    ("status", "days_ahead", "expected"),
    [("planned", 10, True), ("planned", 20, False), ("cancelled", -1, False), ("entered-in-error", -1, False)],
)
def test_a_visit_that_is_planned_for_the_pain_within_two_weeks_is_a_record_of_today(
    status: str, days_ahead: int, expected: bool
) -> None:
    assert is_new(encounter(concept(LOW_BACK_PAIN), when=day(-days_ahead), status=status)) is expected


# Decision 2.16.
def test_an_abatement_on_the_day_of_the_visit_takes_no_pain_away() -> None:
    assert is_new(at_visit(3, abatementDateTime=day(3)))


# --- Lists


# Decision 2.20.
def test_pain_on_the_list_for_years_leaves_a_new_record_new_and_the_card_says_since_when_it_is_listed() -> None:
    found = assessment(CANCER, on_list(4000), at_visit(0))
    assert found.outcome is Outcome.FIRED
    assert [str(item.when) for item in found.listed] == [day(4000)]


# Decision 2.20.
@pytest.mark.parametrize("records", [(on_list(4000),), (on_list(4000, CHRONIC_LOW_BACK_PAIN), at_visit(0))])
def test_an_old_entry_alone_or_a_chronic_one_brings_no_card(records: tuple[Json, ...]) -> None:
    assert not is_new(*records)


# Decision 2.21.
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Physical therapy for low back pain", False),
        ("Physical therapy, knee", True),
        ("X-ray, denies back pain", True),
    ],
)
def test_an_order_whose_own_words_name_back_pain_is_earlier_pain(words: str, expected: bool) -> None:
    earlier = study("ServiceRequest", text=words, status="completed", when=day(100))
    assert is_new(on_list(4), earlier) is expected


# Decision 2.3.
@pytest.mark.parametrize(("days_ago", "expected"), [(3000, True), (100, False)])
def test_pain_of_no_named_region_makes_a_named_one_old_inside_the_clean_days_only(
    days_ago: int, expected: bool
) -> None:
    assert is_new(at_visit(days_ago, BACKACHE), at_visit(3, NECK_PAIN)) is expected


def imported(*codes: str) -> list[Json]:
    """Ten entries of a list, all recorded 20 days ago."""
    return [condition(code, recorded=day(20), **ON_THE_LIST) for code in (*codes, *["icd10cm I10"] * (10 - len(codes)))]


# Decision 2.24.
def test_an_entry_dated_only_by_the_day_of_an_import_is_old() -> None:
    assert not is_new(*imported(LOW_BACK_PAIN))
    assert is_new(*imported(LOW_BACK_PAIN)[:9])


# Decisions 2.20 and 2.24.
def test_an_old_onset_on_an_imported_list_does_not_make_a_new_record_old() -> None:
    entry, *others = imported(LOW_BACK_PAIN)
    since_long = entry | {"onsetDateTime": day(3000)}
    assert not is_new(since_long, *others)
    assert is_new(since_long, *others, at_visit(2))
    assert not is_new(condition(LOW_BACK_PAIN, onset=day(3000), recorded=day(20), **ON_THE_LIST), at_visit(2))


# Decision 2.24.
def test_what_an_import_dates_is_counted() -> None:
    found = assessment(CANCER, *imported(LOW_BACK_PAIN))
    conditions = next(item for item in found.understanding if item.key == "conditions")
    assert conditions.besides == {"imported": 1}


# Decision 2.5.
@pytest.mark.parametrize(
    "recorded", ["1900-01-01", "1899-12-31", "1753-01-01", "0001-01-01", "9999-12-31", "1930-01-01"]
)
def test_a_day_of_recording_that_cannot_be_is_none(recorded: str) -> None:
    assert is_new(condition(LOW_BACK_PAIN, recorded=recorded, **ON_THE_LIST))


# Decision 2.24.
def test_another_record_makes_imported_pain_new() -> None:
    assert is_new(*imported(LOW_BACK_PAIN), at_visit(2))


# --- Treatments


INJECTION = "Lumbar epidural steroid injection"


# Decision 2.21.
@pytest.mark.parametrize(("days_ago", "expected"), [(120, False), (60, True), (300, True)])
def test_a_procedure_of_the_spine_is_earlier_pain_unless_the_pain_began_soon_after_it(
    days_ago: int, expected: bool
) -> None:
    assert is_new(study("Procedure", when=day(days_ago), text=INJECTION), at_visit(3)) is expected


# Decision 2.21.
@pytest.mark.parametrize(("state", "expected"), [("active", False), ("revoked", True)])
def test_an_order_for_back_pain_in_the_clean_days_is_earlier_pain(state: str, expected: bool) -> None:
    order = study("ServiceRequest", when=day(120), status=state, text="Physical therapy")
    assert is_new(order | {"reasonCode": [concept(LOW_BACK_PAIN)]}, at_visit(3)) is expected


# Decisions 2.3 and 2.21.
@pytest.mark.parametrize(("pain", "expected"), [(NECK_PAIN, True), (LOW_BACK_PAIN, False), (BACKACHE, False)])
def test_a_treatment_is_earlier_pain_of_the_region_that_it_is_for(pain: str, expected: bool) -> None:
    order = study("ServiceRequest", when=day(120), status="completed", text="Physical therapy")
    assert is_new(order | {"reasonCode": [concept(LOW_BACK_PAIN)]}, at_visit(3, pain)) is expected
    assert is_new(study("Procedure", when=day(120), text=INJECTION), at_visit(3, pain)) is expected
    assert is_new(study("Procedure", when=day(120), text="Lumbar microdiscectomy"), at_visit(3, pain)) is expected


# Decision 2.21.
@pytest.mark.parametrize("pain", [NECK_PAIN, LOW_BACK_PAIN, BACKACHE])
def test_a_treatment_of_no_named_region_is_earlier_pain_of_any(pain: str) -> None:
    assert not is_new(study("Procedure", when=day(120), text="Epidural steroid injection"), at_visit(3, pain))


# Decision 2.21.
@pytest.mark.parametrize("code", ["icd10cm Z79.891", "icd10cm M96.1"])
def test_long_term_opioids_and_the_syndrome_after_laminectomy_are_earlier_pain(code: str) -> None:
    assert not is_new(at_visit(120, code), at_visit(3))


# --- Chronic pain elsewhere


# Decision 2.22.
@pytest.mark.parametrize(
    "elsewhere", [("icd10cm G89.29", ""), ("icd10cm G89.4", ""), ("snomed 82423001", ""), ("", "Chronic knee pain")]
)
def test_chronic_pain_of_something_else_makes_no_back_pain_old(elsewhere: tuple[str, str]) -> None:
    code, text = elsewhere
    assert is_new(condition(*filter(None, [code]), text=text, onset=day(900), **ON_THE_LIST), at_visit(3))


# Decision 2.22.
@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        (["icd10cm G89.29"], False),
        (["icd10cm G89.21"], False),
        (["icd10cm G89.4"], False),
        (["icd10cm G89.28"], True),
        (["icd10cm G89.29", "icd10cm M25.561"], True),
        (["icd10cm G89.29", "icd10 M17.1"], True),
        (["icd10cm G89.29", "icd10 R10.4"], True),
        (["icd10cm G89.29", "snomed 25064002"], True),
        (["icd10cm G89.29", "snomed 53430007"], True),
    ],
)
def test_a_visit_that_pairs_chronic_pain_with_spine_pain_alone_says_chronic_back_pain(
    codes: list[str], expected: bool
) -> None:
    paired = [at_visit(3, code, visit="visit-1") for code in codes]
    assert is_new(at_visit(3, visit="visit-1"), *paired) is expected


# Decision 2.22.
@pytest.mark.parametrize(
    "elsewhere",
    [
        condition(text="Knee pain", recorded=day(3), encounter=reference("Encounter", "visit-1"), **OF_A_VISIT),
        at_visit(3, PAIN_ANYWHERE, visit="visit-1") | {"bodySite": [{"text": "Right wrist"}]},
        encounter(concept(text="Pain in both hips"), when=day(3)) | {"id": "visit-1"},
        observation(CHIEF_COMPLAINT, day(3), valueString="Shoulder pain", encounter=reference("Encounter", "visit-1")),
    ],
    ids=["words", "body site", "reason of the visit", "complaint"],
)
def test_another_painful_site_in_words_keeps_the_pair_from_saying_chronic_back_pain(elsewhere: Json) -> None:
    pair = [at_visit(3, visit="visit-1"), at_visit(3, "icd10cm G89.29", visit="visit-1")]
    assert not is_new(*pair)
    assert is_new(*pair, elsewhere)


# Decision 2.22.
@pytest.mark.parametrize("words", ["Low back pain radiating to the left leg", "Pain, left", "No knee pain"])
def test_the_spine_pain_itself_and_what_is_denied_are_no_other_site(words: str) -> None:
    pair = [at_visit(3, visit="visit-1"), at_visit(3, "icd10cm G89.29", visit="visit-1")]
    said = condition(text=words, recorded=day(3), encounter=reference("Encounter", "visit-1"), **OF_A_VISIT)
    assert not is_new(*pair, said)


# --- Words


# Decision 2.7.
@pytest.mark.parametrize(("words", "expected"), [("chronic", False), ("Chronic, intermittent", False), ("?", True)])
def test_an_onset_in_words_that_says_no_more_than_chronic_makes_pain_chronic(words: str, expected: bool) -> None:
    assert is_new(condition(LOW_BACK_PAIN, recorded=day(5), onsetString=words)) is expected


# Decision 2.8.
@pytest.mark.parametrize(("days_ago", "expected"), [(300, True), (400, False)])
def test_worse_on_an_active_list_entry_counts_for_a_year(days_ago: int, expected: bool) -> None:
    entry = condition(text="Low back pain, worsening", onset=day(days_ago), **ON_THE_LIST)
    assert is_new(entry) is expected


# Decision 2.8.
@pytest.mark.parametrize("words", ["at night", "unremitting", "worse with movement", "worsening"])
def test_pain_of_a_suspicious_kind_is_new_beside_chronic_pain(words: str) -> None:
    fresh = condition(text=f"Low back pain, {words}", recorded=day(1), **OF_A_VISIT)
    assert is_new(on_list(2000, CHRONIC_LOW_BACK_PAIN), fresh)


# Decision 2.23.
@pytest.mark.parametrize(("days_ago", "expected"), [(3, True), (3700, False)])
def test_acute_speaks_of_the_day_of_its_record(days_ago: int, expected: bool) -> None:
    acute = condition(text="Acute low back pain", recorded=day(days_ago), **ON_THE_LIST)
    assert is_new(on_list(4000, CHRONIC_LOW_BACK_PAIN), acute) is expected
