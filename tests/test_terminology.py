"""Codes as EHRs spell them: which spelling is the same code, which is not, and which display a finding shows."""

from __future__ import annotations

import pytest

from cds_service.advice.markdown import LONGEST_QUOTE, quoted
from cds_service.chart.elements import Reading
from cds_service.chart.records import Coding, Concept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.spelling import icd_code, icd_codes, system_key, who_category

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
    assert TERMINOLOGY.value_sets_with(ICD_10_CM, "M80.08XA") == {"vertebral-collapse"}
    assert not TERMINOLOGY.value_sets_with(ICD_10, "M80.08")


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
    assert "breast-cancer-exclusion" in value_sets
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


@pytest.mark.parametrize(
    "spelling",
    [
        "https://snomed.info/sct",
        "HTTP://SNOMED.INFO/SCT",
        "http://snomed.info/sct/",
        " http://snomed.info/sct ",
        "http://www.snomed.info/sct",
        "http://snomed.info/sct|http://snomed.info/sct/731000124108",
        "http://snomed.info/sct/731000124108",
        "http://snomed.info/sct/83821000000107/version/20240410",
        "http://snomed.info/sct/version/20240410",
        "2.16.840.1.113883.6.96",
        "URN:OID:2.16.840.1.113883.6.96",
        "oid:2.16.840.1.113883.6.96",
        "SNOMED CT",
        "SNOMED-CT",
        "snomedct",
        "SNOMEDCT_US",
        "SCT",
    ],
)
def test_a_system_is_known_in_whatever_way_its_name_is_spelled(spelling: str) -> None:
    assert (
        TERMINOLOGY.value_sets_with(spelling, "254837009")
        == TERMINOLOGY.value_sets_with(SNOMED, "254837009")
        != frozenset()
    )
    assert TERMINOLOGY.system_name(spelling) == "SNOMED CT"


@pytest.mark.parametrize(
    ("spelling", "code", "set_id"),
    [
        ("ICD10CM", "C50.911", "breast-cancer"),
        ("ICD-10-CM", "C50.911", "breast-cancer"),
        ("icd_10_cm", "c50911", "breast-cancer"),
        ("http://hl7.org/fhir/sid/icd-10-cm/", "M54.50", "back-pain-lumbar"),
        ("http://hl7.org/fhir/sid/icd-10-cm|2027", "M54.50", "back-pain-lumbar"),
        ("http://hl7.org/fhir/sid/icd-10-cm/2027", "M54.50", "back-pain-lumbar"),
        ("http://hl7.org/fhir/sid/icd-10-us", "M54.50", "back-pain-lumbar"),
        ("http://mimic.mit.edu/fhir/mimic/CodeSystem/mimic-diagnosis-icd10", "M5450", "back-pain-lumbar"),
        ("ICD-9-CM", "174.9", "breast-cancer"),
        ("ICD9", "1749", "breast-cancer"),
        ("http://terminology.hl7.org/CodeSystem/ICD-9CM-diagnosiscodes", "724.2", "back-pain-lumbar"),
        ("LOINC", "39818-0", "imaging-bone-scan-whole-body"),
        ("http://loinc.org/", "39818-0", "imaging-bone-scan-whole-body"),
        ("RxNorm", "5956", "contrast-allergy-iodinated"),
    ],
)
def test_other_systems_are_known_in_their_spellings_too(spelling: str, code: str, set_id: str) -> None:
    assert set_id in TERMINOLOGY.value_sets_with(spelling, code)


NATIONAL = [
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm",
    "http://fhir.de/CodeSystem/dimdi/icd-10-gm",
    "http://fhir.de/CodeSystem/bfarm/icd-10-gm|2026",
    "urn:oid:1.2.276.0.76.5.409",
    "ICD-10-GM",
    "icd10gm2021",
    "http://hl7.org/fhir/sid/icd-10-am",
    "urn:oid:2.16.840.1.113883.6.135",
    "http://hl7.org/fhir/sid/icd-10-ca",
    "http://hl7.org/fhir/sid/icd-10-nl",
    "urn:oid:2.16.840.1.113883.6.3.2",
    "http://hl7.org/fhir/sid/icd-10-uk",
    "https://smt.esante.gouv.fr/terminologie-cim-10",
    "http://jpfhir.jp/fhir/core/mhlw/CodeSystem/ICD10-2013-full",
    "http://www.saude.gov.br/fhir/r4/CodeSystem/BRCID10",
    "http://www.hl7korea.or.kr/CodeSystem/kostat-kcd-9",
    "urn:oid:2.16.578.1.12.4.1.1.7110",
    "http://hl7.org/fhir/sid/icd-10-se",
    "urn:oid:1.2.246.537.6.1.1999",
    "http://hl7.org/fhir/sid/icd-10-ch",
]
WHO = [
    "http://hl7.org/fhir/sid/icd-10",
    "urn:oid:2.16.840.1.113883.6.3",
    "ICD10",
    "https://id.who.int/icd/release/10/2019",
]


@pytest.mark.parametrize("system", [*NATIONAL, *WHO])
def test_a_national_code_counts_as_the_who_category_that_it_is_in(system: str) -> None:
    for code in ("C50", "C50.9", "C509", "c50.9", "C50.91", "C50.-", "C50.9-", " C50.9 ", "C50,9", "C50X"):
        assert "breast-cancer" in TERMINOLOGY.value_sets_with(system, code), code
    assert TERMINOLOGY.value_sets_with(system, "M54.56") == {"back-pain-lumbar"}
    assert TERMINOLOGY.value_sets_with(system, "R32X") == TERMINOLOGY.value_sets_with(system, "R32")


@pytest.mark.parametrize("system", [*NATIONAL, *WHO])
@pytest.mark.parametrize("code", ["M80.08", "M84.58XA", "C5", "C4A.9", "174.9", "254837009", "C50.9 suspected"])
def test_what_only_another_system_has_means_nothing_in_a_national_one(system: str, code: str) -> None:
    assert not TERMINOLOGY.value_sets_with(system, code)


@pytest.mark.parametrize("system", ["http://hl7.org/fhir/sid/icd-10-pcs", "urn:oid:2.16.840.1.113883.6.4", "ICD10PCS"])
def test_codes_of_procedures_are_no_diagnoses_of_a_nation(system: str) -> None:
    assert not TERMINOLOGY.value_sets_with(system, "C50.9")


@pytest.mark.parametrize(
    "system",
    [
        "http://id.who.int/icd/release/11/mms",
        "http://id.who.int/icd/release/11",
        "http://ehr.example.org/icd-10-cm",
        "urn:oid:2.16.840.1.113883.6.9",
        "urn:oid:2.16.840.1.113883.6.960",
        "http://snomed.info/sct-local",
        "icd",
    ],
)
def test_a_name_that_is_only_like_one_of_ours_is_another_system(system: str) -> None:
    assert TERMINOLOGY.system(system) is None
    assert TERMINOLOGY.system_name(system) == system


def test_both_codes_of_a_dual_coding_count_with_or_without_dagger_and_asterisk() -> None:
    for code in ("C50.9+ C79.5*", "C50.9† C79.5*", "C50.9 C79.5", "C50.9†C79.5*"):
        assert TERMINOLOGY.value_sets_with(ICD_10, code) == {"breast-cancer", "metastasis-bone"}, code
    assert icd_codes("S62.32 Z33!") == ("S6232", "Z33")
    assert icd_codes("C50 .911") == icd_codes("C50 911") == ("C50911",)


def test_a_mark_at_a_code_changes_nothing() -> None:
    for code in ("C79.5†", "C79.5*", "*C79.5", "C79.5+", "C79.5 !", "C79.5#"):
        assert TERMINOLOGY.value_sets_with(ICD_10, code) == {"metastasis-bone"}, code


@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("C50", "C50"),
        ("C509", "C509"),
        ("C50911", "C509"),
        ("R32X", "R32"),
        ("M4854XA", "M485"),
        ("C509A", ""),
        ("", ""),
    ],
)
def test_the_who_category_of_a_code_has_at_most_four_characters(code: str, category: str) -> None:
    assert who_category(code) == category


def test_the_key_of_a_system_is_its_own_key() -> None:
    for name in [*NATIONAL, *WHO, SNOMED, LOINC, CPT, ICD_9_CM, "SNOMED CT"]:
        assert system_key(system_key(name)) == system_key(name)


@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        (
            {"system": SNOMED, "code": "254837009|Malignant neoplasm of breast|"},
            Coding(SNOMED, "254837009", "Malignant neoplasm of breast"),
        ),
        (
            {
                "system": SNOMED,
                "code": "254837009 | Malignant neoplasm of breast (disorder) |",
                "display": "Breast ca.",
            },
            Coding(SNOMED, "254837009", "Breast ca."),
        ),
        ({"system": SNOMED, "code": "254837009|"}, Coding(SNOMED, "254837009")),
        ({"code": "http://snomed.info/sct|254837009"}, Coding(SNOMED, "254837009")),
        ({"system": SNOMED, "code": "http://snomed.info/sct|254837009"}, Coding(SNOMED, "254837009")),
        ({"system": ICD_10_CM, "code": "|C50.911"}, Coding(ICD_10_CM, "C50.911")),
    ],
)
def test_a_code_with_its_term_or_its_system_between_bars_is_read(coding: dict[str, str], expected: Coding) -> None:
    assert Reading("Condition/1").concept({"coding": [coding]}, "code").codings == (expected,)


def test_bars_alone_are_no_code() -> None:
    concept = Reading("Condition/1").concept(
        {"coding": [{"system": SNOMED, "code": " || ", "display": "Pain"}]}, "code"
    )
    assert concept == Concept(text="Pain")


def test_a_bare_name_of_a_system_leaves_with_the_uri_that_fhir_asks_for() -> None:
    found = Recognizer(CONTENT).coded(Finding("Condition/1", "Condition"), Coding("ICD10CM", "C50.911"), Concept())
    assert found.coding == Coding(ICD_10_CM, "C50.911")
    kept = Recognizer(CONTENT).coded(
        Finding("Condition/1", "Condition"), Coding("urn:oid:2.16.840.1.113883.6.90", "C50.9"), Concept()
    )
    assert kept.coding == Coding("urn:oid:2.16.840.1.113883.6.90", "C50.9")
