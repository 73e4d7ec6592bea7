"""Clients of the tests' own: keys made when the tests run, tokens in the shapes that real EHRs send, a key server.

Nothing here is a key of anybody. The key server runs on this machine only, and ends with all its threads when its
context does.
"""

from __future__ import annotations

import base64
import json
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.trust.clients import TrustedClient
from cds_service.trust.jwks import VerifyingKey, read_key_set
from cds_service.trust.keys import KeySource
from cds_service.trust.replay import InProcessReplay, ReplayStore
from cds_service.trust.token_verifier import TokenVerifier

Json = dict[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
BASE_URL = "https://cds.hospital.example.org"
SERVICE = "breast-cancer-back-pain-patient-view"
PATH = f"/cds-services/{SERVICE}"
ISSUER = "https://ehr.example.org/fhir"
JWKS_URL = "https://ehr.example.org/keys"

_CURVES: Mapping[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}


@dataclass(frozen=True, slots=True)
class Key:
    """A private key with its id; `kind` is a curve or the bits of an RSA modulus."""

    kid: str
    private: PrivateKey = field(repr=False)

    def jwk(self, **members: object) -> Json:
        """The public key as a member of a key set; `members` are added, or replace."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            own = RSAAlgorithm.to_jwk(public, as_dict=True)
        else:
            own = ECAlgorithm.to_jwk(public, as_dict=True)
        return {**own, "kid": self.kid, "use": "sig", **members}

    def pem(self) -> bytes:
        """The public key as a PEM text, which anybody may know."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@cache
def key(kind: str | int = "P-384", kid: str = "key-1") -> Key:
    """A key, made once in a test run for each kind and id."""
    if isinstance(kind, int):
        return Key(kid, rsa.generate_private_key(public_exponent=65537, key_size=kind))
    return Key(kid, ec.generate_private_key(_CURVES[kind]))


def key_set(*keys: Key | Json) -> bytes:
    """The bytes of a key set."""
    return json.dumps({"keys": [each.jwk() if isinstance(each, Key) else each for each in keys]}).encode()


def claims(now: datetime = NOW, /, **changes: object) -> Json:
    """The claims of a call of `PATH` at `now`; a change to None takes a claim away."""
    seconds = int(now.timestamp())
    usual: Json = {
        "iss": ISSUER,
        "aud": f"{BASE_URL}{PATH}",
        "iat": seconds,
        "exp": seconds + 300,
        "jti": str(uuid4()),
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def token(signer: Key | None = None, alg: str = "ES384", header: Json | None = None, **changes: object) -> str:
    """A signed token. `header` adds to its header (None takes away), `changes` to its claims; see `claims`."""
    signer = signer or key()
    return signed(json.dumps(claims(**changes)).encode(), signer, alg, header)


def signed(payload: bytes, signer: Key | None = None, alg: str = "ES384", header: Json | None = None) -> str:
    """Any payload under a valid signature. Unlike a library, it signs whatever header it is told."""
    signer = signer or key()
    usual: Json = {"alg": alg, "typ": "JWT", "kid": signer.kid}
    head = {name: value for name, value in (usual | (header or {})).items() if value is not None}
    return joined(json.dumps(head).encode(), payload, lambda text: _signature(text, signer, alg))


def joined(header: bytes, payload: bytes, sign: Callable[[bytes], bytes]) -> str:
    """A token of these bytes, signed by a function."""
    text = f"{base64url(header)}.{base64url(payload)}"
    return f"{text}.{base64url(sign(text.encode()))}"


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signature(text: bytes, signer: Key, alg: str) -> bytes:
    return jwt.get_algorithm_by_name(alg).sign(text, signer.private)


def bearer(text: str) -> str:
    """An `Authorization` header."""
    return f"Bearer {text}"


def a_client(**changes: object) -> TrustedClient:
    """A client that is trusted. Its key server does not exist: see `a_verifier`, which asks none."""
    usual = {"issuer": ISSUER, "jwks_url": JWKS_URL}
    return TrustedClient.model_validate(usual | changes)


class HeldKeys:
    """A source of keys that holds a set, and remembers which ids were looked for."""

    def __init__(self, *keys: Key | Json) -> None:
        self._keys = read_key_set(key_set(*keys))
        self.asked: list[str] = []

    def find(self, kid: str) -> tuple[VerifyingKey, ...]:
        self.asked.append(kid)
        return self._keys.get(kid, ())


def a_verifier(
    *clients: TrustedClient,
    keys: KeySource | Mapping[str, KeySource] | None = None,
    replay: ReplayStore | None = None,
) -> TokenVerifier:
    """A verifier for the usual client, or for others. Its clock stands still.

    `keys` are those of all clients, or by issuer.
    """
    sources = keys if isinstance(keys, Mapping) else defaultdict(lambda: keys or HeldKeys(key()))
    memory = InProcessReplay(now=lambda: NOW) if replay is None else replay
    return TokenVerifier(
        clients or (a_client(),), BASE_URL, memory, lambda client: sources[client.issuer], now=lambda: NOW
    )


Responder = Callable[[BaseHTTPRequestHandler], None]


class KeyServer:
    """Serves a key set on a free port of this machine, and misbehaves where a test says so.

    `body` and `status` may be changed at any time; `answer` replaces the whole answer. `asked` holds the path of every
    request so far.
    """

    def __init__(self, body: bytes = b"", status: int = 200) -> None:
        self.body, self.status = body, status
        self.answer: Responder | None = None
        self.asked: list[str] = []
        self.stopped = Event()
        self._http = _Http(self)
        self._thread = Thread(target=self._http.serve_forever, args=(0.01,), name="key-server")

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
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/jwks.json"

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        if self.answer:
            self.answer(request)
            return
        send(request, self.body, self.status)

    def be_silent(self, request: BaseHTTPRequestHandler) -> None:
        """Send nothing until the test ends."""
        self.stopped.wait(10.0)

    def drip_header(self, request: BaseHTTPRequestHandler) -> None:
        """Send a header that never ends, a byte at a time: no time-out of a socket ever strikes."""
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.stopped.wait(0.02):
            request.wfile.write(b"x")


def send(request: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: str) -> None:
    """Send a whole answer. Headers are given by name with `_` for `-`."""
    request.send_response_only(status)
    for name, value in ({"Content_Length": str(len(body))} | headers).items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


class _Http(ThreadingHTTPServer):
    """The HTTP side: one thread for each connection, all of them ended together."""

    daemon_threads = False
    block_on_close = True

    def __init__(self, server: KeyServer) -> None:
        self._open: set[socket.socket] = set()
        self._lock = Lock()

        class Connection(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 10.0

            def do_GET(self) -> None:
                try:
                    server.handle(self)
                except OSError:
                    # The service may leave at any moment of an answer.
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Connection)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        with self._lock:
            self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle of a request is no error of this server."""

    def end_connections(self) -> None:
        with self._lock:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # It has just ended by itself.
                    continue
