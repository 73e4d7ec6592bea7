"""Codes as EHRs spell them: which spelling is the same code, which is not, and which display a finding shows."""

from __future__ import annotations

import pytest

from cds_service.advice.markdown import LONGEST_QUOTE, quoted
from cds_service.chart.records import Coding, Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.terminology import icd_code

CONTENT = load_content()
TERMINOLOGY = CONTENT.terminology

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
CPT = "http://www.ama-assn.org/go/cpt"
ICD_10_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD_10 = "http://hl7.org/fhir/sid/icd-10"
ICD_9_CM = "http://hl7.org/fhir/sid/icd-9-cm"


# Decision 11.1.
@pytest.mark.parametrize(
    ("system", "code", "set_id"),
    [
        (ICD_10_CM, "C50.911", "breast-cancer"),
        (ICD_10_CM, "C50911", "breast-cancer"),
        (ICD_10_CM, "c50.911", "breast-cancer"),
        (ICD_10_CM, " C50.911 ", "breast-cancer"),
        (ICD_10_CM, "C50 .911", "breast-cancer"),
        (ICD_10_CM, "M5450", "back-pain-lumbar"),
        (ICD_10_CM, "z85.3", "breast-cancer"),
        (ICD_9_CM, "1749", "breast-cancer"),
        (ICD_9_CM, "174.9", "breast-cancer"),
        (ICD_9_CM, "v103", "breast-cancer"),
    ],
)
def test_icd_codes_match_with_and_without_dot_in_any_case_and_with_blanks(system: str, code: str, set_id: str) -> None:
    assert set_id in TERMINOLOGY.value_sets_with(system, code)


# Decision 11.1.
@pytest.mark.parametrize(
    ("system", "code", "set_id"),
    [
        (ICD_10_CM, "C50", "breast-cancer"),
        (ICD_10_CM, "C50.A1", "breast-cancer"),
        (ICD_10_CM, "C50A1", "breast-cancer"),
        (ICD_10_CM, "C50.919", "breast-cancer"),
        (ICD_9_CM, "174", "breast-cancer"),
        (ICD_9_CM, "175.9", "breast-cancer"),
        (ICD_10_CM, "D05.12", "breast-cancer-in-situ"),
        (ICD_10_CM, "M48.54XA", "vertebral-collapse"),
        (ICD_10_CM, "M4856XD", "vertebral-collapse"),
        (ICD_10_CM, "M84.58XA", "pathological-fracture"),
    ],
)
def test_a_category_stands_for_every_code_that_begins_with_it(system: str, code: str, set_id: str) -> None:
    assert set_id in TERMINOLOGY.value_sets_with(system, code)


# Decision 11.1.
@pytest.mark.parametrize(
    ("code", "set_id"),
    [
        ("C50.9", "breast-cancer"),
        ("Z85.3", "breast-cancer"),
        ("M54.2", "back-pain-cervical"),
        ("M54.6", "back-pain-thoracic"),
        ("M54.5", "back-pain-lumbar"),
        ("M54.9", "back-pain-unspecified"),
        ("C79.5", "metastasis-bone"),
    ],
)
def test_who_icd_10_counts_where_it_means_the_same(code: str, set_id: str) -> None:
    assert set_id in TERMINOLOGY.value_sets_with(ICD_10, code)


def test_who_icd_10_does_not_borrow_other_codes_of_the_american_edition() -> None:
    assert TERMINOLOGY.value_sets_with(ICD_10_CM, "D05.12")
    assert not TERMINOLOGY.value_sets_with(ICD_10, "D05.12")


@pytest.mark.parametrize(
    ("alias", "code", "set_id"),
    [
        ("urn:oid:2.16.840.1.113883.6.96", "254837009", "breast-cancer"),
        ("urn:oid:2.16.840.1.113883.6.90", "C50.911", "breast-cancer"),
        ("urn:oid:2.16.840.1.113883.6.90", "m5450", "back-pain-lumbar"),
        ("urn:oid:2.16.840.1.113883.6.103", "174.9", "breast-cancer"),
        ("http://terminology.hl7.org/CodeSystem/icd9cm", "1749", "breast-cancer"),
        ("urn:oid:2.16.840.1.113883.6.1", "39818-0", "imaging-bone-scan-whole-body"),
        ("urn:oid:2.16.840.1.113883.6.88", "5956", "contrast-allergy-iodinated"),
        ("urn:oid:2.16.840.1.113883.6.12", "78306", "imaging-bone-scan-whole-body"),
        ("urn:oid:2.16.840.1.113883.6.256", "RPID5083", "imaging-bone-scan-whole-body"),
    ],
)
def test_a_code_matches_under_every_name_of_its_system(alias: str, code: str, set_id: str) -> None:
    assert set_id in TERMINOLOGY.value_sets_with(alias, code)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (ICD_9_CM, "C50.911"),
        (ICD_10_CM, "174.9"),
        (ICD_10_CM, "254837009"),
        (LOINC, "254837009"),
        (SNOMED, "C50.911"),
        (SNOMED, "39818-0"),
        (CPT, "5956"),
        ("http://ehr.example.org/codes", "C50.911"),
    ],
)
def test_the_same_code_in_another_system_is_another_code(system: str, code: str) -> None:
    assert not TERMINOLOGY.value_sets_with(system, code)


# Decision 11.1.
@pytest.mark.parametrize("code", ["C50.911", "254837009", "M54.50"])
def test_a_code_without_a_system_is_no_evidence(code: str) -> None:
    assert not TERMINOLOGY.value_sets_with("", code)


@pytest.mark.parametrize("code", ["217", "21.7"])
def test_a_benign_breast_neoplasm_in_icd_9_is_no_cancer(code: str) -> None:
    assert "breast-cancer" not in TERMINOLOGY.value_sets_with(ICD_9_CM, code)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        (SNOMED, "2548370090"),
        (SNOMED, "25483700"),
        (LOINC, "398180"),
        (ICD_10_CM, ""),
        (ICD_10_CM, "C5"),
        (ICD_10_CM, "C"),
        (ICD_10_CM, "..."),
    ],
)
def test_a_part_of_a_code_or_a_longer_one_is_no_match(system: str, code: str) -> None:
    assert not TERMINOLOGY.value_sets_with(system, code)


def test_a_dot_in_another_place_makes_another_code() -> None:
    assert "breast-cancer" in TERMINOLOGY.value_sets_with(ICD_9_CM, "174.9")
    assert "breast-cancer" not in TERMINOLOGY.value_sets_with(ICD_9_CM, "17.49")


def test_skin_cancer_of_the_breast_is_kept_apart() -> None:
    value_sets = TERMINOLOGY.value_sets_with(ICD_10_CM, "C44.501")
    assert "breast-cancer-trap" in value_sets
    assert "breast-cancer" not in value_sets


def test_icd_codes_are_compared_in_one_spelling() -> None:
    assert icd_code(" c50.\t911") == icd_code("C50911") == "C50911"


# --- Which display a finding shows


def words_of(coding: Coding, text: str = "") -> tuple[str, str]:
    """Our own words and the EHR's, for a finding with this code."""
    finding = Finding("Condition/1", "Condition")
    coded = Recognizer(CONTENT).coded(finding, coding, Concept((coding,), text))
    return coded.label, coded.quote


@pytest.mark.parametrize(
    "coding",
    [
        Coding(SNOMED, "254837009", "anything an EHR may say"),
        Coding("urn:oid:2.16.840.1.113883.6.96", "254837009", "anything an EHR may say"),
        Coding(SNOMED, " 254837009 "),
    ],
    ids=["with another display", "under an alias", "with blanks"],
)
def test_a_listed_code_is_named_in_our_words(coding: Coding) -> None:
    assert words_of(coding, "anything else") == ("Malignant neoplasm of breast", "")


@pytest.mark.parametrize(
    ("code", "shown"),
    [("C50.911", "C50.911"), (" c50.911", "C50.911"), ("C50911", "C50.911")],
)
def test_a_code_that_only_its_category_lists_is_named_in_the_words_of_the_category(code: str, shown: str) -> None:
    coding = Coding(ICD_10_CM, code, "anything an EHR may say")
    assert words_of(coding, "anything else") == (f"Malignant neoplasm of breast ({shown})", "")


@pytest.mark.parametrize(
    "code",
    ["C50\n\n911", "C50.\u2028911", "C50" + "." * 500 + "911"],
    ids=["line breaks", "line separator", "many dots"],
)
def test_a_label_is_one_short_line_however_the_code_is_spelled(code: str) -> None:
    label, quote = words_of(Coding(ICD_10_CM, code))
    shown = label or quoted(quote)
    assert len(shown.splitlines()) == 1
    assert len(shown) <= LONGEST_QUOTE + 2


@pytest.mark.parametrize(
    ("display", "text", "quote"),
    [("Breast ca, right", "Cancer", "Breast ca, right"), ("", "Cancer", "Cancer"), ("", "", "174")],
)
def test_a_code_for_which_we_have_no_words_is_quoted_from_the_ehr(display: str, text: str, quote: str) -> None:
    assert words_of(Coding(ICD_9_CM, "174", display), text) == ("", quote)


def test_a_display_of_ours_never_stands_for_a_code_of_another_system() -> None:
    assert TERMINOLOGY.display(LOINC, "254837009") == ""
    assert TERMINOLOGY.display("", "254837009") == ""
