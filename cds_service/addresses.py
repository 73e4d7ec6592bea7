"""What the address of a server may be: the same rules for FHIR servers, key servers and what is compared with them."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

_HOST = re.compile(r"[a-z0-9]([a-z0-9_.\-]*[a-z0-9.])?|[0-9a-f:.]*:[0-9a-f:.]*", re.ASCII)
_UNSAFE_PATH = re.compile(r"/\.{1,2}(/|;|$)|\\|%2e|%2f|%5c", re.IGNORECASE)

# Hosts on this machine, for which http will do.
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def server_problem(url: str) -> str:
    """Why a URL cannot name a FHIR server, or an empty string: https but for loopback, no user, query or fragment."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "is not an http or https URL"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
        return "must use https (http is for loopback only)"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password"
    if parts.query or parts.fragment or re.search(r"[\s\\]|%|/\.{1,2}(/|$)", parts.path):
        return "must be a plain base address without query or fragment"
    if not _HOST.fullmatch(parts.hostname):
        return "must name one host (no pattern)"
    return ""


def base_of(url: str) -> str:
    """A server's base address as it is compared: scheme and host in lower case, no slash at the end."""
    parts = urlsplit(url)
    return f"{_origin(parts)}{parts.path.rstrip('/')}"


def _origin(parts: SplitResult) -> str:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def is_within(url: str, base: str) -> bool:
    """Whether an address lies in the same server and below the same base path."""
    try:
        parts = urlsplit(url)
        inside = f"{_origin(parts)}{parts.path}"
    except ValueError:
        return False
    if parts.username is not None or _UNSAFE_PATH.search(parts.path):
        return False
    return inside == base or inside.startswith(f"{base}/")
