"""Frequent things among many are found in bounded memory, and no count is wronger than it says."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from cds_service.readiness.frequent import FrequentThings


def counted(keys: list[int], capacity: int) -> FrequentThings[int, None]:
    found: FrequentThings[int, None] = FrequentThings(capacity, lambda: None)
    for key in keys:
        found.add(key)
    return found


@given(st.lists(st.integers(0, 40), max_size=300), st.integers(1, 12))
def test_every_count_lies_within_its_bounds(keys: list[int], capacity: int) -> None:
    found, true = counted(keys, capacity), Counter(keys)
    for key, item in found:
        assert item.count - item.too_high_by <= true[key] <= item.count


@given(st.lists(st.integers(0, 40), max_size=300), st.integers(1, 12))
def test_what_is_not_kept_is_as_rare_as_it_says(keys: list[int], capacity: int) -> None:
    found = counted(keys, capacity)
    kept = {key for key, _ in found}
    assert len(kept) <= capacity
    assert all(count <= found.most_missed for key, count in Counter(keys).items() if key not in kept)


def test_counts_are_exact_while_everything_fits() -> None:
    found = counted([3, 1, 3, 2, 3, 1], 3)
    assert [(key, item.count, item.too_high_by) for key, item in found] == [(3, 3, 0), (1, 2, 0), (2, 1, 0)]
    assert found.most_missed == 0
