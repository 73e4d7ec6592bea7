"""Decode the body of a request: JSON in UTF-8, and what clients send that is nearly that.

A byte order mark, half of a surrogate pair in a text and a number that no computer keeps (`1e400`) make a body that
strict parsers refuse as a whole. One odd value must not hide a chart: half a pair becomes U+FFFD, such a number
infinity, which every reader of numbers takes for none.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from encodings.aliases import aliases
from typing import NoReturn

import orjson
from msgspec import MsgspecError, Raw
from msgspec.json import Decoder

from cds_service.chart.undecoded import undecoded_bundle
from cds_service.errors import InvalidRequest, TooMuch, WrongMediaType
from cds_service.json_values import MOST_VALUES, values_at_most

# Character sets that are read, by the names under which IANA registers them, without signs.
_READ: Mapping[str, str] = {
    "utf8": "utf-8",
    "usascii": "utf-8",
    "ascii": "utf-8",
    "iso88591": "latin-1",
    "latin1": "latin-1",
    "iso885915": "iso8859-15",
    "windows1252": "cp1252",
    "cp1252": "cp1252",
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_as_members = Decoder(dict[str, Raw]).decode
_as_anything = Decoder(Raw).decode
_HALF_PAIR = re.compile("[\ud800-\udfff]")

# An escape of JSON: a whole surrogate pair, half of one, or any other.
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)

# So many values a body may hold that only the slow parser reads: what it makes takes several times the memory.
_MOST_READ_WITH_CARE = MOST_VALUES // 4

# An integer of 64 bits has so many digits.
_LONGEST_INTEGER = 20


def charset_of(name: str) -> str:
    """The Python name of a character set.

    Raises:
        WrongMediaType: it is not read; the text names it where it is one that is known at all.
    """
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _READ:
        return _READ[plain]
    written = re.sub(r"[^a-z0-9]+", "_", name.lower().strip())
    known = aliases.get(written) or (written if written in aliases.values() else "")
    raise WrongMediaType(f"The charset {known or 'of the Content-Type'} is not read; send the body in UTF-8.")


def decode(body: bytes, charset: str = "utf-8") -> object:
    """The JSON value of a body.

    Args:
        body: as it was received.
        charset: the Python name of its character set.

    Raises:
        InvalidRequest: it is none. NaN, comments, bytes that are no text and nesting beyond what the parser bears
            (about 1000 levels) are refused; nothing of the content stands in the error.
        TooMuch: it is none that the fast parser reads, and large.
    """
    if not body.strip():
        raise InvalidRequest("body", "must be a JSON object, but is empty")
    if charset == "utf-8":
        unmarked = body.removeprefix(codecs.BOM_UTF8)
        try:
            return orjson.loads(unmarked)
        except orjson.JSONDecodeError as error:
            place = f"Reading stopped at line {error.lineno}, column {error.colno}."
        if b"\\u" in body:
            with suppress(orjson.JSONDecodeError):
                return orjson.loads(_ESCAPE.sub(_without_half, unmarked))
    else:
        place = ""
    try:
        _check_size(body, charset)
        return _decoded_with_care(body, charset)
    except (ValueError, RecursionError, MsgspecError):
        pass
    # Raised outside of the except block: the parser's error carries the whole body, and as the context of
    # this one it would travel into every report that follows the chain.
    raise InvalidRequest("body", "must be valid JSON in UTF-8, nested less than 1000 levels deep", place or None)


def decode_call(body: bytes, charset: str = "utf-8") -> object:
    """The JSON value of the body of a hook call, in whose prefetch the entries of Bundles are still to be decoded.

    Args:
        body, charset: see `decode`.

    Raises:
        InvalidRequest: see `decode`: a body is refused by both, or by neither, and in the same words.
    """
    members, values = _undecoded(body) if charset == "utf-8" else ({}, {})
    if not values:
        return decode(body, charset)
    prefetch = {key: undecoded_bundle(value, decode) or decode(bytes(value)) for key, value in values.items()}
    return {**{name: decode(bytes(value)) for name, value in members.items()}, "prefetch": prefetch}


def _undecoded(body: bytes) -> tuple[dict[str, Raw], dict[str, Raw]]:
    """The members of a call and those of its prefetch; none where it is not written as calls usually are."""
    try:
        # Texts that nobody looks at may be no UTF-8.
        if not body.isascii():
            body.decode()
        members = _as_members(body)
        return members, _as_members(members.pop("prefetch", Raw(b"{}")))
    except (MsgspecError, UnicodeDecodeError, RecursionError):
        return {}, {}


def _check_size(body: bytes, charset: str) -> None:
    """Refuse a body that the slow parser would read, and that is too large for it.

    Raises:
        TooMuch: it is.
        MsgspecError: it is no JSON at all.
    """
    if len(body) <= _MOST_READ_WITH_CARE or values_at_most(body) <= _MOST_READ_WITH_CARE:
        return
    if charset == "utf-8":
        _as_anything(body.removeprefix(codecs.BOM_UTF8))
    raise TooMuch(
        f"The body holds more than {_MOST_READ_WITH_CARE} JSON values, and something that few parsers read: a number"
        " beyond all bounds, or another character set than UTF-8."
    )


def _decoded_with_care(body: bytes, charset: str) -> object:
    """The JSON value of a body that the fast parser refused.

    Raises:
        ValueError, RecursionError: it is none.
    """
    for mark, marked in _MARKS:
        if body.startswith(mark):
            body, charset = body[len(mark) :], marked
            break
    text = body.decode(charset, "surrogatepass" if charset.startswith("utf") else "strict")
    value: object = json.loads(text, parse_int=_integer, parse_constant=_refuse)
    may_have_halves = "\\u" in text or _HALF_PAIR.search(text) is not None
    # The text of a large body may be 40 MB.
    del text
    return _without_halves(value) if may_have_halves else value


def _without_half(escape: re.Match[bytes]) -> bytes:
    return rb"\ufffd" if escape[1] else escape[0]


def _integer(digits: str) -> int | float:
    """An integer of 64 bits; a larger one is taken as a float, as the fast parser does."""
    number = int(digits) if len(digits) <= _LONGEST_INTEGER else None
    return number if number is not None and -(2**63) <= number < 2**64 else float(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


def _without_halves(value: object) -> object:
    """The value with U+FFFD in place of each half of a surrogate pair, in all its texts; it is changed in place.

    Raises:
        RecursionError: it is nested too deeply.
    """
    if isinstance(value, str):
        return _HALF_PAIR.sub("\ufffd", value)
    if isinstance(value, list):
        for place, item in enumerate(value):
            value[place] = _without_halves(item)
    elif isinstance(value, dict):
        if any(map(_HALF_PAIR.search, value)):
            value = {_HALF_PAIR.sub("\ufffd", name): item for name, item in value.items()}
        for name, item in value.items():
            value[name] = _without_halves(item)
    return value
