"""Parse the bearer token of a call (RFC 6750, RFC 7515, RFC 7519), without verifying anything in it yet.

Stricter than a JWT library needs to be: one token, three parts without padding, JSON objects that name nothing
twice. What is refused here is refused before any signature is verified and any key is fetched.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

from cds_service.trust.refusal import RefusalReason, Refused

# Real tokens have some hundred bytes; servers bound all headers together to 8 KiB or little more.
LONGEST_TOKEN = 8_192
_LONGEST_HEADER = len("Bearer ") + LONGEST_TOKEN

_SCHEME = re.compile(r"bearer(?: +|\Z)", re.IGNORECASE)
_TOKEN = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")

# Other types are other tokens, such as an OAuth access token (`at+jwt`). Some libraries leave `typ` out.
_TYPES = frozenset({"jwt", "application/jwt"})


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token as it came: its text, and its header and claims, not yet verified."""

    token: str = field(repr=False)
    header: dict[str, Any] = field(repr=False)
    claims: dict[str, Any] = field(repr=False)


def read_bearer(authorization: str | None) -> Bearer:
    """The token of an `Authorization` header.

    Raises:
        Refused: there is none, or not in the form of a signed token.
    """
    text = (authorization or "").strip(" \t")
    if not text:
        raise Refused(RefusalReason.NO_TOKEN)
    if len(text) > _LONGEST_HEADER:
        raise Refused(RefusalReason.TOO_LONG)
    scheme = _SCHEME.match(text)
    if not scheme:
        raise Refused(RefusalReason.NOT_BEARER)
    token = text[scheme.end() :]
    if not token:
        raise Refused(RefusalReason.NO_TOKEN)
    parts = _TOKEN.fullmatch(token)
    if not parts:
        raise Refused(RefusalReason.MALFORMED)
    bearer = Bearer(token, _json_object(parts[1]), _json_object(parts[2]))
    _check_header(bearer.header)
    return bearer


def _check_header(header: dict[str, Any]) -> None:
    kind = header.get("typ", "JWT")
    if not isinstance(kind, str) or kind.lower() not in _TYPES:
        raise Refused(RefusalReason.TYPE)
    # Every extension named in `crit` must be understood (RFC 7515 section 4.1.11), and this service knows none.
    if "crit" in header or "b64" in header:
        raise Refused(RefusalReason.CRITICAL)


def _json_object(part: str) -> dict[str, Any]:
    try:
        text = base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True).decode()
        document = json.loads(text, object_pairs_hook=_named_once, parse_constant=_no_number)
    except (ValueError, RecursionError):
        # Refused below and not here: this error holds the token, and would be chained to the refusal.
        document = None
    if not isinstance(document, dict):
        raise Refused(RefusalReason.MALFORMED)
    return document


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object without repeated names: programs differ on which of two values counts."""
    document = dict(pairs)
    if len(document) < len(pairs):
        raise ValueError("a name occurs twice")
    return document


def _no_number(constant: str) -> NoReturn:
    """`NaN` and `Infinity` are not JSON."""
    raise ValueError("not a number")
