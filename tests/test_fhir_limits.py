"""Which addresses can name a FHIR server, what lies within one, and the settings that allow them."""

from __future__ import annotations

import json

import pytest

from cds_service.addresses import base_of, is_within, server_problem
from cds_service.ehr.limits import FhirLimits
from cds_service.settings import Settings, SettingsError, make_settings, read_settings

BASE = "https://ehr.example.org/fhir"

GOOD = [
    "https://ehr.example.org",
    "https://ehr.example.org/",
    "https://ehr.example.org/fhir",
    "https://ehr.example.org/fhir/",
    "https://ehr.example.org:8443/api/FHIR/R4",
    "https://ehr.example.org/fhir/tenant-1/a~b_c.d",
    "HTTPS://EHR.example.org/fhir",
    "https://10.1.2.3/fhir",
    "https://[2001:db8::1]:8443/fhir",
    "https://ehr/fhir",
    "http://127.0.0.1:8080/fhir",
    "http://localhost/fhir",
    "http://[::1]:8080/fhir",
]

NO_URL, NOT_HTTP = "is not a URL", "is not an http or https URL"
PLAIN_HTTP = "must use https (http is for loopback only)"
USER = "must not hold a user or password"
NOT_PLAIN = "must be a plain base address without query or fragment"

BAD = [
    ("", NOT_HTTP),
    ("ehr.example.org/fhir", NOT_HTTP),
    ("//ehr.example.org/fhir", NOT_HTTP),
    ("/fhir", NOT_HTTP),
    ("https://", NOT_HTTP),
    ("https:///fhir", NOT_HTTP),
    ("https://:8443/fhir", NOT_HTTP),
    ("https://ehr.example.org:0/fhir", NOT_HTTP),
    ("ftp://ehr.example.org/fhir", NOT_HTTP),
    ("file:///etc/passwd", NOT_HTTP),
    ("unix:///run/fhir.sock", NOT_HTTP),
    ("https://ehr.example.org:fhir/", NO_URL),
    ("https://ehr.example.org:99999/fhir", NO_URL),
    ("https://[2001:db8::1/fhir", NO_URL),
    ("http://ehr.example.org/fhir", PLAIN_HTTP),
    ("http://10.1.2.3/fhir", PLAIN_HTTP),
    ("http://169.254.169.254/latest", PLAIN_HTTP),
    ("http://localhost.example.org/fhir", PLAIN_HTTP),
    ("http://127.0.0.1.example.org/fhir", PLAIN_HTTP),
    ("http://0.0.0.0/fhir", PLAIN_HTTP),
    ("http://2130706433/fhir", PLAIN_HTTP),
    ("https://user@ehr.example.org/fhir", USER),
    ("https://user:secret@ehr.example.org/fhir", USER),
    ("https://@ehr.example.org/fhir", USER),
    ("http://127.0.0.1@ehr.example.org/fhir", PLAIN_HTTP),
    ("https://ehr.example.org/fhir?tenant=1", NOT_PLAIN),
    ("https://ehr.example.org/fhir#top", NOT_PLAIN),
    ("https://ehr.example.org/fhir/../admin", NOT_PLAIN),
    ("https://ehr.example.org/fhir/..", NOT_PLAIN),
    ("https://ehr.example.org/./fhir", NOT_PLAIN),
    ("https://ehr.example.org/%2e%2e/fhir", NOT_PLAIN),
    ("https://ehr.example.org/fhir r4", NOT_PLAIN),
    ("https://ehr.example.org/fhir\\r4", NOT_PLAIN),
]

# Names that no host has, and that a site might take for a pattern.
NO_HOSTS = [
    "https://*.example.org/fhir",
    "https://*/fhir",
    "https://ehr example.org/fhir",
    "https://ehr.example.org\\@other.example.org/fhir",
    "https://ehr.example.org\\other.example.org/fhir",
    "https://ehr.example.org,other.example.org/fhir",
    "https://${EHR_HOST}/fhir",
    "https://%65hr.example.org/fhir",
]


# --- server_problem


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_https_or_loopback_address_can_name_a_server(url: str) -> None:
    assert server_problem(url) == ""


@pytest.mark.parametrize(("url", "problem"), BAD, ids=[url for url, _ in BAD])
def test_any_other_address_cannot_name_a_server_and_is_told_why(url: str, problem: str) -> None:
    assert server_problem(url) == problem


@pytest.mark.parametrize("url", NO_HOSTS)
def test_an_address_without_a_real_host_cannot_name_a_server(url: str) -> None:
    assert server_problem(url) != ""


# --- base_of


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example.org/fhir",
        "https://ehr.example.org/fhir/",
        "https://ehr.example.org/fhir//",
        "HTTPS://EHR.Example.ORG/fhir",
        "https://ehr.example.org:443/fhir",
    ],
)
def test_one_server_has_one_base_address_however_it_is_written(url: str) -> None:
    assert base_of(url) == BASE


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://ehr.example.org", "https://ehr.example.org"),
        ("https://ehr.example.org/FHIR", "https://ehr.example.org/FHIR"),
        ("https://ehr.example.org:80/fhir", "https://ehr.example.org:80/fhir"),
        ("http://localhost:80/fhir", "http://localhost/fhir"),
        ("http://localhost:443/fhir", "http://localhost:443/fhir"),
        ("https://[2001:DB8::1]:8443/fhir", "https://[2001:db8::1]:8443/fhir"),
        ("http://[::1]/fhir", "http://[::1]/fhir"),
    ],
)
def test_other_servers_and_paths_have_other_base_addresses(url: str, base: str) -> None:
    assert base_of(url) == base


@pytest.mark.parametrize("url", GOOD)
def test_the_base_of_a_base_is_itself_and_lies_within_itself(url: str) -> None:
    base = base_of(url)
    assert base_of(base) == base and server_problem(base) == ""
    assert is_within(base, base) and is_within(f"{base}/Patient/7", base)


# --- is_within

INSIDE = [
    BASE,
    f"{BASE}/",
    f"{BASE}?_getpages=1",
    f"{BASE}/Patient/7",
    f"{BASE}/Condition?patient=7&page=2",
    f"{BASE}/Condition?next=https://other.example.org/../x",
    "https://ehr.example.org:443/fhir/Condition",
    "https://EHR.example.org/fhir/Condition",
    f"{BASE}/Condition?code=a%2Fb",
]
OUTSIDE = [
    "https://other.example.org/fhir/Condition",
    "https://ehr.example.org.other.example.org/fhir/Condition",
    "https://other.example.org/?https://ehr.example.org/fhir",
    "https://other.example.org/#https://ehr.example.org/fhir",
    "https://other.example.org\\@ehr.example.org/fhir/Condition",
    "https://ehr.example.org\\.other.example.org/fhir/Condition",
    "http://ehr.example.org/fhir/Condition",
    "https://ehr.example.org:8443/fhir/Condition",
    "https://ehr.example.org:99999/fhir/Condition",
    "https://ehr.example.org",
    "https://ehr.example.org/",
    "https://ehr.example.org/FHIR/Condition",
    "https://ehr.example.org/fhirs/Condition",
    "https://ehr.example.org/other/fhir/Condition",
    "https://ehr.example.org//fhir/Condition",
    "https://user@ehr.example.org/fhir/Condition",
    "https://user:secret@ehr.example.org/fhir/Condition",
    "https://@ehr.example.org/fhir/Condition",
    f"{BASE}/../admin",
    f"{BASE}/..",
    f"{BASE}/./Condition",
    f"{BASE}/%2e%2e/admin",
    f"{BASE}/%2E%2E/admin",
    f"{BASE}/.%2e/admin",
    f"{BASE}/..%2Fadmin",
    f"{BASE}/..%5Cadmin",
    f"{BASE}/..\\admin",
    f"{BASE}/..;/admin",
    f"{BASE}/..;x=1/admin",
    "https://[",
    "https:",
    "",
    "file:///fhir",
    "/fhir/Condition",
]


@pytest.mark.parametrize("url", INSIDE)
def test_an_address_below_the_base_is_within(url: str) -> None:
    assert is_within(url, BASE)


@pytest.mark.parametrize("url", OUTSIDE)
def test_an_address_elsewhere_or_bent_is_not_within(url: str) -> None:
    assert not is_within(url, BASE)


# --- Settings


def test_out_of_the_box_no_server_may_be_read() -> None:
    assert read_settings({}).fhir_servers == ()


@pytest.mark.parametrize("url", GOOD)
def test_a_good_address_is_kept_as_its_base(url: str) -> None:
    settings = read_settings({"CDS_FHIR_SERVERS": json.dumps([url])})
    assert settings.fhir_servers == (base_of(url),)


@pytest.mark.parametrize(("url", "problem"), BAD, ids=[url for url, _ in BAD])
def test_a_bad_address_stops_the_start_and_the_message_says_why(url: str, problem: str) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings({"CDS_FHIR_SERVERS": json.dumps([BASE, url])})
    assert "setting 'fhir_servers'" in str(raised.value)
    assert problem in str(raised.value)


def test_the_message_names_the_address_at_fault() -> None:
    with pytest.raises(SettingsError, match="'http://ehr.example.org/r4' must use https"):
        make_settings({"fhir_servers": [BASE, "http://ehr.example.org/r4"]})


def test_the_message_does_not_repeat_a_password() -> None:
    with pytest.raises(SettingsError) as raised:
        make_settings({"fhir_servers": ["https://user:secret@ehr.example.org/fhir"]})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("text", [BASE, json.dumps(BASE), "7", json.dumps([7]), json.dumps({"url": BASE})])
def test_servers_that_are_no_list_of_addresses_stop_the_start(text: str) -> None:
    with pytest.raises(SettingsError, match="setting 'fhir_servers"):
        read_settings({"CDS_FHIR_SERVERS": text})


@pytest.mark.parametrize(
    ("setting", "wrong"),
    [
        ("fhir_deadline_seconds", [0, -1, 31, "soon", None]),
        ("fhir_connect_seconds", [0, -1, 31]),
        ("fhir_max_pages", [0, 1001, 1.5]),
        ("fhir_max_bytes", [0, 9_999, -1]),
        ("fhir_parallel", [0, 33, True]),
    ],
)
def test_a_limit_outside_of_its_bounds_stops_the_start(setting: str, wrong: list[object]) -> None:
    for value in wrong:
        with pytest.raises(SettingsError, match=f"setting '{setting}'"):
            make_settings({setting: value})


def test_the_limits_are_those_of_the_settings() -> None:
    settings = make_settings(
        {
            "fhir_deadline_seconds": 2.5,
            "fhir_connect_seconds": 0.5,
            "fhir_max_pages": 7,
            "fhir_max_bytes": 70_000,
            "fhir_parallel": 3,
        }
    )
    assert settings.fhir_limits() == FhirLimits(2.5, 0.5, 7, 70_000, 3)


def test_without_settings_the_limits_have_their_defaults() -> None:
    assert Settings().fhir_limits() == FhirLimits()
