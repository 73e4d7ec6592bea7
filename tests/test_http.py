"""The service over HTTP: addresses and methods, discovery, caching, and what browsers may do."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from cds_service.app import make_app
from cds_service.protocol.validation import problem
from cds_service.settings import make_settings
from tests.builders import SERVICES
from tests.http_calls import (
    CANCER,
    NOW,
    ORDER_SELECT,
    ORDER_SIGN,
    ORIGIN,
    PAIN,
    PATIENT,
    PATIENT_VIEW,
    Json,
    a_call,
    assert_refused,
    bundle,
    card_of,
    post,
)

pytest_plugins = ("tests.http_clients",)


# --- Addresses and methods


@pytest.mark.parametrize("path", ["/cds-services/none", "/cds-services/none/", "/no", "/cds-services/a/b/c", "/%00"])
def test_an_unknown_address_is_not_found_and_not_html(client: FlaskClient, path: str) -> None:
    assert_refused(client.post(path, json=a_call()), 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/cds-services", "GET"),
        ("DELETE", "/cds-services", "GET"),
        ("GET", f"/cds-services/{PATIENT_VIEW}", "POST"),
        ("PUT", f"/cds-services/{PATIENT_VIEW}", "POST"),
        ("PATCH", f"/cds-services/{ORDER_SIGN}", "POST"),
    ],
)
def test_another_method_is_refused_with_those_that_are_allowed(
    client: FlaskClient, method: str, path: str, allowed: str
) -> None:
    response = client.open(path, method=method, json=a_call())
    assert_refused(response, 405)
    assert allowed in response.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    "path",
    [
        f"/cds-services/{PATIENT_VIEW}",
        f"/cds-services/{PATIENT_VIEW}/",
        f"/cds-services//{PATIENT_VIEW}",
        f"//cds-services/{PATIENT_VIEW}",
        f"//cds-services///{PATIENT_VIEW}//",
    ],
)
def test_slashes_too_many_lead_to_the_service_without_a_redirect(client: FlaskClient, path: str) -> None:
    # The address as a web server hands it over; the test client would take `//host` for a host.
    assert card_of(client.post("/", json=a_call(), environ_overrides={"PATH_INFO": path}))


@pytest.mark.parametrize("path", ["/cds-services", "/cds-services/", "//cds-services", "/cds-services//"])
def test_discovery_is_found_with_and_without_slashes_too_many(client: FlaskClient, path: str) -> None:
    response = client.get("/", environ_overrides={"PATH_INFO": path})
    assert response.status_code == 200
    assert problem("discovery", response.get_json()) is None


# --- Manners: discovery, caching, browsers


def _found(template: str, store: list[Json]) -> object:
    """What a FHIR server that holds `store` answers to a prefetch template of the discovery document."""
    kind = template.split("?")[0].split("/")[0]
    assert "{{" not in template.replace("{{context.patientId}}", "")
    if "?" not in template:
        return next(resource for resource in store if resource["resourceType"] == kind)
    return bundle(*(resource for resource in store if resource["resourceType"] == kind))


@pytest.mark.parametrize("service", SERVICES)
def test_mistake_3_a_call_built_from_the_discovery_document_succeeds(client: FlaskClient, service: str) -> None:
    discovered = {entry["id"]: entry for entry in client.get("/cds-services").get_json()["services"]}[service]
    store = [{"resourceType": "Patient", "id": PATIENT}, CANCER, PAIN]
    prefetch = {key: _found(template, store) for key, template in discovered["prefetch"].items()}
    call = a_call(discovered["hook"]) | {"prefetch": prefetch}
    detail = card_of(post(client, call, discovered["id"]))["detail"]
    assert "Not available to this service" not in detail


def test_no_template_names_a_parameter_twice(client: FlaskClient) -> None:
    """The public sandbox would merge the two into an "or"."""
    for entry in client.get("/cds-services").get_json()["services"]:
        for template in entry["prefetch"].values():
            names = [part.split("=")[0] for part in template.partition("?")[2].split("&")]
            assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("method", "path", "call"),
    [
        ("GET", "/cds-services", None),
        ("POST", f"/cds-services/{PATIENT_VIEW}", a_call()),
        ("POST", f"/cds-services/{PATIENT_VIEW}", {}),
        ("POST", f"/cds-services/{PATIENT_VIEW}", a_call(conditions="x")),
        ("POST", "/cds-services/none", a_call()),
        ("PUT", "/cds-services", a_call()),
    ],
    ids=["discovery", "card", "invalid", "missing data", "not found", "not allowed"],
)
def test_no_answer_may_be_stored(client: FlaskClient, method: str, path: str, call: Json | None) -> None:
    assert client.open(path, method=method, json=call).headers["Cache-Control"] == "no-store"


@pytest.mark.usefixtures("broken")
def test_the_answer_to_a_fault_of_ours_may_not_be_stored(client: FlaskClient) -> None:
    assert post(client, a_call()).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "method"),
    [("/cds-services", "GET"), (f"/cds-services/{PATIENT_VIEW}", "POST"), (f"/cds-services//{ORDER_SELECT}/", "POST")],
)
def test_a_browser_may_call_after_a_preflight_without_credentials(
    browser_client: FlaskClient, path: str, method: str
) -> None:
    headers = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    response = browser_client.options(path, headers=headers)
    assert response.status_code in (200, 204)
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
    assert method in response.headers["Access-Control-Allow-Methods"].split(", ")
    allowed = response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in response.headers


ANSWERS: list[tuple[str, int, Json]] = [
    ("card", 200, a_call()),
    ("invalid", 400, {}),
    ("missing data", 412, a_call(conditions="x")),
    ("too large", 413, {"pad": "x" * 10_000_001}),
]


@pytest.mark.parametrize(("status", "call"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_browser_can_read_every_answer(browser_client: FlaskClient, status: int, call: Json) -> None:
    response = browser_client.post(f"/cds-services/{PATIENT_VIEW}", json=call, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
    assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(("path", "status"), [("/cds-services/none", 404), ("/cds-services", 405)])
def test_a_browser_can_read_that_an_address_is_wrong(browser_client: FlaskClient, path: str, status: int) -> None:
    response = browser_client.post(path, json={}, headers={"Origin": ORIGIN})
    assert response.status_code == status
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.usefixtures("broken")
def test_a_browser_can_read_that_the_service_failed(browser_client: FlaskClient) -> None:
    response = browser_client.post(f"/cds-services/{PATIENT_VIEW}", json=a_call(), headers={"Origin": ORIGIN})
    assert response.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]


@pytest.mark.parametrize(
    "origin",
    [
        "https://other.example.org",
        "http://sandbox.example.org",
        "https://sandbox.example.org:8443",
        "https://sandbox.example.org.evil.example",
        "https://sandbox-example.org",
        "https://evil.example/https://sandbox.example.org",
        "null",
        "*",
    ],
)
@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_another_origin_gets_no_permission(browser_client: FlaskClient, method: str, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    response = browser_client.open(f"/cds-services/{PATIENT_VIEW}", method=method, json=a_call(), headers=headers)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]


def test_an_origin_that_is_an_ipv6_address_means_that_address_and_no_other() -> None:
    origin = "http://[::1]:8080"
    client = make_app(make_settings({"cors_origins": [origin]}), lambda: NOW).test_client()
    allowed = [
        client.get("/cds-services", headers={"Origin": asked}).headers.get("Access-Control-Allow-Origin")
        for asked in (origin, "http://1:8080.evil.example")
    ]
    assert allowed == [origin, None]


def test_a_caller_that_is_no_browser_is_not_told_the_origins_of_others(browser_client: FlaskClient) -> None:
    assert "Access-Control-Allow-Origin" not in browser_client.get("/cds-services").headers


@pytest.mark.parametrize("method", ["OPTIONS", "POST"])
def test_by_default_no_browser_gets_permission(client: FlaskClient, method: str) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = client.open(f"/cds-services/{PATIENT_VIEW}", method=method, json=a_call(), headers=headers)
    assert not [name for name, _ in response.headers if name.startswith("Access-Control-")]
