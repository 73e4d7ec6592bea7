"""Why a caller is refused, as values for the log and the metrics.

The caller itself is told nothing of it (CDS Hooks best practices: a bare 401). Nothing here holds a token, a claim
or anything else that a caller chose: an issuer is named only where it is a configured one.
"""

from __future__ import annotations

from enum import StrEnum


class RefusalReason(StrEnum):
    """Every reason for a 401. The values stand in logs and metrics; none is ever used for something else."""

    NO_TOKEN = "no-token"
    NOT_BEARER = "not-bearer"
    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    TYPE = "type"
    CRITICAL = "crit"
    ALGORITHM = "algorithm"
    UNKNOWN_ISSUER = "unknown-issuer"
    KEY_ADDRESS = "jku"
    KEY_ID = "key-id"
    KEY_SERVER = "key-server"
    UNKNOWN_KEY = "unknown-key"
    SIGNATURE = "signature"
    TIMES = "times"
    LIFETIME = "lifetime"
    ISSUED_IN_FUTURE = "issued-in-future"
    NOT_YET_VALID = "not-yet-valid"
    EXPIRED = "expired"
    AUDIENCE = "audience"
    TENANT = "tenant"
    TOKEN_ID = "token-id"
    REPLAYED = "replayed"


class Refused(Exception):
    """The caller has not shown that it is a trusted client: 401, without a reason.

    Attributes:
        reason: for the log and the metrics.
        issuer: the configured client that the token claims to come from, which nothing may have proved; empty where
            it names none.
    """

    def __init__(self, reason: RefusalReason, issuer: str = "") -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.issuer = issuer


class NotPermitted(Exception):
    """A trusted client calls a service that it may not call: 403.

    Attributes:
        issuer: the client, whose token was in order.
    """

    def __init__(self, issuer: str) -> None:
        super().__init__("not permitted")
        self.issuer = issuer
