"""The description at `/openapi.json`: valid, complete, and the same as what the service checks and answers.

The meta-schema is the one of the OpenAPI Initiative, as Schemathesis brings it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from schemathesis.specs.openapi.definitions import OPENAPI_31

from cds_service.app import make_app
from cds_service.errors import CdsError
from cds_service.protocol.validation import SCHEMAS, load, problem
from cds_service.settings import make_settings
from cds_service.web.openapi import openapi
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NOW, SERVICES, Json, condition, day, draft, request, supplied

DESCRIPTION = openapi(SERVICES.values(), "1.0.0", None)
OPERATIONS = [
    (path, method, operation) for path, methods in DESCRIPTION["paths"].items() for method, operation in methods.items()
]
ERRORS: list[type[CdsError]] = [CdsError, *CdsError.__subclasses__()]
CALL = request("patient-view", supplied(condition(BREAST_CANCER, onset="2014"), condition(LOW_BACK_PAIN, onset=day(5))))

# For people, or for the one program that collects metrics; what no client of the API calls is not described.
NOT_OF_THE_API = {"/", "/evidence", "/evidence/codes", "/static/<path:name>", "/metrics", "/openapi.json"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    return make_app(make_settings({"data_folder": str(tmp_path)}), lambda: NOW)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def errors(document: Json) -> list[str]:
    """Where a document departs from OpenAPI 3.1."""
    return [error.json_path for error in Draft202012Validator(OPENAPI_31).iter_errors(document)]


def references(value: object) -> Iterator[str]:
    """Every `$ref` below a value."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def found(document: Any, reference: str) -> Any:
    """What a reference inside the document names; KeyError where there is nothing."""
    place = document
    for name in reference.removeprefix("#/").split("/"):
        place = place[name]
    return place


def named(schema: str) -> Draft202012Validator:
    """A validator of one schema of the description, with its references resolved inside the description alone."""
    return Draft202012Validator(DESCRIPTION | {"$ref": f"#/components/schemas/{schema}"})


def responses(*codes: str) -> list[tuple[str, str, str]]:
    """Path, method and status of each described answer with one of these status codes."""
    return [(path, method, code) for path, method, item in OPERATIONS for code in item["responses"] if code in codes]


# --- The document


def test_what_is_served_is_the_description(client: FlaskClient) -> None:
    response = client.get("/openapi.json")
    assert (response.status_code, response.mimetype) == (200, "application/json")
    served: Json = orjson.loads(response.data)
    assert served["info"].keys() == DESCRIPTION["info"].keys()
    assert served | {"info": None} == DESCRIPTION | {"info": None}


def test_it_is_valid_openapi_3_1() -> None:
    assert DESCRIPTION["openapi"] == "3.1.0"
    assert errors(DESCRIPTION) == []


def test_a_description_that_is_not_valid_would_be_noticed() -> None:
    assert errors({name: value for name, value in DESCRIPTION.items() if name != "info"})
    broken: Json = {"/x": {"get": {"responses": {"no status": {}}}}}
    assert errors(DESCRIPTION | {"paths": broken})


def test_every_reference_leads_to_something_in_the_document() -> None:
    every = set(references(DESCRIPTION))
    assert all(reference.startswith("#/components/schemas/") for reference in every)
    for reference in every:
        assert isinstance(found(DESCRIPTION, reference), dict), reference


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_the_one_that_the_service_checks_by(name: str) -> None:
    own = {key: value for key, value in load(name).items() if key not in ("$id", "$schema")}
    back = _with_file_names(DESCRIPTION["components"]["schemas"][name])
    assert back == own


def _with_file_names(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_file_names(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"^#/components/schemas/([a-z-]+)(/.*)?$", r"\1.json#\2", value)
    return {name: _with_file_names(item) for name, item in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"hook": "order-sign"},
        {"hookInstance": "two words"},
        {"context": {"userId": "Practitioner/1", "patientId": "a/b"}},
        {"fhirAuthorization": {"access_token": "x"}},
        {"fhirAuthorization": {"access_token": "x"}, "fhirServer": "https://ehr.example.org/fhir"},
        {"prefetch": None},
        {"prefetch": []},
    ],
    ids=str,
)
def test_a_client_that_checks_by_the_description_comes_to_the_verdict_of_the_service(change: Json) -> None:
    call = CALL | change
    assert named("request-patient-view").is_valid(call) == (problem("request-patient-view", call) is None)


@pytest.mark.parametrize("hook", [service.hook for service in SERVICES.values()])
def test_a_valid_call_of_each_hook_follows_its_schema(hook: str) -> None:
    assert named(f"request-{hook}").is_valid(request(hook, {}, [draft(text="MRI")]))


# --- What it describes


def test_every_address_of_the_api_is_described_and_nothing_else(app: Flask) -> None:
    routes = set()
    for rule in app.url_map.iter_rules():
        if rule.rule not in NOT_OF_THE_API:
            for service in SERVICES:
                path = rule.rule.replace("<service_id>", service)
                routes |= {(path, method.lower()) for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}}
    assert {(path, method) for path, method, _ in OPERATIONS} == routes


def test_what_is_left_out_of_the_description_exists(app: Flask) -> None:
    assert {rule.rule for rule in app.url_map.iter_rules()} >= NOT_OF_THE_API


@pytest.mark.parametrize(("path", "method"), [row[:2] for row in OPERATIONS], ids=str)
def test_every_described_address_answers_its_method(client: FlaskClient, path: str, method: str) -> None:
    assert client.open(path, method=method.upper()).status_code not in (404, 405)


def test_every_error_of_the_service_is_described_for_the_calls() -> None:
    statuses = {str(error.status) for error in ERRORS}
    for service in SERVICES:
        responses = DESCRIPTION["paths"][f"/cds-services/{service}"]["post"]["responses"]
        assert statuses <= set(responses)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: str(error.__name__))
def test_the_issue_type_of_every_error_is_in_the_schema(error: type[CdsError]) -> None:
    outcome = {"severity": "error", "code": error.code, "details": {"text": "x"}}
    assert problem("operation-outcome", {"resourceType": "OperationOutcome", "issue": [outcome]}) is None


def test_errors_are_described_as_an_operation_outcome() -> None:
    described = responses("400", "401", "403", "404", "405", "412", "413", "415", "429", "500")
    assert len(described) >= 10
    for path, method, code in described:
        content = DESCRIPTION["paths"][path][method]["responses"][code]["content"]
        assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/operation-outcome"}


def test_an_answer_that_says_when_to_ask_again_describes_the_header() -> None:
    # Readiness is asked for by a clock, which needs no hint.
    described = [row for row in responses("429", "503") if not row[0].startswith("/health/")]
    assert described
    for path, method, code in described:
        assert "Retry-After" in DESCRIPTION["paths"][path][method]["responses"][code]["headers"]


def test_the_decision_id_is_described_and_sent(client: FlaskClient) -> None:
    path = f"/cds-services/{next(iter(SERVICES))}"
    header = DESCRIPTION["paths"][path]["post"]["responses"]["200"]["headers"]["X-Decision-Id"]
    sent = client.post(path, json=CALL).headers["X-Decision-Id"]
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert header["schema"] == {"type": "string", "format": "uuid"} and re.fullmatch(uuid, sent)


def test_the_public_address_is_named_where_it_is_set_and_only_there() -> None:
    assert "servers" not in DESCRIPTION
    assert openapi(SERVICES.values(), "1.0.0", "https://cds.example.org/")["servers"] == [
        {"url": "https://cds.example.org"}
    ]


def test_it_names_no_operation_twice() -> None:
    summaries = [operation["summary"] for _, _, operation in OPERATIONS]
    assert len(summaries) == len(set(summaries)) == len(OPERATIONS)
