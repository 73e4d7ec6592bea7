"""Where back pain is, and what is none: codes, body sites, other diseases. Every patient here had breast cancer."""

from __future__ import annotations

import pytest

from cds_service.clinical.rules.assessment import Outcome
from tests.builders import (
    BACK_PAIN,
    LOW_BACK_PAIN,
    LOWER_BACK,
    LUMBAR_SPINE,
    NECK_PAIN,
    PAIN_ANYWHERE,
    THORACIC_PAIN,
    THORACIC_SPINE,
    condition,
    day,
)
from tests.pain_calls import CHEST, assessment_of, is_new, low_back_pain

# --- Regions


# Decision 7.1.
@pytest.mark.parametrize(
    ("codes", "region", "mri"),
    [
        ([LOW_BACK_PAIN], "lumbar", "mri-lumbar-spine"),
        (["icd9cm 724.2"], "lumbar", "mri-lumbar-spine"),
        (["icd10cm M54.41"], "lumbar", "mri-lumbar-spine"),
        ([THORACIC_PAIN], "thoracic", "mri-thoracic-spine"),
        ([NECK_PAIN], "cervical", "mri-cervical-spine"),
        (["icd10cm M54.13"], "cervical", "mri-cervical-spine"),
        (["icd10cm M53.3"], "sacral", "mri-lumbar-spine-and-sacrum"),
        ([BACK_PAIN], "unspecified", "mri-whole-spine"),
        (["icd9cm 724.5"], "unspecified", "mri-whole-spine"),
        (["icd10cm M54.15"], "several", "mri-whole-spine"),
        ([THORACIC_PAIN, LOW_BACK_PAIN], "several", "mri-whole-spine"),
        ([NECK_PAIN, LOW_BACK_PAIN], "several", "mri-whole-spine"),
        ([LOW_BACK_PAIN, "icd10cm M54.31"], "lumbar", "mri-lumbar-spine"),
        ([BACK_PAIN, LOW_BACK_PAIN], "lumbar", "mri-lumbar-spine"),
    ],
)
def test_the_painful_region_is_imaged_and_two_regions_are_the_whole_spine(
    codes: list[str], region: str, mri: str
) -> None:
    found = assessment_of(*(condition(code, onset=day(5)) for code in codes))
    assert (found.region, found.studies[0]) == (region, mri)


# Decision 2.3.
def test_new_pain_beside_old_pain_of_another_region_is_imaged_alone() -> None:
    found = assessment_of(low_back_pain(1000), condition(THORACIC_PAIN, onset=day(5)))
    assert (found.region, found.studies[0]) == ("thoracic", "mri-thoracic-spine")


# Decision 2.13.
@pytest.mark.parametrize(
    ("sites", "region"),
    [
        ([LUMBAR_SPINE], "lumbar"),
        ([LOWER_BACK], "lumbar"),
        ([THORACIC_SPINE], "thoracic"),
        (["snomed 1217257000"], "several"),
        (["snomed 77568009"], "unspecified"),
        ([CHEST, LUMBAR_SPINE], "lumbar"),
        ([THORACIC_SPINE, LUMBAR_SPINE], "several"),
    ],
)
@pytest.mark.parametrize("code", [PAIN_ANYWHERE, "icd10cm G89.3", "snomed 12584003", BACK_PAIN])
def test_the_body_site_names_the_region(code: str, sites: list[str], region: str) -> None:
    assert assessment_of(condition(code, onset=day(3), sites=sites)).region == region


# Decision 2.13.
@pytest.mark.parametrize("code", [PAIN_ANYWHERE, "icd10cm R52", "icd10cm G89.3", "snomed 282743009"])
@pytest.mark.parametrize("sites", [[], [CHEST], ["local knee"]])
def test_pain_of_no_spine_site_is_no_back_pain(code: str, sites: list[str]) -> None:
    assert not is_new(condition(code, onset=day(3), sites=sites))


# Decision 2.17.
@pytest.mark.parametrize("code", ["snomed 91957002", "snomed 9121000119106"])
def test_back_pain_in_pregnancy_is_imaged_without_contrast_and_radiation(code: str) -> None:
    assert assessment_of(condition(code, onset=day(3))).studies == ("mri-lumbar-spine-without-contrast",)


# --- What is no back pain


# Decision 2.14.
@pytest.mark.parametrize(
    "code",
    [
        "icd10cm M54.81",
        "icd10cm F45.41",
        "icd10cm M79.7",
        "icd10cm Z87.39",
        "icd10cm S39.012A",
        "snomed 300960003",
        "snomed 249938007",
        "snomed 53430007",
        "icd10cm M51.361",
        "icd10cm M79.18",
        "snomed 302258001",
        "snomed 161882006",
        "snomed 267067009",
        "snomed 183868005",
        "local M54.50",
        " M54.50",
    ],
)
def test_codes_of_other_and_of_ambiguous_diseases_are_no_back_pain(code: str) -> None:
    assert not is_new(condition(code, onset=day(3)))


# Decision 2.18.
@pytest.mark.parametrize(
    ("code", "region"),
    [
        ("snomed 298253002", "cervical"),
        ("snomed 473007007", "cervical"),
        ("snomed 298478001", "cervical"),
        ("snomed 279030006", "cervical"),
        ("snomed 298254008", "thoracic"),
        ("snomed 103015000", "thoracic"),
        ("snomed 608831003", "thoracic"),
        ("snomed 41321000119101", "thoracic"),
        ("snomed 279063004", "lumbar"),
        ("snomed 608832005", "lumbar"),
        ("snomed 298674008", "lumbar"),
        ("snomed 279041008", "lumbar"),
        ("snomed 608830002", "unspecified"),
        ("snomed 87381000119101", "unspecified"),
        ("snomed 3200003", "sacral"),
        ("icd10cm M51.16", "lumbar"),
        ("icd10cm M51.17", "lumbar"),
        ("icd10cm M51.360", "lumbar"),
        ("icd10cm M51.370", "lumbar"),
        ("icd10cm M62.830", "unspecified"),
        ("icd10 M54.1", "unspecified"),
        ("icd10 M54.3", "lumbar"),
        ("icd10 M54.4", "lumbar"),
        ("icd10 M54.8", "unspecified"),
    ],
)
def test_spine_pain_counts_under_every_name_that_it_has(code: str, region: str) -> None:
    assert assessment_of(condition(code, onset=day(3))).region == region


@pytest.mark.parametrize(
    ("chronic", "new"),
    [
        ("snomed 136791000119103", "icd10cm M54.6"),
        ("snomed 38811000087102", "icd10cm M54.6"),
        ("snomed 129511000119105", "icd10cm M53.3"),
        ("snomed 782661001", "icd10cm M53.3"),
        ("snomed 38741000087105", "icd10cm M54.2"),
        ("snomed 38781000087100", LOW_BACK_PAIN),
    ],
)
def test_pain_recorded_as_chronic_by_its_code_is_not_new(chronic: str, new: str) -> None:
    assert not is_new(condition(chronic, onset=day(200)), condition(new, onset=day(3)))


# Decision 2.14.
@pytest.mark.parametrize("code", ["snomed 302258001", "snomed 161882006", "snomed 36427004", "snomed 262995003"])
def test_the_words_beside_a_disorder_of_the_back_say_whether_it_is_back_pain(code: str) -> None:
    assert is_new(condition(code, onset=day(3), text="Severe low back pain"))
    assert not is_new(condition(code, onset=day(3), text="Denies back pain"))


# Decision 2.14.
def test_a_code_of_psychological_pain_in_the_same_entry_takes_the_pain_away() -> None:
    assert not is_new(condition(LOW_BACK_PAIN, "icd10cm F45.41", onset=day(3)))


@pytest.mark.parametrize("code", ["icd10cm M5450", "icd10cm m54.50", "icd10 M54.5"])
def test_pain_codes_are_matched_as_ehrs_spell_them(code: str) -> None:
    assert is_new(condition(code, onset=day(3)))


# Decision 2.15.
def test_a_recent_injury_does_not_explain_the_pain_away_and_is_named() -> None:
    found = assessment_of(low_back_pain(3), condition("icd10cm S39.012A", onset=day(3)))
    assert found.outcome is Outcome.FIRED
    assert [finding.source.split("/")[0] for finding in found.injuries] == ["Condition"]
