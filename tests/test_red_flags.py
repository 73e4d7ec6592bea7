"""Red flags beside new back pain: what makes the card an emergency, and what does not."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    assessment,
    concept,
    condition,
    created,
    day,
    decision,
    encounter,
    observation,
    only_card,
    reference,
    section,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
CAUDA_EQUINA = "icd10cm G83.4"
LEG_WEAKNESS = "snomed 309774006"
CHRONIC_BACK_PAIN = "snomed 134407002"
VISIT = reference("Encounter", "visit-today")
COLLAPSE = "icd10cm M48.56XA"


def beside(*resources: Json, **arguments: Any) -> Assessment:
    """The assessment of a patient with breast cancer, low back pain of 10 days and these resources."""
    return assessment(CANCER, PAIN, *resources, **arguments)


def card_beside(*resources: Json, **arguments: Any) -> Json:
    return only_card(decision(CANCER, PAIN, *resources, **arguments))


# --- Signs of cord or cauda equina compression


# Decision 3.2.
@pytest.mark.parametrize(
    "code",
    [
        pytest.param(CAUDA_EQUINA, id="cauda equina syndrome"),
        pytest.param("icd10cm G95.20", id="cord compression"),
        pytest.param("icd9cm 344.60", id="cauda equina syndrome, ICD-9"),
        pytest.param("snomed 449813001", id="saddle numbness"),
        pytest.param("icd10cm R33.9", id="urinary retention"),
        pytest.param("icd10cm R32", id="urinary incontinence"),
        pytest.param("snomed 72042002", id="fecal incontinence"),
        pytest.param(LEG_WEAKNESS, id="limb weakness"),
        pytest.param("icd10cm M21.371", id="foot drop"),
        pytest.param("snomed 309537005", id="leg numbness"),
        pytest.param("icd10cm R20.0", id="anesthesia of skin"),
        pytest.param("icd10cm R26.2", id="difficulty in walking"),
        pytest.param("snomed 25136009", id="ataxic gait"),
    ],
)
def test_a_new_sign_of_cord_compression_is_an_emergency(code: str) -> None:
    found = beside(condition(code, onset=day(1)))
    assert found.critical
    assert found.studies[0] == "mri-whole-spine"


# Decision 3.1.
@pytest.mark.parametrize(("days", "critical"), [(0, True), (84, True), (85, False)])
def test_a_lasting_sign_does_not_expire_inside_the_window(days: int, critical: bool) -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(84))
    assert assessment(CANCER, pain, condition(CAUDA_EQUINA, onset=day(days), **ON_THE_LIST)).critical is critical


# Decision 3.1.
def test_the_card_asks_whether_a_sign_of_an_older_visit_is_still_there() -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(40))
    sign = condition(LEG_WEAKNESS, recorded=day(30), **OF_A_VISIT)
    card = only_card(decision(CANCER, pain, sign))
    assert card["indicator"] == "warning"
    asked = f"- Weakness of limb was recorded (recorded {day(30)}, 4 weeks ago): still there? If yes, it is an"
    assert asked in section(card, "Why this patient")


# Decision 3.1.
def test_an_undated_sign_counts_in_the_current_visit() -> None:
    assert beside(condition(CAUDA_EQUINA, encounter=VISIT), encounter_id="visit-today").critical


@pytest.mark.parametrize(
    "elements", [{}, {"encounter": reference("Encounter", "visit-of-2019")}], ids=["none", "other"]
)
def test_an_undated_sign_of_no_or_another_visit_is_history(elements: dict[str, Any]) -> None:
    assert not beside(condition(CAUDA_EQUINA, **elements), encounter_id="visit-today").critical


def test_an_undated_sign_counts_in_a_current_visit_that_began_long_ago() -> None:
    stay = encounter(id="visit-today", status="in-progress", period={"start": day(100)})
    assert beside(condition(CAUDA_EQUINA, encounter=VISIT), stay, encounter_id="visit-today").critical


@pytest.mark.parametrize(
    "elements",
    [
        {"clinical": "resolved"},
        {"clinical": "inactive"},
        {"clinical": "remission"},
        {"abatementDateTime": day(1)},
        {"verification": "refuted"},
        {"verification": "entered-in-error"},
        {"verification": "provisional"},
        {"verification": "differential"},
    ],
    ids=str,
)
def test_a_sign_that_is_over_untrue_or_only_suspected_is_no_emergency(elements: dict[str, Any]) -> None:
    assert not beside(condition(CAUDA_EQUINA, onset=day(5), **elements)).critical


# Decision 3.1.
@pytest.mark.parametrize("code", ["icd10cm G82.20", "snomed 60389000", CAUDA_EQUINA, "icd10cm R32"])
def test_an_old_but_active_sign_is_history(code: str) -> None:
    found = beside(condition(code, onset="2012"))
    assert not found.critical
    assert found.studies[0] == "mri-lumbar-spine"


# Decision 3.4.
@pytest.mark.parametrize(
    "code",
    [
        pytest.param("icd10cm R33.0", id="drug-induced retention"),
        pytest.param("icd10cm N39.3", id="stress incontinence"),
        pytest.param("snomed 60241006", id="stress incontinence, SNOMED CT"),
        pytest.param("icd10cm N39.46", id="mixed incontinence"),
        pytest.param("icd10cm R35.1", id="nocturia"),
    ],
)
def test_signs_with_another_cause_are_no_emergency(code: str) -> None:
    assert not beside(condition(code, onset=day(1))).critical


# --- Signs that may mean anything

NONSPECIFIC = {
    "weakness": "icd10cm R53.1",
    "musculoskeletal symptom": "icd10cm R29.898",
    "muscle weakness": "icd10cm M62.81",
    "falls": "icd10cm R29.6",
    "abnormal gait": "snomed 22325002",
    "unsteady gait": "snomed 394616008",
    "unsteady when walking": "snomed 22631008",
    "abnormal gait, ICD-10": "icd10 R26.8",
    "loss of sensation, ICD-10": "icd10 R20.1",
    "tingling, ICD-10": "icd10 R20.2",
    "other disturbance of sensation, ICD-10": "icd10 R20.8",
    "incomplete emptying": "icd10cm R39.14",
    "fracture, site not stated": "icd9cm 733.1",
}


# Decision 3.3.
@pytest.mark.parametrize("code", NONSPECIFIC.values(), ids=NONSPECIFIC)
def test_one_nonspecific_sign_is_a_line_on_a_warning(code: str) -> None:
    card = card_beside(condition(code, onset=day(1)))
    assert card["indicator"] == "warning"
    assert "examine for cord compression today" in section(card, "Why this patient")


# Decision 3.3.
@pytest.mark.parametrize("code", NONSPECIFIC.values(), ids=NONSPECIFIC)
def test_one_nonspecific_sign_is_an_emergency_where_the_site_says_so(code: str) -> None:
    assert beside(condition(code, onset=day(1)), options=RuleOptions(nonspecific_signs="critical")).critical


# Decision 3.3.
@pytest.mark.parametrize(
    ("first", "second", "critical"),
    [
        ("weakness", "falls", True),
        ("weakness", "incomplete emptying", True),
        ("falls", "incomplete emptying", True),
        ("weakness", "muscle weakness", False),
        ("falls", "abnormal gait, ICD-10", False),
        ("abnormal gait, ICD-10", "tingling, ICD-10", True),
    ],
)
def test_nonspecific_signs_of_two_groups_are_an_emergency(first: str, second: str, critical: bool) -> None:
    signs = [condition(NONSPECIFIC[name], onset=day(2)) for name in (first, second)]
    assert beside(*signs).critical is critical


def test_an_old_nonspecific_sign_is_not_mentioned() -> None:
    card = card_beside(condition(NONSPECIFIC["falls"], onset=day(85)))
    assert "examine for cord compression" not in card["detail"]


# --- With chronic pain, and without pain


# Decision 2.9.
def test_a_new_sign_makes_chronic_pain_new() -> None:
    chronic = condition(CHRONIC_BACK_PAIN, onset=day(2200))
    assert assessment(CANCER, chronic).reason is Reason.PAIN_NOT_NEW
    found = assessment(CANCER, chronic, condition(LEG_WEAKNESS, onset=day(2)))
    assert (found.outcome, found.critical) == (Outcome.FIRED, True)


def test_an_old_sign_leaves_chronic_pain_old() -> None:
    chronic = condition(CHRONIC_BACK_PAIN, onset=day(2200))
    assert assessment(CANCER, chronic, condition(LEG_WEAKNESS, onset=day(85))).reason is Reason.PAIN_NOT_NEW


# Decision 3.5.
def test_a_sign_without_back_pain_on_record_is_silent_unless_the_site_wants_it() -> None:
    sign = condition(CAUDA_EQUINA, onset=day(1))
    assert assessment(CANCER, sign).reason is Reason.NO_BACK_PAIN
    found = assessment(CANCER, sign, options=RuleOptions(pain_required_for_cord_signs=False))
    assert (found.outcome, found.critical, found.studies[0]) == (Outcome.FIRED, True, "mri-whole-spine")


def test_a_card_for_a_sign_without_back_pain_does_not_say_that_there_is_back_pain() -> None:
    sign = condition(CAUDA_EQUINA, onset=day(1))
    card = only_card(decision(CANCER, sign, pain_required_for_cord_signs=False))
    assert "no back pain recorded" in card["summary"]
    assert "back pain" not in card["summary"].replace("no back pain recorded", "").lower()
    assert "Back pain:" not in card["detail"]


# --- Fracture, infection, systemic signs


# Decision 3.6.
@pytest.mark.parametrize("code", ["icd10cm M84.58XA", "snomed 866087009", "icd9cm 733.13"])
def test_a_new_pathological_fracture_is_an_emergency(code: str) -> None:
    assert beside(condition(code, onset=day(0))).critical
    assert not beside(condition(code, onset=day(85))).critical


# Decision 2.10.
def test_a_new_vertebral_collapse_stands_for_pain_and_takes_its_region() -> None:
    found = assessment(CANCER, condition(COLLAPSE, onset=day(3)))
    assert (found.outcome, found.critical, found.studies[0]) == (Outcome.FIRED, False, "mri-lumbar-spine")


# Decision 2.10.
def test_an_old_vertebral_collapse_stands_for_nothing() -> None:
    assert assessment(CANCER, condition(COLLAPSE, onset=day(85))).reason is Reason.NO_BACK_PAIN


def test_the_summary_of_a_collapse_without_pain_does_not_say_that_there_is_back_pain() -> None:
    card = only_card(decision(CANCER, condition(COLLAPSE, onset=day(3))))
    assert "back pain" not in card["summary"].lower()


# Decision 3.7.
@pytest.mark.parametrize(
    "code", ["icd10cm M46.46", "icd10cm M46.26", "icd10cm G06.1", "snomed 63627007", "icd10cm R50.9"]
)
def test_a_new_spinal_infection_or_fever_is_an_emergency(code: str) -> None:
    assert beside(condition(code, onset=day(1))).critical
    assert not beside(condition(code, onset=day(85))).critical


# Decision 3.10.
def test_weight_loss_and_hypercalcemia_are_listed_on_a_warning() -> None:
    card = card_beside(condition("icd10cm R63.4", onset=day(20)), condition("icd10cm E83.52", onset=day(5)))
    assert card["indicator"] == "warning"
    assert "Abnormal weight loss" in card["detail"] and "Hypercalcemia" in card["detail"]


# --- Known metastases


# Decisions 3.9 and 7.1.
@pytest.mark.parametrize("code", ["icd10cm C79.51", "icd9cm 198.5", "snomed 94602001"])
def test_a_known_bone_metastasis_of_any_age_takes_the_whole_spine_without_being_an_emergency(
    code: str,
) -> None:
    found = beside(condition(code, onset=day(2000)))
    assert (found.studies[0], found.critical) == ("mri-whole-spine", False)


@pytest.mark.parametrize("verification", ["refuted", "entered-in-error", "provisional"])
def test_an_untrue_or_suspected_bone_metastasis_is_not_known(verification: str) -> None:
    found = beside(condition("icd10cm C79.51", onset=day(20), verification=verification))
    assert found.studies[0] == "mri-lumbar-spine"


@pytest.mark.parametrize("clinical", ["remission", "inactive", "resolved"])
def test_a_bone_metastasis_that_was_treated_is_still_known(clinical: str) -> None:
    found = beside(condition("icd10cm C79.51", onset=day(900), clinical=clinical))
    assert found.studies[0] == "mri-whole-spine"


# Decision 3.8.
@pytest.mark.parametrize("code", ["icd10cm C79.49", "snomed 94600009", "snomed 94601008"])
def test_new_pain_with_a_known_metastasis_of_the_cord_is_an_emergency(code: str) -> None:
    assert beside(condition(code, onset=day(700))).critical


@pytest.mark.parametrize("code", ["icd10cm C77.3", "icd10cm C79.81", "snomed 314990009"])
def test_axillary_nodes_and_metastases_to_the_breast_are_no_distant_metastasis(code: str) -> None:
    card = card_beside(condition(code, onset=day(700)))
    assert "metastatic" not in card["detail"] + card["summary"]
    assert created(card)[0]["code"]["coding"][0]["code"] == "24967-2"


def test_a_liver_metastasis_is_told_in_the_summary() -> None:
    card = card_beside(condition("snomed 94381002", onset=day(700)))
    assert card["summary"].startswith("Known metastatic cancer")
    assert card["indicator"] == "warning"


# --- Free text


# Decisions 3.2 and 3.14.
@pytest.mark.parametrize(
    "text",
    [
        "Leg weakness",
        "weakness in both legs since Monday",
        "saddle anesthesia",
        "urinary retention",
        "low back pain and leg weakness",
        "loss of bladder control",
        "cauda equina syndrome",
        "low back pain, no fever, now leg weakness",
    ],
)
def test_a_sign_in_words_is_an_emergency(text: str) -> None:
    assert beside(observation(CHIEF_COMPLAINT, day(1), valueString=text)).critical
    assert beside(condition(text=text, onset=day(1))).critical


@pytest.mark.parametrize(
    "text",
    [
        "no leg weakness",
        "denies leg weakness, numbness or incontinence",
        "low back pain without leg weakness",
        "No bowel or bladder incontinence, no saddle anesthesia",
        "no fever, chills or leg weakness",
        "No numbness, leg weakness, or urinary incontinence",
        "Leg weakness: no",
        "leg weakness denied",
        "never had leg weakness",
        "negative for urinary retention",
        "history of urinary retention",
        "cauda equina ruled out",
        "no evidence of cord compression",
        "stress urinary incontinence",
        "mother has leg weakness",
    ],
)
def test_a_denied_past_or_foreign_sign_in_words_is_no_emergency(text: str) -> None:
    found = beside(observation(CHIEF_COMPLAINT, day(1), valueString=text))
    assert not found.critical


@pytest.mark.parametrize("text", ["pain at night: no", "night pain denied", "no night pain"])
def test_a_denied_quality_of_the_pain_is_not_told(text: str) -> None:
    card = card_beside(observation(CHIEF_COMPLAINT, day(1), valueString=f"low back pain. {text}"))
    assert "Suspicious pain" not in card["detail"]


# Decision 11.4.
def test_a_sign_in_the_words_of_a_coded_pain_is_an_emergency() -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(3), text="Low back pain with saddle anesthesia and urinary retention")
    assert assessment(CANCER, pain).critical


@pytest.mark.parametrize(
    ("value", "critical"),
    [
        ({"valueCodeableConcept": concept(LEG_WEAKNESS)}, True),
        ({"valueString": "leg weakness"}, True),
        ({"valueCodeableConcept": concept(text="leg weakness")}, True),
        ({"valueCodeableConcept": concept("local 4711", display="Leg weakness")}, True),
        ({"valueCodeableConcept": concept(LEG_WEAKNESS), "status": "entered-in-error"}, False),
        ({"valueCodeableConcept": concept(LEG_WEAKNESS), "dataAbsentReason": concept(text="unknown")}, False),
        ({"valueString": "denies leg weakness"}, False),
    ],
    ids=["coded", "string", "text", "display", "entered in error", "data absent", "denied"],
)
def test_a_symptom_observation_states_a_sign(value: dict[str, Any], critical: bool) -> None:
    assert beside(observation(SYMPTOM, day(1), **value)).critical is critical


@pytest.mark.parametrize(
    ("code", "value", "critical"),
    [
        (LEG_WEAKNESS, {"valueBoolean": True}, True),
        (LEG_WEAKNESS, {"valueBoolean": False}, False),
        (LEG_WEAKNESS, {"valueString": "absent"}, False),
        ("loinc 111551-8", {"valueCodeableConcept": concept(LEG_WEAKNESS)}, False),
    ],
    ids=["true", "false", "absent", "symptom absent"],
)
def test_an_observation_of_a_sign_counts_unless_it_denies_it(code: str, value: dict[str, Any], critical: bool) -> None:
    assert beside(observation(code, day(1), **value)).critical is critical


def test_a_sign_as_the_reason_of_a_visit_is_an_emergency() -> None:
    assert beside(encounter(concept(CAUDA_EQUINA), when=day(1))).critical
    assert not beside(encounter(concept(CAUDA_EQUINA), when=day(1), status="cancelled")).critical


# --- The card


# Decision 3.11.
def test_only_the_spine_mri_of_an_emergency_is_stat_and_it_comes_first() -> None:
    card = card_beside(condition(CAUDA_EQUINA, onset=day(0)), condition("icd10cm R51.9", onset=day(1)))
    orders = [(order["code"]["coding"][0]["code"], order["priority"]) for order in created(card)]
    assert orders == [
        ("30855-1", "stat"),
        ("39818-0", "urgent"),
        ("72254-6", "urgent"),
        ("24587-8", "urgent"),
    ]


# Decision 3.11.
def test_without_an_emergency_the_mri_is_urgent_and_staging_routine() -> None:
    assert [order["priority"] for order in created(card_beside())] == ["urgent", "routine", "routine"]


# Decision 3.11.
def test_staging_is_never_put_before_the_mri_in_an_emergency() -> None:
    card = card_beside(condition(CAUDA_EQUINA, onset=day(0)))
    assert section(card, "Now").startswith("- MRI whole spine without and with IV contrast stat, within 24 hours.")
    assert "after the MRI, never before it" in section(card, "Proposed")
    assert "MRI whole spine" not in section(card, "Proposed")
    assert card["detail"].index("MRI whole spine") < card["detail"].index("Whole-body bone scan")


def test_an_emergency_is_told_in_the_summary_and_first_in_the_detail() -> None:
    card = only_card(decision(CANCER, condition(THORACIC_PAIN, onset=day(4)), condition(LEG_WEAKNESS, onset=day(2))))
    assert card["indicator"] == "critical"
    assert card["summary"].startswith("EMERGENCY: new limb weakness, new thoracic back pain")
    assert card["detail"].startswith("**Now**\n- MRI whole spine")
    assert section(card, "Why this patient").splitlines()[0].startswith("- Weakness of limb (")


def test_a_red_flag_whose_code_and_words_say_the_same_stands_on_the_card_once() -> None:
    sign = condition("icd10cm G83.4", onset=day(0), text="Cauda equina syndrome")
    card = only_card(decision(CANCER, PAIN, sign))
    assert card["detail"].count("auda equina") == 1


def test_the_same_red_flag_of_two_entries_stands_on_the_card_twice() -> None:
    signs = [condition("icd10cm G83.4", onset=day(0)), condition("", onset=day(1), text="saddle anesthesia")]
    card = only_card(decision(CANCER, PAIN, *signs))
    assert "auda equina" in card["detail"] and "saddle anesthesia" in card["detail"]
