"""Regions of the spine: what value sets named after them stand for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# Regions in which back pain is told apart.
REGIONS = ("cervical", "thoracic", "lumbar", "sacral")
UNSPECIFIED = "unspecified"


def regions_in(value_sets: Iterable[str], regions: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The spine regions that these value sets stand for, by a table of the sets that name some."""
    named = frozenset(region for set_id in value_sets for region in regions.get(set_id, ()))
    # A named region says more than "somewhere in the spine".
    return named - {UNSPECIFIED} or named
