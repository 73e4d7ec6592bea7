"""Entries that cannot matter are passed over undecoded: the answer is the same as where every entry is read."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.chart.undecoded import UndecodedBundle
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport, chart_of
from cds_service.demo.scenarios import Scenario, read_scenario, scenario_folders, scenarios_folder
from cds_service.errors import CdsError, InvalidRequest
from cds_service.protocol.hook_request import read_hook_request
from cds_service.protocol.json_body import decode, decode_call
from cds_service.settings import Settings
from tests.bench.charts import hook_call
from tests.broken_charts import broken, with_background
from tests.builders import SERVICES

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SCENARIOS = [read_scenario(folder, NOW) for folder in scenario_folders(scenarios_folder())]
SUPPORTS = [DecisionSupport(Settings()), DecisionSupport(Settings(undetermined_card="info", text_match=False))]
PATIENT_VIEW = SERVICES["breast-cancer-back-pain-patient-view"]


def answered(support: DecisionSupport, document: object) -> object:
    """All that is said of a call: of its assessment, in its card, and of what was not understood."""
    service = support.service_for(document)
    assert service is not None
    try:
        decision = support.decide(HookCall(service, NOW), document)
    except InvalidRequest as error:
        return str(error)
    return _all_of(decision)


def _all_of(decision: Decision) -> dict[str, object]:
    said = {item.name: getattr(decision.assessment, item.name) for item in fields(decision.assessment)}
    del said["read"]
    return said | {"gaps": decision.gaps, "response": decision.response, "prefetched": decision.prefetched}


def differences(support: DecisionSupport, body: bytes) -> list[str]:
    """The names of what is said otherwise of a call where its entries are passed over."""
    read, passed_over = answered(support, decode(body)), answered(support, decode_call(body))
    if not (isinstance(read, dict) and isinstance(passed_over, dict)):
        return [] if read == passed_over else ["refusal"]
    return [name for name in read if read[name] != passed_over[name]]


def passed_over(body: bytes) -> dict[str, int]:
    """How many entries of a call were passed over, by prefetch key."""
    support = SUPPORTS[0]
    rule = support.rule_of(PATIENT_VIEW)
    request = read_hook_request(decode_call(body), "patient-view")
    found = chart_of(request, PATIENT_VIEW, request.prefetch, (), rule.codes())
    results = found.by_prefetch_key().items()
    return {key: count for key, result in results if (count := sum(result.passed_over.counts.values()))}


@pytest.mark.parametrize("support", SUPPORTS, ids=["as it comes", "without words"])
def test_every_scenario_is_answered_as_if_all_its_entries_were_read(support: DecisionSupport) -> None:
    bodies = {scenario.name: json.dumps(scenario.request).encode() for scenario in SCENARIOS}
    found = {name: wrong for name, body in bodies.items() if (wrong := differences(support, body))}
    assert found == {}


@pytest.mark.parametrize("support", SUPPORTS, ids=["as it comes", "without words"])
def test_every_scenario_in_a_large_chart_is_answered_as_if_all_its_entries_were_read(support: DecisionSupport) -> None:
    numbers = random.Random(15)
    bodies = {item.name: json.dumps(with_background(item.request, numbers)).encode() for item in SCENARIOS}
    found = {name: wrong for name, body in bodies.items() if (wrong := differences(support, body))}
    assert found == {}


@settings(deadline=None)
@given(st.sampled_from(SCENARIOS), st.integers(0, 2**32))
def test_a_broken_chart_is_answered_as_if_all_its_entries_were_read(scenario: Scenario, seed: int) -> None:
    numbers = random.Random(seed)
    body = json.dumps(broken(with_background(scenario.request, numbers), numbers)).encode()
    assert [differences(support, body) for support in SUPPORTS] == [[], []]


@pytest.mark.parametrize("fires", [True, False])
@pytest.mark.parametrize("size", [50, 500])
def test_a_chart_of_an_ehr_is_answered_as_if_all_its_entries_were_read(size: int, fires: bool) -> None:
    assert differences(SUPPORTS[0], hook_call(size, fires, NOW)) == []


def test_most_of_a_chart_of_an_ehr_is_passed_over() -> None:
    body = hook_call(500, True, NOW)
    prefetch, found = json.loads(body)["prefetch"], passed_over(body)
    assert found["conditions"] > 0.6 * len(prefetch["conditions"]["entry"])
    assert found["observations"] > 0.9 * len(prefetch["observations"]["entry"])


def _texts_that_are_no_call() -> Iterator[bytes]:
    whole = hook_call(50, True, NOW)
    yield from (whole[:-1], whole + b"x", whole.replace(b'"final"', b'"fi\x01nal"', 1))
    yield whole.replace(b'"unit"', b'"un\xffit"')
    yield whole.replace(b'"valueQuantity":{', b'"valueQuantity":{"a":NaN,', 1)
    yield whole.replace(b'"valueQuantity":{', b'"valueQuantity":{"a":01,', 1)


@pytest.mark.parametrize("body", list(_texts_that_are_no_call()), ids=range(6))
def test_what_is_no_json_is_refused_in_the_same_words(body: bytes) -> None:
    said = []
    for read in (decode, decode_call):
        with pytest.raises(CdsError) as refused:
            read(body)
        said.append(str(refused.value))
    assert said[0] == said[1]


# Members that are decoded on their own, each in an entry that is otherwise passed over.
OBSERVED = {"resourceType": "Observation", "id": "odd", "status": "final", "effectiveDateTime": "2026-11-20"}
RECORDED = {"resourceType": "Condition", "id": "odd", "recordedDate": "2026-11-20"}
ORDERED = {"resourceType": "ServiceRequest", "id": "odd", "status": "active", "authoredOn": "2026-11-20"}
PULSE = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
ALONE = [
    *((OBSERVED, name) for name in ("code", "interpretation", "bodySite", "valueCodeableConcept")),
    *((RECORDED, name) for name in ("code", "clinicalStatus", "verificationStatus", "category")),
    *((ORDERED, name) for name in ("code", "reasonCode")),
]
LISTED = ("interpretation", "category", "reasonCode")


def call_with(entry: dict[str, Any], *others: dict[str, Any]) -> bytes:
    """The call of the first scenario with entries more, whose texts `<...>` stand for JSON that Python cannot write."""
    document = json.loads(json.dumps(SCENARIOS[0].request))
    patient = {"reference": f"Patient/{document['context']['patientId']}"}
    keys = {"Observation": "observations", "Condition": "conditions", "DiagnosticReport": "diagnosticReports"}
    for item in (entry, *others):
        key = keys.get(item["resourceType"], "serviceRequests")
        found = document["prefetch"].get(key) or {"resourceType": "Bundle"}
        found.pop("total", None)
        document["prefetch"][key] = found
        full_url = item.get("fullUrl", f"urn:uuid:{item['id']}")
        resource = {"code": PULSE, **item, "subject": patient}
        found["entry"] = [*found.get("entry", []), {"fullUrl": full_url, "resource": resource}]
    text = json.dumps(document)
    return re.sub(r'"<(.*?)>"', lambda match: json.loads(f'"{match[1]}"'), text).encode()


@pytest.mark.parametrize(("entry", "name"), ALONE, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("odd", ["<1e400>", "<12345678901234567890123>", "<" + "[" * 400 + "]" * 400 + ">", "\ud800"])
def test_odd_json_in_a_member_changes_no_answer(entry: dict[str, Any], name: str, odd: str) -> None:
    member = PULSE | {"x": odd}
    assert differences(SUPPORTS[0], call_with(entry | {name: [member] if name in LISTED else member})) == []


@pytest.mark.parametrize("number", ["<" + "9" * 320 + ">", 2**31, 10**15, -(2**40), "<1.0>", "7"])
def test_a_whole_number_of_any_size_is_read_as_before(number: object) -> None:
    parts = [{"code": PULSE, "valueInteger": number}]
    for entry in (OBSERVED | {"valueInteger": number}, OBSERVED | {"component": parts}):
        assert differences(SUPPORTS[0], call_with(entry)) == []


MRI = {"coding": [{"system": "http://loinc.org", "code": "24968-9"}], "text": "MRI lumbar spine without contrast"}


@pytest.mark.parametrize("code", [[PULSE, MRI], [MRI, PULSE], [PULSE, 5], [PULSE], "MRI lumbar spine", [[PULSE]]])
def test_a_study_with_a_list_of_codes_is_what_any_of_them_says(code: object) -> None:
    assert differences(SUPPORTS[0], call_with(ORDERED | {"code": code})) == []


def test_of_two_entries_at_one_address_the_last_counts() -> None:
    url = "urn:uuid:5d0a4dc5-64d2-4d0c-8a43-7a7c6ce1f2a5"
    report = {"resourceType": "DiagnosticReport", "id": "report", "status": "final", "basedOn": [{"reference": url}]}
    first, last = ORDERED | {"id": "first", "fullUrl": url}, ORDERED | {"id": "last", "fullUrl": url, "code": MRI}
    assert differences(SUPPORTS[0], call_with(first, last, report)) == []
    assert differences(SUPPORTS[0], call_with(last, first, report)) == []


def test_a_report_that_is_passed_over_still_tells_which_order_is_done() -> None:
    order = ORDERED | {"id": "mri", "code": MRI}
    report = {"resourceType": "DiagnosticReport", "id": "report", "status": "final"}
    answers = report | {"basedOn": [{"reference": "ServiceRequest/mri"}]}
    for body in (call_with(order, report), call_with(order, answers)):
        assert differences(SUPPORTS[0], body) == []
    assert answered(SUPPORTS[0], decode_call(call_with(order, report))) != answered(
        SUPPORTS[0], decode_call(call_with(order, answers))
    )


@pytest.mark.parametrize("copies", [2, 3])
def test_the_same_entry_several_times_is_counted_as_before(copies: int) -> None:
    condition = RECORDED | {"fullUrl": ""}
    assert differences(SUPPORTS[0], call_with(*[condition] * copies)) == []


def test_a_condition_that_also_stands_among_the_visits_is_counted_once() -> None:
    document = json.loads(call_with(RECORDED))
    entry = document["prefetch"]["conditions"]["entry"][-1]
    document["prefetch"]["encounters"] = {"resourceType": "Bundle", "entry": [entry]}
    assert differences(SUPPORTS[0], json.dumps(document).encode()) == []


def test_a_large_number_as_an_id_is_read_as_one_whatever_stands_beside_it() -> None:
    document = json.loads(call_with(OBSERVED | {"x": "<1e400>"}))
    document["context"]["encounterId"] = 12345678901234567890
    body = json.dumps(document).replace("Infinity", "1e400").encode()
    assert differences(SUPPORTS[0], body) == []


def with_many_names(request: dict[str, Any]) -> bytes:
    """A call with more names of codes than are read in one, and a complaint in words."""
    document = json.loads(json.dumps(request))
    patient = {"reference": f"Patient/{document['context']['patientId']}"}
    entries = []
    for number in range(1200):
        coding = PULSE["coding"][0] | {"display": f"Heart rate, device {number} " + "of the third floor " * 15}
        resource = OBSERVED | {"id": f"o{number}", "code": {"coding": [coding]}, "subject": patient}
        entries.append({"resource": resource})
    document["prefetch"]["observations"] = {"resourceType": "Bundle", "entry": entries}
    return json.dumps(document).encode()


@pytest.mark.parametrize("name", ["row-017", "chart-order-selected-facet-injection"])
def test_no_call_changes_the_answer_to_the_next(name: str) -> None:
    request = next(scenario.request for scenario in SCENARIOS if scenario.name.startswith(name))
    body, support = with_many_names(request), DecisionSupport(Settings())
    answers = [answered(support, decode_call(body)) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]


def test_names_of_codes_take_nothing_from_the_text_that_the_rule_reads() -> None:
    request = next(scenario.request for scenario in SCENARIOS if scenario.name.startswith("row-017"))
    with_names = answered(SUPPORTS[0], decode_call(with_many_names(request)))
    without = answered(SUPPORTS[0], decode_call(json.dumps(request).encode()))
    assert isinstance(with_names, dict)
    assert isinstance(without, dict)
    assert with_names["outcome"] == without["outcome"]


def test_a_bundle_of_a_call_is_still_undecoded_after_the_call_was_read() -> None:
    document: Any = decode_call(hook_call(50, False, NOW))
    assert isinstance(document["prefetch"]["conditions"], UndecodedBundle)
    assert document["prefetch"]["patient"]["resourceType"] == "Patient"


def test_a_call_without_prefetch_is_decoded() -> None:
    assert decode_call(b'{"hook":"patient-view","prefetch":null}') == {"hook": "patient-view", "prefetch": None}


def test_neither_way_shows_what_it_holds() -> None:
    document: Any = decode_call(hook_call(50, False, NOW))
    assert "9c1d6a527e" not in repr(document["prefetch"]["conditions"])
