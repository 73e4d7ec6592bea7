"""How much memory a JSON text may take once it is decoded, told from its bytes.

Ten megabytes of `[],[]` become 230 MB of Python objects, while ten megabytes of a chart become some 60. What is behind
it is counted in the bytes, before anything is decoded.
"""

from __future__ import annotations

# A chart in compact JSON has one value in 14 bytes at its densest (the fixtures of this repository; text makes it
# less): 700,000 in 10 MB. So many values take 100 MB of memory at most, whatever they are.
MOST_VALUES = 1_000_000


def values_at_most(text: bytes | bytearray) -> int:
    """No fewer values than a JSON text holds; an object counts twice, since it takes twice the memory of any other.

    Each value but the first follows a comma or opens a list or an object. Those within strings are counted too, because
    looking at the bytes costs a hundredth of decoding them.
    """
    return 1 + text.count(b",") + text.count(b"[") + 2 * text.count(b"{")
