"""An HTTP server of the tests' own, over real sockets, for servers that misbehave where a test says so.

It runs on a free port of this machine only, and ends, with all its threads and connections, when its context does.
"""

from __future__ import annotations

import socket
import struct
from abc import ABC, abstractmethod
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

# A connection on which nothing happens for so long is given up, so that no thread outlives the tests.
IDLE_SECONDS = 10.0


class LocalHttpServer(ABC):
    """Answers each request by `handle`. `stopped` is set when the test is over, for handlers that wait."""

    def __init__(self) -> None:
        self.stopped = Event()
        self._http = _Http(self)
        self._thread = Thread(target=self._http.serve_forever, args=(0.01,), name=type(self).__name__)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._http.shutdown()
        self._thread.join()
        self._http.end_connections()
        self._http.server_close()

    @property
    def origin(self) -> str:
        """The address without a path."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @abstractmethod
    def handle(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request of any method; called in a thread of its connection."""

    def break_off(self, request: BaseHTTPRequestHandler) -> None:
        """Break the connection off: the client sees a reset, no orderly end."""
        self._http.to_reset.add(request.connection)
        request.close_connection = True


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send a whole response. Headers are given by name with `_` for `-`: `Content_Encoding="gzip"`."""
    send_head(request, status, **({"Content_Length": str(len(body))} | headers))
    request.wfile.write(body)


def send_head(request: BaseHTTPRequestHandler, status: int = 200, **headers: str) -> None:
    """Send status and headers, and nothing more."""
    request.send_response_only(status)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()


class _Http(ThreadingHTTPServer):
    """One thread for each connection, all of them ended together."""

    daemon_threads = False
    block_on_close = True
    # Connections that are asked for at one moment all come in; the kernel would let the sixth wait for a second.
    request_queue_size = 64

    def __init__(self, server: LocalHttpServer) -> None:
        self.to_reset: set[socket.socket] = set()
        self._connections: set[socket.socket] = set()
        self._connections_lock = Lock()

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = IDLE_SECONDS

            def do_GET(self) -> None:
                try:
                    server.handle(self)
                except OSError:
                    # A client may leave at any moment of a response.
                    self.close_connection = True

            do_POST = do_HEAD = do_PUT = do_DELETE = do_CONNECT = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._connections_lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        if request in self.to_reset:
            self.to_reset.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
            return
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle of a request is no error of this server."""

    def end_connections(self) -> None:
        with self._connections_lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # It has just ended by itself.
                    continue
