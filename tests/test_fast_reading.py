"""Entries that cannot matter are passed over undecoded: the answer is the same as where every entry is read."""

from __future__ import annotations

import json
import random
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
    found = chart_of(request, PATIENT_VIEW, request.prefetch, (), rule.codes(rule.reader()))
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


@pytest.mark.parametrize(
    "odd", [b'"a":1e400,', b'"a":"\\ud800",', b'"valueQuantity":null,', b'"code":{"text":"Back pain"},', b"\n "]
)
def test_odd_json_in_an_entry_changes_no_answer(odd: bytes) -> None:
    body = hook_call(50, False, NOW)
    assert (
        differences(SUPPORTS[0], body.replace(b'"resourceType":"Observation",', b'"resourceType":"Observation",' + odd))
        == []
    )


def test_a_bundle_of_a_call_is_still_undecoded_after_the_call_was_read() -> None:
    document: Any = decode_call(hook_call(50, False, NOW))
    assert isinstance(document["prefetch"]["conditions"], UndecodedBundle)
    assert document["prefetch"]["patient"]["resourceType"] == "Patient"


def test_a_call_without_prefetch_is_decoded() -> None:
    assert decode_call(b'{"hook":"patient-view","prefetch":null}') == {"hook": "patient-view", "prefetch": None}


def test_neither_way_shows_what_it_holds() -> None:
    document: Any = decode_call(hook_call(50, False, NOW))
    assert "9c1d6a527e" not in repr(document["prefetch"]["conditions"])
