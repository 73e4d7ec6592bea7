"""Connections to one FHIR server, kept alive from call to call.

Kept are connections, and nothing of a call: cookies and tokens belong to the session of one read. A read can be ended
from another thread, because the time-out of a socket starts anew with every byte.
"""

from __future__ import annotations

import logging
import socket
import time
from threading import Lock, local
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

# urllib3 writes addresses, which hold the patient's id, to its logs, some of them as warnings.
for _name in ("connection", "connectionpool", "poolmanager", "response", "util.retry"):
    logging.getLogger(f"urllib3.{_name}").disabled = True

# Idle connections that are kept: those of sixteen calls at the same time. What more calls need is made and closed.
_KEPT_CONNECTIONS = 128

# A firewall between forgets a connection that is idle for a minute or more, and says so to nobody: a request on it
# would wait until the deadline.
_LONGEST_IDLE_SECONDS = 30.0

# A server that sends the head and the body of an answer apart waits with the body until the head was acknowledged
# (Nagle's algorithm), which this side would delay by 40 ms on a connection that has served before. Linux has a word for
# "now".
_QUICK_ACK = getattr(socket, "TCP_QUICKACK", None)

# Which read the current thread is at: urllib3 has no other way to tell a connection whom it serves.
_current = local()

# Held for moments only: while a connection changes hands, and while one is ended.
_hands = Lock()


class HeldConnection:
    """The connection that one read holds at the moment, if any.

    Attributes:
        was_kept: whether it was made for an earlier request.
    """

    def __init__(self) -> None:
        self._connection: _Held | None = None
        self._is_ended = False
        self.was_kept = False

    def take(self, connection: _Held, was_kept: bool) -> None:
        """From here on the read uses this connection.

        Raises:
            ConnectionAbortedError: the read was ended.
        """
        with _hands:
            if self._is_ended:
                raise ConnectionAbortedError
            self._connection, self.was_kept = connection, was_kept
            connection.held_by = self

    def end(self) -> None:
        """End the read: its connection, unless that serves another by now, and whatever it would connect to."""
        with _hands:
            self._is_ended = True
            connection = self._connection
            if connection is None or connection.sock is None or connection.held_by is not self:
                return
            try:
                # Not the method of a TLS socket, which would wait for the server.
                socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)
            except OSError:
                return


class FhirConnections:
    """The connections of one process to one FHIR server."""

    def __init__(self) -> None:
        self._adapter = _Adapter(pool_connections=1, pool_maxsize=_KEPT_CONNECTIONS)

    def session(self, held: HeldConnection, ca_bundle: str | None) -> requests.Session:
        """A session for one read, in the current thread. It is not closed: its connections are everybody's."""
        _current.held = held
        session = _Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, self._adapter)
        # The environment decides on no proxy, no .netrc and no certificates.
        session.trust_env = False
        session.verify = ca_bundle or True
        return session


class _Session(requests.Session):
    """A session for which no answer is a redirect: else `requests` reads the whole body of one, without any bound."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Adapter(HTTPAdapter):
    """Connections as `requests` makes them, which know the read that they serve."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HttpPool, "https": _HttpsPool}


class _Held:
    """What a connection of either scheme does besides: it says whom it serves, and ages while it is idle."""

    sock: Any
    held_by: HeldConnection | None = None
    _has_served = False
    _used_at = float("-inf")

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._has_served = False
        _current.held.take(self, was_kept=False)

    def request(self, *args: Any, **options: Any) -> None:
        if self.sock is not None:
            _current.held.take(self, was_kept=self._has_served)
        super().request(*args, **options)  # type: ignore[misc]
        if _QUICK_ACK is not None:
            self.sock.setsockopt(socket.IPPROTO_TCP, _QUICK_ACK, 1)
        self._has_served, self._used_at = True, time.monotonic()

    @property
    def is_connected(self) -> bool:
        """Whether a connection that was kept may be used again."""
        is_fresh = time.monotonic() - self._used_at < _LONGEST_IDLE_SECONDS
        return is_fresh and bool(super().is_connected)  # type: ignore[misc]


class _HttpConnection(_Held, HTTPConnection):
    pass


class _HttpsConnection(_Held, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _HttpConnection


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _HttpsConnection
