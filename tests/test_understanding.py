"""What a silence is worth (decision 6.9): what is not understood is counted and shown, and names no code or patient."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.clinical.reading.understanding import HINTS, Understanding
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.code_forms import can_be_code, has_mod10_digit, has_verhoeff_digit
from cds_service.decision.explanation import explain
from cds_service.decision.hook_call import HookCall
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.recording import not_understood
from cds_service.decision.support import DecisionSupport
from cds_service.reporting.metrics import MOST_SYSTEMS
from cds_service.reporting.report import Report
from cds_service.reporting.report_page import report_page
from cds_service.reporting.report_text import Words, report_text
from cds_service.reporting.summary import summarize
from cds_service.settings import Settings, make_settings
from cds_service.web.call_log import LOGGER_NAME
from tests.builders import (
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    LUMBAR_SPINE,
    NOW,
    PAIN_ANYWHERE,
    PAIN_SCORE,
    SERVICES,
    SYMPTOM,
    Json,
    assessment,
    coding,
    concept,
    condition,
    day,
    draft,
    encounter,
    observation,
    request,
    supplied,
)

LOCAL = "urn:oid:1.2.840.113619.21.1.7"
PCS, ICD_O = "http://www.cms.gov/Medicare/Coding/ICD10", "http://terminology.hl7.org/CodeSystem/icd-o-3"
PATIENT_VIEW = "breast-cancer-back-pain-patient-view"


def local_condition(code: str = "X-17", system: str = LOCAL, text: str = "") -> Json:
    """A condition with a code of a system that the content does not know."""
    made = condition(LOW_BACK_PAIN, onset=day(5))
    return made | {"code": {"coding": [{"system": system, "code": code}], **({"text": text} if text else {})}}


def of_key(key: str, *resources: Json, drafts: list[Json] | None = None) -> Understanding:
    """How the entries of one key were understood."""
    found = assessment(*resources, drafts=drafts).understanding
    return next(item for item in found if item.key == key)


def test_an_entry_of_a_value_set_is_understood() -> None:
    found = of_key("conditions", condition(BREAST_CANCER), condition(LOW_BACK_PAIN, onset=day(5)))
    assert (found.understood, found.irrelevant, dict(found.not_understood)) == (2, 0, {})


def test_a_well_formed_code_of_a_known_system_that_no_set_lists_is_irrelevant() -> None:
    found = of_key("conditions", condition("icd10cm I10"), condition("snomed 38341003"))
    assert (found.understood, found.irrelevant, dict(found.not_understood)) == (0, 2, {})


@pytest.mark.parametrize("code", [
    "icd10cm HYPERTENSION", "snomed 38341004", "snomed 12", "icd9cm X1", "icd10cm C5O.911", "icd10cm E11.O1",
    "icd10cm CC0.911",
])  # fmt: skip
def test_what_cannot_be_a_code_of_its_system_is_not_understood(code: str) -> None:
    assert sum(of_key("conditions", condition(code)).not_understood.values()) == 1


def test_an_entry_with_only_codes_of_an_unknown_system_is_counted_under_that_system() -> None:
    found = of_key("conditions", local_condition(), local_condition("X-18"), condition(BREAST_CANCER))
    assert (found.known, dict(found.not_understood)) == (1, {LOCAL: 2})


def test_words_beside_a_code_of_an_unknown_system_are_understood_where_they_say_something() -> None:
    assert of_key("conditions", local_condition(text="low back pain")).understood == 1


def test_words_that_say_nothing_known_are_counted_as_words() -> None:
    assert dict(of_key("conditions", condition(text="Zustand nach Sturz")).not_understood) == {"words": 1}


def test_an_entry_with_neither_code_nor_words_is_counted_as_empty() -> None:
    assert dict(of_key("conditions", condition() | {"code": {}}).not_understood) == {"empty": 1}


@pytest.mark.parametrize(
    "system", ["Jane Doe, born 1980-02-03", "", "patient 4711", "x" * 300, "http://a b", "urn:mrn:pt-4711"]
)
def test_a_system_that_could_be_any_text_is_counted_without_its_name(system: str) -> None:
    assert dict(of_key("conditions", local_condition(system=system)).not_understood) == {"unnamed": 1}


ELSEWHERE = {"reference": "Condition/not-sent"}
IN_WORDS = {"display": "Low back pain"}


@pytest.mark.parametrize(
    "stated",
    [
        {"diagnosis": [{"condition": ELSEWHERE | IN_WORDS}]},
        {"diagnosis": [{"condition": [{"concept": concept(LOW_BACK_PAIN)}]}]},
        {"diagnosis": [{"condition": [{"reference": ELSEWHERE | IN_WORDS}]}]},
        {"reasonReference": [IN_WORDS]},
        {"reasonReference": ELSEWHERE | IN_WORDS},
        {"indication": [ELSEWHERE | IN_WORDS]},
        {"reason": [{"value": [{"reference": IN_WORDS}]}]},
        {"reasonCode": ["low back pain"]},
        {"reasonCode": "low back pain"},
    ],
)
def test_a_reason_of_a_visit_counts_in_whatever_form_it_came(stated: Json) -> None:
    found = assessment(condition(BREAST_CANCER), encounter(when=day(2), **stated))
    assert found.outcome is Outcome.FIRED


@pytest.mark.parametrize(
    "stated", [{"diagnosis": [{"condition": ELSEWHERE}]}, {"reasonReference": [ELSEWHERE]}, {"reasonReference": [{}]}]
)
def test_a_reason_that_leads_nowhere_and_has_no_words_is_counted_as_empty(stated: Json) -> None:
    assert dict(of_key("encounters", encounter(when=day(2), **stated)).not_understood) == {"empty": 1}


def test_a_reason_in_words_that_deny_the_pain_is_none() -> None:
    denied = encounter(when=day(2), reasonReference=[{"display": "No back pain"}])
    assert assessment(condition(BREAST_CANCER), denied).outcome is Outcome.NOT_APPLICABLE


def test_of_a_diagnosis_that_was_sent_the_visit_says_nothing_more() -> None:
    refuted = condition(LOW_BACK_PAIN, id="here", verification="refuted")
    pointer = {"reference": "Condition/here", "display": "Low back pain"}
    seen = encounter(when=day(2), diagnosis=[{"condition": pointer}], reasonReference=[pointer])
    found = assessment(condition(BREAST_CANCER), refuted, seen)
    assert found.outcome is Outcome.NOT_APPLICABLE
    assert [item.key for item in found.understanding] == ["conditions"]


def test_a_contained_diagnosis_of_a_visit_is_read_where_it_stands() -> None:
    inner = condition(LOW_BACK_PAIN, id="c", verification="refuted")
    seen = encounter(when=day(2), contained=[inner], reasonReference=[{"reference": "#c", "display": "Back pain"}])
    assert assessment(condition(BREAST_CANCER), seen).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    "path", ["fhir/Patient/pt-001", "fhir/Patient/anna", "fhir/C50.911", "id/254837009", "1980-02-03"]
)
def test_of_a_system_whose_path_may_hold_an_id_a_date_or_a_code_the_host_is_named(path: str) -> None:
    unknown = local_condition(system=f"https://ehr.example.org/{path}")
    assert dict(of_key("conditions", unknown).not_understood) == {"https://ehr.example.org": 1}


@pytest.mark.parametrize(
    "system", ["urn:oid:1.2.3", "https://ehr.example.org/fhir/CodeSystem/icd-9-dx", "urn:local:problems"]
)
def test_a_system_that_is_named_like_one_keeps_its_name(system: str) -> None:
    assert dict(of_key("conditions", local_condition(system=system)).not_understood) == {system: 1}


def test_a_symptom_is_judged_by_its_value() -> None:
    symptom = observation("loinc 75325-1", day(2), valueCodeableConcept={"coding": [{"system": LOCAL, "code": "7"}]})
    assert dict(of_key("observations", symptom).not_understood) == {LOCAL: 1}


@pytest.mark.parametrize(
    "value",
    [
        {"valueCoding": coding(LOW_BACK_PAIN)},
        {"valueMarkdown": "low back pain"},
        {"valueText": "low back pain"},
        {"valueCode": "low back pain"},
        {"valueReference": IN_WORDS},
        {"valueQuantity": {"value": "low back pain"}},
        {"valueCodeableConcept": {}, "valueString": "low back pain"},
        {"valueCodeableConcept": {"coding": [{"system": LOCAL, "code": "7"}]}, "valueString": "low back pain"},
    ],
)
def test_a_symptom_is_read_in_whatever_form_its_value_came(value: Json) -> None:
    assert assessment(condition(BREAST_CANCER), observation(SYMPTOM, day(2), **value)).outcome is Outcome.FIRED


@pytest.mark.parametrize(
    "value",
    [{}, {"valueString": ""}, {"valueCodeableConcept": {}}, {"valueReference": ELSEWHERE}, {"valueTime": "10:00:00"}],
)
@pytest.mark.parametrize("code", [SYMPTOM, CHIEF_COMPLAINT])
def test_a_code_that_only_announces_is_not_understood_where_nothing_is_read_behind_it(code: str, value: Json) -> None:
    assert dict(of_key("observations", observation(code, day(2), **value)).not_understood) == {"empty": 1}


def test_a_code_that_only_announces_is_understood_by_a_component() -> None:
    part = {"code": concept(LOW_BACK_PAIN), "valueBoolean": True}
    assert of_key("observations", observation(SYMPTOM, day(2), component=[part])).understood == 1


@pytest.mark.parametrize("value", [{"valueBoolean": False}, {"dataAbsentReason": {"text": "not asked"}}])
def test_a_symptom_that_is_said_to_be_absent_is_understood(value: Json) -> None:
    assert of_key("observations", observation(SYMPTOM, day(2), **value)).understood == 1


def test_a_symptom_in_words_that_deny_it_beside_a_local_code_is_none() -> None:
    local = {"coding": [{"system": LOCAL, "code": "7"}]}
    denied = observation(SYMPTOM, day(2), valueCodeableConcept=local, valueString="denies back pain")
    assert assessment(condition(BREAST_CANCER), denied).outcome is Outcome.NOT_APPLICABLE


def test_a_selected_order_of_an_unknown_system_is_counted_also_where_it_seems_unrelated() -> None:
    order = draft("cpt 72100") | {"code": {"coding": [{"system": LOCAL, "code": "MRSPINE"}]}}
    found = of_key("draftOrders", condition(BREAST_CANCER), drafts=[order])
    assert dict(found.not_understood) == {LOCAL: 1}


def test_a_drug_of_breast_cancer_is_a_hint_and_no_diagnosis() -> None:
    found = of_key("conditions", condition("icd10cm Z79.810"))
    assert found.besides == {HINTS: 1}


@pytest.mark.parametrize("code", ["8500/3", "C50.9"])
def test_a_carcinoma_without_a_site_or_a_breast_without_a_cancer_is_a_hint(code: str) -> None:
    assert of_key("conditions", local_condition(code, ICD_O)).besides == {HINTS: 1}


def test_a_carcinoma_with_its_topography_is_a_diagnosis_and_no_hint() -> None:
    both = {"coding": [{"system": ICD_O, "code": code} for code in ("8500/3", "C50.9")]}
    assert of_key("conditions", condition() | {"code": both}).besides == {}


LOCAL_SITE = {"coding": [{"system": LOCAL, "code": "S-9"}]}


@pytest.mark.parametrize("code", [PAIN_ANYWHERE, "snomed 363346000"])
def test_a_condition_that_its_site_decides_is_not_understood_where_the_site_is_local(code: str) -> None:
    assert dict(of_key("conditions", condition(code, bodySite=[LOCAL_SITE])).not_understood) == {LOCAL: 1}
    assert of_key("conditions", condition(code)).understood == 1
    assert of_key("conditions", condition(code, sites=(LUMBAR_SPINE,))).understood == 1


def test_a_pain_score_at_a_local_site_is_not_understood() -> None:
    score = observation(PAIN_SCORE, day(2), valueInteger=7, bodySite=LOCAL_SITE)
    assert dict(of_key("observations", score).not_understood) == {LOCAL: 1}


def test_a_code_that_names_its_place_is_understood_beside_a_local_site() -> None:
    assert of_key("conditions", condition(LOW_BACK_PAIN, bodySite=[LOCAL_SITE])).understood == 1


def test_the_reason_of_a_silence_says_how_many_conditions_were_understood() -> None:
    found = assessment(condition("icd10cm I10"), local_condition(), local_condition("X-2"))
    because = found.criterion("breast-cancer-history").because
    assert "among the 1 condition that was understood; 2 had only codes of unknown systems" in because


def test_the_reason_of_a_silence_names_the_known_system_of_what_cannot_be_its_code() -> None:
    found = assessment(condition("icd10cm C50-911X-1"), local_condition())
    because = found.criterion("breast-cancer-history").because
    assert "1 had only codes of unknown systems and 1 had only codes that cannot be ICD-10-CM" in because


def test_the_reason_without_back_pain_says_how_many_entries_were_understood() -> None:
    found = assessment(condition(BREAST_CANCER), local_condition(), observation(SYMPTOM, day(2)))
    assert "visits: 1 entry was understood, 2 were not." in found.criterion("new-back-pain").because


def test_where_all_was_understood_the_reason_says_no_more_than_before() -> None:
    because = assessment(condition("icd10cm I10")).criterion("breast-cancer-history").because
    assert because == "No breast cancer among the patient's conditions."


@pytest.mark.parametrize("code", ["254837009", "429087003", "279039007", "30989003"])
def test_codes_of_snomed_ct_have_their_check_digit(code: str) -> None:
    assert has_verhoeff_digit(code)
    assert not has_verhoeff_digit(code[:-1] + str((int(code[-1]) + 1) % 10))


@pytest.mark.parametrize("code", ["24967-2", "39818-0", "72254-6", "8310-5"])
def test_codes_of_loinc_have_their_check_digit(code: str) -> None:
    digits = code.replace("-", "")
    assert has_mod10_digit(digits)
    assert not has_mod10_digit(digits[:-1] + str((int(digits[-1]) + 1) % 10))


def with_verhoeff_digit(digits: str) -> str:
    return next(f"{digits}{digit}" for digit in range(10) if has_verhoeff_digit(f"{digits}{digit}"))


@pytest.mark.parametrize(
    ("partition", "is_concept"), [("00", True), ("10", True), ("01", False), ("11", False), ("02", False)]
)
def test_an_identifier_of_snomed_ct_that_is_of_no_concept_is_no_code(partition: str, is_concept: bool) -> None:
    assert can_be_code("http://snomed.info/sct", with_verhoeff_digit(f"1234567{partition}")) == is_concept


@pytest.mark.parametrize(
    ("system", "code", "is_code"),
    [
        (PCS, "BR39ZZZ", True),
        (PCS, "BR39ZZO", False),
        (PCS, "BACKPAIN", False),
        (ICD_O, "8500/3", True),
        (ICD_O, "C50.9", True),
        (ICD_O, "breast", False),
    ],
)
def test_codes_of_procedures_and_of_tumors_have_their_shape(system: str, code: str, is_code: bool) -> None:
    assert can_be_code(system, code) == is_code


@pytest.mark.parametrize("filler_first", [True, False])
def test_a_code_that_only_fills_a_place_does_not_make_a_local_code_irrelevant(filler_first: bool) -> None:
    local, filler = {"system": LOCAL, "code": "X-17"}, coding("icd10cm R69")
    made = condition() | {"code": {"coding": [filler, local] if filler_first else [local, filler]}}
    assert dict(of_key("conditions", made).not_understood) == {LOCAL: 1}
    assert of_key("conditions", condition("icd10cm R69")).irrelevant == 1
    told = condition() | {"code": {"coding": [local, coding("icd10cm I10"), filler]}}
    assert of_key("conditions", told).irrelevant == 1


def test_every_listed_code_has_the_shape_of_its_system_or_is_marked_as_unconfirmed() -> None:
    value_sets = load_content().terminology.value_sets.values()
    odd = [
        (item.id, system, code)
        for item in value_sets
        for system, code, _ in item.concepts
        if not can_be_code(system, code) and (system, code) not in item.unconfirmed
    ]
    assert odd == []


# --- Where it is shown


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings({"data_folder": str(tmp_path)})


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    with make_app(settings, lambda: NOW).test_client() as client:
        yield client


def post(client: FlaskClient, *resources: Json) -> None:
    call = request(prefetch=supplied(*resources)) | {"hookInstance": str(uuid4())}
    assert client.post(f"/cds-services/{PATIENT_VIEW}", json=call).status_code in (200, 412)


def report_of(settings: Settings) -> Report:
    ledger = open_ledger(settings)
    try:
        since, until = NOW - timedelta(days=1), NOW + timedelta(days=1)
        return summarize(ledger.decisions(since, until), (), since, until)
    finally:
        ledger.close()


def test_explain_says_what_was_not_understood() -> None:
    call = request(prefetch=supplied(local_condition(), condition("icd10cm I10")))
    text = explain(DecisionSupport().decide(HookCall(SERVICES[PATIENT_VIEW], NOW), call))
    assert f"conditions: 1 of 2 understood, 1 of {LOCAL}" in text


def test_explain_names_a_known_system_as_what_the_code_is_not() -> None:
    call = request(prefetch=supplied(condition("icd10cm C50-911X-1")))
    text = explain(DecisionSupport().decide(HookCall(SERVICES[PATIENT_VIEW], NOW), call))
    assert "conditions: 0 of 1 understood, 1 that cannot be ICD-10-CM" in text


def test_the_log_line_counts_by_key_and_system_and_holds_no_code(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger=LOGGER_NAME):
        post(client, local_condition("SECRET-CODE"))
    line = json.loads(caplog.messages[-1])
    assert line["not_understood"] == {"conditions": {LOCAL: 1}}
    assert "SECRET-CODE" not in caplog.text


def test_metrics_count_entries_by_key_and_system(client: FlaskClient) -> None:
    post(client, local_condition(), local_condition("X-2"))
    assert f'cds_unread_entries_total{{key="conditions",system="{LOCAL}"}} 2.0' in client.get("/metrics").text


def test_many_systems_crowd_out_no_fixed_name(client: FlaskClient) -> None:
    post(client, *(local_condition(system=f"urn:oid:1.2.3.{number}") for number in range(MOST_SYSTEMS)))
    post(client, condition("icd10cm I10") | {"subject": {"display": "xyzzy"}}, condition(text="xyzzy"))
    metrics = client.get("/metrics").text
    assert 'cds_unread_entries_total{key="conditions",system="unknown-subjects"} 1.0' in metrics
    assert 'cds_unread_entries_total{key="conditions",system="words"} 1.0' in metrics


def test_systems_beyond_the_first_ones_are_one_label(client: FlaskClient) -> None:
    post(client, *(local_condition(system=f"urn:oid:1.2.3.{number}") for number in range(MOST_SYSTEMS + 5)))
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith("cds_unread_entries_total{")]
    assert len(lines) == MOST_SYSTEMS + 1
    assert 'cds_unread_entries_total{key="conditions",system="other"} 5.0' in lines


def test_the_report_says_in_which_share_of_calls_a_system_was_not_understood(
    client: FlaskClient, settings: Settings
) -> None:
    post(client, local_condition())
    post(client, condition("icd10cm I10"))
    report = report_of(settings)
    assert f"in 50.0 % of calls conditions had entries with only codes of {LOCAL}" in report_text(report, Words())
    assert LOCAL in report_page(report, Words(), "1.0.0", NOW)


def test_the_report_names_a_known_system_as_what_the_codes_are_not(client: FlaskClient, settings: Settings) -> None:
    post(client, condition("icd10cm C50-911X-1"))
    words = Words(system_name=load_content().terminology.known_system_name)
    assert "conditions had entries with only codes that cannot be ICD-10-CM" in report_text(report_of(settings), words)


def test_a_report_of_charts_that_were_understood_says_nothing_of_it(client: FlaskClient, settings: Settings) -> None:
    post(client, condition("icd10cm I10"))
    assert "Not understood" not in report_text(report_of(settings), Words())


def test_what_else_makes_a_silence_worth_less_is_counted_beside_the_systems(settings: Settings) -> None:
    odd_status = condition("icd10cm I10") | {"clinicalStatus": {"text": "xyzzy"}}
    nobodys = condition("icd10cm E11.9") | {"subject": {"display": "xyzzy"}}
    call = request(prefetch=supplied(odd_status, nobodys))
    decision = DecisionSupport(settings).decide(HookCall(SERVICES[PATIENT_VIEW], NOW), call)
    counts = not_understood(decision.assessment)
    assert counts == {"conditions": {"statuses": 1, "unknown-subjects": 1}}
    assert "conditions: 1 of 1 understood, 1 with a status that means nothing" in explain(decision)
