"""(e) No prefetch: a call for which everything is read from the EHR's FHIR server, beside the slowest single read."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Lock
from urllib.parse import urlsplit

from tests.bench.charts import HOOK_INSTANCE, PATIENT, Json, call, encoded, resources
from tests.bench.client import Client, Job
from tests.bench.figures import WALL_MARGIN, Effort, Fact, Figure, Part
from tests.bench.servers import service
from tests.local_http_server import LocalHttpServer, send
from tests.server_calls import PATH

TITLE = "No prefetch"
_TEXT = (
    "A firing call without any prefetch: the service reads what it needs from a FHIR server on the same machine that"
    " answers every request after 40 ms. Beside it the slowest single read of the same call, as the FHIR server took it"
    " to answer."
)

# As a FHIR server in a hospital answers a search; far above what this machine needs for it.
_DELAY_SECONDS = 0.04


class SlowFhirServer(LocalHttpServer):
    """Holds one patient's resources and answers each read and search after a fixed delay.

    `took` has the seconds of every request since `forget`, `most` how many were under way at the same time at most.
    """

    def __init__(self, held: Sequence[Json]) -> None:
        super().__init__()
        self._bodies = {f"Patient/{PATIENT}": encoded(held[0])}
        for kind in {item["resourceType"] for item in held}:
            own = [{"resource": item} for item in held if item["resourceType"] == kind]
            bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(own), "entry": own}
            self._bodies[kind] = encoded(bundle)
        self._lock = Lock()
        self.forget()

    def forget(self) -> None:
        """Count from nothing again."""
        self.took: list[float] = []
        self.most = self._under_way = 0

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a read or a search, late."""
        start = time.perf_counter()
        with self._lock:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
        self.stopped.wait(_DELAY_SECONDS)
        asked = urlsplit(request.path).path.removeprefix("/fhir/")
        body = self._bodies.get(asked, b'{"resourceType":"Bundle","type":"searchset","total":0}')
        with self._lock:
            self._under_way -= 1
            self.took.append(time.perf_counter() - start)
        send(request, body, Content_Type="application/fhir+json")


@contextmanager
def fhir_server(size: int) -> Iterator[SlowFhirServer]:
    """A server with a firing chart of so many resources."""
    with SlowFhirServer(resources(size, True, datetime.now(UTC))) as server:
        yield server


def measure(effort: Effort) -> Part:
    """Calls one after the other, each beside its own slowest read."""
    walls, slowest, most, reads = [], [], [], []
    with fhir_server(50) as fhir, TemporaryDirectory(prefix="cds-bench-") as folder, Client() as client:
        base = f"{fhir.origin}/fhir"
        body = Path(folder) / "body.json"
        authorization = {
            "access_token": "a-token-of-the-bench",
            "token_type": "Bearer",
            "expires_in": 300,
            "scope": "patient/*.read",
            "subject": "bench",
        }
        body.write_bytes(encoded(call(fhirServer=base, fhirAuthorization=authorization)))
        with service(fhir_servers=[base]) as server:
            server.wait()
            job = Job(server.port, PATH, str(body), 1, instance=HOOK_INSTANCE)
            for _ in range(3):
                first = client.run(job).first
                assert "suggestions" in first, f"no card: {first[:300]}"
            for _ in range(effort.rounds * 3):
                fhir.forget()
                walls += client.run(job).milliseconds
                slowest.append(max(fhir.took) * 1000)
                most.append(fhir.most)
                reads.append(len(fhir.took))
    return Part(
        TITLE,
        _TEXT,
        [Figure("no prefetch", "wall time of the call", "slowest single read", walls, slowest, "ms", WALL_MARGIN)],
        [Fact("reads of one call", f"{median(reads):.0f}, at most {max(most)} at the same time")],
    )
