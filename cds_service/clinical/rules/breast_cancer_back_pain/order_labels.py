"""What the suggestion of an order is called, and how long a label can grow, which is checked when content is loaded.

All that matters of an order stands there: some EHRs take over its code alone (decision 7.10).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from cds_service.clinical.rules.assessment import ProposedOrder
from cds_service.clinical.rules.sentences import Sentence
from cds_service.content.model import OrderDefinition
from cds_service.content.rule_source import Wording

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


def label_of(order: ProposedOrder, study: str, words: Mapping[str, str], include_sacrum: bool) -> Sentence:
    """The label of the suggestion: `Order stat (24 h): MRI whole spine without contrast`."""
    if order.priority == "stat" and order.within:
        label = Sentence(words["label_at_once"], {"study": study, "hours": order.within // _HOUR})
    else:
        label = Sentence(words["label"], {"study": study})
    return Sentence(words["include_sacrum"], {"text": label}) if include_sacrum else label


def description_of(order: ProposedOrder, study: str, words: Mapping[str, str], include_sacrum: bool) -> Sentence:
    """The description of the action: as the label, and within how many days a study that is not stat is wanted."""
    if order.priority == "stat" and order.within:
        text = Sentence(words["description_at_once"], {"study": study, "hours": order.within // _HOUR})
    elif order.within:
        text = Sentence(words["description_soon"], {"study": study, "days": order.within // _DAY})
    else:
        text = Sentence(words["description"], {"study": study})
    return Sentence(words["include_sacrum"], {"text": text}) if include_sacrum else text


def longest_labels(wording: Wording, orders: Mapping[str, OrderDefinition]) -> Iterator[tuple[str, str]]:
    """Every label that can be on a card, with the name of its sentence in `wording.toml`.

    The sacrum is named beside a study that stands in for another one without contrast; an emergency has the whole spine
    imaged.
    """
    words = wording["suggestion"]
    stand_ins = {order.without_contrast for order in orders.values()}
    for slug, order in orders.items():
        yield "label", words["label"].format(study=order.label)
        yield "label_at_once", words["label_at_once"].format(study=order.label, hours=48)
        if slug in stand_ins:
            yield "include_sacrum", words["include_sacrum"].format(text=words["label"].format(study=order.label))
    for kind, study in wording["removal"].items():
        yield "delete_label", words["delete_label"].format(study=study, why=wording["removal_why"][kind])
