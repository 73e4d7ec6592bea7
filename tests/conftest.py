"""What every test has: no network but this machine, and a service with the settings as they come."""

import pytest
from flask.testing import FlaskClient
from pytest_socket import socket_allow_hosts

from cds_service import Settings, create_app


@pytest.fixture(autouse=True)
def _no_network() -> None:
    """Connections lead to this machine only; pytest-socket lifts this after each test."""
    socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture
def client() -> FlaskClient:
    return create_app(Settings()).test_client()
