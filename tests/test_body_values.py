"""A bound on the JSON values of a body, checked before anything is decoded: a few megabytes can become gigabytes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.app import make_app
from cds_service.chart.records import Gap
from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder
from cds_service.ehr import query
from cds_service.ehr.limits import FhirLimits
from cds_service.ehr.reader import FhirReader
from cds_service.errors import TooMuch
from cds_service.json_values import MOST_VALUES, values_at_most
from cds_service.protocol.body_values import check_values
from cds_service.settings import Settings, make_settings
from cds_service.web import messages
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, request, supplied
from tests.wire_fhir_server import WireFhirServer

PATH = "/cds-services/breast-cancer-back-pain-patient-view"
SCALARS = st.none() | st.booleans() | st.integers(-999, 999) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner), max_leaves=8
)


def weight(value: object) -> int:
    """The values that a value holds, itself among them; an object counts twice."""
    if isinstance(value, dict):
        return 2 + sum(map(weight, value.values()))
    return 1 + sum(map(weight, value)) if isinstance(value, list) else 1


@given(VALUES)
def test_no_value_goes_uncounted(value: Any) -> None:
    for text in (orjson.dumps(value), json.dumps(value, indent=2).encode(), json.dumps(value).encode("utf-16")):
        assert values_at_most(text) >= weight(value)


@pytest.mark.parametrize("text", [b"[]", b"{}", b"7", b'{"a": [1, 2, {"b": {}}]}', b"[[], [], []]"])
def test_where_no_string_holds_a_comma_the_count_is_hardly_more_than_there_is(text: bytes) -> None:
    empty = text.count(b"[]") + text.count(b"{}")
    assert weight(orjson.loads(text)) <= values_at_most(text) <= weight(orjson.loads(text)) + empty + 1


def test_as_many_values_as_the_limit_are_accepted_and_one_more_is_refused() -> None:
    check_values(b"[" + b"1," * 98 + b"1]", 100)
    with pytest.raises(TooMuch, match="more than 100 JSON values"):
        check_values(b"[" + b"1," * 99 + b"1]", 100)


@pytest.mark.parametrize("folder", scenario_folders(scenarios_folder()), ids=lambda folder: folder.name)
def test_a_chart_of_the_largest_size_is_far_from_the_limit_however_densely_it_is_written(folder: Path) -> None:
    body = orjson.dumps(read_scenario(folder, NOW).request)
    assert values_at_most(body) / len(body) * Settings().max_body_bytes < 0.8 * MOST_VALUES


def test_a_body_of_too_many_values_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*parts: object) -> object:
        raise AssertionError("it was decoded")

    monkeypatch.setattr(messages, "decode_call", never)
    client = make_app(make_settings({"data_folder": str(tmp_path)}), lambda: NOW).test_client()
    for path in (PATH, f"{PATH}/feedback"):
        response = client.post(path, data=b"[" + b"[]," * 600_000 + b"[]]", content_type="application/json")
        assert (response.status_code, response.get_json()["issue"][0]["code"]) == (413, "too-costly")
        assert "1000000 JSON values" in response.text


@pytest.mark.parametrize(("values", "status"), [(100, 200), (10_000, 413)])
def test_the_limit_is_that_of_the_settings(tmp_path: Path, values: int, status: int) -> None:
    app = make_app(make_settings({"data_folder": str(tmp_path), "max_json_values": 10_000}), lambda: NOW)
    found = [condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))]
    call = request("patient-view", supplied(*found)) | {"extension": {"com.example": [1] * values}}
    assert app.test_client().post(PATH, json=call).status_code == status


def test_an_answer_of_a_fhir_server_is_bounded_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query, "MOST_VALUES", 100)
    few = b'{"resourceType": "Bundle", "entry": [' + b"[]," * 30 + b"[]]}"
    many = b'{"resourceType": "Bundle", "entry": [' + b"[]," * 100 + b"[]]}"
    bodies = [few, many]
    with WireFhirServer(handlers={"Condition": lambda exchange: exchange.body(bodies.pop(0))}) as server:
        queries = {"conditions": "Condition?patient=pt-1"}
        gaps = [FhirReader(server.base, "", FhirLimits()).fetch(queries)["conditions"].gap for _ in range(2)]
    assert gaps == [None, Gap.TOO_MUCH]
