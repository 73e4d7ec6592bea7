"""The claims of a token whose signature is in order (RFC 7519; CDS Hooks 2.0.1, Trusting CDS Clients).

PyJWT's own checks accept a text or a boolean as a number, and read the clock of the machine; these do neither.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from cds_service.trust.refusal import RefusalReason, Refused

# The last second of the year 9999: beyond it lie milliseconds sent for seconds, and no date.
_LAST_SECOND = 253_402_300_799

# Ids are UUIDs or short random texts; longer ones would only fill memory.
_LONGEST_NAME = 255

_DISCOVERY = "/cds-services"
_FEEDBACK = "/feedback"


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How strict the clock is, in seconds.

    Attributes:
        leeway: how far the clocks of client and service may differ.
        lifetime: from issue to expiry, at most.
    """

    leeway: float
    lifetime: float


def check_times(claims: Mapping[str, Any], now: float, limits: TimeLimits) -> float:
    """Check `exp`, `iat` and, where it is there, `nbf`; seconds since 1970.

    A token that expires when it is issued is accepted within the leeway: the public sandbox sends such feedback.

    Returns:
        The moment from which on the token is expired, leeway included.

    Raises:
        Refused: a moment is missing, not a number, or not as it should be.
    """
    issued, expires = _moment(claims.get("iat")), _moment(claims.get("exp"))
    if not 0 <= expires - issued <= limits.lifetime:
        raise Refused(RefusalReason.LIFETIME)
    if issued > now + limits.leeway:
        raise Refused(RefusalReason.ISSUED_IN_FUTURE)
    if "nbf" in claims and _moment(claims["nbf"]) > now + limits.leeway:
        raise Refused(RefusalReason.NOT_YET_VALID)
    if expires + limits.leeway <= now:
        raise Refused(RefusalReason.EXPIRED)
    return expires + limits.leeway


def _moment(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused(RefusalReason.TIMES)
    if not 0 <= value <= _LAST_SECOND:
        raise Refused(RefusalReason.TIMES)
    return float(value)


def check_audience(claims: Mapping[str, Any], accepted: Collection[str]) -> None:
    """Check that `aud`, a text or a list of texts, names one of the accepted values, character by character.

    Raises:
        Refused: it does not.
    """
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not all(isinstance(name, str) for name in named) or not any(name in accepted for name in named):
        raise Refused(RefusalReason.AUDIENCE)


def audiences(base_url: str, path: str) -> frozenset[str]:
    """The values of `aud` that mean an address of this service.

    They are the address itself, and the forms in which clients write it (the public sandbox joins the discovery
    address and an id by a slash, whether or not there is one already): with a slash at the end, and with two slashes
    before a service's id. Feedback may also name the service that it is about.

    Args:
        base_url: the public base address, of the settings.
        path: the path that was called, below the base.
    """
    base, path = base_url.rstrip("/"), plain_path(path)
    paths = {path}
    if service := service_of(path):
        address = f"{_DISCOVERY}/{service}"
        if path == f"{address}{_FEEDBACK}":
            paths.add(address)
        paths |= {f"{_DISCOVERY}/{each.removeprefix(_DISCOVERY)}" for each in paths}
    return frozenset(f"{base}{each}{end}" for each in paths for end in ("", "/"))


def plain_path(path: str) -> str:
    """A path without doubled slashes and without one at its end."""
    return "".join(f"/{part}" for part in path.split("/") if part)


def service_of(path: str) -> str:
    """The id of the service that a plain path addresses; empty where it addresses none."""
    parts = path.split("/")
    return parts[2] if len(parts) > 2 and f"/{parts[1]}" == _DISCOVERY else ""


def check_tenant(claims: Mapping[str, Any], allowed: Collection[str]) -> str:
    """The tenant of a token, or an empty text; it is one of the allowed ones, where there are such.

    Raises:
        Refused: it is not allowed, or no name.
    """
    tenant = claims.get("tenant")
    if tenant is None and not allowed:
        return ""
    if not _is_name(tenant) or (allowed and tenant not in allowed):
        raise Refused(RefusalReason.TENANT)
    return str(tenant)


def check_token_id(claims: Mapping[str, Any]) -> str:
    """The id of a token (`jti`).

    Raises:
        Refused: there is none, or not one that can be kept.
    """
    token_id = claims.get("jti")
    if not _is_name(token_id):
        raise Refused(RefusalReason.TOKEN_ID)
    return str(token_id)


def _is_name(value: object) -> bool:
    """Whether a value can be kept as a name: short, and no control characters or halves of characters in it."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()
