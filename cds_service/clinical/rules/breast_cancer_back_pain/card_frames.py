"""What each kind of card says beside findings, cautions and quotes; its length is checked when content is loaded."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.content.model import OrderDefinition
from cds_service.content.rule_source import Wording

_WHOLE_SPINE, _LUMBAR = "mri-whole-spine", "mri-lumbar-spine"
_STAGING = ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")


def card_frames(wording: Wording, orders: Mapping[str, OrderDefinition]) -> Mapping[str, str]:
    """The text of each kind of card by its name, every sentence that always stands there included.

    Args:
        wording: the sentences.
        orders: by slug.
    """
    studies = " and ".join(orders[slug].name for slug in _STAGING)
    why, proposed = wording["why"]["heading"], wording["proposed"]

    def longest(section: str, *names: str) -> str:
        return max((wording[section][name] for name in names or wording[section]), key=lambda text: len(text.split()))

    now = wording["now"]
    at_once = (now["heading"], now["mri"].format(study=orders[_WHOLE_SPINE].label))
    gap = wording["unchecked"]["line"].format(what=wording["unchecked"]["no_egfr"].format(days=90))
    after_the_mri = proposed["staging_critical"].format(studies=studies)
    mri = proposed["mri"].format(study=orders[_LUMBAR].label, radiographs=proposed["no_radiograph"])
    plain_mri = proposed["mri"].format(study=orders[_LUMBAR].label, radiographs="")
    staging = proposed["staging"].format(studies=studies)
    evidence = longest("evidence", "lumbar", "thoracic", "fracture", "spine")
    there = proposed["mri_present"].format(state=wording["state"]["done"])
    frames = {
        "emergency": (
            *at_once, now["call"], now["examine"], now["protocol"], why, proposed["heading"], after_the_mri,
            wording["evidence"]["emergency"],
        ),
        "infection": (*at_once, now["infection"], why, wording["evidence"]["infection"]),
        "emergency and infection": (
            *at_once, now["call"], now["examine"], now["infection"], why, wording["evidence"]["emergency"],
        ),
        "standard": (why, proposed["heading"], mri, staging, gap, evidence),
        "a chosen radiograph": (
            wording["chosen"]["radiograph"], why, proposed["heading"], plain_mri, staging, gap, evidence,
        ),
        "MRI done": (why, proposed["heading"], there, staging, gap, wording["evidence"]["staging"]),
        "in situ": (why, proposed["heading"], proposed["in_situ"]),
        "child": (why, proposed["heading"], proposed["child"]),
        "routine imaging": (why, proposed["heading"], proposed["surveillance"]),
    }  # fmt: skip
    return {kind: " ".join(sentences) for kind, sentences in frames.items()}
