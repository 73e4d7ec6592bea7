"""Replay protection: a token is accepted once (RFC 7519 `jti`; CDS Hooks best practices).

The ledger's database remembers tokens for all workers. While it is down, each worker remembers for itself: a token
could then be used once per worker, until it expires. Refusing instead would let a fault of the database stop cards.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
from collections.abc import Callable
from datetime import datetime
from threading import Lock
from typing import Protocol

from cds_service.clock import Clock, utc_now

# About 20 MB when full. Only tokens that passed every check are counted, so that nobody else can fill it.
_MOST_TOKENS = 100_000

_log = logging.getLogger(__name__)


class ReplayStore(Protocol):
    """Remembers which tokens were used."""

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        """Whether this is the first use of a token; of several at the same moment, one is the first.

        Args:
            issuer: of the token; two issuers may use the same id.
            token_id: its `jti`.
            expires_at: when it may be forgotten, with a time zone.
        """
        ...


class InProcessReplay:
    """Remembers the tokens of this process, in memory, until they expire. Safe for several threads.

    Args:
        limit: tokens at most; beyond it, those that expire first are forgotten first.
        now: the moment; tests give their own.
    """

    def __init__(self, limit: int = _MOST_TOKENS, now: Clock = utc_now) -> None:
        self._limit = limit
        self._now = now
        self._lock = Lock()
        self._known: set[bytes] = set()
        self._by_expiry: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._known)

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        key = _fingerprint(issuer, token_id)
        with self._lock:
            self._forget_expired()
            if key in self._known:
                return False
            if len(self._known) >= self._limit:
                self._forget_first()
            self._known.add(key)
            heapq.heappush(self._by_expiry, (expires_at.timestamp(), key))
            return True

    def _forget_expired(self) -> None:
        now = self._now().timestamp()
        while self._by_expiry and self._by_expiry[0][0] <= now:
            self._forget_first()

    def _forget_first(self) -> None:
        self._known.discard(heapq.heappop(self._by_expiry)[1])


class SharedReplay:
    """A store that all workers share, and this process's own memory for when it is down.

    What passed here is remembered here too, so that an outage forgets nothing that this worker has seen.

    Args:
        store: the shared one.
        down: what `store` raises when it cannot answer. Anything else it raises is not caught.
        own: this process's memory.
        on_fallback: called each time the shared store could not be asked, to be counted.
    """

    def __init__(
        self,
        store: ReplayStore,
        down: type[Exception] | tuple[type[Exception], ...],
        own: InProcessReplay | None = None,
        on_fallback: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._down = down
        self._own = InProcessReplay() if own is None else own
        self._on_fallback = on_fallback
        self._is_down = False

    def take_token(self, issuer: str, token_id: str, expires_at: datetime) -> bool:
        if not self._own.take_token(issuer, token_id, expires_at):
            return False
        try:
            fresh = self._store.take_token(issuer, token_id, expires_at)
        except self._down:
            self._on_fallback()
            self._log_change(True, "the shared store of used tokens is down: each worker now remembers its own")
            return True
        self._log_change(False, "the shared store of used tokens is back")
        return fresh

    def _log_change(self, is_down: bool, text: str) -> None:
        """Log a change, and not every call of an outage."""
        if is_down != self._is_down:
            self._is_down = is_down
            _log.warning(text)


def _fingerprint(issuer: str, token_id: str) -> bytes:
    """A key of fixed size. The length of the issuer keeps two pairs with the same joined text apart."""
    return hashlib.sha256(f"{len(issuer)} {issuer} {token_id}".encode()).digest()
