"""The clinical content of `cards/` as values. See `load` for how it is read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.content.caution_model import Cautions
from cds_service.content.evidence_base import EvidenceBase
from cds_service.content.replay import ReplayContent
from cds_service.content.terminology import Terminology

CodingData = Mapping[str, str]

_NO_REPLAY = ReplayContent()


@dataclass(frozen=True, slots=True)
class OrderDefinition:
    """One study by its slug.

    `name` says nothing of contrast, `label` does; `answered_by` are combinations of value sets, each of which makes
    the study unnecessary. `without_contrast` is the slug that stands in for it where contrast is forbidden, if it is
    not its own with the suffix.
    """

    slug: str
    name: str
    label: str
    title: str
    modality: str
    codings: tuple[CodingData, ...]
    body_site: CodingData | None
    answered_by: tuple[frozenset[str], ...]
    without_contrast: str = ""

    @property
    def known_by(self) -> frozenset[str]:
        """The value sets of whatever answers the study, whole or in part."""
        return frozenset().union(*self.answered_by)


@dataclass(frozen=True, slots=True)
class Guard:
    """Words that forbid a text match, and how near they must stand (`sentence`, `phrase`, `before` ...)."""

    scope: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flag:
    """What a text says of the time or kind of a pain, or a list of words that code looks for.

    Attributes:
        patterns: words in the same phrase.
        alone: what a neighbouring phrase says where it speaks of the same pain and of nothing
            else; empty for a list of words.
        front: words right in front of the match, over commas and "and" ("chronic knee and low back pain").
        unless: what takes such words back ("not getting worse"); it is cut out before they are looked for.
    """

    patterns: tuple[str, ...]
    alone: tuple[str, ...]
    front: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TextConcept:
    """Free text that stands for a value set where no code does.

    Attributes:
        needs: parts of words, lower case; a sentence with none of them is not searched. None: every sentence is.
        family: of concepts of one family that overlap, the one that is tried first counts.
    """

    id: str
    patterns: tuple[str, ...]
    guards: tuple[str, ...]
    needs: tuple[str, ...] = ()
    family: str = ""


@dataclass(frozen=True, slots=True)
class TextPatterns:
    """The patterns of `text-patterns.toml`; concepts in the order in which they are tried.

    `begins` and `own` are the words that begin a new statement, anywhere and after a comma; a full stop after one of
    the `abbreviations` ends no sentence, unless it is one of those that `ends` tells.
    """

    guards: Mapping[str, Guard]
    flags: Mapping[str, Flag]
    concepts: tuple[TextConcept, ...]
    begins: tuple[str, ...]
    own: tuple[str, ...]
    abbreviations: tuple[str, ...]
    ends: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResultWords:
    """Words in which results and answers are given.

    Attributes:
        affirmative, negative: whether the value of an observation states the finding that its code names.
        complaint: whether the name of an observation calls it a chief complaint.
        positive_result, negative_result: what a laboratory test says.
        equivocal: neither.
    """

    affirmative: re.Pattern[str]
    negative: re.Pattern[str]
    complaint: re.Pattern[str]
    positive_result: re.Pattern[str]
    negative_result: re.Pattern[str]
    equivocal: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class ThresholdReason:
    """Why a threshold has its value, and where that comes from."""

    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What `rule.toml` says: identity, purpose, owner, review, thresholds, and which sets mean what.

    `passed_over` are the value sets that the rule knows and does not read, each with the reason; `order_category` is
    what kind of order its studies are, if the content says so.
    """

    id: str
    version: str
    title: str
    owner: str
    released: str
    review_by: str
    source: Mapping[str, str]
    thresholds: Mapping[str, int]
    prefetch_observations: tuple[str, ...]
    mri_of_region: Mapping[str, Any]
    staging: tuple[str, ...]
    brain: str
    without_contrast_suffix: str
    relevant_orders: frozenset[str]
    purpose: str
    threshold_reasons: Mapping[str, ThresholdReason]
    passed_over: Mapping[str, str]
    order_category: CodingData | None = None


@dataclass(frozen=True, slots=True)
class OverrideReason:
    """What a clinician may answer when the card is not taken.

    Attributes:
        code, display, system: as they stand on the card.
        only_for: the reason code of the only kind of card that offers it; empty for every kind.
        days: so many days the card then stays away from this patient; None: as long as nothing newer is recorded.
        keeps_away: whether it keeps the card away at all.
        why_days: why so long.
        back_with: kinds of newer evidence (`pain`, `cancer`) that bring the card back before; a red flag always does.
    """

    code: str
    display: str
    system: str
    only_for: str = ""
    days: int | None = None
    keeps_away: bool = False
    why_days: str = ""
    back_with: frozenset[str] = frozenset({"pain"})


@dataclass(frozen=True, slots=True)
class EvidenceStatement:
    """One statement of evidence with its source.

    A recommendation names who gives it (`by`) and, where it was read, the grade in that body's own words.
    """

    id: str
    text: str
    source: str
    cite: str
    by: str = ""
    grade: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Content:
    """All of `cards/`, checked. `digest` names this exact content in decisions and logs.

    `read_by_name` are the value sets that the rule's code reads; `replay` is for a replay over a population.

    One body of content is equal to itself only, so that what is derived from it can be kept beside it.
    """

    rule: Rule
    terminology: Terminology
    text_patterns: TextPatterns
    result_words: ResultWords
    orders: Mapping[str, OrderDefinition]
    wording: Mapping[str, Mapping[str, str]]
    cautions: Cautions
    override_reasons: Sequence[OverrideReason]
    evidence: tuple[EvidenceStatement, ...]
    evidence_base: EvidenceBase
    source_attributes: Mapping[str, str]
    read_by_name: frozenset[str]
    digest: str
    replay: ReplayContent = _NO_REPLAY

    @property
    def value_sets_read(self) -> frozenset[str]:
        """The value sets that the rule reads: by name in code, or named in its files for orders, cautions or text."""
        return self.read_by_name.union(
            *(order.known_by for order in self.orders.values()),
            self.cautions.value_sets,
            self.rule.prefetch_observations,
            self.rule.relevant_orders,
            (concept.id for concept in self.text_patterns.concepts),
        )

    @property
    def version(self) -> str:
        """Rule version and content, as decisions name it: `1.0.0+3f2a9c1b`."""
        return f"{self.rule.version}+{self.digest[:8]}"
