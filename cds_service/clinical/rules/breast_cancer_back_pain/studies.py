"""Which studies are wanted for a painful region, as slugs of the content's orders (decisions 7.1, 7.2 and 4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.cautions import RaisedCaution, withdrawn, without_contrast
from cds_service.content.model import Content


def is_spine_mri(slug: str) -> bool:
    """Whether a slug is an MRI of the spine."""
    return slug.startswith("mri-") and "spine" in slug


def spine_mri_of(slugs: Iterable[str]) -> str:
    """The MRI of the spine among the slugs, or an empty string."""
    return next((slug for slug in slugs if is_spine_mri(slug)), "")


# Enough for every body of content in one process; tests use the most.
@lru_cache(maxsize=16)
def spine_mri_sets(content: Content) -> frozenset[str]:
    """The value sets by which any MRI of the spine is known."""
    return frozenset().union(*(order.known_by for slug, order in content.orders.items() if is_spine_mri(slug)))


def wanted_studies(
    region: str, content: Content, options: RuleOptions, raised: Sequence[RaisedCaution] = (), brain: bool = False
) -> tuple[str, ...]:
    """The slugs to propose for pain of `region`, the MRI of the spine first (decisions 7.1, 7.2 and 4.2).

    Args:
        region: a spine region, `several` or `unspecified`.
        content, options: orders and the site's choices.
        raised: cautions; they turn a study into the one without contrast, or withdraw CT and bone scan.
        brain: whether an MRI of the brain is wanted too.
    """
    rule, orders = content.rule, content.orders
    mri = rule.mri_of_region[region]
    slugs = [str(mri if isinstance(mri, str) else mri[options.region_unspecified]), *rule.staging]
    if brain:
        slugs.append(rule.brain)
    wanted = []
    for slug in slugs:
        modality = orders[slug].modality
        if withdrawn(modality, raised):
            continue
        plain = orders[slug].without_contrast or slug + rule.without_contrast_suffix
        wanted.append(plain if without_contrast(modality, raised) and plain in orders else slug)
    return tuple(wanted)
