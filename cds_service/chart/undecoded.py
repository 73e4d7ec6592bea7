"""Bundles whose entries are still bytes: what cannot matter to a rule is never decoded.

msgspec reads the frame of a Bundle and leaves each resource as it stands; it refuses what is not JSON there as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from msgspec import UNSET, MsgspecError, Raw, Struct, UnsetType
from msgspec.json import Decoder


class UndecodedEntry(Struct, gc=False):
    """One entry of a Bundle: its resource as bytes, and its `fullUrl`."""

    resource: Raw
    fullUrl: str | UnsetType = UNSET


class _Frame(Struct, gc=False):
    """What is read of a Bundle beside its entries, as bytes."""

    resourceType: Literal["Bundle"]
    entry: list[UndecodedEntry]
    type: Raw | UnsetType = UNSET
    total: Raw | UnsetType = UNSET
    link: Raw | UnsetType = UNSET
    meta: Raw | UnsetType = UNSET
    issues: Raw | UnsetType = UNSET


_frame = Decoder(_Frame)
_HEAD = ("type", "total", "link", "meta", "issues")


@dataclass(frozen=True, slots=True)
class UndecodedBundle:
    """A Bundle of a call, as far as it is decoded.

    Attributes:
        head: the members of the Bundle that say whether it is all that there is; `entry` as a list of the same length.
        entries: in their order.
        whole: the bytes of the Bundle.
        decode: the JSON value of bytes.
    """

    head: Mapping[str, Any] = field(repr=False)
    entries: Sequence[UndecodedEntry] = field(repr=False)
    whole: bytes = field(repr=False)
    decode: Callable[[bytes], Any] = field(repr=False)

    def decoded(self) -> Any:
        """The Bundle as JSON."""
        return self.decode(self.whole)


def undecoded_bundle(value: Raw, decode: Callable[[bytes], Any]) -> UndecodedBundle | None:
    """A JSON value as a Bundle that is still to be decoded; None where it is not written as a Bundle usually is.

    Args:
        value: a JSON value in UTF-8.
        decode: the JSON value of bytes.
    """
    try:
        frame = _frame.decode(value)
    except (MsgspecError, RecursionError):
        return None
    head = {name: decode(bytes(raw)) for name in _HEAD if isinstance(raw := getattr(frame, name), Raw)}
    return UndecodedBundle({**head, "resourceType": "Bundle", "entry": frame.entry}, frame.entry, bytes(value), decode)


def decoded(value: Any) -> Any:
    """A prefetch value as JSON, whatever of it is decoded already."""
    return value.decoded() if isinstance(value, UndecodedBundle) else value
