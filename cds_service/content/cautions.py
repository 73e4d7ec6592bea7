"""Read `cautions.toml`: what must stand beside an order before it is signed, and what it changes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cds_service.content.bounds import EGFR_RECENT_DAYS
from cds_service.content.cross_checks import check_known
from cds_service.content.error import ContentError
from cds_service.content.files import ContentFiles
from cds_service.content.model import Caution, Cautions
from cds_service.content.terminology import Terminology
from cds_service.content.wording import check_placeholders

# What a sentence on a caution may name.
CAUTION_NAMES = frozenset({"finding", "when", "value"})

_SETS = ("sets", "newest_of", "unless_later", "taken_back")


def read_cautions(files: ContentFiles, terminology: Terminology) -> Cautions:
    """The cautions in the order in which they stand on a card.

    Raises:
        ContentError: the file cannot be used, a number is out of bounds, or a caution names a set that is neither a
            value set nor a text concept.
    """
    file = files.own("cautions")
    data = files.read_own("cautions")
    text_only = {item["id"] for item in files.read_own("text-patterns")["concept"] if item.get("text_only")}
    cautions = []
    for item in data["caution"]:
        field = f"caution.{item['id']}"
        for key in _SETS:
            check_known(file, f"{field}.{key}", (n for n in item.get(key, ()) if n not in text_only), terminology)
        if item.get("egfr_from", 0) >= item.get("egfr_below", math.inf):
            raise ContentError(file, f"{field}.egfr_from", "must be below egfr_below")
        check_placeholders(file, f"{field}.sentence", item["sentence"], CAUTION_NAMES)
        cautions.append(_caution(item))
    tests = {item["observation"]: (item["positive"], item["negative"]) for item in data["test"]}
    names = [data["egfr"]["tests"], *tests, *(name for pair in tests.values() for name in pair)]
    check_known(file, "test, egfr", names, terminology)
    if problem := EGFR_RECENT_DAYS.problem(data["egfr"]["recent_days"]):
        raise ContentError(file, "egfr.recent_days", problem)
    return Cautions(tuple(cautions), data["egfr"]["tests"], data["egfr"]["recent_days"], tests)


def _caution(item: Mapping[str, Any]) -> Caution:
    return Caution(
        id=item["id"],
        name=item["name"],
        found_in=item["found_in"],
        sentence=item["sentence"],
        concerns=tuple(item["concerns"]),
        value_sets=frozenset(item.get("sets", ())),
        without_contrast=frozenset(item.get("without_contrast", ())),
        withdraws=frozenset(item.get("withdraws", ())),
        not_for_gender=item.get("not_for_gender", ""),
        within_days=item.get("within_days"),
        newest_of=tuple(item.get("newest_of", ())),
        unless_later=frozenset(item.get("unless_later", ())),
        taken_back=frozenset(item.get("taken_back", item.get("sets", ()))),
        egfr_from=item.get("egfr_from", 0),
        egfr_below=item.get("egfr_below", 0),
        group=item.get("group", ""),
    )
