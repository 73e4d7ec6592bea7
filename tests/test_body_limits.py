"""Bounds on a call: nesting, entries of a Bundle, and the time for an answer."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.rule import BreastCancerBackPain
from cds_service.decision.open_ledger import open_ledger
from cds_service.errors import TooMuch
from cds_service.protocol.limits import BodyLimits, check_limits
from cds_service.settings import make_settings
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, condition, day, draft, request, supplied
from tests.wire_fhir_server import WireFhirServer

PATH = "/cds-services/breast-cancer-back-pain-patient-view"
CANCER = condition(BREAST_CANCER, onset="2014")
PAIN = condition(LOW_BACK_PAIN, onset=day(5))


def client_in(folder: Path, **settings: Any) -> FlaskClient:
    return make_app(make_settings({"data_folder": str(folder)} | settings), lambda: NOW).test_client()


def nested(depth: int) -> object:
    value: object = 0
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


@pytest.mark.parametrize("depth", [1, 7])
def test_nesting_as_deep_as_the_limit_is_accepted(depth: int) -> None:
    check_limits(nested(depth), BodyLimits(depth=depth, entries=1))


@pytest.mark.parametrize("depth", [1, 7])
def test_nesting_one_level_deeper_is_refused(depth: int) -> None:
    with pytest.raises(TooMuch, match=f"more than {depth} levels"):
        check_limits(nested(depth + 1), BodyLimits(depth=depth, entries=1))


def test_a_body_that_is_nested_too_deeply_is_refused_with_the_limit(tmp_path: Path) -> None:
    call = request("patient-view", supplied(CANCER, PAIN)) | {"extension": nested(30)}
    response = client_in(tmp_path, max_json_depth=20).post(PATH, json=call)
    assert (response.status_code, response.get_json()["issue"][0]["code"]) == (413, "too-costly")
    assert "20 levels" in response.text


@pytest.mark.parametrize(("count", "status"), [(10, 200), (11, 413)])
def test_a_bundle_may_hold_as_many_entries_as_the_limit(tmp_path: Path, count: int, status: int) -> None:
    conditions = [CANCER, PAIN, *(condition("icd10cm I10") for _ in range(count - 2))]
    call = request("patient-view", supplied(*conditions))
    assert client_in(tmp_path, max_bundle_entries=10).post(PATH, json=call).status_code == status


def test_draft_orders_are_counted_too(tmp_path: Path) -> None:
    call = request("order-sign", supplied(CANCER, PAIN), [draft(text="x") for _ in range(11)])
    path = PATH.replace("patient-view", "order-sign")
    assert client_in(tmp_path, max_bundle_entries=10).post(path, json=call).status_code == 413


def test_an_answer_that_took_too_long_is_an_error_and_not_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = BreastCancerBackPain.assess

    def slow(self: BreastCancerBackPain, *parts: Any) -> Any:
        time.sleep(0.05)
        return look(self, *parts)

    monkeypatch.setattr(BreastCancerBackPain, "assess", slow)
    response = client_in(tmp_path, call_seconds=0.02).post(PATH, json=request("patient-view", supplied(CANCER, PAIN)))
    assert (response.status_code, response.get_json()["issue"][0]["code"]) == (503, "timeout")
    assert "does not mean that there is no risk" in response.text
    ledger = open_ledger(make_settings({"data_folder": str(tmp_path)}))
    (row,) = ledger.decisions(NOW - timedelta(days=1), NOW + timedelta(days=1))
    ledger.close()
    assert (row.outcome, row.reason) == ("failed", "TookTooLong")


def test_reading_from_a_fhir_server_ends_with_the_time_for_the_call(tmp_path: Path) -> None:
    silent = {key: lambda exchange: exchange.be_silent() for key in ("Patient/pt-1", "Condition", "Observation")}
    with WireFhirServer(handlers=silent) as server:
        client = client_in(tmp_path, fhir_servers=[server.base], call_seconds=0.3, fhir_deadline_seconds=20)
        started = time.monotonic()
        response = client.post(PATH, json=request("patient-view") | {"fhirServer": server.base})
        # A deadline of 20 s would be seen; a slow machine is not.
        assert time.monotonic() - started < 15
    assert response.status_code in (412, 503)


def test_an_answer_as_of_another_day_is_given_in_development_only(tmp_path: Path) -> None:
    call = request("patient-view", supplied(CANCER, PAIN))
    later = {"X-As-Of": "2027-06-01"}
    shown = {}
    for development in (True, False):
        client = client_in(tmp_path / str(development), development=development)
        shown[development] = len(client.post(PATH, json=call, headers=later).get_json()["cards"])
    assert shown == {True: 0, False: 1}


def test_a_day_that_is_none_is_named(tmp_path: Path) -> None:
    call = request("patient-view", supplied(CANCER, PAIN))
    response = client_in(tmp_path, development=True).post(PATH, json=call, headers={"X-As-Of": "tomorrow"})
    assert (response.status_code, "X-As-Of" in response.text) == (400, True)
