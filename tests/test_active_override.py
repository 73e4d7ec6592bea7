"""A card that was overridden with a reason stays away for that reason's time, and no longer.

Each test calls the service over HTTP as an EHR does, with a clock of its own and a ledger of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.decision.active_override import with_active_override
from cds_service.decision.explanation import explain
from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.ledger.entries import EarlierFeedback
from cds_service.settings import make_settings
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    OF_A_VISIT,
    SYMPTOM,
    Json,
    assessed,
    bundle,
    concept,
    condition,
    day,
    decision,
    draft,
    encounter,
    observation,
    request,
    supplied,
)

PATIENT_VIEW = "/cds-services/breast-cancer-back-pain-patient-view"
ORDER_SELECT = "/cds-services/breast-cancer-back-pain-order-select"

CANCER = condition(BREAST_CANCER, onset="2014")
# Pain without any date stays new, so that only the memory decides whether there is a card.
PAIN = condition(LOW_BACK_PAIN)
CORD_SIGN = condition("icd10cm G95.20", onset=day(0))
WEIGHT_LOSS = condition("icd10cm R63.4", onset=day(0))
SECOND = timedelta(seconds=1)

REASONS = {item.code: item for item in load_content().override_reasons}
LIMITED = {code: item.days for code, item in REASONS.items() if item.days and item.only_for != "no-symptoms"}


class Clinic:
    """One EHR's dealings with the service; `now` is moved by the tests."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.now = NOW
        values = {"data_folder": str(folder), "pseudonym_key": "a key of the tests, that guards nothing"} | settings
        self._client = make_app(make_settings(values), lambda: self.now).test_client()
        self._calls = 0

    def look(self, *resources: Json, **changes: Any) -> Json | None:
        """Open the chart; the card, or None."""
        return self._asked(PATIENT_VIEW, request("patient-view", supplied(*resources)), changes)

    def select(self, order: Json, *resources: Json) -> Json | None:
        """Select a draft order; the card, or None."""
        return self._asked(ORDER_SELECT, request("order-select", supplied(*resources), [order]), {})

    def _asked(self, path: str, call: Json, changes: Json) -> Json | None:
        self._calls += 1
        call["hookInstance"] = f"5b0f2c1e-8d0a-4c1b-9a53-{self._calls:012d}"
        call["context"] |= changes
        response = self._client.post(path, json=call)
        assert response.status_code == 200, response.text
        return next(iter(response.get_json()["cards"]), None)

    def dismiss(self, card: Json, reason: str | None = None, at: datetime | None = None) -> None:
        """Turn a card down, with a reason if one is given."""
        entry: Json = {"card": card["uuid"], "outcome": "overridden"}
        if reason:
            entry["overrideReason"] = {"reason": {"code": reason, "system": REASONS["patient-declines"].system}}
        self._feedback(entry, at)

    def accept(self, card: Json, at: datetime | None = None) -> None:
        """Take the first suggestion of a card."""
        chosen = [{"id": card["suggestions"][0]["uuid"]}]
        self._feedback({"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": chosen}, at)

    def _feedback(self, entry: Json, at: datetime | None) -> None:
        entry["outcomeTimestamp"] = (at or self.now).isoformat()
        response = self._client.post(f"{PATIENT_VIEW}/feedback", json={"feedback": [entry]})
        assert response.status_code == 200, response.text


@pytest.fixture
def clinic(tmp_path: Path) -> Iterator[Clinic]:
    yield Clinic(tmp_path)


def shown(card: Json | None) -> Json:
    assert card is not None
    return card


# Decision 8.1.
@pytest.mark.parametrize(("reason", "days"), LIMITED.items())
def test_a_card_stays_away_until_the_time_of_its_reason_is_over(clinic: Clinic, reason: str, days: int) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), reason)
    clinic.now = NOW + timedelta(days=days) - SECOND
    assert clinic.look(CANCER, PAIN) is None


@pytest.mark.parametrize(("reason", "days"), LIMITED.items())
def test_a_card_is_back_when_the_time_of_its_reason_is_over(clinic: Clinic, reason: str, days: int) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), reason)
    clinic.now = NOW + timedelta(days=days)
    assert clinic.look(CANCER, PAIN)


# Decision 8.1.
def test_the_times_are_those_of_the_content() -> None:
    assert LIMITED == {
        "imaged-elsewhere": 90,
        "other-cause-proven": 90,
        "no-breast-cancer": 180,
        "contraindicated": 30,
        "would-not-change-care": 90,
        "patient-declines": 30,
        "specialist-arranges": 30,
    }


def test_pain_that_is_not_new_stays_silent_without_limit(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "pain-not-new")
    clinic.now = NOW + timedelta(days=3000)
    assert clinic.look(CANCER, PAIN) is None


# Decision 8.2.
@pytest.mark.parametrize("reason", [code for code, item in REASONS.items() if item.only_for != "no-symptoms"])
def test_newer_pain_brings_the_card_back_at_once(clinic: Clinic, reason: str) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), reason)
    clinic.now = NOW + timedelta(hours=1)
    newer = observation(SYMPTOM, day(0), valueCodeableConcept=concept("snomed 279039007"))
    assert clinic.look(CANCER, PAIN, newer)


DATED = condition(LOW_BACK_PAIN, onset=day(10))


# Decision 8.2.
@pytest.mark.parametrize(
    ("later", "is_news"),
    [
        (condition(LOW_BACK_PAIN, recorded=day(0), **OF_A_VISIT), False),
        (observation(SYMPTOM, day(0), valueCodeableConcept=concept("snomed 279039007")), False),
        (condition(LOW_BACK_PAIN, recorded=day(0), text="Low back pain, worse since Friday", **OF_A_VISIT), True),
        (condition("icd10cm M54.2", recorded=day(0), **OF_A_VISIT), True),
        (condition("icd10cm M48.56XA", recorded=day(0), **OF_A_VISIT), True),
    ],
    ids=["next visit", "symptom", "worse", "another region", "fracture"],
)
def test_another_record_of_the_same_episode_is_no_news_but_worse_pain_and_another_region_are(
    clinic: Clinic, later: Json, is_news: bool
) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, DATED)), "patient-declines")
    assert (clinic.look(CANCER, DATED, later) is not None) is is_news


# Decision 8.3.
@pytest.mark.parametrize("reason", [code for code, item in REASONS.items() if item.only_for != "no-symptoms"])
def test_an_emergency_that_was_turned_down_is_shown_again(clinic: Clinic, reason: str) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN, CORD_SIGN)), reason)
    assert shown(clinic.look(CANCER, PAIN, CORD_SIGN))["indicator"] == "critical"


# Decision 8.3.
def test_an_emergency_comes_through_an_earlier_answer(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    assert shown(clinic.look(CANCER, PAIN, CORD_SIGN))["indicator"] == "critical"


# Decision 8.2.
def test_a_new_red_flag_that_is_no_emergency_brings_the_card_back(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    assert shown(clinic.look(CANCER, PAIN, WEIGHT_LOSS))["indicator"] == "warning"


def test_a_red_flag_that_was_known_when_the_card_was_turned_down_does_not(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN, WEIGHT_LOSS)), "patient-declines")
    assert clinic.look(CANCER, PAIN, WEIGHT_LOSS) is None


def test_another_cancer_record_brings_back_only_a_card_that_was_called_wrong(tmp_path: Path) -> None:
    another = condition("icd10cm Z85.3", recorded=day(0))
    backs = {}
    for reason in ("no-breast-cancer", "patient-declines"):
        clinic = Clinic(tmp_path / reason)
        clinic.dismiss(shown(clinic.look(CANCER, PAIN)), reason)
        backs[reason] = clinic.look(CANCER, PAIN, another) is not None
    assert backs == {"no-breast-cancer": True, "patient-declines": False}


def test_evidence_that_was_there_before_does_not_bring_the_card_back(clinic: Clinic) -> None:
    second = condition("icd10cm M54.9", onset=day(5))
    clinic.dismiss(shown(clinic.look(CANCER, PAIN, second)), "patient-declines")
    assert clinic.look(CANCER, second) is None


def test_a_later_onset_of_the_same_condition_is_newer_evidence(clinic: Clinic) -> None:
    known = condition(LOW_BACK_PAIN, onset=day(10))
    clinic.dismiss(shown(clinic.look(CANCER, known)), "patient-declines")
    assert clinic.look(CANCER, known | {"onsetDateTime": day(1)})


# Decision 8.2.
def test_the_reason_of_the_order_in_hand_is_no_newer_evidence(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    radiograph = draft(text="XR lumbar spine", reasons=[concept(LOW_BACK_PAIN)])
    assert clinic.select(radiograph, CANCER, PAIN) is None


def test_a_second_card_closed_without_a_reason_does_not_undo_an_earlier_answer(clinic: Clinic) -> None:
    first, second = shown(clinic.look(CANCER, PAIN)), shown(clinic.look(CANCER, PAIN))
    clinic.dismiss(first, "patient-declines")
    clinic.now += timedelta(minutes=1)
    clinic.dismiss(second)
    assert clinic.look(CANCER, PAIN) is None


# Decision 8.4.
def test_a_second_card_that_is_taken_undoes_an_earlier_answer(clinic: Clinic) -> None:
    first, second = shown(clinic.look(CANCER, PAIN)), shown(clinic.look(CANCER, PAIN))
    clinic.dismiss(first, "patient-declines")
    clinic.now += timedelta(minutes=1)
    clinic.accept(second)
    assert clinic.look(CANCER, PAIN)


def test_a_new_injury_brings_the_card_back(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    assert clinic.look(CANCER, PAIN, condition("icd10cm S39.012A", onset=day(0)))


def test_a_client_whose_clock_is_far_behind_silences_the_card_all_the_same(clinic: Clinic) -> None:
    card = shown(clinic.look(CANCER, PAIN))
    clinic.dismiss(card, "patient-declines", NOW - timedelta(days=400))
    assert clinic.look(CANCER, PAIN) is None


def test_the_same_patient_id_on_another_fhir_server_is_another_patient(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    call = request("patient-view", supplied(CANCER, PAIN)) | {"fhirServer": "https://copy.example.org/fhir"}
    assert clinic._asked(PATIENT_VIEW, call, {})


@pytest.mark.parametrize(
    "told",
    [
        {"overrideReasons": [{"reason": {"code": "of-their-own"}}, {"reason": {"code": "patient-declines"}}]},
        {"overrideReasons": [{"code": "patient-declines", "display": "Patient declines"}]},
    ],
    ids=["second of two", "a Coding as it stands on the card"],
)
def test_a_reason_counts_in_every_form_that_ehrs_send(clinic: Clinic, told: Json) -> None:
    card = shown(clinic.look(CANCER, PAIN))
    clinic._feedback({"card": card["uuid"], "outcome": "overridden"} | told, None)
    assert clinic.look(CANCER, PAIN) is None


# Decision 8.1.
def test_a_card_turned_down_without_a_reason_is_shown_again(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)))
    assert clinic.look(CANCER, PAIN)


def test_a_reason_that_nobody_knows_keeps_nothing_away(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "because-i-say-so")
    assert clinic.look(CANCER, PAIN)


def test_the_sites_own_code_for_a_reason_counts_as_ours(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, override_reason_codes={"SITE-7": "patient-declines"})
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "SITE-7")
    assert clinic.look(CANCER, PAIN) is None


# Decision 8.4.
def test_the_later_of_two_answers_counts(clinic: Clinic) -> None:
    card = shown(clinic.look(CANCER, PAIN))
    clinic.now += timedelta(minutes=2)
    clinic.dismiss(card, "patient-declines", clinic.now - timedelta(minutes=1))
    clinic.accept(card, clinic.now)
    assert clinic.look(CANCER, PAIN)


def test_earlier_feedback_that_arrives_late_does_not_count(clinic: Clinic) -> None:
    card = shown(clinic.look(CANCER, PAIN))
    clinic.now += timedelta(minutes=2)
    clinic.dismiss(card, "patient-declines", clinic.now)
    clinic.accept(card, clinic.now - timedelta(minutes=1))
    assert clinic.look(CANCER, PAIN) is None


def test_a_client_whose_clock_runs_ahead_does_not_silence_the_card_for_longer(clinic: Clinic) -> None:
    card = shown(clinic.look(CANCER, PAIN))
    clinic.dismiss(card, "patient-declines", NOW + timedelta(days=3650))
    clinic.now = NOW + timedelta(days=30)
    assert clinic.look(CANCER, PAIN)


def test_another_patient_keeps_the_card(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    theirs = [item | {"subject": {"reference": "Patient/pt-2"}} for item in (CANCER, PAIN)]
    call = request("patient-view", supplied(*theirs), patientId="pt-2")
    call["prefetch"]["patient"] |= {"id": "pt-2"}
    assert clinic._asked(PATIENT_VIEW, call, {})


def test_feedback_on_one_hook_is_remembered_on_the_others(clinic: Clinic) -> None:
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "specialist-arranges")
    ibuprofen = draft(kind="MedicationRequest", text="ibuprofen 400 mg")
    assert clinic.select(ibuprofen, CANCER, PAIN) is None


def test_without_a_key_nothing_is_remembered(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path, pseudonym_key=None)
    clinic.dismiss(shown(clinic.look(CANCER, PAIN)), "patient-declines")
    assert clinic.look(CANCER, PAIN)


def test_explain_says_which_override_keeps_the_card_away_and_until_when(tmp_path: Path) -> None:
    fired = assessed(CANCER, PAIN)
    earlier = EarlierFeedback("overridden", "patient-declines", NOW, "imaging-advised", {})
    silenced = with_active_override(fired, {}, [earlier], load_content(), NOW + timedelta(days=1))
    answered = decision(CANCER, PAIN)
    text = explain(replace(answered, assessment=silenced))
    assert "turned down on 2026-11-22 (patient-declines). It stays away until 2026-12-22, or newer evidence" in text
    assert "Outcome suppressed, reason answered-earlier" in text


def test_fingerprints_hold_no_code_and_no_date_and_differ_between_patients() -> None:
    pseudonyms = Pseudonyms("a key of the tests, that guards nothing")
    found = assessed(CANCER, PAIN).findings_by_kind()["pain"]
    one, other = (pseudonyms.findings(name, found) for name in ("a", "b"))
    assert found and one != other
    assert not any("M54" in text or "2026" in text for text in one)


def test_an_open_visit_is_the_same_evidence_on_the_next_day() -> None:
    pseudonyms = Pseudonyms("a key of the tests, that guards nothing")
    visit = encounter(concept(LOW_BACK_PAIN), status="in-progress", id="e-1")
    prints = [
        pseudonyms.findings(
            "a",
            assessed(CANCER, now=now, encounter_id="e-1", replaced={"encounters": bundle(visit)}).findings_by_kind()[
                "pain"
            ],
        )
        for now in (NOW, NOW + timedelta(days=1))
    ]
    assert prints[0] == prints[1] != ()
