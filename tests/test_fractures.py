"""A new fracture of a vertebra stands for pain: which codes and words are one, when it is new, what it orders."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    LUMBAR_SPINE,
    THORACIC_SPINE,
    Json,
    assessment,
    concept,
    condition,
    day,
    decision,
    draft,
    encounter,
    observation,
    only_card,
    reference,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))

LUMBAR_COLLAPSE = "icd10cm M48.56XA"
WEDGE_T12 = "icd10cm S22.080A"
THROUGH_A_TUMOR = "icd10cm M84.58XA"
LUMBAR, THORACIC, CERVICAL, WHOLE = "mri-lumbar-spine", "mri-thoracic-spine", "mri-cervical-spine", "mri-whole-spine"
LUMBAR_AND_SACRUM = "mri-lumbar-spine-and-sacrum"
STAGING = ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")


def of(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer and these resources."""
    return assessment(CANCER, *resources, **arguments)


def fractured(code: str, **elements: Any) -> Json:
    """A fracture of three days ago."""
    return condition(code, onset=day(3), **elements)


def visit_diagnosis(code: str, days_ago: int, visit: str = "", **elements: Any) -> Json:
    category = [{"coding": [{"code": "encounter-diagnosis"}]}]
    at: dict[str, Any] = {"encounter": reference("Encounter", visit)} if visit else {}
    return condition(code, recorded=day(days_ago), category=category, **at, **elements)


def is_silent(*resources: Json) -> bool:
    return of(*resources).outcome is Outcome.NOT_APPLICABLE


# --- Which fracture is one, and what it orders (decision 2.10)


@pytest.mark.parametrize(
    ("code", "mri"),
    [
        ("icd10cm M48.50XA", WHOLE),
        ("icd10cm M48.51XA", CERVICAL),
        ("icd10cm M48.53XA", WHOLE),
        ("icd10cm M48.54XA", THORACIC),
        ("icd10cm M48.55XA", WHOLE),
        ("icd10cm M48.57XA", LUMBAR),
        ("icd10cm M48.58XA", LUMBAR_AND_SACRUM),
        ("icd10cm M48.42XA", CERVICAL),
        ("icd10cm M48.46XA", LUMBAR),
        ("icd10cm m4846xa", LUMBAR),
        ("icd10cm M80.08XA", WHOLE),
        ("icd10cm M80.88XA", WHOLE),
        ("icd10 M48.5", WHOLE),
        ("snomed 84138006", WHOLE),
        ("snomed 42942008", WHOLE),
        ("snomed 281933002", LUMBAR),
        ("snomed 314668006", WHOLE),
        ("snomed 443395009", WHOLE),
    ],
)
def test_a_fracture_without_an_injury_takes_the_mri_of_its_region_and_the_staging(code: str, mri: str) -> None:
    found = of(fractured(code))
    assert (found.outcome, found.critical, found.studies) == (Outcome.FIRED, False, (mri, *STAGING))
    assert not of(PAIN, fractured(code)).critical


@pytest.mark.parametrize(
    ("code", "mri"),
    [
        ("icd10cm S12.000A", CERVICAL),
        ("icd10cm S12.600A", CERVICAL),
        ("icd10cm S12.9XXA", CERVICAL),
        ("icd10cm S22.009A", THORACIC),
        (WEDGE_T12, THORACIC),
        ("icd10cm S22.080", THORACIC),
        ("icd10cm S32.010A", LUMBAR),
        ("icd10cm S32.10XA", LUMBAR_AND_SACRUM),
        ("icd10 S12.7", CERVICAL),
        ("icd10 S22.1", THORACIC),
        ("icd10 S32.0", LUMBAR),
        ("icd10 T08", WHOLE),
    ],
)
def test_a_fracture_from_an_injury_takes_the_mri_of_its_region_alone(code: str, mri: str) -> None:
    found = of(fractured(code))
    assert (found.outcome, found.critical, found.studies) == (Outcome.FIRED, False, (mri,))


# Decision 3.6.
@pytest.mark.parametrize(
    "code", [THROUGH_A_TUMOR, "icd10 M49.5", "snomed 866087009", "icd9cm 733.13"], ids=lambda code: str(code)
)
def test_a_fracture_through_a_tumor_is_an_emergency_of_the_whole_spine_without_pain(code: str) -> None:
    found = of(fractured(code))
    assert (found.critical, found.studies) == (True, (WHOLE, *STAGING))


@pytest.mark.parametrize(
    "code",
    ["icd10cm S12.8XXA", "icd10 S12.8", "icd10cm S22.31XA", "icd10cm S32.2XXA", "icd10cm M80.051A", "icd10cm M84.551A"],
    ids=["larynx", "larynx, WHO", "rib", "coccyx", "femur, osteoporosis", "femur, tumor"],
)
def test_a_fracture_of_another_bone_stands_for_nothing(code: str) -> None:
    assert is_silent(fractured(code))


@pytest.mark.parametrize(
    "entry",
    [
        condition("snomed 443395009", recorded=day(0)) | {"bodySite": [{"text": "Left tibia"}]},
        condition("snomed 443395009", text="Compression fracture of the wrist", recorded=day(0)),
        condition(text="Compression fracture of the left tibia", recorded=day(0)),
    ],
    ids=["body site", "words beside a code", "words"],
)
def test_a_compression_fracture_of_another_bone_is_none_of_a_vertebra(entry: Json) -> None:
    assert is_silent(entry)


# --- Codes that leave the bone open


@pytest.mark.parametrize("code", ["icd10cm M84.40XA", "icd10cm M84.48XA", "icd10cm M84.68XA", "icd9cm 733.1"])
@pytest.mark.parametrize(
    ("said", "mri"),
    [
        ({"text": "Pathological compression fracture of lumbar vertebra"}, LUMBAR),
        ({"text": "pathologic fx T8"}, THORACIC),
        ({"display": "Fracture of vertebra, pathological"}, WHOLE),
        ({"text": "Insufficiency fracture of sacrum"}, LUMBAR_AND_SACRUM),
        ({"sites": [LUMBAR_SPINE]}, LUMBAR),
        ({"bodySite": [{"text": "Thoracic spine"}]}, THORACIC),
    ],
    ids=["text", "level", "display", "sacrum", "site", "site in words"],
)
def test_where_the_entry_names_the_spine_an_open_code_is_a_fracture_there(
    code: str, said: dict[str, Any], mri: str
) -> None:
    found = of(fractured(code, **said))
    assert (found.critical, found.studies) == (False, (mri, *STAGING))


@pytest.mark.parametrize("code", ["icd10cm M84.40XA", "icd10cm M84.48XA", "icd10cm M84.50XA", "snomed 134421000"])
@pytest.mark.parametrize("text", ["", "Pathological fracture of left rib", "Pathological fracture, femoral neck"])
def test_where_the_entry_does_not_name_the_spine_an_open_code_stands_for_nothing(code: str, text: str) -> None:
    assert is_silent(fractured(code, text=text))


@pytest.mark.parametrize("code", ["icd10cm M84.50XA", "snomed 134421000"])
def test_a_fracture_through_a_tumor_of_a_bone_that_is_not_named_is_an_emergency_beside_pain_only(code: str) -> None:
    assert of(PAIN, fractured(code)).critical
    assert of(fractured(code, text="Pathological fracture of T9")).critical
    assert not of(PAIN, fractured(code, text="Pathological fracture of right humerus")).critical


@pytest.mark.parametrize(
    ("said", "counts"),
    [
        ({}, True),
        ({"text": "Pathological fracture due to neoplastic disease"}, True),
        ({"text": "Pathological fracture of vertebra and rib"}, True),
        ({"sites": [THORACIC_SPINE]}, True),
        ({"text": "Pathological fracture of left rib due to neoplastic disease"}, False),
        ({"text": "path fx R hip, breast mets"}, False),
        ({"bodySite": [{"text": "Left femur"}]}, False),
    ],
)
def test_the_other_site_of_a_fracture_through_a_tumor_is_a_vertebra_unless_another_bone_is_named(
    said: dict[str, Any], counts: bool
) -> None:
    assert of(fractured(THROUGH_A_TUMOR, **said)).critical is counts
    assert of(PAIN, fractured(THROUGH_A_TUMOR, **said)).critical is counts


def test_a_pathological_fracture_of_a_bone_that_is_not_named_is_named_beside_pain() -> None:
    card = only_card(decision(CANCER, PAIN, fractured("icd10cm M84.48XA")))
    assert card["indicator"] == "warning" and "Pathological fracture, other site" in card["detail"]
    other = only_card(decision(CANCER, PAIN, fractured("icd10cm M84.48XA", text="Insufficiency fracture of pelvis")))
    assert "Pathological fracture" not in other["detail"]


@pytest.mark.parametrize(("text", "mri"), [("Osteoporotic fracture of L1", LUMBAR), ("T7 and L2 fractures", WHOLE)])
def test_the_words_name_the_region_where_the_code_does_not(text: str, mri: str) -> None:
    assert of(fractured("icd10cm M80.08XA", text=text)).studies[0] == mri


def test_the_region_of_the_code_outweighs_the_words() -> None:
    assert of(fractured(LUMBAR_COLLAPSE, text="Compression fracture below T12")).studies[0] == LUMBAR


# --- Words alone


@pytest.mark.parametrize(
    ("text", "studies"),
    [
        ("Compression fracture of L1", (LUMBAR, *STAGING)),
        ("New T12 compression fx", (THORACIC, *STAGING)),
        ("Collapsed vertebra, thoracic region", (THORACIC, *STAGING)),
        ("Fatigue fracture of vertebra, lumbar region", (LUMBAR, *STAGING)),
        ("Fracture of lumbar vertebra", (LUMBAR,)),
        ("Fracture of sacrum", (LUMBAR_AND_SACRUM,)),
        ("Fracture of second cervical vertebra", (CERVICAL,)),
        ("Stable burst fracture of T5-T6 vertebra", (THORACIC, *STAGING)),
        ("Type II dens fracture", (CERVICAL,)),
        ("Pathological fracture of vertebra at metastasis", (WHOLE, *STAGING)),
    ],
)
def test_words_alone_state_a_fracture(text: str, studies: tuple[str, ...]) -> None:
    assert of(condition(text=text, onset=day(3))).studies == studies


@pytest.mark.parametrize(
    "text",
    [
        "Pathologic fracture of vertebrae",
        "Collapsed vertebra in neoplastic disease",
        "L2 compression fracture due to metastasis",
        "Malignant vertebral fracture T9",
    ],
)
def test_words_of_a_fracture_through_a_tumor_are_an_emergency(text: str) -> None:
    assert of(condition(text=text, onset=day(3))).critical


@pytest.mark.parametrize(
    "text",
    [
        "Old compression fracture L1",
        "Collapsed vertebra, thoracic region, sequela of fracture",
        "Wedge compression fracture of T11-T12 vertebra, subsequent encounter for fracture with routine healing",
        "History of vertebral fracture",
        "Healed T12 fracture",
        "No vertebral fracture",
        "? compression fracture",
        "Mother had a vertebral fracture",
        "Fracture of left femoral neck",
        "Cervical cancer, wrist fracture",
        "Fracture risk assessment",
        "Stress fracture of foot",
    ],
)
def test_words_of_a_past_another_or_no_fracture_state_none(text: str) -> None:
    assert is_silent(condition(text=text, onset=day(3)))


@pytest.mark.parametrize(
    "resource",
    [
        encounter(concept(LUMBAR_COLLAPSE), when=day(2)),
        encounter(concept(text="L1 compression fracture"), when=day(2)),
        observation(CHIEF_COMPLAINT, day(1), valueString="new L1 compression fracture"),
    ],
    ids=["visit reason", "visit reason in words", "chief complaint"],
)
def test_visits_and_complaints_tell_of_a_fracture(resource: Json) -> None:
    assert of(resource).studies == (LUMBAR, *STAGING)


def test_the_reason_of_a_selected_order_tells_of_a_fracture() -> None:
    order = draft("loinc 24968-0", text="MRI lumbar spine", reasons=[concept("icd10cm S32.010A")])
    assert of(drafts=[order]).reason is not Reason.NO_BACK_PAIN


def test_a_vertebroplasty_tells_of_no_new_fracture() -> None:
    done = study("Procedure", when=day(3), text="Vertebroplasty for L1 compression fracture")
    assert is_silent(done)


# --- When a fracture is new


@pytest.mark.parametrize(("days_ago", "fires"), [(0, True), (84, True), (85, False), (400, False)])
@pytest.mark.parametrize("code", ["icd10cm M80.88XA", WEDGE_T12, THROUGH_A_TUMOR, "snomed 84138006"])
def test_the_dates_say_whether_a_fracture_is_new(code: str, days_ago: int, fires: bool) -> None:
    assert (of(condition(code, onset=day(days_ago))).outcome is Outcome.FIRED) is fires
    assert (of(visit_diagnosis(code, days_ago)).outcome is Outcome.FIRED) is fires


@pytest.mark.parametrize("seventh", "DGKPS")
@pytest.mark.parametrize("stem", ["M48.56X", "M48.46X", "M80.08X", "M84.58X"])
def test_a_fracture_that_heals_or_left_its_traces_is_past(stem: str, seventh: str) -> None:
    assert is_silent(fractured(f"icd10cm {stem}{seventh}"))
    assert not of(PAIN, fractured(f"icd10cm {stem}{seventh}")).critical


@pytest.mark.parametrize(
    "fracture",
    [
        fractured(WEDGE_T12, text="Old healed compression fracture of T12"),
        fractured(LUMBAR_COLLAPSE, text="Remote L3 fracture, stable"),
        fractured(THROUGH_A_TUMOR, text="h/o pathological fracture"),
        condition(LUMBAR_COLLAPSE, "icd10cm Z87.310", onset=day(3)),
        fractured(LUMBAR_COLLAPSE, text="No fracture on MRI"),
        fractured(LUMBAR_COLLAPSE, verification="refuted"),
        fractured(LUMBAR_COLLAPSE, verification="provisional"),
        fractured(LUMBAR_COLLAPSE, clinical="resolved"),
        condition("icd10cm Z87.310", onset=day(3)),
    ],
)
def test_a_fracture_that_is_old_refuted_or_suspected_stands_for_nothing(fracture: Json) -> None:
    assert is_silent(fracture)


@pytest.mark.parametrize(
    "text",
    [
        "Stable burst fracture of first lumbar vertebra",
        "Compression fracture L2, 74 year old woman",
        "74 year old with compression fracture",
        "Compression fracture, chronic low back pain",
        "hx osteoporosis, new compression fracture L1",
    ],
)
def test_words_about_something_else_do_not_make_a_fracture_old(text: str) -> None:
    assert not is_silent(fractured("icd10cm S32.011A", text=text))


def test_a_fracture_that_was_recorded_in_the_clean_days_is_not_new() -> None:
    again = visit_diagnosis(LUMBAR_COLLAPSE, 3)
    assert is_silent(again, visit_diagnosis(LUMBAR_COLLAPSE, 120))
    assert is_silent(again, visit_diagnosis("icd10cm M48.56XD", 120))
    assert is_silent(again, visit_diagnosis("icd10cm M80.08XA", 120))


def test_another_fracture_or_one_of_before_the_clean_days_does_not_make_a_fracture_old() -> None:
    again = visit_diagnosis(LUMBAR_COLLAPSE, 3)
    for earlier in (
        visit_diagnosis(LUMBAR_COLLAPSE, 184),
        visit_diagnosis("icd10cm M48.54XA", 120),
        visit_diagnosis(WEDGE_T12, 120),
        visit_diagnosis(LUMBAR_COLLAPSE, 60),
    ):
        assert not is_silent(again, earlier)
    assert of(visit_diagnosis(THROUGH_A_TUMOR, 3), visit_diagnosis(LUMBAR_COLLAPSE, 120)).critical


# Decision 2.24.
def test_an_entry_that_is_dated_only_by_the_day_of_an_import_is_not_new() -> None:
    imported = [condition(f"icd10cm E11.{number}", recorded=day(5)) for number in range(9)]
    assert is_silent(condition(LUMBAR_COLLAPSE, recorded=day(5)), *imported)
    assert not is_silent(condition(LUMBAR_COLLAPSE, recorded=day(4)), *imported)


# --- The trauma pathway


def test_an_open_fracture_alone_brings_no_card_and_is_named_beside_pain() -> None:
    broken = fractured("icd10cm S32.020B")
    assert is_silent(broken)
    assert "Fracture of lumbar vertebra" in only_card(decision(CANCER, PAIN, broken))["detail"]


# Decision 2.10.
@pytest.mark.parametrize(
    ("code", "is_open"),
    [
        ("icd10 T08.1", True),
        ("icd10 T081", True),
        ("icd10gm T08.1", True),
        ("icd10 S32.01", True),
        ("icd10 S22.01", True),
        ("icd10 S12.21", True),
        ("icd9cm 805.5", True),
        ("icd9cm 805.3", True),
        ("icd9cm 8061", True),
        ("icd9cm 806.35", True),
        ("icd9cm 805.9", True),
        ("icd10 T08.0", False),
        ("icd10 S32.00", False),
        ("icd10 S32.0", False),
        ("icd10 S32.1", False),
        # The first lumbar vertebra, closed.
        ("icd10gm S32.01", False),
        ("icd10cm S32.010A", False),
        ("icd9cm 805.4", False),
        ("icd9cm 805.2", False),
        ("icd9cm 806.25", False),
        ("icd9cm 805.8", False),
    ],
)
def test_an_open_fracture_is_known_as_each_classification_says_it(code: str, is_open: bool) -> None:
    broken = fractured(code)
    assert is_silent(broken) is is_open
    assert not is_silent(PAIN, broken)


@pytest.mark.parametrize(
    "cause",
    [
        "icd10cm V43.52XA",
        "icd10cm V00.132A",
        "icd10cm W13.0XXA",
        "icd10 V43",
        "icd10 W17",
        "icd9cm E812.0",
        "icd9cm E8849",
    ],
)
def test_with_a_cause_of_high_energy_in_its_visit_a_fracture_alone_brings_no_card(cause: str) -> None:
    broken = visit_diagnosis(WEDGE_T12, 2, visit="v1")
    by_force = not cause.endswith("V00.132A")
    assert is_silent(broken, visit_diagnosis(cause, 2, visit="v1")) is by_force
    assert not is_silent(broken, visit_diagnosis(cause, 2, visit="v2"))
    assert of(visit_diagnosis(THROUGH_A_TUMOR, 2, visit="v1"), visit_diagnosis(cause, 2, visit="v1")).critical


@pytest.mark.parametrize(
    "cause", ["icd10cm W01.0XXA", "icd10cm W18.30XA", "icd10cm W10.9XXA", "icd9cm E885.9", "icd9cm E884.2"]
)
def test_a_fall_on_the_same_level_is_no_cause_of_high_energy(cause: str) -> None:
    broken = visit_diagnosis(WEDGE_T12, 2, visit="v1")
    assert not is_silent(broken, visit_diagnosis(cause, 2, visit="v1"))


# --- Beside pain and signs


def test_beside_pain_of_its_region_a_fracture_from_an_injury_is_named_and_changes_no_order() -> None:
    found = of(PAIN, fractured("icd10cm S32.010A"))
    assert found.studies == (LUMBAR, *STAGING)
    detail = only_card(decision(CANCER, PAIN, fractured("icd10cm S32.010A")))["detail"]
    assert "Vertebral fracture: Fracture of lumbar vertebra" in detail


@pytest.mark.parametrize("code", [WEDGE_T12, "icd10cm M48.54XA", "icd10cm M48.50XA"])
def test_a_fracture_in_another_region_than_the_pain_takes_the_whole_spine(code: str) -> None:
    found = of(PAIN, fractured(code))
    assert (found.critical, found.studies) == (False, (WHOLE, *STAGING))


def test_a_fracture_of_the_painful_region_takes_its_region() -> None:
    assert of(PAIN, fractured(LUMBAR_COLLAPSE)).studies == (LUMBAR, *STAGING)


def test_two_fractures_of_two_regions_take_the_whole_spine() -> None:
    found = of(fractured(LUMBAR_COLLAPSE), fractured("icd10cm M48.54XA"))
    assert found.studies == (WHOLE, *STAGING)


def test_one_fracture_without_an_injury_beside_one_from_an_injury_takes_the_staging_too() -> None:
    assert of(fractured(LUMBAR_COLLAPSE), fractured("icd10cm S32.010A")).studies == (LUMBAR, *STAGING)


def test_chronic_pain_does_not_make_a_fracture_old() -> None:
    chronic = condition("snomed 134407002", onset=day(2000))
    assert of(chronic, fractured(LUMBAR_COLLAPSE)).studies == (LUMBAR, *STAGING)


def test_a_sign_of_cord_compression_beside_a_fracture_is_an_emergency_with_staging() -> None:
    found = of(fractured("icd10cm S32.010A"), condition("icd10cm G83.4", onset=day(1)))
    assert (found.critical, found.studies) == (True, (WHOLE, *STAGING))


def test_a_known_bone_metastasis_beside_a_fracture_takes_the_whole_spine() -> None:
    known = condition("icd10cm C79.51", onset=day(400))
    assert of(known, fractured(LUMBAR_COLLAPSE)).studies[0] == WHOLE


def test_an_mri_of_its_region_answers_a_fracture() -> None:
    done = study("DiagnosticReport", "loinc 24967-2", when=day(1), status="final")
    assert of(fractured("icd10cm S32.010A"), done).outcome is Outcome.SUPPRESSED


def test_the_card_names_the_fracture_and_says_nothing_of_pain() -> None:
    card = only_card(decision(CANCER, fractured(WEDGE_T12)))
    assert "new vertebral fracture" in card["summary"]
    assert "pain" not in card["summary"] and "Back pain:" not in card["detail"]
    assert "Vertebral fracture: Fracture of thoracic vertebra (S22.080A)" in card["detail"]


def test_without_breast_cancer_a_fracture_brings_no_card() -> None:
    assert assessment(fractured(THROUGH_A_TUMOR)).outcome is Outcome.NOT_APPLICABLE
