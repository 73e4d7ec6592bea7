"""A request of ASGI as a call of a WSGI application (PEP 3333). It knows nothing of threads, bounds and settings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote_to_bytes

from cds_service.app import WsgiApp

# Status, headers and body.
WsgiResponse = tuple[int, list[tuple[bytes, bytes]], bytes]

# The `Server` header names no software. Without a value of ours, Granian would write its own name.
SERVER = (b"server", b"cds")


def call_wsgi(app: WsgiApp, environ: dict[str, Any]) -> WsgiResponse:
    """The application's response to a request.

    Raises:
        Exception: whatever the application does not catch.
    """
    head: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]], error: object = None) -> None:
        head[:] = int(status.split(" ", 1)[0]), headers

    chunks: Iterable[bytes] = app(environ, start_response)
    try:
        body = b"".join(chunks)
    finally:
        close: Callable[[], None] = getattr(chunks, "close", lambda: None)
        close()
    status, headers = head
    raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return status, raw, body


def environ_of(scope: Mapping[str, Any]) -> dict[str, Any]:
    """A request of ASGI as WSGI has it (PEP 3333), but for `wsgi.input`.

    Args:
        scope: of an HTTP connection.
    """
    server, client = scope["server"], scope.get("client") or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        # Bytes as text of the same numbers; the decoded path that comes along may have lost some.
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        key, text = _variable(name.decode("latin-1")), value.decode("latin-1")
        if key:
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _variable(name: str) -> str | None:
    """The variable of a header. A name with `_` would be taken for another header, which a proxy has checked."""
    if "_" in name:
        return None
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
