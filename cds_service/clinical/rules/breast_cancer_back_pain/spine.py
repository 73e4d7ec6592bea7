"""Regions of the spine: what value sets named after them stand for."""

from __future__ import annotations

from collections.abc import Iterable

# Regions in which back pain is told apart; `thoracolumbar` and `cervicothoracic` codes name two.
REGIONS = ("cervical", "thoracic", "lumbar", "sacral")
UNSPECIFIED = "unspecified"
_TWO_REGIONS = {"thoracolumbar": ("thoracic", "lumbar"), "cervicothoracic": ("cervical", "thoracic")}


def regions_in(sets: Iterable[str], prefix: str) -> frozenset[str]:
    """The spine regions that value sets named `<prefix><region>` stand for."""
    regions: set[str] = set()
    for set_id in sets:
        if set_id.startswith(prefix):
            region = set_id.removeprefix(prefix)
            if region in (*REGIONS, UNSPECIFIED):
                regions.add(region)
            regions.update(_TWO_REGIONS.get(region, ()))
    # A named region says more than "somewhere in the spine".
    return frozenset(regions - {UNSPECIFIED} or regions)
