"""A JSON Web Key Set as verifying keys by their id (RFC 7517, RFC 7518).

Only what can verify a signature of a trusted client is taken: public RSA and elliptic curve keys with an id, for
signatures. Everything else in the set is passed over, so that one bad key hides no other. Certificates (`x5c`,
`x5u`) are not read. A private key is passed over where a server publishes it, for it is a secret no more; in a file of
our own, where developers keep the key pair of a test client, it is read for its public part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

# NIST SP 800-131A asks for 2048 bits; beyond 8192 a signature takes long to verify and nobody gains from it.
_RSA_BITS = range(2048, 8193)

# A set of a real client holds a few keys. More than this are not looked at.
_MOST_KEYS = 100

_RSA_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVE_ALGORITHMS = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}

# The private members of RSA and elliptic curve keys, and the operations, which are those of the private part.
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "key_ops"})

KeySet = Mapping[str, tuple["VerifyingKey", ...]]


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the algorithms that it fits, of which a token may use no other."""

    algorithms: frozenset[str]
    public_key: RSAPublicKey | EllipticCurvePublicKey = field(repr=False)


class BadKeySet(Exception):
    """The bytes are no key set, or one without a usable key; the message says what is wrong, without its content."""


def read_key_set(body: bytes) -> KeySet:
    """The usable keys of a published set by their `kid`; several keys may share one.

    Raises:
        BadKeySet: see there.
    """
    return _usable(_members(_document(body)))


def read_key_file(body: bytes) -> tuple[KeySet, bool]:
    """The usable keys of a file, as of a set or of one key alone, and whether a private part stands there too.

    Of a private key the public part is taken, and nothing else is looked at.

    Raises:
        BadKeySet: see there.
    """
    document = _document(body)
    is_key = isinstance(document, dict) and "kty" in document and "keys" not in document
    members = [document] if is_key else _members(document)
    return _usable([_public_part(member) for member in members]), any(map(_is_private, members))


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadKeySet("is not JSON") from error


def _members(document: Any) -> list[Any]:
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list):
        raise BadKeySet("is not a JSON object with a list 'keys'")
    return members


def _is_private(member: Any) -> bool:
    return isinstance(member, dict) and "d" in member


def _public_part(member: Any) -> Any:
    """A private key without its secret members (RFC 7518, 6.2.2 and 6.3.2); what it signs is verified with the rest."""
    if not _is_private(member):
        return member
    return {name: value for name, value in member.items() if name not in _SECRET_MEMBERS}


def _usable(members: list[Any]) -> KeySet:
    found: dict[str, tuple[VerifyingKey, ...]] = {}
    for member in members[:_MOST_KEYS]:
        if isinstance(member, dict) and (key := _verifying_key(member)):
            found[member["kid"]] = (*found.get(member["kid"], ()), key)
    if not found:
        raise BadKeySet("holds no usable key (public RSA or EC key for signatures, with a 'kid')")
    return found


def _verifying_key(member: dict[str, Any]) -> VerifyingKey | None:
    if not _is_for_verifying(member):
        return None
    try:
        key = _public_key(member)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError):
        return None
    algorithms = _algorithms_of(key, member.get("crv"))
    if declared := member.get("alg"):
        algorithms &= {declared} if isinstance(declared, str) else frozenset()
    return VerifyingKey(algorithms, key) if algorithms else None


def _is_for_verifying(member: dict[str, Any]) -> bool:
    """Whether a key has an id and is meant for signatures. A private key that stands here is no secret any more."""
    kid, operations = member.get("kid"), member.get("key_ops", ["verify"])
    return (
        isinstance(kid, str)
        and kid != ""
        and "d" not in member
        and member.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and "verify" in operations
    )


def _public_key(member: dict[str, Any]) -> RSAPublicKey | EllipticCurvePublicKey:
    """The key of the members that make a public one, and of no others. Symmetric keys (`oct`) are none.

    Raises:
        PyJWTError, UnsupportedAlgorithm, ValueError, TypeError: it is not such a key.
    """
    names = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}[_key_type(member)]
    numbers = {name: member.get(name) for name in names}
    if not all(isinstance(value, str) for value in numbers.values()):
        raise ValueError("numbers of a key are texts")
    jwk = {"kty": member["kty"], **numbers}
    key = RSAAlgorithm.from_jwk(jwk) if member["kty"] == "RSA" else ECAlgorithm.from_jwk(jwk)
    assert isinstance(key, RSAPublicKey | EllipticCurvePublicKey)  # it was given no private member
    return key


def _key_type(member: dict[str, Any]) -> str:
    key_type = member.get("kty")
    if key_type not in ("RSA", "EC"):
        raise ValueError("neither RSA nor EC")
    return str(key_type)


def _algorithms_of(key: RSAPublicKey | EllipticCurvePublicKey, curve: object) -> frozenset[str]:
    """The algorithms of a key (RFC 7518 section 3.1); none for a key that is too short or too long."""
    if isinstance(key, RSAPublicKey):
        return _RSA_ALGORITHMS if key.key_size in _RSA_BITS else frozenset()
    algorithm = _CURVE_ALGORITHMS.get(curve) if isinstance(curve, str) else None
    return frozenset({algorithm}) if algorithm else frozenset()
