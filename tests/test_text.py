"""Free text as evidence: which sentences of a chart speak of breast cancer or back pain, and which only seem to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cds_service.clinical.reading.free_text import LONGEST_TEXT, TextReader
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from tests.words import SEEN
from tests.words import sentences as corpus

CANCER = "breast-cancer"
CERVICAL = "back-pain-cervical"
THORACIC = "back-pain-thoracic"
LUMBAR = "back-pain-lumbar"
SACRAL = "back-pain-sacral"
ANYWHERE = "back-pain-unspecified"
INJURY = "back-injury"
EVIDENCE = {CANCER, CERVICAL, THORACIC, LUMBAR, SACRAL, ANYWHERE, INJURY}

READER = TextReader(load_content().text_patterns)


def concepts(text: str) -> set[str]:
    """The evidence in a text; what it says of imaging and drugs is left out."""
    return {match.concept for match in READER.find(text)} & EVIDENCE


def sentences(*rows: tuple[str, set[str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("text", "expected"), rows, ids=[text for text, _ in rows])


# --- Breast cancer


# Decision 1.8.
@sentences(
    ("hx L breast ca 2011, mastectomy", {CANCER}),
    ("Breast cancer", {CANCER}),
    ("Ca breast 2009", {CANCER}),
    ("Carcinoma, left breast", {CANCER}),
    ("Cancer of the left breast", {CANCER}),
    ("Malignant neoplasm of female breast (HCC)", {CANCER}),
    ("Malignant neoplasm of upper-outer quadrant of left female breast", {CANCER}),
    ("Invasive ductal carcinoma", {CANCER}),
    ("left breast IDC", {CANCER}),
    ("IDC of the left breast", {CANCER}),
    ("male breast cancer", {CANCER}),
    ("Triple negative breast cancer", {CANCER}),
    ("Breast cancer in remission", {CANCER}),
    ("breast cancer 2014, no evidence of disease", {CANCER}),
    ("breast CA s/p lumpectomy + XRT", {CANCER}),
    ("metastatic breast cancer to spine", {CANCER}),
    ("history of ovarian cancer and breast cancer", {CANCER}),
    ("Right breast cancer 2014. Sister had ovarian cancer.", {CANCER}),
    ("left breast cancer, prophylactic right mastectomy", {CANCER}),
    ("Breast cancer diagnosed on screening mammogram 2015", {CANCER}),
    ("BRCA1-positive left breast cancer 2014", {CANCER}),
    ("invasive ductal carcinoma of left breast with DCIS", {CANCER}),
    ("Breast cancer - no evidence of recurrence", {CANCER}),
    ("Breast cancer resolved 2015", {CANCER}),
    ("inflammatory breast cancer involving skin", {CANCER}),
    ("Ductal carcinoma, right breast", {CANCER}),
    ("never smoker with breast cancer 2012", {CANCER}),
    ("Breast_Cancer", {CANCER}),
)
def test_a_text_that_states_breast_cancer_is_evidence_of_it(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


# Decision 11.4.
@sentences(
    ("mother had breast cancer", set()),
    ("Mother: breast cancer", set()),
    ("breast cancer in sister", set()),
    ("Both sisters had breast cancer", set()),
    ("Aunts: breast cancer", set()),
    ("paternal grandmother breast ca", set()),
    ("MGM: breast cancer", set()),
    ("FHx breast CA", set()),
    ("FH: breast cancer", set()),
    ("Family history of malignant neoplasm of breast", set()),
    ("Fam history of breast cancer", set()),
)
def test_breast_cancer_of_a_relative_is_no_history(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


@sentences(
    ("No evidence of breast cancer", set()),
    ("denies hx of breast cancer", set()),
    ("No personal history of breast cancer", set()),
    ("never had breast cancer", set()),
    ("breast biopsy negative for cancer", set()),
    ("Denies heart disease, diabetes, and breast cancer", set()),
    ("no diabetes, hypertension or breast cancer", set()),
)
def test_a_denial_of_breast_cancer_is_no_history(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


@sentences(
    ("? breast cancer", set()),
    ("breast cancer?", set()),
    ("r/o breast ca", set()),
    ("Breast cancer ruled out", set()),
    ("Breast cancer, suspected", set()),
    ("possible breast ca", set()),
    ("concern for breast cancer", set()),
    ("worried about breast cancer", set()),
    ("High risk for breast cancer", set()),
    ("Breast cancer risk assessment", set()),
    ("Screening for breast cancer", set()),
    ("prophylactic mastectomy for breast cancer gene", set()),
    ("tamoxifen for breast cancer prevention", set()),
    ("Genetic susceptibility to malignant neoplasm of breast", set()),
    ("Hereditary breast and ovarian cancer syndrome", set()),
)
def test_suspicion_screening_and_risk_are_no_history(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


@sentences(
    ("DCIS left breast", set()),
    ("Intraductal carcinoma in situ of right breast", set()),
    ("lobular carcinoma in situ of breast", set()),
    ("non-invasive breast cancer", set()),
    ("Secondary malignant neoplasm of breast", set()),
    ("melanoma with metastasis to breast", set()),
    ("lung cancer metastatic to the breast", set()),
    ("Malignant lymphoma of breast", set()),
    ("Malignant melanoma of skin of breast", set()),
    ("Skin cancer of breast", set()),
    ("colon cancer, breast reduction 2010", set()),
    ("lung ca/breast nodule", set()),
    ("benign breast disease", set()),
    ("breast lump", set()),
    ("BRCA2", set()),
)
def test_other_diseases_are_not_breast_cancer(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


# --- Back pain


@sentences(
    ("new low back pain x 2 wks", {LUMBAR}),
    ("LBP x3d", {LUMBAR}),
    ("Lower_Back_Pain", {LUMBAR}),
    ("Low back pain, no fever or chills", {LUMBAR}),
    ("sciatica", {LUMBAR}),
    ("pain across the low back", {LUMBAR}),
    ("Pain, low back", {LUMBAR}),
    ("pain in the left lower back", {LUMBAR}),
    ("low back and leg pain", {LUMBAR}),
    ("neck pain", {CERVICAL}),
    ("upper back pain between shoulder blades", {THORACIC}),
    ("mid-back pain", {THORACIC}),
    ("coccyx pain", {SACRAL}),
    ("worst back pain ever", {ANYWHERE}),
    ("backache", {ANYWHERE}),
    ("my back hurts", {ANYWHERE}),
    ("thoracic pain and low back pain", {THORACIC, LUMBAR}),
    ("neck and low back pain", {CERVICAL, LUMBAR}),
    ("low back pain; neck pain", {LUMBAR, CERVICAL}),
    ("never smoker with low back pain", {LUMBAR}),
    ("low back pain after fall", {LUMBAR, INJURY}),
    ("58 year old woman with low back pain", {LUMBAR}),
    ("65-year-old with back pain", {ANYWHERE}),
    ("for the past 2 weeks low back pain", {LUMBAR}),
    ("no improvement in low back pain", {LUMBAR}),
    ("no relief of back pain with ibuprofen", {ANYWHERE}),
    ("low back pain no longer relieved by ibuprofen", {LUMBAR}),
    ("ibuprofen is not helping her low back pain", {LUMBAR}),
    ("back pain has gone on for two weeks", {ANYWHERE}),
    ("never had back pain like this before", {ANYWHERE}),
    ("denies fever but has back pain", {ANYWHERE}),
    ("Denies trauma. Low back pain since Monday", {LUMBAR}),
    ("low back pain without radiation", {LUMBAR}),
    ("low back pain - no radiation", {LUMBAR}),
    ("LBP denies trauma", {LUMBAR}),
    ("back pain no fever", {ANYWHERE}),
    ("history of breast cancer with back pain", {CANCER, ANYWHERE}),
    ("Patient with h/o back pain presents with new back pain", {ANYWHERE}),
    ("husband reports that she has low back pain", {LUMBAR}),
)
def test_a_text_that_states_back_pain_is_evidence_of_it_and_of_its_region(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


@sentences(
    ("denies back pain", set()),
    ("no back pain", set()),
    ("not having back pain today", set()),
    ("negative for back pain", set()),
    ("denies fever, chills, and back pain", set()),
    ("no fever, chills or back pain", set()),
    ("Back pain: denied", set()),
    ("Back pain: no", set()),
    ("low back pain absent", set()),
    ("history of back pain", set()),
    ("h/o LBP", set()),
    ("back pain resolved", set()),
    ("Mother with low back pain", set()),
)
def test_back_pain_that_is_denied_past_or_of_a_relative_is_none(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


@sentences(
    ("pressure ulcer, lower back", set()),
    ("back brace for pain", set()),
    ("breast pain", set()),
    ("flank pain", set()),
    ("chest pain", set()),
    ("pain in the back of her knee", set()),
    ("low pain tolerance", set()),
    ("psychogenic back pain", set()),
    ("High fall risk", set()),
)
def test_other_complaints_are_not_back_pain(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


# Decision 11.4.
@sentences(
    ("mother had breast cancer; patient has low back pain", {LUMBAR}),
    ("Mother had breast cancer, patient has low back pain", {LUMBAR}),
    ("low back pain; family history of breast cancer", {LUMBAR}),
    ("h/o breast cancer, no back pain", {CANCER}),
    ("breast cancer 2012; denies back pain", {CANCER}),
    ("history of breast cancer and new low back pain", {CANCER, LUMBAR}),
)
def test_one_text_may_affirm_one_thing_and_deny_another(text: str, expected: set[str]) -> None:
    assert concepts(text) == expected


# --- What a text says of time


# Decisions 2.8 and 2.23.
@pytest.mark.parametrize(
    ("text", "chronic", "changed"),
    [
        ("chronic low back pain", True, False),
        ("long-standing back pain", True, False),
        ("low back pain for 10 years", True, False),
        ("low back pain for 2 weeks", False, False),
        ("chronic low back pain, worse since Monday", True, True),
        ("acute on chronic low back pain", True, True),
        ("new low back pain", False, True),
        ("chronic low back pain, not worse", True, False),
        ("chronic low back pain, no new symptoms", True, False),
        ("New patient, chronic low back pain for 10 years", True, False),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_text_says_whether_pain_is_chronic_and_whether_it_has_changed(
    text: str, chronic: bool, changed: bool
) -> None:
    [match] = READER.find(text, "back-pain-")
    assert ("chronic" in match.flags, bool(match.flags - {"chronic"})) == (chronic, changed)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("worse", True), ("worsening over 2 weeks", True), ("not worse", False), ("stable", False), ("unchanged", False)],
)
def test_a_coded_complaint_is_changed_where_its_text_says_so(text: str, expected: bool) -> None:
    assert ("changed" in READER.flags(text, "back")) is expected


# --- What is quoted, and how much is read


def test_the_sentence_that_counts_is_quoted_and_no_other() -> None:
    [match] = READER.find("Seen with her son. Severe low back pain since Monday. Wants an x-ray.", "back-pain-")
    assert match.quote == "Severe low back pain since Monday"


def test_a_concept_is_found_once_however_often_it_is_said() -> None:
    assert len(READER.find("low back pain. low back pain. lumbago", "back-pain-")) == 1


def test_the_words_that_a_concept_needs_keep_no_sentence_from_being_read() -> None:
    content = load_content()
    every_sentence = tuple(replace(concept, needs=()) for concept in content.text_patterns.concepts)
    unfiltered = TextReader(replace(content.text_patterns, concepts=every_sentence))
    names = [name for value_set in content.terminology.value_sets.values() for _, _, name in value_set.concepts]
    texts = [*(sentence.text for sentence in corpus(SEEN)), *names]
    assert [text for text in texts if READER.read(text) != unfiltered.read(text)] == []


@pytest.mark.parametrize(
    "text",
    [
        "no or back pain " * 7_000,
        "back pain " * 10_000,
        "cancer of the left " * 6_000,
        "cancer,,,,,,,,,,,,,," * 5_000,
        "breast a " * 12_000,
        "magnetic resonance a " * 5_000,
        "since the past " * 7_000,
        "." * 100_000 + "x",
        " " * 100_000 + "x",
        "no " * 33_000 + "back pain",
        "(" * 100_000,
        "\u0000\ud7ff\U0001f600" * 25_000,
    ],
    ids=lambda text: text[:20].strip() or "blanks",
)
def test_a_text_of_100_kb_made_to_take_forever_is_read_in_bounded_steps(text: str) -> None:
    assert len(READER.find(text)) <= 1
    assert READER.flags(text, "back") <= {"new"}


def test_the_beginning_of_a_long_note_is_read() -> None:
    filler = "Lives alone. " * 10_000
    assert concepts("Low back pain since Monday. " + filler) == {LUMBAR}
    assert concepts(filler[:LONGEST_TEXT] + "Low back pain since Monday.") == set()
