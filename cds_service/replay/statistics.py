"""Shares with their intervals, and quantiles of counted days."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

# The two-sided 95 % quantile of the normal distribution.
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Share:
    """A share from 0 to 1 with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(count: int, of: int) -> Share | None:
    """The share of `count` among `of` with Wilson's score interval; None of nothing.

    Source: E. B. Wilson, J. Am. Stat. Assoc. 1927;22:209-212. Unlike the usual interval it holds for few events, and
    for none.
    """
    if of <= 0:
        return None
    share = count / of
    spread = _Z * math.sqrt(share * (1 - share) / of + _Z**2 / (4 * of**2))
    middle, whole = share + _Z**2 / (2 * of), 1 + _Z**2 / of
    low = 0.0 if count == 0 else (middle - spread) / whole
    high = 1.0 if count == of else (middle + spread) / whole
    return Share(share, max(low, 0.0), min(high, 1.0))


def quantile(counts: Mapping[int, int], share: float) -> int | None:
    """The smallest value that this share of the counted ones do not exceed (nearest rank); None of nothing."""
    rank = max(math.ceil(sum(counts.values()) * share), 1)
    seen = 0
    for value, count in sorted(counts.items()):
        seen += count
        if seen >= rank:
            return value
    return None
