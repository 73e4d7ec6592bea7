"""The workbench's own addresses: the page, hook calls of the synthetic patients, and why an answer is what it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask import Flask
from flask.testing import FlaskClient

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.breast_cancer_back_pain.red_flags import RedFlags
from cds_service.content.terminology import Terminology
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import OverrideHistory
from cds_service.decision.pseudonyms import pseudonyms_of
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import read_scenario, scenarios_folder
from cds_service.errors import InvalidRequest
from cds_service.ledger.entries import EarlierFeedback
from cds_service.protocol.hook_request import read_hook_request
from cds_service.settings import make_settings
from cds_service.workbench import register_workbench
from cds_service.workbench.offered_drafts import offered_drafts
from cds_service.workbench.patients import FixturePatients, PatientLine
from tests.builders import LOW_BACK_PAIN, NOW, SERVICES, condition, day, patient, request, supplied
from tests.workbench import workbench_app

HOOKS = [service.hook for service in SERVICES.values()]


Json = dict[str, Any]

LUMBAR_PAIN = "row-001-lumbar-pain-icd10"
IBUPROFEN = "row-081-1-draft-ibuprofen"
NOT_SENT = "row-073-1-conditions-not-sent"
TODAY = NOW.date()

# All of this travels to a browser before the first patient is shown; the evidence page keeps the same limit.
MOST_BYTES = 300_000


@pytest.fixture(scope="module")
def workbench() -> Iterator[FlaskClient]:
    with workbench_app().test_client() as client:
        yield client


@pytest.fixture(scope="module")
def patients() -> FixturePatients:
    return FixturePatients(scenarios_folder(), load_content(), HOOKS)


def line(patients: FixturePatients, name: str) -> PatientLine:
    return next(item for item in patients.lines(NOW) if item.name == name)


def hook_call(workbench: FlaskClient, name: str, query: str = "") -> Json:
    response = workbench.get(f"/workbench/patients/{name}{query}")
    assert response.status_code == 200
    return dict(response.get_json())


def explained(workbench: FlaskClient, call: object, **headers: str) -> Json:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = workbench.post("/workbench/why", json=call, headers=named)
    assert response.status_code == 200, response.text
    return dict(response.get_json())


def refused(response: Any, status: int = 400) -> str:
    """The text of an OperationOutcome with this status."""
    assert response.status_code == status
    body = response.get_json()
    assert body["resourceType"] == "OperationOutcome"
    return str(body["issue"][0]["details"]["text"])


def written(folder: Path, title: str, **of_patient: object) -> FixturePatients:
    """A folder of one scenario, made for the test."""
    scenario = folder / "made"
    scenario.mkdir()
    call = request(prefetch={"patient": patient(birth="{{40 years ago}}") | of_patient})
    (scenario / "request.json").write_text(json.dumps(call), encoding="utf-8")
    about = {"title": title, "expected": {"status": 200, "outcome": "not-applicable"}}
    (scenario / "scenario.json").write_text(json.dumps(about), encoding="utf-8")
    return FixturePatients(folder, load_content(), HOOKS)


# --- The list


def test_the_page_lists_every_patient(workbench: FlaskClient) -> None:
    listed = re.findall(r'role="option" id="patient-[^"]+" data-name="([^"]+)"', workbench.get("/").text)
    assert sorted(listed) == sorted(path.name for path in scenarios_folder().iterdir() if path.is_dir())
    # Those of the scenario table come first.
    of_the_table = [name for name in listed if name.startswith("row-")]
    assert listed[: len(of_the_table)] == sorted(of_the_table)


def test_a_patient_is_listed_with_name_and_line_and_what_is_expected(patients: FixturePatients) -> None:
    listed = line(patients, "row-022-cauda-equina-syndrome")
    assert (listed.person, listed.hook, listed.expected) == ("Mei Delgado", "patient-view", "critical")
    assert listed.line == "61, breast cancer 8 years ago, low back pain for 5 days, cauda equina syndrome found today"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (LUMBAR_PAIN, "warning"),
        ("row-125-child", "info"),
        ("row-053-no-pain", "silent"),
        ("row-075-1-all-done", "suppressed"),
        (NOT_SENT, "cannot tell"),
    ],
)
def test_what_is_expected_is_said_in_a_word(patients: FixturePatients, name: str, expected: str) -> None:
    assert line(patients, name).expected == expected


def test_the_drafts_of_a_fixture_are_named_in_the_list(patients: FixturePatients) -> None:
    assert line(patients, IBUPROFEN).drafts == ("Ibuprofen 400 mg tablet",)
    assert line(patients, LUMBAR_PAIN).drafts == ()


def test_a_line_that_does_not_tell_the_age_gets_it(tmp_path: Path) -> None:
    (made,) = written(tmp_path, "breast cancer").lines(NOW)
    assert made.line == "40, breast cancer"


def test_a_line_that_tells_the_age_is_left_as_it_is(tmp_path: Path) -> None:
    (made,) = written(tmp_path, "Died at 39, breast cancer").lines(NOW)
    assert made.line == "Died at 39, breast cancer"


def test_a_patient_without_a_name_is_called_by_the_fixture(tmp_path: Path) -> None:
    (made,) = written(tmp_path, "breast cancer").lines(NOW)
    assert made.person == "made"


def test_words_of_a_fixture_are_never_markup_on_the_page(tmp_path: Path) -> None:
    written(tmp_path, "<b>58</b>", name=[{"given": ["<script>"], "family": "Doe"}])
    app = Flask("made")
    register_workbench(app, DecisionSupport(), tmp_path, lambda: NOW)
    page = app.test_client().get("/").text
    assert "&lt;b&gt;58&lt;/b&gt;" in page and "&lt;script&gt; Doe" in page


def test_the_page_and_all_its_files_are_light(workbench: FlaskClient) -> None:
    package = Path(__file__).parents[1] / "cds_service"
    files = [*package.glob("workbench/static/*"), package / "web" / "static" / "pages.css"]
    page = workbench.get("/").data
    assert len(page) > 10_000
    assert len(page) + sum(path.stat().st_size for path in files) <= MOST_BYTES


def test_the_page_has_no_style_or_script_of_its_own(workbench: FlaskClient) -> None:
    page = workbench.get("/").text
    assert "<style" not in page and "style=" not in page and not re.search(r"<script(?![^>]*src=)", page)
    assert not re.search(r"\son[a-z]+=", page)


# --- Hook calls


def test_a_call_has_its_own_hook_instance_every_time(workbench: FlaskClient) -> None:
    instances = {UUID(hook_call(workbench, LUMBAR_PAIN)["hookInstance"]) for _ in range(2)}
    assert len(instances) == 2


def test_the_chart_is_dated_from_today_whatever_day_is_asked_about(workbench: FlaskClient) -> None:
    later = hook_call(workbench, LUMBAR_PAIN, "?as_of=2027-06-01")
    assert later["prefetch"] == hook_call(workbench, LUMBAR_PAIN)["prefetch"]
    assert day(5) in json.dumps(later["prefetch"])


@pytest.mark.parametrize("hook", HOOKS)
def test_every_patient_can_be_called_on_every_hook(patients: FixturePatients, hook: str) -> None:
    drafts = list(patients.drafts)
    for listed in patients.lines(NOW):
        call = patients.request(listed.name, hook, ["own", *drafts], NOW, TODAY)
        assert len(read_hook_request(call, hook).drafts) == (
            0 if hook == "patient-view" else len(drafts) + len(listed.drafts)
        )


def test_without_a_word_on_hook_and_drafts_the_call_is_that_of_the_fixture(patients: FixturePatients) -> None:
    for name in (LUMBAR_PAIN, IBUPROFEN, "row-089-1-radiograph-not-selected"):
        call = patients.request(name, None, None, NOW, TODAY)
        own = read_scenario(scenarios_folder() / name, NOW).request
        assert call | {"hookInstance": ""} == own | {"hookInstance": ""}


def test_opening_the_chart_sends_no_drafts(workbench: FlaskClient) -> None:
    context = hook_call(workbench, IBUPROFEN, "?hook=patient-view")["context"]
    assert not {"draftOrders", "selections"} & context.keys()


def test_drafts_are_selected_on_order_select_only(workbench: FlaskClient) -> None:
    chosen = "&drafts=ibuprofen,physical-therapy"
    select = hook_call(workbench, LUMBAR_PAIN, f"?hook=order-select{chosen}")["context"]
    sign = hook_call(workbench, LUMBAR_PAIN, f"?hook=order-sign{chosen}")["context"]
    assert select["selections"] == ["MedicationRequest/draft-ibuprofen", "ServiceRequest/draft-physical-therapy"]
    assert select["draftOrders"] == sign["draftOrders"] and "selections" not in sign


def test_own_drafts_can_be_left_out(workbench: FlaskClient) -> None:
    context = hook_call(workbench, IBUPROFEN, "?hook=order-select&drafts=")["context"]
    assert context["draftOrders"]["entry"] == [] and context["selections"] == []


def test_a_draft_is_written_on_the_day_that_is_asked_about(workbench: FlaskClient) -> None:
    call = hook_call(workbench, LUMBAR_PAIN, "?hook=order-sign&drafts=ibuprofen&as_of=2027-06-01")
    assert call["context"]["draftOrders"]["entry"][0]["resource"]["authoredOn"] == "2027-06-01"


def test_every_offered_draft_is_valid_fhir(patients: FixturePatients) -> None:
    models: dict[str, Any] = {"ServiceRequest": ServiceRequest, "MedicationRequest": MedicationRequest}
    for offered in patients.drafts.values():
        resource = offered.resource("pt-1", date(2026, 11, 22))
        models[resource["resourceType"]].model_validate(resource)


def test_every_offered_draft_but_the_lipid_panel_is_of_interest_to_the_rule(patients: FixturePatients) -> None:
    content = load_content()
    relevant = {
        name
        for name, offered in patients.drafts.items()
        for coding in offered.codings
        if content.terminology.value_sets_with(coding["system"], coding["code"]) & content.rule.relevant_orders
    }
    assert relevant == patients.drafts.keys() - {"lipid-panel"}
    assert {"radiograph-lumbar-spine", "mri-lumbar-spine", "ibuprofen", "bone-scan-whole-body"} <= relevant


def test_a_draft_is_what_its_label_says(patients: FixturePatients) -> None:
    terminology = load_content().terminology
    found = {
        name: terminology.value_sets_with(offered.codings[0]["system"], offered.codings[0]["code"])
        for name, offered in patients.drafts.items()
    }
    assert {"imaging-spine-radiograph", "imaging-spine-plain-lumbar"} <= found["radiograph-lumbar-spine"]
    assert {"imaging-spine-ct", "imaging-spine-plain-lumbar"} <= found["ct-lumbar-spine"]
    assert "imaging-mri-lumbar-spine" in found["mri-lumbar-spine"]
    assert patients.drafts["ibuprofen"].codings[0]["display"] == "Ibuprofen"


def test_an_order_that_the_content_cannot_make_is_not_offered() -> None:
    content = load_content()
    bare = replace(content, terminology=Terminology([], []), orders={})
    assert offered_drafts(bare, scenarios_folder()).keys() == {"lipid-panel"}


def test_an_unrelated_draft_is_offered_only_where_its_fixture_is(tmp_path: Path) -> None:
    assert "lipid-panel" not in written(tmp_path, "58").drafts


@pytest.mark.parametrize("name", ["nobody", "..", ".", "row-001", "row-001-lumbar-pain-icd10\x00"])
def test_only_a_patient_of_the_list_is_read(patients: FixturePatients, name: str) -> None:
    with pytest.raises(InvalidRequest, match="patient: must be a name of the list"):
        patients.request(name, None, None, NOW, TODAY)


@pytest.mark.parametrize("path", ["../scenarios/row-001-lumbar-pain-icd10", "%2e%2e%2fscenarios", "..%5cx"])
def test_no_path_leads_out_of_the_list(workbench: FlaskClient, path: str) -> None:
    response = workbench.get(f"/workbench/patients/{path}")
    assert response.status_code in (400, 404) and response.get_json()["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("?hook=order-dispatch", "hook: must be one of patient-view"),
        ("?hook=order-sign&drafts=aspirin", "drafts: must be of own"),
        ("?as_of=tomorrow", "as_of: must be a date"),
        ("?as_of=2201-01-01", "as_of: must lie between the years"),
    ],
)
def test_a_wrong_choice_is_named_and_not_repeated(workbench: FlaskClient, query: str, named: str) -> None:
    text = refused(workbench.get(f"/workbench/patients/{LUMBAR_PAIN}{query}"))
    assert text.startswith(named) and query.rpartition("=")[2] not in text


# --- Why


def test_every_patient_is_explained_with_the_outcome_that_the_fixture_expects(
    workbench: FlaskClient, patients: FixturePatients
) -> None:
    for listed in patients.lines(NOW):
        facts = explained(workbench, hook_call(workbench, listed.name))
        about = read_scenario(scenarios_folder() / listed.name, NOW).about
        assert facts["outcome"] == about["expected"]["outcome"], listed.name
        assert "<svg" in facts["timeline"]


def test_every_criterion_comes_with_answer_and_evidence(workbench: FlaskClient) -> None:
    facts = explained(workbench, hook_call(workbench, LUMBAR_PAIN))
    answers = {item["id"]: item for item in facts["criteria"]}
    assert {name: item["answer"] for name, item in answers.items()} == {
        "current-patient": "met",
        "breast-cancer-history": "met",
        "new-back-pain": "met",
    }
    (pain,) = answers["new-back-pain"]["findings"]
    assert pain["label"] == "Low back pain, unspecified" and pain["when"] == f"onset {day(5)}, 5 days ago"
    assert facts["orders"][0] == "Proposed: MRI lumbar spine without and with IV contrast"


def test_another_day_ages_the_chart(workbench: FlaskClient) -> None:
    call = hook_call(workbench, LUMBAR_PAIN)
    # The pain of 5 days is 84 days old after 79 more, and 85 after 80.
    assert explained(workbench, call, X_As_Of=day(-79))["outcome"] == "fired"
    assert explained(workbench, call, X_As_Of=day(-80))["outcome"] == "not-applicable"


def test_an_earlier_override_is_named_as_the_reason_for_silence(patients: FixturePatients) -> None:
    earlier: list[EarlierFeedback] = []
    support = DecisionSupport(make_settings({"pseudonym_key": "a key of the tests, long enough for a hash"}))
    history = OverrideHistory(lambda *_asked: earlier, pseudonyms_of(support.settings))
    app = Flask("made")
    register_workbench(app, support, scenarios_folder(), lambda: NOW, history)
    call = patients.request(LUMBAR_PAIN, None, None, NOW, TODAY)
    assert explained(app.test_client(), call)["outcome"] == "fired"
    decision = support.decide(HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW), call, history)
    fingerprints = decision.evidence_fingerprints
    earlier.append(EarlierFeedback("overridden", "imaged-elsewhere", NOW, "imaging-advised", fingerprints))
    facts = explained(app.test_client(), call)
    assert facts["outcome"] == "suppressed" and "turned down on 2026-11-22" in facts["verdict"]
    assert "Already imaged or ordered elsewhere" in facts["verdict"] and "imaged-elsewhere" not in facts["verdict"]
    assert not [order for order in facts["orders"] if order.startswith("Proposed")]


def test_silence_is_explained_by_the_first_criterion_that_is_not_met(workbench: FlaskClient) -> None:
    facts = explained(workbench, hook_call(workbench, "row-053-no-pain"))
    assert facts["verdict"].startswith("No card: no new back pain")


def test_what_is_missing_is_named(workbench: FlaskClient) -> None:
    facts = explained(workbench, hook_call(workbench, NOT_SENT))
    assert facts["missing"] == ["conditions"]
    assert {"key": "conditions", "why": "not supplied"} in facts["gaps"]


def test_words_of_the_chart_are_marked_as_such(workbench: FlaskClient) -> None:
    pain = condition(text="low back pain since Monday", onset=day(3))
    facts = explained(workbench, request(prefetch=supplied(patient(), condition("icd10cm C50.911"), pain)))
    (finding,) = next(item for item in facts["criteria"] if item["id"] == "new-back-pain")["findings"]
    assert finding["from_text"] and "low back pain" in finding["quote"] and not finding["label"]


@pytest.mark.parametrize("body", [{"hook": "order-dispatch"}, {}, [], "patient-view"])
def test_a_call_of_no_hook_is_refused_by_name(workbench: FlaskClient, body: object) -> None:
    assert refused(workbench.post("/workbench/why", json=body)).startswith("hook: must be one of")


def test_a_broken_call_is_refused_as_by_the_service(workbench: FlaskClient) -> None:
    service = next(item.id for item in SERVICES.values() if item.hook == "patient-view")
    for path in ("/workbench/why", f"/cds-services/{service}"):
        response = workbench.post(path, data=b'{"hook": ', content_type="application/json")
        assert refused(response).startswith("body: must be valid JSON")


def test_a_call_that_is_not_declared_as_json_is_refused(workbench: FlaskClient) -> None:
    refused(workbench.post("/workbench/why", data=b"{}", content_type="text/plain"), 415)


def test_every_note_and_every_red_flag_has_its_words() -> None:
    wording = load_content().wording
    assert wording["note"].keys() == set(Note)
    flags = RedFlags()
    assert {item.name for item in fields(flags) if isinstance(getattr(flags, item.name), tuple)} <= wording[
        "group"
    ].keys()


def test_low_back_pain_alone_is_explained_without_cancer(workbench: FlaskClient) -> None:
    facts = explained(workbench, request(prefetch=supplied(patient(), condition(LOW_BACK_PAIN, onset=day(5)))))
    assert [item["answer"] for item in facts["criteria"]] == ["met", "not met", "met"]
