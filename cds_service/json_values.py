"""How much memory a JSON text may take once it is decoded, told from its bytes.

Ten megabytes of `[],[]` become 230 MB of Python objects, while ten megabytes of a chart become some 60. What is behind
it is counted in the bytes, before anything is decoded.
"""

from __future__ import annotations

# A chart in compact JSON has one value in 14 bytes at its densest (the fixtures of this repository; text makes it
# less): 700,000 in 10 MB. So many values take 100 MB of memory at most, whatever they are.
MOST_VALUES = 1_000_000


# The objects of a chart have three members each, with the colons in their texts (the fixtures of this repository). One
# beyond eight has, mostly, a name of its own, which takes as much as two values do.
_MEMBERS_OF_AN_OBJECT = 8


def values_at_most(text: bytes | bytearray) -> int:
    """No fewer values than a JSON text holds; what takes more memory counts more often.

    Each value but the first follows a comma or opens a list or an object. An object counts twice, and each member twice
    more where objects have more of them than those of FHIR. An emoji counts once, for a text that has one takes four
    bytes for each of its signs. What stands within strings is counted too, because looking at the bytes costs a
    hundredth of decoding them.
    """
    objects, emoji = text.count(b"{"), text.count(b"\xf0")
    members = max(0, text.count(b":") - _MEMBERS_OF_AN_OBJECT * objects)
    return 1 + text.count(b",") + text.count(b"[") + 2 * objects + 2 * members + emoji
