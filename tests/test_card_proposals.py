"""Why this patient, what is proposed and on which evidence, and the order that was chosen, as the card says them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest

from tests.builders import (
    BREAST_CANCER,
    NECK_PAIN,
    THORACIC_PAIN,
    Json,
    allergy,
    condition,
    created,
    day,
    decision,
    draft,
    only_card,
    section,
    study,
)
from tests.cautioned import YOUNG, egfr
from tests.every_card import (
    BONE_METASTASIS,
    CANCER,
    EMERGENCIES,
    LUMBAR,
    NBSP,
    PAIN,
    WHOLE,
    WORDS,
    all_cards,
    breaking,
    card,
    visit,
)

# --- Why this patient


# Decision 7.9.
@pytest.mark.parametrize(
    "written", ["Left breast IDC 2018, ER+ HER2-", "Breast cancer, right, triple negative", "CA mammae li., G3"]
)
def test_the_charts_own_words_for_a_coded_cancer_stand_beside_its_name(written: str) -> None:
    cancer = condition(BREAST_CANCER, onset=day(3000), text=written)
    line = section(only_card(decision(cancer, PAIN)), "Why this patient").splitlines()[0]
    assert line.startswith("- Breast cancer: ") and f", `{written}` (onset " in line


# Decision 7.9.
@pytest.mark.parametrize("repeats", ["", "Malignant neoplasm of breast", "malignant neoplasm of breast.", "C50.911"])
def test_words_that_only_repeat_the_name_of_the_code_are_left_out(repeats: str) -> None:
    cancer = condition(BREAST_CANCER, onset=day(3000), text=repeats)
    assert "`" not in section(only_card(decision(cancer, PAIN)), "Why this patient").splitlines()[0]


# --- Proposed, and its evidence


# Decision 7.17.
@pytest.mark.parametrize(
    ("resources", "settings", "line"),
    [
        ([PAIN], {}, "lumbar"),
        ([condition("icd10cm M53.3", onset=day(5))], {}, "lumbar"),
        ([condition(THORACIC_PAIN, onset=day(5))], {}, "thoracic"),
        ([condition(NECK_PAIN, onset=day(5))], {}, "spine"),
        ([PAIN, condition(THORACIC_PAIN, onset=day(5))], {}, "spine"),
        ([PAIN, BONE_METASTASIS], {}, "spine"),
        ([PAIN], {"mri_extent": "whole-spine"}, "spine"),
        ([condition("icd10cm M80.08XA", onset=day(3))], {}, "fracture"),
        ([PAIN, study("DiagnosticReport", LUMBAR, when=day(1))], {}, "staging"),
        ([PAIN, *EMERGENCIES["cauda-equina"]], {}, "emergency"),
        ([PAIN, visit("icd10cm G83.4", 2), study("DiagnosticReport", WHOLE, when=day(1))], {}, "staging"),
        ([PAIN, *EMERGENCIES["fever"]], {}, "infection"),
        ([PAIN, *EMERGENCIES["fever"], *EMERGENCIES["sign-gait"]], {}, "emergency"),
    ],
    ids=str,
)
def test_the_evidence_is_one_line_on_what_is_proposed_first(
    resources: list[Json], settings: dict[str, str], line: str
) -> None:
    detail = card(*resources, **settings)["detail"].replace(NBSP, " ")
    assert detail.splitlines()[-1] == WORDS["evidence"][line]
    assert detail.count("**Evidence:**") == 1


# Decision 7.17.
def test_acr_low_back_pain_is_cited_for_the_lumbar_spine_alone() -> None:
    def fits(item: Json) -> bool:
        first = (created(item) or [{"code": {"text": ""}}])[0]["code"]["text"].lower()
        return "ACR Low Back Pain" not in item["detail"] or ("lumbar" in first and "spine" in first)

    assert not breaking(holds=fits)
    assert any("ACR Low Back Pain" in item["detail"] for item in all_cards().values())


# Decision 7.17.
def test_no_sentence_argues_against_its_own_order() -> None:
    against = re.compile(r"images the whole spine|not necessary|rather than MRI|sensitivity|specificity", re.IGNORECASE)
    assert not breaking(holds=lambda item: not against.search(item["detail"]))


# Decision 7.2.
@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ([], "(or PET/CT): work-up of suspected recurrence (NCCN), with or after the MRI; may wait for its result."),
        ([BONE_METASTASIS], "(or PET/CT) if not done recently."),
        (
            [study("DiagnosticReport", LUMBAR, when=day(1))],
            "(or PET/CT): if the MRI shows or suggests metastasis (NCCN).",
        ),
        ([visit("icd10cm G83.4")], ": after the MRI, never before it."),
    ],
    ids=["usual", "known metastasis", "MRI done", "emergency"],
)
def test_staging_says_when_it_is_wanted_and_names_its_alternative(beside: list[Json], said: str) -> None:
    line = section(card(PAIN, *beside), "Proposed").splitlines()[-1]
    assert line.startswith("- Whole-body bone scan and CT chest/abdomen/pelvis") and line.endswith(said)


# Decision 3.9.
def test_with_a_known_bone_metastasis_the_question_is_progression_instability_or_compression() -> None:
    known = card(PAIN, BONE_METASTASIS)
    assert known["summary"] == (
        "Known bone metastasis + new low back pain: progression, instability or compression? Order whole-spine MRI."
    )
    assert "exclude" not in known["summary"]


# --- On choosing an order

CHOSEN: Mapping[str, Json] = {
    "radiograph": draft("cpt 72100"),
    "spine-ct": draft("cpt 72131"),
    "mri": draft(LUMBAR),
    "mri-without-contrast": draft("loinc 30679-5"),
    "mri-elsewhere": draft("loinc 24937-5"),
    "bone-scan": draft("loinc 39818-0"),
    "ct": draft("loinc 72254-6"),
    "pet-ct": draft("loinc 81555-5"),
    "treatment": draft("rxnorm 5640", kind="MedicationRequest", text="Ibuprofen"),
}


def test_every_kind_of_order_that_may_be_chosen_is_tried() -> None:
    beside_something = {"mri-conflict", "mri-part"}
    assert set(CHOSEN) | beside_something == set(WORDS["chosen"])


# Decision 7.16.
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("kind", CHOSEN)
def test_the_card_begins_with_the_order_that_was_chosen(kind: str, hook: str) -> None:
    assert card(PAIN, hook=hook, drafts=[CHOSEN[kind]])["detail"].splitlines()[0] == WORDS["chosen"][kind]


# Decision 7.16.
def test_a_card_that_opens_with_the_chart_speaks_of_no_chosen_order() -> None:
    assert card()["detail"].startswith("**Why this patient**")


# Decisions 7.4 and 7.16.
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(
    ("forbids", "said"),
    [
        ([YOUNG, condition("icd10cm Z33.1", recorded=day(10))], "Pregnant ("),
        ([egfr(22)], "eGFR 22 mL/min/1.73 m2 ("),
        ([allergy("snomed 58281002")], "Gadolinium reaction ("),
    ],
    ids=["pregnant", "eGFR", "allergy"],
)
def test_what_forbids_the_contrast_of_the_chosen_mri_is_the_first_line(
    forbids: list[Json], said: str, hook: str
) -> None:
    conflict = card(PAIN, *forbids, hook=hook, drafts=[draft(LUMBAR)])
    first = conflict["detail"].splitlines()[0].replace(NBSP, " ")
    assert first.startswith(f"- The chosen MRI has contrast. {said}") and "without contrast" in first
    assert conflict["indicator"] == "warning"
    # It is not said a second time among the cautions.
    assert conflict["detail"].replace(NBSP, " ").count(said) == 1


# Decision 7.16.
def test_a_chosen_mri_without_contrast_conflicts_with_nothing_in_pregnancy() -> None:
    pregnant = condition("icd10cm Z33.1", recorded=day(10))
    cards = decision(CANCER, PAIN, pregnant, hook="order-select", drafts=[draft("loinc 30679-5")]).response["cards"]
    assert not any("The chosen MRI has contrast" in item["detail"] for item in cards)
