"""A cancer whose code names no site is breast cancer where its body site is the breast, and is not elsewhere.

Decision 1.9.
"""

from __future__ import annotations

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import condition
from tests.test_cancer import codes, counts, history, with_pain

AT_BREAST = ("snomed 76752008", "snomed 80248007", "snomed 73056007", "snomed 76365002", "icdo C50.4", "icdo C509")


@codes(
    "snomed 363346000",
    "snomed 86049000",
    "snomed 372087000",
    "snomed 82711006",
    "snomed 68453008",
    "icdo 8500/3",
    "icdo 8500/31",
    "icdo M-8520/3",
    "icdo M8010/3",
    "icdo 85003",
    "icdo 8589/3",
    "icdo 8940/3",
    "icdo 8983/3",
    "icdo 9020/3",
    "icd10cm C80.1",
    "icd10 C80.9",
    "icd9cm 199.1",
)
def test_cancer_without_a_site_is_breast_cancer_where_the_body_site_is_the_breast(code: str) -> None:
    for site in AT_BREAST:
        assert counts(condition(code, sites=[site])), site
    assert counts(condition(code) | {"bodySite": [{"text": "Left breast, upper outer quadrant"}]})
    assert not counts(condition(code))
    assert not counts(condition(code, sites=["snomed 39607008"]))
    assert not counts(condition(code) | {"bodySite": [{"text": "Left axillary lymph node"}]})
    assert not counts(condition(code) | {"bodySite": [{"text": "Skin of breast"}]})


@codes(
    "icdo 8500/0",
    "icdo 8500/1",
    "icdo 8500/2",
    "icdo 8500/6",
    "icdo 8500/9",
    "icdo 8500",
    "icdo 8009/3",
    "icdo 8590/3",
    "icdo 8720/3",
    "icdo 8939/3",
    "icdo 8984/3",
    "icdo 9020/1",
    "icdo 9680/3",
    "snomed 128462008",
    "snomed 2092003",
    "icd10cm C79.81",
    "icd10cm C80.0",
)
def test_no_primary_cancer_becomes_breast_cancer_by_its_site(code: str) -> None:
    assert not any(counts(condition(code, sites=[site])) for site in AT_BREAST)


@pytest.mark.parametrize("code", ["icdo 8500/2", "icdo 8500/21", "snomed 86616005"])
def test_what_has_not_invaded_is_in_situ_disease_at_the_breast(code: str) -> None:
    entry = condition(code, sites=["snomed 80248007"])
    assert not counts(entry)
    told = with_pain(entry, options=RuleOptions(dcis_mode="info"))
    assert (told.outcome, told.reason, told.studies) == (Outcome.FIRED, Reason.IN_SITU_ONLY, ())


def test_morphology_and_topography_may_stand_in_one_concept() -> None:
    assert counts(condition("icdo 8500/3", "icdo C50.9"))
    assert not counts(condition("icdo 8500/3", "icdo C34.1"))
    assert not counts(condition("icdo C50.9"))


@pytest.mark.parametrize(
    "words", ["Carcinoma", "Adenocarcinoma", "Malignant neoplasm", "Malignant tumour", "Cancer", "Ca"]
)
def test_words_of_cancer_count_with_the_breast_as_their_site(words: str) -> None:
    assert counts(condition(text=words, sites=["snomed 80248007"]))
    assert counts(condition(text=words) | {"bodySite": [{"text": "Right breast"}]})
    assert not counts(condition(text=words))


@pytest.mark.parametrize(
    "words",
    [
        "Malignant melanoma",
        "Lymphoma",
        "Basal cell carcinoma",
        "Secondary malignant neoplasm",
        "Carcinoma in situ",
        "Suspected carcinoma",
        "No evidence of malignancy",
        "Fibroadenoma",
        "Abscess",
    ],
)
def test_other_words_do_not_become_breast_cancer_by_their_site(words: str) -> None:
    assert not counts(condition(text=words, sites=["snomed 80248007"]))
    assert not counts(condition(text=words) | {"bodySite": [{"text": "Left breast"}]})


@pytest.mark.parametrize(
    "words",
    [
        "Melanoma",
        "Diffuse large B-cell lymphoma",
        "Secondary malignant neoplasm",
        "Metastasis from ovarian cancer",
        "Cancer of the skin",
    ],
)
def test_words_beside_a_code_without_a_site_say_which_other_cancer_it_is(words: str) -> None:
    assert not counts(condition("snomed 363346000", text=words, sites=["snomed 80248007"]))
    assert counts(condition("snomed 363346000", text=f"Breast cancer, {words.lower()}", sites=["snomed 80248007"]))
    assert not counts(condition("snomed 363346000", text="Carcinoma in situ", sites=["snomed 80248007"]))


def test_the_skin_of_the_breast_is_not_the_breast_however_it_is_written() -> None:
    assert not counts(condition("snomed 363346000") | {"bodySite": [{"text": "Breast skin"}]})


def test_a_cancer_at_the_breast_is_proof_only_as_far_as_its_status_goes() -> None:
    for verification in ("refuted", "entered-in-error", "provisional", "differential"):
        assert not counts(condition("snomed 363346000", sites=["snomed 80248007"], verification=verification))
    assert counts(condition("snomed 363346000", sites=["snomed 80248007"], clinical="resolved"))


def test_the_card_names_the_cancer_with_its_site() -> None:
    coded = history(with_pain(condition("snomed 363346000", sites=["snomed 80248007"]))).findings
    assert [item.label for item in coded] == ["Malignant neoplastic disease, Left breast structure"]
    morphology = condition("icdo 8500/3", display="Infiltrating duct carcinoma, NOS", sites=["snomed 80248007"])
    quoted = history(with_pain(morphology)).findings
    assert [item.quote for item in quoted] == ["Infiltrating duct carcinoma, NOS, Left breast structure"]


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        ("Pancreas", False),
        ("Prostate", False),
        ("Left parotid gland", False),
        ("Left breast", True),
        ("Left", True),
        ("Right (qualifier value)", True),
        ("", True),
    ],
)
@pytest.mark.parametrize("code", [(), ("icdo 8500/3",)], ids=["words", "code"])
def test_a_ductal_carcinoma_whose_body_site_is_another_organ_is_no_breast_cancer(
    code: tuple[str, ...], site: str, expected: bool
) -> None:
    cancer = condition(*code, text="Infiltrating duct carcinoma")
    assert counts(cancer | ({"bodySite": [{"text": site}]} if site else {})) is expected


def test_words_that_name_the_breast_count_whatever_the_body_site_says() -> None:
    assert counts(condition(text="Breast cancer, left") | {"bodySite": [{"text": "Chest wall"}]})
