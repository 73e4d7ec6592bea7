"""Read `orders.toml`: every study that a rule can propose, by its slug."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.content.cross_checks import check_known
from cds_service.content.files import ContentFiles
from cds_service.content.model import OrderDefinition
from cds_service.content.terminology import Terminology


def read_orders(files: ContentFiles, terminology: Terminology) -> Mapping[str, OrderDefinition]:
    """The orders by slug.

    Raises:
        ContentError: the file cannot be used. A set that does not exist is collected in `files`.
    """
    orders = {}
    for slug, item in files.read_own("orders").items():
        combinations = tuple(frozenset(names) for names in item["answered_by"])
        named = (name for combination in combinations for name in combination)
        check_known(files, files.own("orders"), f"{slug}.answered_by", named, terminology)
        orders[slug] = OrderDefinition(
            slug=slug,
            name=item["name"],
            label=item["label"],
            title=item["title"],
            modality=item["modality"],
            codings=tuple(item["codings"]),
            body_site=item.get("body_site"),
            answered_by=combinations,
            without_contrast=item.get("without_contrast", ""),
        )
    return orders
