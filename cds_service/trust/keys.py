"""The keys of a trusted client, from its address or from a file.

From an address: kept for some minutes; fetched again when a token names a key that is not known, but not more often
than the cool-down allows, so that invented key ids do not become requests to the client's key server. While the key
server is down the last good set stays in use, for a day. A broken or empty answer never replaces a good set.

Nothing but the configured address is ever asked: no redirect, no proxy, no `.netrc`, no address from a token.
The address is not logged; the issuer is.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Lock, Thread, current_thread
from typing import Protocol

import requests
import urllib3

from cds_service.clock import Timer
from cds_service.trust.clients import TrustedClient
from cds_service.trust.jwks import BadKeySet, KeySet, VerifyingKey, read_key_file, read_key_set

_MOST_BYTES = 262_144  # a set of a hundred RSA keys has about 50 kB
_CHUNK_BYTES = 16_384

# Abandoned fetches whose server never ends its answer keep their threads; beyond this many, no other fetch is started.
_MOST_HANGING = 3

_log = logging.getLogger(__name__)


class KeysUnavailable(Exception):
    """There is no key set to look in: none could ever be read, or the last one is too old."""


class KeySource(Protocol):
    """The keys of one client."""

    def find(self, kid: str) -> tuple[VerifyingKey, ...]:
        """The keys with this id, or none.

        Raises:
            KeysUnavailable: see there.
        """
        ...


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """How long fetched keys are used, in seconds.

    Attributes:
        refresh: a set older than this is renewed in the background, while it is still used.
        lapse: a set older than this is renewed before it is used; a withdrawn key is refused from then on.
        stale: a set older than this is not used even while the key server is down. One day outlasts an outage over
            a night; a key that nobody has confirmed for longer is not trusted.
        cool_down: between two attempts to fetch.
        wait: how long a call waits for an attempt. The whole answer of a CDS service should take half a second, and
            no client waits for much more than this.
        fetch: how long an attempt goes on without the call, so that a slow key server serves the next ones.
    """

    refresh: float = 240.0
    lapse: float = 300.0
    stale: float = 86_400.0
    cool_down: float = 10.0
    wait: float = 2.0
    fetch: float = 10.0


def key_source(client: TrustedClient, ca_bundle: str | None = None) -> KeySource:
    """Where the keys of a client come from. Nothing is read or fetched yet.

    Args:
        client: whose keys.
        ca_bundle: a PEM file with the certificate authorities to trust, instead of the public ones.
    """
    if client.jwks_file is not None:
        return KeysFromFile(client.issuer, client.jwks_file)
    assert client.jwks_url is not None  # one of the two is set: the client's own validation
    return KeysFromAddress(client.issuer, client.jwks_url, ca_bundle=ca_bundle)


class KeysFromFile:
    """The keys in a file, read again when the file has changed. A file that is broken or gone leaves the last set."""

    def __init__(self, issuer: str, path: Path) -> None:
        self._issuer = issuer
        self._path = path
        self._lock = Lock()
        self._seen: tuple[int, ...] | None = None
        self._keys: KeySet | None = None

    def find(self, kid: str) -> tuple[VerifyingKey, ...]:
        with self._lock:
            self._read_if_changed()
            if self._keys is None:
                raise KeysUnavailable
            return self._keys.get(kid, ())

    def _read_if_changed(self) -> None:
        try:
            status = self._path.stat()
            state = (status.st_mtime_ns, status.st_size, status.st_ino)
            if state == self._seen:
                return
            body = self._path.read_bytes()
        except OSError as error:
            if self._seen != ():
                self._seen = ()
                _log.warning("key file of %s: cannot be read (%s)", self._issuer, type(error).__name__)
            return
        self._seen = state
        try:
            self._keys, holds_private = read_key_file(body)
        except BadKeySet as error:
            _log.warning("key file of %s: %s", self._issuer, error)
            return
        if holds_private:
            _log.warning(
                "key file of %s: holds a private key, of which only the public part is read;"
                " keep the private part elsewhere",
                self._issuer,
            )


class KeysFromAddress:
    """The keys behind an address, as the module says. Safe for several threads.

    Each attempt runs in a thread of its own, and a call waits for it for a limited time: sockets alone cannot
    promise that, since their time-out starts anew with every byte.

    Args:
        issuer: for the log.
        url: the configured address.
        times: see there.
        timer: seconds that only grow; tests give their own.
        ca_bundle: a PEM file with the certificate authorities to trust, instead of the public ones.
    """

    def __init__(
        self,
        issuer: str,
        url: str,
        times: KeyTimes = KeyTimes(),
        timer: Timer = time.monotonic,
        ca_bundle: str | None = None,
    ) -> None:
        self._issuer = issuer
        self._url = url
        self._ca_bundle = ca_bundle
        self._times = times
        self._timer = timer
        self._changed = Condition()
        self._keys: KeySet | None = None
        self._loaded_at = float("-inf")
        self._tried_at = float("-inf")
        self._failing = False
        self._attempt: Thread | None = None
        self._hanging: list[Thread] = []

    def find(self, kid: str) -> tuple[VerifyingKey, ...]:
        with self._changed:
            known = self._has_fresh(kid)
            started = (not known or self._age() >= self._times.refresh) and self._start_fetch()
            # While the key server fails, only the call that tries it waits; the others get what there is.
            if not known and self._attempt is not None and (started or not self._failing):
                self._wait_for(self._attempt)
            if self._keys is None or self._age() >= self._times.stale:
                raise KeysUnavailable
            return self._keys.get(kid, ())

    def _age(self) -> float:
        """Seconds since the set was read; infinite where there is none."""
        return self._timer() - self._loaded_at

    def _has_fresh(self, kid: str) -> bool:
        """Whether a key is at hand that needs no look at the key server first."""
        longest = self._times.stale if self._failing else self._times.lapse
        return self._keys is not None and kid in self._keys and self._age() < longest

    def _start_fetch(self) -> bool:
        """Start an attempt, unless one is under way or was made just now."""
        now = self._timer()
        if self._attempt and now - self._tried_at >= self._times.fetch:
            self._give_up(self._attempt)
        self._hanging = [thread for thread in self._hanging if thread.is_alive()]
        if self._attempt or now - self._tried_at < self._times.cool_down or len(self._hanging) >= _MOST_HANGING:
            return False
        self._tried_at = now
        attempt = Thread(target=self._fetch, args=(now,), name="key-fetch", daemon=True)
        attempt.start()
        self._attempt = attempt
        return True

    def _wait_for(self, attempt: Thread) -> None:
        if not self._changed.wait_for(lambda: self._attempt is not attempt, self._times.wait):
            self._give_up(attempt)

    def _give_up(self, attempt: Thread) -> None:
        """Stop waiting for an attempt that has taken too long, so that another one may be made."""
        self._attempt = None
        self._hanging.append(attempt)
        self._failed("does not come in time")
        self._changed.notify_all()

    def _fetch(self, started_at: float) -> None:
        """One attempt, in its own thread. A set that comes too late for the call still serves the next ones."""
        keys, problem = None, ""
        try:
            keys = read_key_set(fetch_body(self._url, self._times.fetch, self._ca_bundle))
        except BadKeySet as error:
            problem = str(error)
        except Exception as error:
            # Any error must reach the waiting calls. Its message is not logged: it may hold the address.
            problem = f"does not come ({type(error).__name__})"
        with self._changed:
            is_current = self._attempt is current_thread()
            if keys is not None and started_at > self._loaded_at:
                self._keys, self._loaded_at, self._failing = keys, self._timer(), False
            elif keys is None and is_current:
                self._failed(problem)
            if is_current:
                self._attempt = None
                self._changed.notify_all()

    def _failed(self, problem: str) -> None:
        self._failing = True
        _log.warning("key set of %s: the key server's answer %s", self._issuer, problem)


class _Session(requests.Session):
    """A session for which no answer is a redirect: else `requests` reads the whole body of one, without any bound."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def fetch_body(url: str, seconds: float, ca_bundle: str | None = None) -> bytes:
    """The body behind an address, bounded in size and time.

    Args:
        url: the address.
        seconds: for the connection, for each read, and for the body as a whole.
        ca_bundle: a PEM file with the certificate authorities to trust, instead of the public ones.

    Raises:
        BadKeySet: the answer is not one with status 200 and a body of reasonable size.
        requests.RequestException, urllib3.exceptions.HTTPError: there is no answer.
    """
    ends = time.monotonic() + seconds
    with _Session() as session:
        # The environment decides on no proxy, no .netrc and no certificates.
        session.trust_env = False
        session.verify = ca_bundle or True
        # A body that is not compressed cannot grow after it was counted.
        headers = {"Accept": "application/jwk-set+json, application/json", "Accept-Encoding": "identity"}
        with session.get(url, headers=headers, timeout=seconds, allow_redirects=False, stream=True) as response:
            if response.status_code != 200 or response.headers.get("Content-Encoding", "identity") != "identity":
                raise BadKeySet(f"has status {response.status_code} or is compressed")
            return _bounded(response.raw, ends)


def _bounded(raw: urllib3.HTTPResponse, ends: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    while part := raw.read1(_CHUNK_BYTES, decode_content=False):
        parts.append(part)
        size += len(part)
        if size > _MOST_BYTES:
            raise BadKeySet("is too large")
        if time.monotonic() > ends:
            raise BadKeySet("is too slow")
    return b"".join(parts)
