"""How a valid JSON document is broken: in its tree, in its text, and in its bytes.

Every text that a mutation brings in holds `MARK`, so that a test can look for it where nothing of a call belongs. A
document is written by `encoded`, which can say what `json.dumps` cannot: a name twice, `NaN`, `1e400`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

# Stands for everything that could identify a patient. No id that the service makes can hold it by chance.
MARK = "Zq7351Zq"

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Raw:
    """A value by the text that stands for it, whether that is JSON or not."""

    text: str


@dataclass(frozen=True, slots=True)
class Twice:
    """An object that names one of its members twice; the value named last is `second`."""

    members: dict[str, Any]
    name: str
    second: Any


@dataclass(frozen=True, slots=True)
class Broken:
    """A document after its mutation, with the class under which the answer is counted."""

    kind: str
    body: bytes


def encoded(value: Any) -> bytes:
    """The document as bytes; lone surrogates stay what they are, as an escape."""
    return _text(value).encode()


def _text(value: Any) -> str:
    if isinstance(value, Raw):
        return value.text
    if isinstance(value, Twice):
        inner = _members(value.members)
        return f"{{{inner}{',' if inner else ''}{json.dumps(value.name)}:{_text(value.second)}}}"
    if isinstance(value, dict):
        return f"{{{_members(value)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(_text, value))}]"
    return json.dumps(value)


def _members(members: dict[str, Any]) -> str:
    return ",".join(f"{json.dumps(name)}:{_text(item)}" for name, item in members.items())


# --- Values that do not belong


def _nest(depth: int, value: Any, in_object: bool) -> Raw:
    """Written as text: Python itself could not go so deep."""
    opening, closing = ('{"extension":', "}") if in_object else ("[", "]")
    return Raw(f"{opening * depth}{json.dumps(value)}{closing * depth}")


_OTHER_TYPES: list[Any] = [None, True, False, 0, -1, 1.5, "", MARK, [], {}, [[]], [None], {"": None}, {MARK: MARK}]

_NUMBERS = [
    Raw(text)
    for text in (
        "1e400", "-1e400", "1e-400", "-0", "-0.0", "0.1e1", "9" * 400, "-" + "9" * 400, "18446744073709551616",
        "9223372036854775808", "1" + "0" * 309, "2.2250738585072011e-308", "0." + "3" * 4000,
    )
]  # fmt: skip

_NO_NUMBERS = [
    Raw(text) for text in ("NaN", "-Infinity", "Infinity", "01", "+1", ".5", "1.", "0x10", "1_000", "None", "True", "")
]

_DATES = [
    f"{text}"
    for text in (
        "0000-00-00", "0000", "0001-01-01", "9999-12-31", "9999", "10000-01-01", "-0001-01-01", "2026-13-01",
        "2026-02-30", "2025-02-29", "2024-02-29", "2026-00", "2026-1-1", "20261117", "2026-W47", "2026-321",
        "2026-11-17T24:00:00Z", "2026-11-17T23:59:60Z", "2016-12-31T23:59:60Z", "2026-11-17T00:00:00+14:00",
        "2026-11-17T00:00:00-14:00", "2026-11-17T00:00:00+24:00", "2026-11-17T00:00:00+99:99", "2026-11-17T00:00",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-17T00:00:00.123456789012Z",
        "2026-11-17 00:00:00", "2026-11-17T", " 2026-11-17", "2026-11-17\n", "\u0662\u0660\u0662\u0666-\u0661\u0661",
        "2026\u201311\u201317", "tomorrow", "1e9", "2026-11-17T00:00:00z", "2026-11-17T00:00:00UTC",
    )
]  # fmt: skip

_TEXTS = [
    f"{text}{MARK}"
    for text in (
        "\x00", "\x01\x1b[31m", "\x7f\x85\u2028\u2029", "\r\nX-Injected: 1\r\n\r\n", "\ufeff", "\u202e\u2066",
        "\u200d" * 50, "e" + "\u0301" * 500, "\U0001f9d1\u200d\U0001f52c", "\ufffe\uffff", "\u0130\u0131\u00df\u1e9e",
        "\u212b\ufb01", "\uff26\uff11\uff10", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>", "<!--",
        "![x](https://ehr.example.org/)", "[x](javascript:alert(1))", "`` ` ```", "# Heading\n\n---\n> ", "&lt;b&gt;",
        "| a | b |\n|---|---|\n", "{{context.patientId}}", "{{7*7}}", "${7*7}", "%s%n", "' OR '1'='1", "Patient/",
        "../../etc/passwd", "a/b", "http://[", "urn:uuid:", "#", "x" * 5_000, "breast cancer " * 400, "(" * 1_000,
        "no " * 2_000 + "back pain", "denies " * 500, " " * 5_000 + "x", "back pain, " * 400,
    )
]  # fmt: skip

_SURROGATES = [f"\ud800{MARK}", f"\udfff{MARK}", f"{MARK}\ud83d", "\udc00\ud800"]

VALUES: dict[str, SearchStrategy[Any]] = {
    "another type": st.sampled_from(_OTHER_TYPES),
    "an odd number": st.sampled_from(_NUMBERS),
    "a date out of range": st.sampled_from(_DATES),
    "an odd text": st.sampled_from(_TEXTS) | st.text(max_size=40).map(lambda text: MARK + text),
    "deep nesting": st.builds(
        _nest, st.sampled_from([10, 30, 60, 70, 200, 900, 1_100]), st.sampled_from([MARK, {}, 1]), st.booleans()
    ),
    "a long list": st.builds(
        lambda count, item: [deepcopy(item)] * count,
        st.sampled_from([100, 2_000]),
        st.sampled_from([None, MARK, {}, {"coding": [{"code": MARK}]}]),
    ),
    "many members": st.integers(100, 2_000).map(lambda count: {f"{MARK}{number}": number for number in range(count)}),
}

NO_JSON: dict[str, SearchStrategy[Any]] = {
    "no number of JSON": st.sampled_from(_NO_NUMBERS),
    "a lone surrogate": st.sampled_from(_SURROGATES),
}


# --- Trees


def places(value: Any, here: Place = ()) -> Iterator[Place]:
    """Every place in a document, the whole of it first."""
    yield here
    inner: Sequence[tuple[Any, Any]] = ()
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for name, item in inner:
        yield from places(item, (*here, name))


def at(document: Any, place: Place) -> Any:
    """What stands at a place."""
    for name in place:
        document = document[name]
    return document


def put(document: Any, place: Place, value: Any) -> Any:
    """The document with another value at a place; it is changed, but for its root."""
    if not place:
        return value
    at(document, place[:-1])[place[-1]] = value
    return document


def _removed(document: Any, place: Place, _: Any) -> Any:
    del at(document, place[:-1])[place[-1]]
    return document


def _repeated(document: Any, place: Place, count: int) -> Any:
    """A list item many times; a member becomes a list of itself."""
    value = at(document, place)
    if isinstance(place[-1], str):
        return put(document, place, [deepcopy(value)] * 2)
    at(document, place[:-1]).extend([value] * count)
    return document


def _renamed(document: Any, place: Place, name: str) -> Any:
    parent = at(document, place[:-1])
    if isinstance(parent, dict):
        parent[name] = parent.pop(place[-1])
    return document


def _wrapped(document: Any, place: Place, in_object: bool) -> Any:
    value = at(document, place)
    return put(document, place, {"value": value} if in_object else [value])


def _doubled(document: Any, place: Place, value: Any) -> Any:
    """The member's name twice in its object, the second time with another value."""
    parent = at(document, place[:-1])
    if not isinstance(parent, dict):
        return document
    return put(document, place[:-1], Twice(parent, str(place[-1]), value))


# Once is enough: within each other they would grow beyond every limit.
_LARGE = {"a long list", "many members", "an entry many times"}

_Change = Callable[[Any, Place, Any], Any]

_CHANGES: dict[str, tuple[_Change, SearchStrategy[Any]]] = {
    "a member left out": (_removed, st.none()),
    "an entry many times": (_repeated, st.sampled_from([1, 300])),
    "a member renamed": (_renamed, st.sampled_from(["", MARK, "ID", "resourcetype", "_code", "\u0000", "valueString"])),
    "wrapped once more": (_wrapped, st.booleans()),
    "a name twice": (_doubled, st.sampled_from([None, MARK, {}, []])),
}


@st.composite
def broken_trees(draw: DrawFn, document: Any) -> Broken:
    """One to three changes at places of their own, from values that do not belong to names that stand twice."""
    kind = draw(st.sampled_from([*VALUES, *NO_JSON, *_CHANGES, "parts exchanged"]))
    broken = deepcopy(document)
    for _ in range(1 if kind in _LARGE else draw(st.integers(1, 3))):
        # An earlier change may have taken the place away, or made it one that cannot be changed again.
        every = [place for place in places(broken) if place]
        if not every:
            break
        place = draw(st.sampled_from(every))
        if kind in VALUES or kind in NO_JSON:
            # A copy: a later change may reach into it.
            broken = put(broken, place, deepcopy(draw((VALUES | NO_JSON)[kind])))
        elif kind in _CHANGES:
            change, values = _CHANGES[kind]
            broken = change(broken, place, deepcopy(draw(values)))
        else:
            broken = put(broken, place, deepcopy(at(document, draw(st.sampled_from(list(places(document)))))))
    return Broken(kind, encoded(broken))


# --- Bytes

_TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u", b"\\ud800", b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80",
    b"\xef\xbb\xbf", b"\xf5\x80\x80\x80", b"/*", b"//", b"NaN", b"e", b"-", b"\x1f", b"\r\n", b"null", b'{"a":', b"[[",
]  # fmt: skip


@st.composite
def broken_bytes(draw: DrawFn, document: Any) -> Broken:
    """The text of a document cut, spliced or overwritten in some places, without a view of its structure."""
    body = bytearray(encoded(document))
    kind = draw(st.sampled_from(["bytes overwritten", "tokens inserted", "a piece cut out", "cut off", "in UTF-16"]))
    if kind == "in UTF-16":
        encoding = draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-7"]))
        return Broken(kind, bytes(body).decode().encode(encoding))
    if kind == "cut off":
        return Broken(kind, bytes(body[: draw(st.integers(0, len(body) - 1))]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(body) - 1))
        if kind == "bytes overwritten":
            body[start] = draw(st.integers(0, 255))
        elif kind == "tokens inserted":
            body[start:start] = draw(st.sampled_from(_TOKENS)) * draw(st.sampled_from([1, 1, 3, 2_000]))
        else:
            del body[start : start + draw(st.integers(1, 200))]
            if not body:
                break
    return Broken(kind, bytes(body))
