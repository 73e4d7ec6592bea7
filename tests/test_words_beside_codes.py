"""Words are passed over only for the question that a code of the same entry answers (decision 11.4)."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cds_service.app import make_app
from cds_service.chart.records import Coding, Concept
from cds_service.clinical import registry
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.definition import BREAST_CANCER_BACK_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.questions import (
    IS_BACK_INJURY,
    IS_BACK_PAIN,
    IS_BREAST_CANCER,
    stated_in_words,
)
from cds_service.content.load import content_folder
from cds_service.content.spelling import icd_code
from cds_service.demo.scenarios import read_request, scenarios_folder
from cds_service.settings import make_settings
from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    LUMBAR_SPINE,
    NOW,
    PAIN_ANYWHERE,
    PAIN_LOCATION,
    SYMPTOM,
    Json,
    allergy,
    assessment,
    concept,
    condition,
    day,
    draft,
    encounter,
    observation,
    rule,
    study,
)
from tests.content_copies import RULE, copy_of_content

CONTENT = load_content()

CANCER = condition(BREAST_CANCER, onset=day(2000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
FOLLOW_UP = concept(BREAST_CANCER_HISTORY, text="Breast cancer follow-up, severe new low back pain for a week")

STRAIN = "icd10cm S39.012A"
BONE_METASTASIS = "icd10cm C79.51"
STRESS_INCONTINENCE = "icd10cm N39.3"
CHEST = "snomed 51185008"
NO_ALLERGY = "snomed 716186003"


def region(*resources: Json) -> str:
    """The region of the new back pain that brings the card; empty where there is none."""
    found = assessment(*resources)
    return found.region if found.outcome is Outcome.FIRED else ""


def beside_pain(*resources: Json) -> Assessment:
    return assessment(CANCER, PAIN, *resources)


def raised(*resources: Json) -> set[str]:
    return {item.caution.id for item in beside_pain(*resources).cautions}


# --- Value sets that no question asks for

UNRELATED = "an-unrelated-set"
# A code that no value set holds: hyperlipidemia.
OF_NO_SET = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "E78.5"}


def _with_codes(value: Any) -> Any:
    """A piece of JSON in which everything that is said in words alone is coded as well, as something of no interest."""
    if isinstance(value, list):
        return [_with_codes(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _with_codes(item) for name, item in value.items()}
    for name in ("code", "valueCodeableConcept"):
        if isinstance(made.get(name), dict) and "text" in made[name]:
            made[name].setdefault("coding", [OF_NO_SET])
    for reason in made.get("reasonCode") or ():
        reason.setdefault("coding", [OF_NO_SET])
    return made


REQUESTS = [
    request
    for path in sorted(scenarios_folder().glob("*/request.json"))
    for plain in [read_request(path.parent, NOW)]
    for request in (plain, _with_codes(plain))
]


def _codings(value: Any) -> Iterator[tuple[str, str]]:
    """Every coding in a piece of JSON."""
    if isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from _codings(item)


def _unrelated_codes() -> dict[str, list[str]]:
    """By code system, all codes of the fixtures that are in no set of breast cancer or back pain."""
    systems = tomllib.loads((content_folder() / "code-systems.toml").read_text("utf-8"))["system"]
    canonical = {uri: item["uri"] for item in systems for uri in (item["uri"], *item["aliases"])}
    found: dict[str, dict[str, str]] = {}
    related = IS_BREAST_CANCER | IS_BACK_PAIN
    for uri, code in _codings(REQUESTS):
        if uri in canonical and related.isdisjoint(CONTENT.terminology.value_sets_with(uri, code)):
            found.setdefault(canonical[uri], {})[icd_code(code)] = code
    return {uri: list(codes.values()) for uri, codes in found.items()}


@pytest.fixture(scope="module")
def more_content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The content with one more value set, of codes that the fixtures use."""
    folder = copy_of_content(tmp_path_factory.mktemp("more"))
    value_set = json.loads((folder / "value-sets/claustrophobia.json").read_text("utf-8"))
    value_set |= {"id": UNRELATED, "purpose": "passed over: no rule reads it."}
    value_set["compose"]["include"] = [
        {"system": uri, "concept": [{"code": code} for code in codes]} for uri, codes in _unrelated_codes().items()
    ]
    (folder / f"value-sets/{UNRELATED}.json").write_text(json.dumps(value_set), encoding="utf-8")
    with (folder / RULE / "rule.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[passed_over]]\nsets = ["{UNRELATED}"]\nwhy = "Made up."\n')
    return folder


def _answers(folder: Path | None) -> list[str]:
    """The answer to every fixture, without the ids that name the content."""
    settings = make_settings({"content_folder": str(folder)} if folder else {})
    client = make_app(settings, lambda: NOW).test_client()
    bodies = (client.post(f"/cds-services/breast-cancer-back-pain-{item['hook']}", json=item) for item in REQUESTS)
    return [re.sub(r'"uuid":"[^"]+"', "", body.get_data(as_text=True)) for body in bodies]


def test_a_value_set_that_no_question_asks_for_changes_no_answer(more_content: Path) -> None:
    assert sum(map(len, _unrelated_codes().values())) > 100
    assert _answers(more_content) == _answers(None)


def test_a_value_set_that_the_rule_reads_for_another_question_changes_no_answer(
    more_content: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(load_content(more_content), read_by_name=CONTENT.read_by_name | {UNRELATED})
    reading = replace(BREAST_CANCER_BACK_PAIN, make=lambda _, choices: BREAST_CANCER_BACK_PAIN.make(known, choices))
    monkeypatch.setattr(registry, "RULES", (reading,))
    expected = _answers(None)
    monkeypatch.undo()
    assert expected == _answers(None)


# --- Back pain


@pytest.mark.parametrize(
    "entry",
    [
        encounter(FOLLOW_UP, when=day(0)),
        condition(BREAST_CANCER_HISTORY, recorded=day(0), text=FOLLOW_UP["text"]),
        observation(SYMPTOM, day(0), valueCodeableConcept=FOLLOW_UP),
        observation(CHIEF_COMPLAINT, day(0), valueCodeableConcept=FOLLOW_UP),
    ],
    ids=["reason of a visit", "diagnosis", "symptom", "chief complaint"],
)
def test_new_pain_in_the_words_of_an_entry_that_is_coded_as_the_cancer_is_new_pain(entry: Json) -> None:
    assert region(CANCER, entry) == "lumbar"


def test_one_entry_may_be_the_cancer_by_its_code_and_the_pain_by_its_words() -> None:
    assert region(condition(BREAST_CANCER_HISTORY, recorded=day(0), text=FOLLOW_UP["text"])) == "lumbar"


def test_the_reason_of_an_order_that_is_coded_as_the_cancer_makes_it_an_order_for_back_pain() -> None:
    drug = draft("rxnorm 5640", kind="MedicationRequest", reasons=[FOLLOW_UP])
    assert assessment(CANCER, drafts=[drug]).outcome is Outcome.FIRED


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (BONE_METASTASIS, "Bone metastases, new mid back pain", "thoracic"),
        (STRAIN, "Low back strain, low back pain since lifting", "lumbar"),
        ("icd10cm M62.81", "Muscle weakness, neck pain since Monday", "cervical"),
        ("icd10cm E78.5", "Lipids, also back pain for 3 days", "unspecified"),
    ],
)
def test_pain_in_words_beside_a_code_of_something_else_is_pain(code: str, text: str, expected: str) -> None:
    assert region(CANCER, condition(code, recorded=day(1), text=text)) == expected


@pytest.mark.parametrize(
    "entry",
    [
        condition("icd10cm M54.81", recorded=day(1), text="Low back pain"),
        condition("icd10cm M79.7", recorded=day(1), text="Fibromyalgia with back pain"),
        condition("icd10cm R10.2", recorded=day(1), text="Pelvic and low back pain"),
        condition("icd10cm N23", recorded=day(1), text="Renal colic, back pain"),
        condition(PAIN_ANYWHERE, recorded=day(1), text="Thoracic pain", sites=[CHEST]),
        condition(STRAIN, recorded=day(1), text="Strain, low back pain", verification="refuted"),
        observation("loinc 111551-8", day(1), valueCodeableConcept=concept("icd10cm E78.5", text="Low back pain")),
        observation(PAIN_LOCATION, day(1), valueCodeableConcept=concept(CHEST, text="chest and side")),
    ],
    ids=["trap", "fibromyalgia", "ambiguous", "renal colic", "not the spine", "refuted", "absent", "chest"],
)
def test_a_code_that_says_no_back_pain_is_not_overruled_by_its_words(entry: Json) -> None:
    assert region(CANCER, entry) == ""


def test_a_coded_site_says_where_the_pain_is_better_than_the_words_beside_it() -> None:
    score = observation(PAIN_LOCATION, day(1), valueCodeableConcept=concept(LUMBAR_SPINE, text="back pain"))
    assert region(CANCER, score) == "lumbar"


# --- The day of which words tell


def test_words_beside_a_code_tell_of_the_day_on_which_they_were_written_and_not_of_its_onset() -> None:
    text = "Breast cancer 2019, low back pain since Monday"
    assert region(condition(BREAST_CANCER, onset=day(2500), recorded=day(2), text=text)) == "lumbar"
    assert region(condition(BREAST_CANCER, onset=day(2500), recorded=day(2400), text=text)) == ""
    assert region(condition(BREAST_CANCER, onset=day(2500), text=text)) == ""


def test_pain_that_an_old_cancer_entry_mentions_does_not_make_new_pain_old() -> None:
    entry = condition(BREAST_CANCER, onset=day(900), recorded=day(900), text="Breast cancer, found for low back pain")
    assert region(entry, PAIN) == "lumbar"


def test_pain_that_was_written_beside_a_code_in_the_clean_days_makes_later_pain_old() -> None:
    earlier = condition(BREAST_CANCER_HISTORY, recorded=day(120), text="Breast cancer, low back pain")
    assert region(earlier, PAIN) == ""


# --- Breast cancer


# Decision 1.3: a metastasis to the breast leaves open where the cancer began.
@pytest.mark.parametrize("code", [BONE_METASTASIS, "icd10cm C79.81", "icd10cm Z90.12", "icd10cm E78.5"])
def test_breast_cancer_in_words_beside_a_code_of_something_else_is_a_history(code: str) -> None:
    assert region(PAIN, condition(code, text="Breast cancer 2019, treated")) != ""


@pytest.mark.parametrize(
    "code",
    ["icd10cm Z80.3", "icd10cm Z12.31", "icd10cm Z15.01", "icd10cm D05.11", "snomed 126926005"],
    ids=["family", "screening", "risk", "in situ", "ambiguous"],
)
def test_a_code_that_says_no_invasive_breast_cancer_is_not_overruled_by_its_words(code: str) -> None:
    assert region(PAIN, condition(code, text="Breast cancer")) == ""


# --- Red flags


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (BREAST_CANCER, "Breast cancer; leg weakness since yesterday"),
        (LOW_BACK_PAIN, "Low back pain with urinary retention"),
        (STRESS_INCONTINENCE, "Stress incontinence; saddle anesthesia"),
        ("icd10cm R53.1", "Leg weakness"),
        (STRAIN, "Strain of the back, foot drop"),
    ],
    ids=["cancer", "pain", "a sign that is none", "an unspecific sign", "injury"],
)
def test_a_sign_in_words_beside_a_code_of_something_else_is_an_emergency(code: str, text: str) -> None:
    assert beside_pain(condition(code, recorded=day(1), text=text)).critical
    assert beside_pain(encounter(concept(code, text=text), when=day(1))).critical


def test_a_code_that_says_no_sign_is_not_overruled_by_its_words() -> None:
    assert not beside_pain(condition(STRESS_INCONTINENCE, recorded=day(1), text="Urinary incontinence")).critical


def test_a_sign_written_years_ago_beside_a_code_is_history() -> None:
    old = condition(BREAST_CANCER, onset=day(900), recorded=day(900), text="Breast cancer, leg weakness")
    assert not beside_pain(old).critical


# --- Injuries, cautions, allergies


def test_an_injury_in_the_words_of_a_coded_pain_is_named() -> None:
    fall = condition(LOW_BACK_PAIN, onset=day(3), text="Low back pain after a fall")
    assert [item.quote for item in assessment(CANCER, fall).injuries] == ["Low back pain after a fall"]


def test_our_own_name_of_a_code_says_no_more_than_the_code() -> None:
    chronic = condition("icd10cm G89.21", onset=day(3), text="Chronic pain due to trauma")
    assert beside_pain(chronic).injuries == ()
    reader = rule().reader()
    questions = (IS_BREAST_CANCER, IS_BACK_PAIN, IS_BACK_INJURY, *stated_in_words(CONTENT))
    for value_set in CONTENT.terminology.value_sets.values():
        for system, code, name in value_set.concepts:
            entry = Concept((Coding(system, code, name),), name)
            known = reader.value_sets(entry)
            told = [reader.in_words(entry, question) for question in questions if known]
            assert not any(told), f"{code} {name}"


def test_a_device_in_words_beside_a_code_of_something_else_is_a_caution() -> None:
    assert "mri-device" in raised(condition(BREAST_CANCER, text="Breast cancer, pacemaker since 2015"))
    assert "tissue-expander" in raised(condition(BREAST_CANCER, text="Breast cancer, left tissue expander"))


def test_a_code_that_says_that_a_device_is_gone_is_not_overruled_by_its_words() -> None:
    (system, code, _), *_ = CONTENT.terminology.value_sets["mri-device-removed"].concepts
    assert system == "http://snomed.info/sct"
    assert "mri-device" not in raised(study("Procedure", f"snomed {code}", when=day(9), text="Pacemaker"))


@pytest.mark.parametrize(
    ("code", "expected"), [("rxnorm 5640", {"iodinated-allergy"}), (NO_ALLERGY, set())], ids=["ibuprofen", "none"]
)
def test_an_allergy_in_words_counts_unless_the_code_says_that_there_is_none(code: str, expected: set[str]) -> None:
    assert raised(allergy(code, text="Iodinated contrast")) == expected


# --- Orders and studies


@pytest.mark.parametrize(
    ("code", "text", "relevant"),
    [
        (BREAST_CANCER, "XR lumbar spine", True),
        ("local 4711", "XR lumbar spine", True),
        ("loinc 98979-8", "eGFR before CT of the lumbar spine", False),
    ],
    ids=["coded by its reason", "local code", "laboratory test"],
)
def test_what_is_ordered_is_read_in_words_unless_a_code_says_it(code: str, text: str, relevant: bool) -> None:
    found = assessment(CANCER, PAIN, drafts=[draft(code, text=text)])
    assert (found.outcome is Outcome.FIRED) is relevant


def test_a_coded_mri_of_the_whole_body_is_none_of_the_spine_whatever_its_words_say() -> None:
    whole_body = study("DiagnosticReport", "loinc 46358-8", when=day(1), text="MRI whole body and whole spine MRI")
    assert "mri-lumbar-spine" in beside_pain(whole_body).studies
