"""Several services on one PostgreSQL, as on several machines: own processes, data folders and, if possible, networks.

A test module gets the fixtures by `pytest_plugins = ("tests.instances",)`.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Protocol, TypeVar

import pytest
import requests

from tests.chaos.postgresql_under_test import PostgresqlUnderTest, postgresql_under_test
from tests.real_server import RealServer
from tests.skips import NO_POSTGRESQL
from tests.token_maker import BASE_URL, ISSUER, key, key_set

T = TypeVar("T")

PSEUDONYM_KEY = "a-key-of-the-tests-with-32-letters"

# Starts a command in a network of its own, in which this machine's own address leads to itself.
_OWN_NETWORK = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
_CLONE_NEWNET = 0x40000000


@cache
def has_networks() -> bool:
    """Whether processes of this user can be given networks of their own."""
    try:
        return subprocess.run([*_OWN_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


class Instance:
    """One service, in a network of its own where that can be had; everything is said to it from there."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        prefix = _OWN_NETWORK if has_networks() else []
        self.server = RealServer(folder, 2, prefix=prefix, **settings)

    def ask(self, action: Callable[[RealServer], T]) -> T:
        """What an action that calls the service comes to.

        Raises:
            requests.ConnectionError: it does not run.
        """
        result: list[T] = []
        errors: list[Exception] = []

        def run() -> None:
            try:
                self._enter_network()
                result.append(action(self.server))
            except Exception as error:
                errors.append(error)

        # A thread alone enters a network, and ends there.
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return result[0]

    def _enter_network(self) -> None:
        if not has_networks():
            return
        try:
            network = os.open(f"/proc/{self.server.pid}/ns/net", os.O_RDONLY)
        except FileNotFoundError:
            raise requests.ConnectionError("the service has ended") from None
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(network, _CLONE_NEWNET):
                raise requests.ConnectionError(os.strerror(ctypes.get_errno()))
        finally:
            os.close(network)


class Proxy:
    """Gives each call to the next instance, and to another one where that does not answer, as a reverse proxy does."""

    def __init__(self, instances: list[Instance]) -> None:
        self._instances = instances
        self._turns = count()

    def ask(self, action: Callable[[RealServer], T]) -> T:
        """What an action that calls the service comes to, at whichever instance."""
        turn, number = next(self._turns), len(self._instances)
        for instance in (self._instances[(turn + step) % number] for step in range(number)):
            try:
                return instance.ask(action)
            except requests.ConnectionError:
                continue
        raise requests.ConnectionError("no instance answers")


@pytest.fixture(scope="module")
def database() -> Iterator[PostgresqlUnderTest]:
    """A PostgreSQL server that tests may stop; the test is skipped where there is none."""
    with ExitStack() as running:
        try:
            server = running.enter_context(postgresql_under_test(0))
        except Exception as error:
            pytest.skip(f"{NO_POSTGRESQL} ({type(error).__name__}: {error})")
        yield server


class StartInstances(Protocol):
    """Starts services at the same moment, with these settings; they end when the test does."""

    def __call__(self, number: int, **settings: Any) -> list[Instance]: ...


@pytest.fixture
def start_instances(tmp_path: Path) -> Iterator[StartInstances]:
    """See `StartInstances`."""
    with ExitStack() as running, ThreadPoolExecutor() as pool:

        def start(number: int, **settings: Any) -> list[Instance]:
            folders = [Path(mkdtemp(dir=tmp_path)) for _ in range(number)]
            instances = list(pool.map(lambda folder: Instance(folder, **settings), folders))
            for instance in instances:
                running.callback(instance.server.kill)
            return instances

        yield start


@pytest.fixture
def two(database: PostgresqlUnderTest, tmp_path: Path, start_instances: StartInstances) -> list[Instance]:
    """Two instances with two workers each, which trust one client and remember answers."""
    keys = tmp_path / "keys.json"
    keys.write_bytes(key_set(key()))
    clients = [{"issuer": ISSUER, "jwks_file": str(keys)}]
    url = database.new_database()
    return start_instances(2, ledger_url=url, base_url=BASE_URL, clients=clients, pseudonym_key=PSEUDONYM_KEY)


@pytest.fixture
def two_open(database: PostgresqlUnderTest, start_instances: StartInstances) -> list[Instance]:
    """Two instances which want no token."""
    return start_instances(2, ledger_url=database.new_database(), pseudonym_key=PSEUDONYM_KEY)
