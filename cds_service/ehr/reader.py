"""Reads from the EHR's FHIR server what a call did not bring.

Bounded in every way: one deadline for the whole call, pages, bytes, requests at the same time. A failure is never an
exception for the caller: it is a `Gap` on what could not be read, beside what could.

Each round of reading costs the wait for a server. What a card will need besides is therefore read ahead, in the round
that shows whether there is a card, where the server is slow. What is read ahead changes no answer: it lies ready until
it is asked for, and is forgotten if it is not.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Condition, Thread
from urllib.parse import quote

from cds_service.chart.records import Gap
from cds_service.clock import Timer
from cds_service.ehr.connections import FhirConnections
from cds_service.ehr.limits import FhirLimits
from cds_service.ehr.pace import HEAD_START_SECONDS, PATIENCE_SECONDS, ServerPace
from cds_service.ehr.query import Fetched, QueryReader, Read, ReadFailure


class FhirServer:
    """An allowed FHIR server, as one process knows it: its connections, and its pace."""

    def __init__(self) -> None:
        self.connections = FhirConnections()
        self.pace = ServerPace()


@dataclass(slots=True)
class FhirReader:
    """Reads for one hook call from one allowed server. It is closed when the call is over.

    Args:
        base: the server's base address, checked against the list of allowed servers.
        token: the bearer token of the call, or an empty string.
        limits: bounds for the whole call; the deadline starts when the reader is made.
        server: what is known of the server from earlier calls.
    """

    base: str
    token: str = field(repr=False)
    limits: FhirLimits
    server: FhirServer = field(default_factory=FhirServer, repr=False)
    timer: Timer = time.monotonic
    requests_made: list[str] = field(default_factory=list, repr=False)
    _deadline: float = field(init=False)
    _bytes_left: int = field(init=False)
    _queries: QueryReader = field(init=False, repr=False)
    _reads: dict[str, Read] = field(init=False, default_factory=dict, repr=False)
    _waiting: deque[Read] = field(init=False, default_factory=deque, repr=False)
    _threads: int = field(init=False, default=0)
    _reads_ahead: bool = field(init=False, default=False)
    # Held for every change of what is above; told of every result that is wanted.
    _changed: Condition = field(init=False, default_factory=Condition, repr=False)

    def __post_init__(self) -> None:
        self._deadline = self.timer() + self.limits.deadline_seconds
        self._bytes_left = self.limits.bytes
        server = self.server
        self._queries = QueryReader(self.base, self.token, self.limits, self, server.connections, server.pace)

    def fetch(self, queries: Mapping[str, str], ahead: Collection[str] = ()) -> dict[str, Fetched]:
        """Read several queries in parallel.

        Args:
            queries: by prefetch key, a FHIR read or search relative to the base (`Patient/7`, `Condition?...`), or
                an address within the base (the next page of a search).
            ahead: queries that may be asked for next, and are begun now where that spares a wait.
        """
        if not queries:
            return {}
        begun, is_round = self.timer(), any(query not in self._reads for query in queries.values())
        reads = {key: self._wanted(query) for key, query in queries.items()}
        if ahead and self.limits.read_ahead != "never" and not self._await(reads.values(), self._patience()):
            self._begin_ahead(ahead)
        came = self._await(reads.values(), self.seconds_left())
        # What ends now because it is ended does not say why.
        fetched = {key: read.result or Fetched((), Gap.TIMED_OUT) for key, read in reads.items()}
        if not came:
            self._end_all()
        if is_round:
            self.server.pace.round_took(self.timer() - begun)
        return fetched

    def close(self) -> None:
        """End what was read ahead and is not needed."""
        self._end_all()
        with self._changed:
            reads_ahead, self._reads_ahead = self._reads_ahead, False
        if reads_ahead:
            self.server.pace.end_reading_ahead()

    def seconds_left(self) -> float:
        """The time until the deadline; 0 or less once it has passed."""
        return self._deadline - self.timer()

    def asks(self, read: Read, url: str) -> None:
        """Note that an address is asked.

        Raises:
            ReadFailure: nobody waits for the read any more.
        """
        with self._changed:
            if read.is_given_up:
                raise ReadFailure(Gap.TIMED_OUT)
            self.requests_made.append(url)

    def take(self, read: Read, count: int) -> None:
        """Count so many bytes of an answer; what is read ahead never takes them from what is wanted.

        Raises:
            ReadFailure: that is more than one call may read, or nobody waits for the read any more.
        """
        with self._changed:
            if not read.is_given_up:
                read.bytes_taken += count
                self._bytes_left -= count
                if self._bytes_left < 0:
                    ahead = [item for item in self._reads.values() if not item.is_wanted]
                    self._give_up(ahead if read.is_wanted else [read])
            if read.is_given_up or self._bytes_left < 0:
                raise ReadFailure(Gap.TOO_MUCH)

    def _wanted(self, query: str) -> Read:
        """The read of a query that the answer needs, begun now if it was not begun ahead."""
        with self._changed:
            read = self._reads.get(query)
            if read is None:
                read = self._reads[query] = Read(query, is_wanted=True)
                self._begin([read])
            read.is_wanted = True
            return read

    def _patience(self) -> float:
        """The time to wait for a round before anything is read ahead."""
        if self.limits.read_ahead == "always":
            return 0.0
        return HEAD_START_SECONDS if self.server.pace.is_slow() else PATIENCE_SECONDS

    def _begin_ahead(self, queries: Iterable[str]) -> None:
        if not self.server.pace.begin_reading_ahead():
            return
        with self._changed:
            self._reads_ahead = True
            reads = [Read(query, is_wanted=False) for query in queries if query not in self._reads]
            self._reads |= {read.query: read for read in reads}
            self._begin(reads)

    def _begin(self, reads: Iterable[Read]) -> None:
        """Have these read, what is wanted first."""
        self._waiting.extend(reads)
        self._waiting = deque(sorted(self._waiting, key=lambda read: not read.is_wanted))
        for _ in range(min(len(self._waiting), self.limits.parallel - self._threads)):
            self._threads += 1
            # A server that answers byte by byte may hold a thread beyond the deadline; the call does not wait for it,
            # and neither does the end of the program.
            Thread(target=self._read_waiting, name="fhir-read", daemon=True).start()

    def _read_waiting(self) -> None:
        """Read one query after another, until none waits."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._threads -= 1
                    return
                read = self._waiting.popleft()
            try:
                result = self._queries.read(read)
            except Exception:
                # Any error must end this query now, and not at the deadline.
                result = Fetched((), Gap.SOURCE_ERROR)
            with self._changed:
                read.result = result
                if read.is_wanted:
                    self._changed.notify_all()

    def _await(self, reads: Iterable[Read], seconds: float) -> bool:
        """Whether all of these are there, after so many seconds at most."""
        with self._changed:
            return self._changed.wait_for(lambda: all(read.result for read in reads), max(0.0, seconds))

    def _give_up(self, reads: Iterable[Read]) -> None:
        """Forget reads: should the answer need one of them, it begins anew."""
        for read in reads:
            self._bytes_left += read.bytes_taken
            read.bytes_taken, read.is_given_up = 0, True
            self._reads.pop(read.query, None)
            read.held.end()

    def _end_all(self) -> None:
        """End the reads that are still under way, and begin none."""
        with self._changed:
            self._waiting.clear()
            for read in self._reads.values():
                if read.result is None:
                    read.is_given_up = True
                    read.held.end()


def queries_for(keys: Iterable[str], templates: Mapping[str, str], patient_id: str) -> dict[str, str]:
    """The prefetch templates of `keys` with the patient's id filled in.

    Raises:
        ValueError: the id would change the path of the address (`.` or `..`).
    """
    if not patient_id.strip("."):
        raise ValueError("an id of dots only")
    value = quote(patient_id, safe="")
    return {key: templates[key].replace("{{context.patientId}}", value) for key in keys}
