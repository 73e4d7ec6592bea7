"""What the rule rests on beyond its statements: figures, criteria in plain words, doubts and limits.

Read from `cards/breast_cancer_back_pain/evidence.toml` for the evidence page; no decision depends on any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Proportion:
    """A share in percent, with the bounds of its interval where the source gives one."""

    percent: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class ModalityAccuracy:
    """Sensitivity and specificity of one kind of study, in percent."""

    name: str
    sensitivity: Proportion
    specificity: Proportion


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The figures of one meta-analysis; `population` says of whom, `note` what the figures do not say."""

    title: str
    population: str
    note: str
    source: str
    url: str
    modalities: tuple[ModalityAccuracy, ...]


@dataclass(frozen=True, slots=True)
class PlainCriterion:
    """What answers one question of the rule, in plain words; the question stands in the wording under this id."""

    id: str
    met_by: str
    not_met_by: str


@dataclass(frozen=True, slots=True)
class PlainOutcome:
    """What is found in a chart whose questions are answered, and what the card then says, in plain words."""

    found: str
    card: str


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """A claim in circulation that was not taken over: what was found instead, and what is used."""

    claim: str
    found: str
    used: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the service does not do, what it cannot see, and what it was not tested on."""

    does_not: tuple[str, ...]
    cannot_see: tuple[str, ...]
    not_tested: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EvidenceBase:
    """Everything of `evidence.toml` but the statements; `source_page` is the page that the question came from."""

    accuracy: Accuracy
    criteria: tuple[PlainCriterion, ...]
    outcomes: tuple[PlainOutcome, ...]
    source_page: str
    unconfirmed: tuple[Unconfirmed, ...]
    limits: Limits


def read_evidence_base(data: Mapping[str, Any]) -> EvidenceBase:
    """The evidence base in the data of `evidence.toml`, which its schema has accepted.

    Raises:
        ValueError: a figure lies outside its own interval; the message names the modality.
    """
    accuracy = data["accuracy"]
    return EvidenceBase(
        accuracy=Accuracy(
            title=accuracy["title"],
            population=accuracy["population"],
            note=accuracy["note"],
            source=accuracy["source"],
            url=accuracy["url"],
            modalities=tuple(map(_modality, accuracy["modality"])),
        ),
        criteria=tuple(PlainCriterion(**item) for item in data["criterion"]),
        outcomes=tuple(PlainOutcome(**item) for item in data["outcome"]),
        source_page=data["source_page"]["name"],
        unconfirmed=tuple(Unconfirmed(**item) for item in data["unconfirmed"]),
        limits=Limits(**{name: tuple(sentences) for name, sentences in data["limits"].items()}),
    )


def _modality(item: Mapping[str, Any]) -> ModalityAccuracy:
    return ModalityAccuracy(item["name"], _proportion(item, "sensitivity"), _proportion(item, "specificity"))


def _proportion(item: Mapping[str, Any], measure: str) -> Proportion:
    percent, bounds = item[measure], item.get(f"{measure}_interval")
    if bounds is None:
        return Proportion(percent)
    low, high = bounds
    if not low <= percent <= high:
        raise ValueError(f"{item['name']}: the {measure} lies outside its interval")
    return Proportion(percent, (low, high))
