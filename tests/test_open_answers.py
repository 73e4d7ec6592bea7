"""The card of an answer that is left open, where a site wants one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.cli.main import main
from cds_service.settings import make_settings
from tests.builders import (
    NOW,
    Json,
    decision,
    only_card,
    request,
    supplied,
)
from tests.every_card import (
    CANCER,
    PAIN,
    WORDS,
)

WHERE = "/cds-services/breast-cancer-back-pain-patient-view"


def left_open(folder: Path, **settings: Any) -> FlaskClient:
    """The service with a ledger of its own."""
    return make_app(make_settings({"data_folder": str(folder), **settings}), lambda: NOW).test_client()


def call_without(key: str, *resources: Json) -> Json:
    return request("patient-view", supplied(CANCER, *resources, without=[key]))


# Decision 6.10.
@pytest.mark.parametrize(
    ("key", "resources", "named"),
    [
        ("observations", [], "observations, laboratory"),
        ("conditions", [], "part of the problem list"),
        ("patient", [PAIN], "patient record"),
    ],
)
def test_an_open_answer_is_one_card_for_information_that_names_what_is_missing(
    key: str, resources: list[Json], named: str
) -> None:
    told = only_card(decision(CANCER, *resources, without=[key], undetermined_card="info"))
    assert told["indicator"] == "info" and told["summary"] == WORDS["summary"]["undetermined"]
    assert told["detail"] == f"**Proposed**\n- Nothing: open the chart itself. Not read: {named}."
    assert "suggestions" not in told


# Decision 6.10.
def test_an_open_answer_is_412_unless_the_site_wants_a_card(tmp_path: Path) -> None:
    call = call_without("observations")
    refused = left_open(tmp_path / "off").post(WHERE, json=call)
    assert refused.status_code == 412 and "observations: not supplied" in refused.get_data(as_text=True)
    shown = left_open(tmp_path / "info", undetermined_card="info").post(WHERE, json=call)
    assert (shown.status_code, len(shown.get_json()["cards"])) == (200, 1)


# Decision 6.10.
def test_a_card_for_an_open_answer_is_not_shown_where_the_answer_is_known(tmp_path: Path) -> None:
    client = left_open(tmp_path, undetermined_card="info")
    usual = client.post(WHERE, json=call_without("observations", PAIN)).get_json()["cards"]
    assert [item["indicator"] for item in usual] == ["warning"]
    assert client.post(WHERE, json=request("patient-view", supplied(PAIN))).get_json()["cards"] == []


# Decision 6.10.
def test_feedback_to_a_card_for_an_open_answer_is_stored_as_the_answer_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = left_open(tmp_path, undetermined_card="info")
    answered = client.post(WHERE, json=call_without("observations"))
    (shown,) = answered.get_json()["cards"]
    reason = shown["overrideReasons"][0]
    entry = {"card": shown["uuid"], "outcome": "overridden", "overrideReason": {"reason": reason}}
    assert client.post(f"{WHERE}/feedback", json={"feedback": [entry]}).status_code == 200
    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path))
    told = CliRunner().invoke(main, ["decision", answered.headers["X-Decision-Id"]]).output
    assert re.search(rf"card +{shown['uuid']}, info, shown", told)
    assert "overridden" in told and "undetermined" in told
