"""Behind proxies the client is who a trusted proxy says it is, and nobody can say it of himself."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from cds_service.app import make_app
from cds_service.settings import SettingsError, make_settings
from cds_service.trust.proxies import client_address, network_of
from cds_service.trust.rate import MOST_CALLERS, RateLimit
from cds_service.web.call_log import LOGGER_NAME
from tests.builders import NOW
from tests.http_calls import PATIENT_VIEW, a_call

PROXY, OTHER_PROXY, CLIENT, STRANGER = "10.0.0.5", "2001:db8:1::5", "192.0.2.7", "203.0.113.9"
TRUSTED = [ip_network("10.0.0.0/8"), ip_network("2001:db8:1::/64")]
MADE_UP = "198.51.100.1"


def told(peer: str, header: str | None) -> str:
    return client_address(peer, header, TRUSTED)


@pytest.mark.parametrize(
    ("peer", "header", "address"),
    [
        (PROXY, CLIENT, CLIENT),
        (PROXY, None, PROXY),
        (PROXY, "", PROXY),
        # A stranger who calls past the proxy, or whose network is not trusted, says nothing of himself.
        (STRANGER, MADE_UP, STRANGER),
        (STRANGER, f"{MADE_UP}, {PROXY}", STRANGER),
        # What the client itself sent stands before what the proxy added.
        (PROXY, f"{MADE_UP}, {CLIENT}", CLIENT),
        (PROXY, f"{PROXY}, {CLIENT}", CLIENT),
        (PROXY, f"{MADE_UP},{MADE_UP},  {CLIENT} ", CLIENT),
        # Two proxies in a row; the first one's word counts since it is trusted too.
        (PROXY, f"{MADE_UP}, {CLIENT}, {OTHER_PROXY}", CLIENT),
        (PROXY, f"{CLIENT}, {STRANGER}", STRANGER),
        # Proxies alone: the first of them is the client.
        (PROXY, OTHER_PROXY, OTHER_PROXY),
        # What cannot be read ends the chain at the proxy that said it.
        (PROXY, "unknown", PROXY),
        (PROXY, f"{CLIENT}, ", PROXY),
        (PROXY, f"{CLIENT}, nonsense", PROXY),
        (PROXY, f"{CLIENT}, nonsense, {OTHER_PROXY}", OTHER_PROXY),
        # Ports, brackets, and IPv4 as IPv6.
        (PROXY, f"{CLIENT}:4711", CLIENT),
        (PROXY, "[2001:db8::7]:4711", "2001:db8::7"),
        (PROXY, "2001:db8::7", "2001:db8::7"),
        (f"::ffff:{PROXY}", f"::ffff:{CLIENT}", CLIENT),
        (PROXY, "fe80::1%eth0", PROXY),
        # A connection without an address, as of a Unix socket.
        ("", CLIENT, ""),
    ],
)
def test_the_last_address_that_is_no_trusted_proxy_is_the_client(peer: str, header: str | None, address: str) -> None:
    assert told(peer, header) == address


@pytest.mark.parametrize(
    ("header", "address"),
    [
        (f"for={CLIENT}", CLIENT),
        (f"for={CLIENT};proto=https;by={PROXY}", CLIENT),
        (f'proto=https; For="{CLIENT}:4711"', CLIENT),
        ('for="[2001:db8::7]:4711"', "2001:db8::7"),
        (f"for={MADE_UP}, for={CLIENT}", CLIENT),
        (f'for={CLIENT}, for="[{OTHER_PROXY}]"', CLIENT),
        ("for=unknown", PROXY),
        ("for=_secret", PROXY),
        ("proto=https", PROXY),
        (f"for={CLIENT};for={MADE_UP}", PROXY),
        # The client left a quote open, so that a parser from the front would swallow what the proxy added.
        (f'for="{MADE_UP}, for={CLIENT}', CLIENT),
        (f'for={MADE_UP};x="\\, for={CLIENT}', CLIENT),
    ],
)
def test_the_standard_header_is_read_in_the_same_way(header: str, address: str) -> None:
    assert client_address(PROXY, header, TRUSTED, forwarded=True) == address


@given(made_up=st.text(max_size=200))
def test_nothing_that_a_client_sends_before_it_hides_what_the_proxy_adds(made_up: str) -> None:
    assert client_address(PROXY, f"{made_up}, {CLIENT}", TRUSTED) == CLIENT
    assert client_address(PROXY, f"{made_up}, for={CLIENT}", TRUSTED, forwarded=True) == CLIENT


@given(made_up=st.text(max_size=200))
def test_nothing_that_a_stranger_sends_changes_his_address(made_up: str) -> None:
    assert told(STRANGER, made_up) == STRANGER


def test_of_a_header_that_does_not_end_only_the_last_proxies_are_asked() -> None:
    assert told(PROXY, ",".join([MADE_UP, *[PROXY] * 100_000])) == PROXY


def test_a_client_of_ipv6_is_counted_with_its_network() -> None:
    assert network_of("2001:db8::7") == network_of("2001:db8::8") == "2001:db8::/64"
    assert (network_of(CLIENT), network_of("")) == (CLIENT, "")


# The service


def client(folder: Path, **settings: Any) -> FlaskClient:
    return make_app(make_settings({"data_folder": str(folder)} | settings), lambda: NOW).test_client()


def call(app: FlaskClient, peer: str, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/cds-services/{PATIENT_VIEW}"
    return app.post(path, json=a_call(), headers=named, environ_base={"REMOTE_ADDR": peer}).status_code


def addresses(caplog: pytest.LogCaptureFixture) -> Sequence[str]:
    return [json.loads(line.message)["address"] for line in caplog.records if line.name == LOGGER_NAME]


def test_the_log_line_names_the_client_behind_a_trusted_proxy(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    app = client(tmp_path, trusted_proxies=["10.0.0.0/8"])
    call(app, PROXY, X_Forwarded_For=f"{MADE_UP}, {CLIENT}")
    call(app, STRANGER, X_Forwarded_For=MADE_UP)
    # The other header may come from the client itself: a proxy that does not use it lets it through.
    call(app, PROXY, X_Forwarded_For=CLIENT, Forwarded=f"for={MADE_UP}")
    assert addresses(caplog) == [CLIENT, STRANGER, CLIENT]


def test_without_trusted_proxies_the_log_line_names_the_peer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    call(client(tmp_path), PROXY, X_Forwarded_For=MADE_UP, Forwarded=f"for={MADE_UP}")
    assert addresses(caplog) == [PROXY]


def test_the_site_says_which_header_its_proxy_sets(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER_NAME)
    app = client(tmp_path, trusted_proxies=["10.0.0.0/8"], proxy_header="Forwarded")
    call(app, PROXY, X_Forwarded_For=MADE_UP, Forwarded=f"for={CLIENT}")
    assert addresses(caplog) == [CLIENT]


def test_calls_without_a_token_are_counted_by_the_address_that_a_proxy_names(tmp_path: Path) -> None:
    app = client(tmp_path, trusted_proxies=["10.0.0.0/8"], calls_per_minute=2)
    assert [call(app, PROXY, X_Forwarded_For=CLIENT) for _ in range(3)] == [200, 200, 429]
    # Whoever is over the limit is not let in by an address that he makes up, and others are not shut out by him.
    assert call(app, PROXY, X_Forwarded_For=f"{MADE_UP}, {CLIENT}") == 429
    assert call(app, PROXY, X_Forwarded_For=STRANGER) == 200
    assert [call(app, STRANGER, X_Forwarded_For=MADE_UP) for _ in range(2)] == [200, 429]


def test_without_trusted_proxies_all_callers_without_a_token_are_one(tmp_path: Path) -> None:
    app = client(tmp_path, calls_per_minute=2)
    assert [call(app, peer, X_Forwarded_For=peer) for peer in (CLIENT, STRANGER, MADE_UP)] == [200, 200, 429]


def test_callers_beyond_what_is_counted_apart_are_counted_together_until_others_have_gone() -> None:
    now = 0.0
    limit = RateLimit(1, timer=lambda: now)
    assert [limit.allow(str(caller)) for caller in range(MOST_CALLERS)] == [None] * MOST_CALLERS
    assert (limit.allow("new"), limit.allow("newer"), limit.allow("0")) == (None, 60, 60)
    now = 61.0
    assert (limit.allow("new"), limit.allow("newer"), limit.allow("newer")) == (None, None, 60)


@pytest.mark.parametrize("network", ["10.0.0.1/8", "proxy.example.org", ""])
def test_a_network_that_is_none_stops_the_start(network: str) -> None:
    with pytest.raises(SettingsError, match=r"setting 'trusted_proxies\.0': value is not a valid IPv4 or IPv6 network"):
        make_settings({"trusted_proxies": [network]})
