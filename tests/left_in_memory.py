"""What calls leave in memory for a collection of garbage: `python -m tests.left_in_memory FOLDER` prints it as JSON.

A process of its own: in one that ran other tests, what those left behind is garbage too.
"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from typing import Any

from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.settings import make_settings
from tests.builders import NOW
from tests.server_calls import FEEDBACK, PATH, a_call, feedback


def _with_a_report(call: dict[str, Any]) -> dict[str, Any]:
    report = {"resourceType": "DiagnosticReport", "id": "r", "presentedForm": [{"data": "A" * 10_000}]}
    bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": report}]}
    return call | {"prefetch": call["prefetch"] | {"diagnosticReports": bundle}}


def _with_values(call: dict[str, Any], value: Any) -> dict[str, Any]:
    return call | {"prefetch": call["prefetch"] | dict.fromkeys(("conditions", "observations"), value)}


CALLS = {
    "a card": (PATH, a_call()),
    "a report with an attachment": (PATH, _with_a_report(a_call())),
    "a prefetch that is none": (PATH, _with_values(a_call(), "a long text")),
    "a prefetch of nothing": (PATH, a_call(prefetch={})),
    "a call that is refused": (PATH, a_call(context={})),
    "another hook": (PATH, a_call(hook="order-select")),
    "feedback": (FEEDBACK, feedback("c8011420-b525-5bc2-bb57-7a0c42126f48")),
}


def left_by_calls(client: FlaskClient) -> Iterator[tuple[str, list[str]]]:
    """Of each kind of call, the names of the types that only a collection of garbage frees."""
    # The first call of a kind leaves more behind: it makes the tables of the ledger.
    for path, call in CALLS.values():
        client.post(path, json=call)
    for kind, (path, call) in CALLS.items():
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        client.post(path, json=call)
        gc.collect()
        yield kind, [type(found).__name__ for found in gc.garbage if _is_of_a_call(found)]
        gc.set_debug(0)
        gc.garbage.clear()


def _is_of_a_call(found: object) -> bool:
    if isinstance(found, dict):
        return bool({"hookInstance", "resourceType"} & found.keys())
    return type(found).__module__.startswith("cds_service")


def main() -> int:
    """Print the names of the types by kind of call."""
    settings = make_settings({"data_folder": sys.argv[1], "pseudonym_key": "a key of this test alone, 32 signs"})
    print(json.dumps(dict(left_by_calls(make_app(settings, lambda: NOW).test_client()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
