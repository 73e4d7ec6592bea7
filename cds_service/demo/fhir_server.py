"""The demo's FHIR server: sekmet-fhir, of the extra `demo`, as a process of its own on the loopback address.

It keeps its data in a temporary folder and is never imported by the service. It is a test tool with consoles and
outgoing connections; of all that, only its FHIR endpoint is let through, see `_fhir_only`.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

from cds_service.demo.processes import LOOPBACK, DemoError, on_end_of_parent, plain_session, stop

# This package as a program, see `__main__`.
_PROGRAM = "cds_service.demo"

_START_SECONDS = 30.0
_STOP_SECONDS = 5.0

_Scope = dict[str, Any]
_Receive = Callable[[], Awaitable[dict[str, Any]]]
_Send = Callable[[dict[str, Any]], Awaitable[None]]
_Asgi = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class DemoFhirServer:
    """A FHIR server on the loopback address that lives as long as the `with` block, empty at first.

    It also ends when this process ends in any other way, by a signal that cannot be caught too.

    Args:
        port: 0 for a free one.
        token: the bearer token without which only /metadata is answered; without it everything is open.
    """

    def __init__(self, port: int = 0, token: str | None = None) -> None:
        self._port = port
        self._token = token
        self._running = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """The FHIR base address, without a slash at the end. Known inside the `with` block."""
        return self._base_url

    @property
    def pid(self) -> int | None:
        """The server's process id, or None before it was started."""
        return self._process.pid if self._process else None

    @property
    def exit_status(self) -> int | None:
        """How the server's process ended, or None as long as it runs."""
        return self._process.poll() if self._process else None

    def __enter__(self) -> Self:
        """Start the server and wait until it answers.

        Raises:
            DemoError: it is not installed, cannot listen on the port, or does not answer.
        """
        for module in ("sekmet", "uvicorn"):
            if importlib.util.find_spec(module) is None:
                raise DemoError(f"{module} is not installed: pip install 'cds-service[demo]'")
        with ExitStack() as running:
            folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="cds-demo-fhir-")))
            log = folder / "log"
            with _listening(self._port) as listener:
                self._base_url = f"http://{LOOPBACK}:{listener.getsockname()[1]}/fhir"
                _write_settings(folder, self._base_url, self._token)
                self._process = _start_fhir(folder, listener, log)
            running.callback(stop, self._process, _STOP_SECONDS)
            self._wait_until_it_answers(log)
            self._running = running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _wait_until_it_answers(self, log: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        with plain_session(None) as session:
            while (left := deadline - time.monotonic()) > 0:
                if self.exit_status is not None:
                    raise DemoError(f"the FHIR server ended at its start (status {self.exit_status}):\n{_end_of(log)}")
                try:
                    response = session.get(f"{self._base_url}/metadata", timeout=left)
                except requests.ConnectionError:
                    time.sleep(0.05)
                    continue
                except requests.Timeout:
                    break
                if response.ok:
                    return
                raise DemoError(f"the FHIR server answers /metadata with {response.status_code}:\n{_end_of(log)}")
        raise DemoError(f"the FHIR server did not answer within {_START_SECONDS:g} s:\n{_end_of(log)}")


def _listening(port: int) -> socket.socket:
    # The server inherits this socket, so that nothing else can take the port and it listens nowhere else.
    try:
        return socket.create_server((LOOPBACK, port))
    except OSError as error:
        raise DemoError(f"the FHIR server cannot listen on {LOOPBACK}:{port}: {error.strerror}") from error


def _write_settings(folder: Path, base_url: str, token: str | None) -> None:
    access: dict[str, Any] = {"types": ["bearer"], "tokens": [token]} if token else {"types": ["none"]}
    settings = {
        "base_url": base_url,
        "host": LOOPBACK,
        "data_dir": str(folder),
        "own_private_key_path": str(folder / "none.pem"),
        "server_auth": access,
        "validation": {"inbound": "strict"},
        # It would answer every active order with results of its own making.
        "simulator": {"enabled": False, "auto": []},
        # It would keep every request and answer in its database.
        "log_inbound": False,
    }
    # The file is YAML, of which JSON is a part.
    (folder / "settings.yaml").write_text(json.dumps(settings), encoding="utf-8")


def _start_fhir(folder: Path, listener: socket.socket, log: Path) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SEKMET_")}
    environment["SEKMET_CONFIG"] = str(folder / "settings.yaml")
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", _PROGRAM, str(listener.fileno()), str(folder)],
            # See `on_end_of_parent`.
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=(listener.fileno(),),
            env=environment,
            # Ctrl-C goes to this process alone, which then stops the server.
            start_new_session=True,
        )


def _end_of(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-10:]) or "(it said nothing)"


def serve_fhir(descriptor: int, folder: Path) -> None:
    """What the FHIR server's own process does: serve on the inherited socket until it is told to end."""

    def tidy_up_and_end() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        os._exit(1)

    on_end_of_parent(tidy_up_and_end)
    import uvicorn

    app: _Asgi = importlib.import_module("sekmet.main").app_factory()
    config = uvicorn.Config(_fhir_only(app), log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _fhir_only(app: _Asgi) -> _Asgi:
    """`app` without its consoles, and without writing by pages that are open in a browser.

    The tool has forms that send requests to other servers, and subscriptions that do. Any web page can reach a
    server on the loopback address; a browser names the page in `Origin` with everything that is not plain reading.
    """

    async def guarded(scope: _Scope, receive: _Receive, send: _Send) -> None:
        status = _refusal(scope) if scope["type"] == "http" else None
        if status is None:
            return await app(scope, receive, send)
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return guarded


def _refusal(scope: _Scope) -> int | None:
    path: str = scope["path"]
    if path != "/fhir" and not path.startswith("/fhir/"):
        return 404
    reading = scope["method"] in ("GET", "HEAD", "OPTIONS") or path.endswith("/_search")
    by_a_page = any(name.lower() == b"origin" for name, _ in scope["headers"])
    return 403 if by_a_page and not reading else None
