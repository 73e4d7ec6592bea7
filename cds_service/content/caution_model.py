"""The cautions of `cautions.toml` as values. See `cautions` for how they are read and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class KidneyState(StrEnum):
    """What the chart says of the kidneys (decisions 4.3, 4.4 and 4.13)."""

    DIALYSIS = "dialysis"
    EGFR_LOW = "egfr-low"
    ACUTE_INJURY = "acute-injury"
    SEVERE_DISEASE = "severe-disease"
    EGFR_MODERATE = "egfr-moderate"
    OUTDATED_DISEASE = "outdated-disease"


class PregnancyState(StrEnum):
    """What the chart says of a pregnancy (decisions 4.6, 4.7 and 4.14)."""

    PREGNANT = "pregnant"
    UNLIKELY = "unlikely"
    HCG_UNLIKELY = "hcg-unlikely"
    HCG_TO_REPEAT = "hcg-to-repeat"
    LOST = "lost"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Caution:
    """One caution of `cautions.toml`: how it is found, beside which orders it stands, and what it changes.

    `sentence` stands on the card, `on_order` in the clinical question of an order.

    `found_in` is `chart`, `allergies`, `kidneys` or `pregnancy`, the latter two with the `state` that raises it;
    `concerns`, `without_contrast` and `withdraws` are modalities.
    """

    id: str
    name: str
    found_in: str
    sentence: str
    concerns: tuple[str, ...]
    state: str = ""
    value_sets: frozenset[str] = frozenset()
    without_contrast: frozenset[str] = frozenset()
    withdraws: frozenset[str] = frozenset()
    unless_later: frozenset[str] = frozenset()
    taken_back: frozenset[str] = frozenset()
    in_emergency: str = ""
    on_order: str = ""


@dataclass(frozen=True, slots=True)
class ResultTest:
    """A test, or a question, whose result says what a value set says.

    Attributes:
        positive, negative: the sets of its two results.
        is_question: it is answered by yes or no.
        unclear: what a number from `unclear_from` to `positive_from` is called; one below is negative.
        units: in which a number is read, lower case without blanks; one without a unit is read too.
    """

    positive: str
    negative: str
    is_question: bool = False
    unclear: str = ""
    unclear_from: float | None = None
    positive_from: float | None = None
    units: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class KidneyContent:
    """The numbers and words of the kidneys; days are whole days, eGFR in mL/min/1.73 m2.

    Attributes:
        recent_days: an older eGFR or creatinine counts as none.
        contrast_from: below this eGFR contrast is left out; below `weigh_below` iodinated contrast is weighed.
        injury_days: so long acute kidney injury counts.
        injury_over_after_days: an eGFR of `contrast_from` or more, so many days after it, ends it before.
        dialysis_days: so long a dialysis session says that the patient is on dialysis.
        newest_egfr: what is added where an eGFR does not decide.
        contrast: what is said of contrast, by the choice of the site (`renal_gadolinium`).
    """

    recent_days: int
    contrast_from: float
    weigh_below: float
    injury_days: int
    injury_over_after_days: int
    dialysis_days: int
    newest_egfr: str
    contrast: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PregnancyContent:
    """The numbers of pregnancy; days are whole days.

    Attributes:
        shown_by: the value sets that show a pregnancy by themselves.
        after_record_days, after_last_period_days, after_due_date_days: when it is over though nobody closed it.
        loss_days: so long hCG is to be confirmed after a loss, and so long an unclear hCG is to be repeated.
        possible_days: so long a pregnancy that is recorded as possible is one.
        unlikely_from_years: from this age a pregnancy is named and changes nothing; from `hcg_unlikely_from_years` one
            that only hCG shows.
    """

    shown_by: frozenset[str]
    after_record_days: int
    after_last_period_days: int
    after_due_date_days: int
    loss_days: int
    possible_days: int
    unlikely_from_years: int
    hcg_unlikely_from_years: int


@dataclass(frozen=True, slots=True)
class AllergyWords:
    """Words of reactions to contrast.

    Attributes:
        reaction: a diagnosis without a code speaks of a reaction.
        use: a diagnosis speaks of contrast that was given, not of a reaction to it.
        physiologic: a reaction is only physiologic; the whole of its words must be of these.
    """

    reaction: re.Pattern[str]
    use: re.Pattern[str]
    physiologic: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Cautions:
    """All cautions, and what is read to find them; `tests` by the observation that is the test."""

    cautions: tuple[Caution, ...]
    tests: Mapping[str, ResultTest]
    kidneys: KidneyContent
    pregnancy: PregnancyContent
    allergies: AllergyWords

    @property
    def value_sets(self) -> frozenset[str]:
        """The value sets and text concepts that the file names."""
        return self.pregnancy.shown_by.union(
            *(item.value_sets | item.unless_later | item.taken_back for item in self.cautions),
            *({name, test.positive, test.negative} for name, test in self.tests.items()),
        )
