"""Whether a Bundle is all that there is (decision 6.1): its links, its total, its labels and its issues."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cds_service.chart.outcomes import judge
from cds_service.chart.records import Gap

Json = Mapping[str, Any]

# Labels that say that something was left out (HL7 v3 ObservationValue: SUBSETTED, REDACTED).
_LEFT_OUT = frozenset({"SUBSETTED", "REDACTED"})


def next_page(bundle: Json) -> str:
    """The address of a Bundle's next page as it is given, or an empty string."""
    for link in _objects(bundle.get("link")):
        relation = link.get("relation")
        if isinstance(relation, str) and relation.strip().lower() == "next":
            url = link.get("url")
            # A next link without an address still says that there is more.
            return url if isinstance(url, str) and url else "?"
    return ""


def total_of(bundle: Json) -> int | None:
    """How many entries a search found in all, also where it came as text; 0 where it is not said.

    None where it cannot be read: a boolean, a fraction and a number below zero are no totals.
    """
    total = bundle.get("total")
    if total is None or (isinstance(total, str) and not total.strip()):
        return 0
    try:
        number = -1.0 if isinstance(total, bool) else float(total)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if number >= 0 and number.is_integer() else None


def gap_of(bundle: Json) -> Gap | None:
    """Why a Bundle may not be all that there is; None where it is."""
    entries, total = bundle.get("entry"), total_of(bundle)
    came = len(entries) if isinstance(entries, list) else int(isinstance(entries, dict))
    if next_page(bundle) or (total is not None and total > came):
        return Gap.FIRST_PAGE_ONLY
    if total is None:
        return Gap.UNREADABLE
    issues = bundle.get("issues")
    if issues is not None and (gap := judge(issues if isinstance(issues, dict) else {}, False, False).gap):
        return gap
    return Gap.LEFT_OUT if any(_says_left_out(label) for label in labels_of(bundle)) else None


def labels_of(bundle: Json) -> list[Json]:
    """The labels in `meta.security` and `meta.tag`."""
    meta = bundle.get("meta")
    if not isinstance(meta, dict):
        return []
    return [label for name in ("security", "tag") for label in _objects(meta.get(name))]


def _says_left_out(label: Json) -> bool:
    code = label.get("code")
    return isinstance(code, str) and code.strip().upper() in _LEFT_OUT


def _objects(value: object) -> Iterator[Json]:
    """The objects in a list; a lone object counts as a list of one."""
    listed = value if isinstance(value, list) else [value]
    return (item for item in listed if isinstance(item, dict))
