"""What is publicly known of EHR vendors' CDS clients: `vendors.toml`, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files


class VendorCode(StrEnum):
    """What a check acts on; the meanings stand in `vendors.toml`."""

    ORDER_CODES_NEEDED = "order-codes-needed"
    REASON_CODES_MAPPED = "reason-codes-mapped"
    SIGNS_RS384 = "signs-rs384"


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known, and who says it in public."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Vendor:
    """One vendor by its id, as `--vendor` names it."""

    id: str
    name: str
    codes: frozenset[VendorCode] = frozenset()
    facts: tuple[Fact, ...] = ()


# Where nothing is known of the EHR.
NO_VENDOR = Vendor("", "")


@cache
def vendors() -> Mapping[str, Vendor]:
    """All vendors by id. What the file says wrongly raises ValueError or KeyError: it comes with the program."""
    read = tomllib.loads(files(__package__).joinpath("vendors.toml").read_text(encoding="utf-8"))
    return {
        name: Vendor(
            name,
            item["name"],
            frozenset(map(VendorCode, item["codes"])),
            tuple(Fact(fact["text"], fact["source"]) for fact in item["fact"]),
        )
        for name, item in read.items()
    }
