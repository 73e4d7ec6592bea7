"""(c) Peers: beside the minimal CDS service of HealthChain, in an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.charts import HOOK_INSTANCE
from tests.bench.client import Client, Job
from tests.bench.end_to_end import ALL, CALLS, Bench, bodies_in, everything_on
from tests.bench.figures import Effort, Figure, Part, Task, interleaved
from tests.bench.servers import ROOT, BenchServer, service

TITLE = "Beside a peer"
_VERSION = "0.16.1"
_TEXT = (
    f"HealthChain {_VERSION} is the one kept-up CDS Hooks server in Python that we know. Its minimal service, as its"
    " own template for new projects has it (a handler that answers a constant card and looks at nothing), runs on"
    " Uvicorn with one worker in an environment of its own. It reads no chart, keeps no ledger and checks no token;"
    " ours has everything on, and reads the chart. Both get the same bytes, in turn. `make bench BENCH_PEERS=1`"
    " measures it."
)

_FOLDER = ROOT / "build" / "peers"
_PATH = "/cds/cds-services/minimal"
_APP = """\
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsresponse import CDSResponse

app = HealthChainAPI(title="Minimal")
service = CDSHooksService()


@service.hook("patient-view", id="minimal")
def patient_view(request: CDSRequest) -> CDSResponse:
    card = {"summary": "The same card", "detail": "", "indicator": "info", "source": {"label": "Bench"}}
    return CDSResponse(cards=[card])


app.register_service(service)
"""

# Installing takes a minute; a package server that does not answer is not waited for without end.
_INSTALL_SECONDS = 240


def measure(effort: Effort) -> Part:
    """CPU time of a call, ours beside HealthChain's."""
    if not os.environ.get("BENCH_PEERS"):
        return Part(TITLE, _TEXT, skipped="it is asked for by BENCH_PEERS=1 only")
    try:
        python = _installed()
    except (subprocess.SubprocessError, OSError) as error:
        why = f"HealthChain cannot be installed ({type(error).__name__})"
        print(f"SKIPPED, NOT MEASURED: {why}", file=sys.stderr)
        return Part(TITLE, _TEXT, skipped=why)
    return _measured(effort, python)


def _installed() -> Path:
    """The interpreter of an environment that has HealthChain and nothing of ours; made at the first run."""
    environment = _FOLDER / f"healthchain-{_VERSION}"
    python = environment / "bin" / "python"
    done = environment / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", environment], check=True, timeout=_INSTALL_SECONDS)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            f"healthchain=={_VERSION}",
        ]
        subprocess.run(install, check=True, timeout=_INSTALL_SECONDS)
        done.touch()
    (_FOLDER / "healthchain_app.py").write_text(_APP, encoding="utf-8")
    return python


def _healthchain(python: Path) -> BenchServer:
    command = ["-m", "uvicorn", "--app-dir", str(_FOLDER), "--port", "{port}", "healthchain_app:app"]
    return BenchServer(command, python=str(python), started="Uvicorn running on")


def _measured(effort: Effort, python: Path) -> Part:
    figures = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cds-bench-")))
        client = stack.enter_context(Client())
        bodies = stack.enter_context(bodies_in(folder))
        ours = stack.enter_context(service(**everything_on(folder))).wait()
        theirs = stack.enter_context(_healthchain(python)).wait()
        bench = Bench(client, {ALL: ours}, bodies)

        def peer(size: int, calls: int) -> Task:
            """A task: the CPU time of HealthChain's process for one of so many calls, in milliseconds."""
            job = Job(theirs.port, _PATH, str(bodies[size, True]), calls, instance=HOOK_INSTANCE)

            def measure() -> float:
                before = theirs.cpu_seconds()
                client.run(job)
                return (theirs.cpu_seconds() - before) * 1000 / calls

            return measure

        for size, usual in CALLS.items():
            calls = effort.calls(usual)
            tasks = (bench.cpu(ALL, size, True, calls), peer(size, calls))
            for warm_up in tasks:
                warm_up()
            own, other = interleaved(effort, tasks)
            what = f"a call of {size:,} resources, firing, everything on"
            figures.append(Figure(f"peer {size}", what, "HealthChain's minimal service", own, other))
    return Part(TITLE, _TEXT, figures)
