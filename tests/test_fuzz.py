"""Thousands of broken calls: each is answered, in the service's own form, and with nothing of its content in an error.

The short form is the same in every run. `FUZZ_EXAMPLES=5000` makes a long one: so many calls for each test, other ones
each time, with a table of what came back at the end. Slow and broken FHIR servers are in `test_hostile_fhir.py`, each
element on its own in `test_http_bodies.py`, the parts of a token in `test_trust_fuzz.py`.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from werkzeug.test import TestResponse

from cds_service import Settings
from cds_service.app import make_app
from cds_service.settings import make_settings
from cds_service.web.openapi import openapi
from tests.builders import NOW, SERVICES, Json
from tests.fuzz_bulk import BULK, MANY_ACCEPTED, MOST_FEEDBACK, TOO_MUCH_FEEDBACK
from tests.fuzz_calls import CALLS, FEEDBACK
from tests.fuzz_mutations import MARK, Broken, broken_bytes, broken_trees, encoded
from tests.fuzz_responses import Listener, Tally, check_answer
from tests.token_maker import BASE_URL, ISSUER, PATH, base64url, bearer, claims, key, key_set, signed, token

LONG = int(os.environ.get("FUZZ_EXAMPLES", "0"))

# Far more than a call takes, on a busy machine too: a guard against work without bounds, and no measurement.
DEADLINE = timedelta(seconds=30)

TOO_SLOW_TO_DRAW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]

TALLY = Tally()


def examples(short: int) -> settings:
    """The settings of a test: so many calls in the short form, all of them the same in every run."""
    return settings(
        max_examples=LONG or short,
        derandomize=not LONG,
        database=None,
        deadline=DEADLINE,
        print_blob=True,
        suppress_health_check=TOO_SLOW_TO_DRAW,
    )


class Service:
    """The service as a client of the tests meets it; what it logs is listened to."""

    def __init__(self, **values: Any) -> None:
        # A ledger that cannot take an answer is a failure here, and no reason to be lenient.
        usual: dict[str, Any] = {"ledger_strict": True, "calls_per_minute": 1_000_000}
        usual |= {"pseudonym_key": "a key of the tests, that guards nothing", "call_seconds": 60}
        self.client: FlaskClient = make_app(make_settings(usual | values), lambda: NOW).test_client()
        self._listener = Listener()
        logging.getLogger("cds_service").addHandler(self._listener)

    def close(self) -> None:
        logging.getLogger("cds_service").removeHandler(self._listener)

    def post(self, path: str, body: bytes, headers: Mapping[str, str] | None = None) -> TestResponse:
        response = self.client.post(path, data=body, headers={"Content-Type": "application/json"} | dict(headers or {}))
        assert MARK not in self._listener.heard()
        return response


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    made = Service(data_folder=str(tmp_path_factory.mktemp("open")))
    yield made
    made.close()


@pytest.fixture(scope="module")
def closed_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service for one trusted client."""
    folder = tmp_path_factory.mktemp("closed")
    (folder / "keys.json").write_bytes(key_set(key()))
    client = {"issuer": ISSUER, "jwks_file": str(folder / "keys.json")}
    made = Service(data_folder=str(folder), base_url=BASE_URL, clients=[client])
    yield made
    made.close()


@pytest.fixture(scope="module", autouse=True)
def report(request: pytest.FixtureRequest) -> Iterator[None]:
    """After a long run, what came back."""
    yield
    if LONG:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n\n{TALLY.table()}")


def call(service: Service, name: str, broken: Broken, what: str) -> None:
    """Send a broken call and check its answer."""
    response = service.post(f"/cds-services/{name}", broken.body)
    TALLY.add(what, broken.kind, response.status_code)
    check_answer(response, {200, 400, 412, 413}, "response")


# --- Calls


@pytest.mark.parametrize("name", CALLS)
def test_every_call_from_which_fuzzing_starts_brings_a_card(service: Service, name: str) -> None:
    response = service.post(f"/cds-services/{name}", encoded(CALLS[name]))
    check_answer(response, {200}, "response")
    assert response.json and len(response.json["cards"]) == 1


NAMES = st.sampled_from(list(CALLS))


@examples(250)
@given(data=st.data(), name=NAMES)
def test_a_call_with_values_that_do_not_belong_is_answered(service: Service, data: st.DataObject, name: str) -> None:
    call(service, name, data.draw(broken_trees(CALLS[name])), "call")


@examples(150)
@given(data=st.data(), name=NAMES)
def test_a_call_whose_bytes_are_broken_is_answered(service: Service, data: st.DataObject, name: str) -> None:
    call(service, name, data.draw(broken_bytes(CALLS[name])), "call")


@pytest.mark.parametrize("identity", ["a b", "a/b", "a\tb", "", MARK * 100, "\u2028"], ids=ascii)
@pytest.mark.parametrize("name", [name for name in CALLS if not name.endswith("patient-view")])
def test_a_draft_whose_id_is_none_is_answered(service: Service, name: str, identity: str) -> None:
    # Found by fuzzing: the suggestion to remove a draft names it.
    sent = deepcopy(CALLS[name])
    sent["context"]["draftOrders"]["entry"][0]["resource"]["id"] = identity
    call(service, name, Broken("an id that is none", encoded(sent)), "call")


@pytest.mark.parametrize("make", BULK.values(), ids=BULK.keys())
def test_a_call_as_large_as_the_limits_allow_is_answered_in_time(service: Service, make: Callable[[], Json]) -> None:
    # The processor's time: on a busy machine, the clock on the wall says more about the others.
    sent, begun = make(), time.process_time()
    response = service.post(f"/cds-services/breast-cancer-back-pain-{sent['hook']}", encoded(sent))
    assert time.process_time() - begun < Settings().call_seconds
    TALLY.add("call", "very large", response.status_code)
    check_answer(response, {200, 412, 413}, "response")


# --- Feedback

FEEDBACK_PATH = f"{PATH}/feedback"


def feed_back(service: Service, broken: Broken) -> None:
    response = service.post(FEEDBACK_PATH, broken.body)
    TALLY.add("feedback", broken.kind, response.status_code)
    check_answer(response, {200, 400, 413}, "")


@examples(200)
@given(broken=broken_trees(FEEDBACK))
def test_feedback_with_values_that_do_not_belong_is_answered(service: Service, broken: Broken) -> None:
    feed_back(service, broken)


@examples(100)
@given(broken=broken_bytes(FEEDBACK))
def test_feedback_whose_bytes_are_broken_is_answered(service: Service, broken: Broken) -> None:
    feed_back(service, broken)


@pytest.mark.parametrize(
    ("body", "status"),
    [(MOST_FEEDBACK, 200), (TOO_MUCH_FEEDBACK, 400), (MANY_ACCEPTED, 200)],
    ids=["1,000 entries", "more than 1,000", "100,000 suggestions"],
)
def test_feedback_as_large_as_the_limits_allow_is_answered(service: Service, body: Json, status: int) -> None:
    response = service.post(FEEDBACK_PATH, encoded(body))
    TALLY.add("feedback", "very large", response.status_code)
    check_answer(response, {status}, "")


# --- Tokens

CALL_BODY = encoded(CALLS["breast-cancer-back-pain-patient-view"])
HEADER = {"alg": "ES384", "typ": "JWT", "kid": "key-1"}


def knock(service: Service, authorization: str, kind: str, statuses: Iterable[int]) -> None:
    """Send a good call with a broken token; a refusal reveals nothing."""
    response = service.post(PATH, CALL_BODY, {"Authorization": authorization})
    TALLY.add("token", kind, response.status_code)
    check_answer(response, statuses, "response")
    if response.status_code == 401:
        assert response.json and response.json["issue"][0]["details"] == {"text": "The caller is not authorized."}


@examples(60)
@given(data=st.data())
def test_broken_claims_under_a_good_signature_are_no_crash(closed_service: Service, data: st.DataObject) -> None:
    broken = data.draw(broken_trees(claims()) | broken_bytes(claims()))
    knock(closed_service, bearer(signed(broken.body)), f"claims: {broken.kind}", {200, 401})


@examples(60)
@given(data=st.data())
def test_a_header_that_is_broken_is_no_crash(closed_service: Service, data: st.DataObject) -> None:
    broken = data.draw(broken_trees(HEADER) | broken_bytes(HEADER))
    text = f"{base64url(broken.body)}.{base64url(encoded(claims()))}"
    knock(closed_service, bearer(f"{text}.{base64url(bytes(96))}"), f"header: {broken.kind}", {401})


# What a header of HTTP may hold at all.
LETTERS = st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")


@examples(100)
@given(data=st.data())
def test_no_token_passes_with_another_letter_in_it(closed_service: Service, data: st.DataObject) -> None:
    good = token()
    place = data.draw(st.integers(0, len(good) - 1))
    letter = data.draw(LETTERS.filter(lambda letter: letter != good[place]))
    knock(closed_service, bearer(good[:place] + letter + good[place + 1 :]), "a letter changed", {401})


@examples(60)
@given(text=st.text(LETTERS, max_size=200) | st.sampled_from(["Bearer " + "a." * 30_000, "bearer", "Bearer \xa0"]))
def test_no_other_text_passes_as_a_token(closed_service: Service, text: str) -> None:
    knock(closed_service, text, "another text", {401})


def test_the_token_from_which_fuzzing_starts_passes(closed_service: Service) -> None:
    knock(closed_service, bearer(token()), "none", {200})


# --- All addresses, from the description


class _Described:
    """The service behind the description: it is made when the tests run, the description when they are collected."""

    service: Service

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.service.client.application(environ, start_response)


# Drawn for each address, beside the hundred or more that cover the edges of its schema one by one.
SHORT = 120

DESCRIBED = _Described()
SCHEMA = schemathesis.openapi.from_dict(
    openapi(SERVICES.values(), "1.0.0", None),
    config=SchemathesisConfig.from_dict(
        {
            "generation": {"deterministic": not LONG, "max-examples": LONG or SHORT, "database": "none"},
            # A valid call may lack what is needed, and be larger than the settings allow.
            "checks": {"positive_data_acceptance": {"expected-statuses": ["200", "412", "413"]}},
        }
    ),
)
SCHEMA.app = DESCRIBED


@pytest.fixture(scope="module", autouse=True)
def _behind_the_description(service: Service) -> None:
    DESCRIBED.service = service


@SCHEMA.parametrize()
@examples(SHORT)
def test_every_described_address_answers_as_described(case: schemathesis.Case[Any]) -> None:
    response = case.call()
    TALLY.add("described", _kind(case), response.status_code)
    # Among others: no 5xx, a described status, type and body, bad calls refused, good calls taken.
    case.validate_response(response)


def _kind(case: schemathesis.Case[Any]) -> str:
    address = case.operation.label.removeprefix("POST /cds-services/breast-cancer-back-pain-")
    return f"{address}, {case.meta.generation.mode.value if case.meta else 'example'}"
