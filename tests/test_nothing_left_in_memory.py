"""What a call was about is out of memory when it is answered, without waiting for a collection of garbage.

A large call is a few objects of many megabytes each, and collections come after so many objects: some of such calls
would take gigabytes before the first.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.settings import make_settings
from tests.builders import NOW
from tests.server_calls import FEEDBACK, PATH, a_call, feedback


@pytest.fixture
def collected() -> Iterator[list[Any]]:
    """What only a collection of garbage frees; none takes place until it is asked for."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    yield gc.garbage
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


def with_a_report(call: dict[str, Any]) -> dict[str, Any]:
    report = {"resourceType": "DiagnosticReport", "id": "r", "presentedForm": [{"data": "A" * 10_000}]}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": report}]}
    return call | {"prefetch": call["prefetch"] | {"diagnosticReports": bundle}}


def with_values(call: dict[str, Any], value: Any) -> dict[str, Any]:
    return call | {"prefetch": call["prefetch"] | dict.fromkeys(("conditions", "observations"), value)}


CALLS = {
    "a card": (PATH, a_call()),
    "a report with an attachment": (PATH, with_a_report(a_call())),
    "a prefetch that is none": (PATH, with_values(a_call(), "a long text")),
    "a prefetch of nothing": (PATH, a_call(prefetch={})),
    "a call that is refused": (PATH, a_call(context={})),
    "another hook": (PATH, a_call(hook="order-select")),
    "feedback": (FEEDBACK, feedback("c8011420-b525-5bc2-bb57-7a0c42126f48")),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> FlaskClient:
    folder: Path = tmp_path_factory.mktemp("data")
    key = "a key of this test alone, 32 signs"
    client = make_app(make_settings({"data_folder": str(folder), "pseudonym_key": key}), lambda: NOW).test_client()
    # The first call of a kind leaves more behind: it makes the tables of the ledger.
    for path, call in CALLS.values():
        client.post(path, json=call)
    return client


@pytest.mark.parametrize("kind", CALLS)
def test_nothing_of_a_call_waits_for_a_collection_of_garbage(
    client: FlaskClient, collected: list[Any], kind: str
) -> None:
    path, call = CALLS[kind]
    client.post(path, json=call)
    gc.collect()
    assert [type(found).__name__ for found in collected if type(found).__module__.startswith("cds_service")] == []
    assert not [
        found for found in collected if isinstance(found, dict) and {"hookInstance", "resourceType"} & found.keys()
    ]
