"""Where the work is done: in this process, on local Dask processes, or on a Dask cluster by its address.

A task is a number; what belongs to it lies in files. Nothing of a patient goes through the scheduler.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cds_service.replay.errors import ReplayError

if TYPE_CHECKING:
    from distributed import Client

# A worker that dies (out of memory, a machine that is switched off) costs its tasks another try, and no more than this.
_TRIES = 3

_CONNECT_SECONDS = 30

Task = Callable[[str, int], int]


class Engine(Protocol):
    """Runs tasks, in any order."""

    @property
    def workers(self) -> int:
        """How many tasks run at the same time."""

    def run(self, task: Task, out: str, numbers: Sequence[int]) -> Iterator[int]:
        """What each task came to, as soon as it is done."""


class InProcess:
    """One task after another, in this process."""

    workers = 1

    def run(self, task: Task, out: str, numbers: Sequence[int]) -> Iterator[int]:
        """What each task came to."""
        for number in numbers:
            yield task(out, number)


class OnDask:
    """Tasks on the workers of a Dask scheduler."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def workers(self) -> int:
        """How many worker processes the scheduler has now."""
        return len(self._client.scheduler_info(n_workers=-1)["workers"])

    def run(self, task: Task, out: str, numbers: Sequence[int]) -> Iterator[int]:
        """What each task came to.

        Raises:
            ReplayError: the workers are lost.
        """
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        futures = self._client.map(task, [out] * len(numbers), numbers, pure=False, retries=_TRIES)
        try:
            for future in as_completed(futures, loop=self._client.loop):
                yield future.result()
                future.release()
        except KilledWorker as error:
            raise ReplayError(
                "workers ended while they worked, most likely for want of memory: give each of them more, or take fewer"
            ) from error


@contextmanager
def engine(workers: int, scheduler: str | None) -> Iterator[Engine]:
    """An engine for as long as it is needed.

    Args:
        workers: local processes; one is this process itself.
        scheduler: the address of a Dask scheduler, whose workers are then used instead.

    Raises:
        ReplayError: the scheduler does not answer.
    """
    if scheduler is None and workers == 1:
        yield InProcess()
        return
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler is not None:
        try:
            _look_for(scheduler)
            client = Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ReplayError("the Dask scheduler does not answer at the address that was given") from error
        with client:
            yield OnDask(client)
        return
    # Other users of this machine must not reach the workers: they are on loopback, behind keys made for this run.
    local = {"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0", "protocol": "tls", "security": True}
    processes = {"n_workers": workers, "threads_per_worker": 1, "silence_logs": logging.CRITICAL}
    with LocalCluster(**processes, **local) as cluster, Client(cluster, set_as_default=False) as client:
        yield OnDask(client)


def _look_for(scheduler: str) -> None:
    """See that something listens at an address; a client that finds nothing would end a minute later only.

    Raises:
        OSError: nothing does.
        ValueError: it is no address.
    """
    from distributed.comm.addressing import parse_address, parse_host_port

    protocol, place = parse_address(scheduler)
    host, port = parse_host_port(place)
    if protocol in ("tcp", "tls"):
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
