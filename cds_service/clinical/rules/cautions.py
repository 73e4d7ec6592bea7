"""Cautions: what must be said beside an order, and which studies go without contrast.

What the cautions are is content (`cautions.toml` of the rule; chapter 4 of the decisions). An MRI is never dropped: at
most it goes without contrast (decision 4.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cds_service.chart.records import Chart
from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Question, Recognizer
from cds_service.clinical.rules.allergies import ContrastReaction, contrast_reactions
from cds_service.clinical.rules.kidney import KIDNEY_QUESTIONS, Egfr, KidneyFunction
from cds_service.clinical.rules.pregnancy import HAS_NO_UTERUS, IS_PREGNANT, ShownPregnancy, pregnancy_states
from cds_service.content.caution_model import Caution, Cautions, KidneyState, PregnancyState

# Whether an MRI keeps its contrast in renal disease, with an agent of group II (setting `renal_gadolinium`).
RenalGadolinium = Literal["without", "group2"]

_BY_EGFR = frozenset({KidneyState.EGFR_LOW, KidneyState.EGFR_MODERATE})


@dataclass(frozen=True, slots=True)
class RaisedCaution:
    """A caution that applies to this patient, with what shows it.

    Attributes:
        value: an eGFR or hCG as it was reported, where that is what shows it.
        egfr: the newest eGFR, where it stands beside what decides.
        contrast: what the site does with contrast in renal disease, in words of the content.
        reaction: how the chart describes a reaction, in its own words.
    """

    caution: Caution
    finding: Finding
    value: str = ""
    egfr: Egfr | None = None
    contrast: str = ""
    reaction: str = ""


def raised_cautions(
    chart: Chart,
    asserted: Sequence[AssertedConcept],
    cautions: Cautions,
    recognizer: Recognizer,
    calendar: Calendar,
    kidneys: KidneyFunction,
    renal_gadolinium: RenalGadolinium = "without",
) -> tuple[RaisedCaution, ...]:
    """The cautions that apply, in the order of the content."""
    pregnancy = pregnancy_states(chart, asserted, cautions.pregnancy, cautions.tests, recognizer, calendar)
    reactions = contrast_reactions(chart, cautions.allergies, recognizer, calendar)
    found: list[RaisedCaution | None] = []
    for caution in cautions.cautions:
        if caution.found_in == "kidneys":
            found.append(_by_kidneys(caution, kidneys, cautions.kidneys.contrast[renal_gadolinium], renal_gadolinium))
        elif caution.found_in == "pregnancy":
            found.append(_by_pregnancy(caution, pregnancy.get(PregnancyState(caution.state))))
        elif caution.found_in == "allergies":
            found.append(_by_reaction(caution, reactions))
        else:
            found.append(_by_chart(caution, asserted))
    return tuple(item for item in found if item)


def caution_questions(cautions: Cautions) -> tuple[Question, ...]:
    """What the cautions ask of the chart, words included."""
    return (*_chart_questions(cautions), *KIDNEY_QUESTIONS, IS_PREGNANT | cautions.pregnancy.shown_by, HAS_NO_UTERUS)


def _chart_questions(cautions: Cautions) -> Iterator[Question]:
    for caution in cautions.cautions:
        if caution.found_in == "chart":
            yield caution.value_sets | caution.unless_later | caution.taken_back


def _by_kidneys(
    caution: Caution, kidneys: KidneyFunction, contrast: str, renal_gadolinium: RenalGadolinium
) -> RaisedCaution | None:
    state = KidneyState(caution.state)
    if (finding := kidneys.states.get(state)) is None:
        return None
    if renal_gadolinium == "group2":
        caution = replace(caution, without_contrast=caution.without_contrast - {"MRI"})
    egfr = kidneys.egfr if kidneys.egfr and kidneys.egfr.recent and kidneys.egfr.usable else None
    if state in _BY_EGFR:
        return RaisedCaution(caution, finding, value=egfr.reported if egfr else "", contrast=contrast)
    return RaisedCaution(caution, finding, egfr=egfr, contrast=contrast)


def _by_pregnancy(caution: Caution, shown: ShownPregnancy | None) -> RaisedCaution | None:
    return RaisedCaution(caution, shown.finding, value=shown.value) if shown else None


def _by_reaction(caution: Caution, reactions: Sequence[ContrastReaction]) -> RaisedCaution | None:
    """The newest reaction of this kind."""
    found = [item for item in reactions if item.concepts & caution.value_sets]
    if not found:
        return None
    newest = max(found, key=lambda item: item.finding.last_day)
    return RaisedCaution(caution, newest.finding, reaction=newest.physiologic)


def _by_chart(caution: Caution, asserted: Sequence[AssertedConcept]) -> RaisedCaution | None:
    """The newest record of this kind that no later one takes back."""
    found = [
        item
        for item in asserted
        if item.holds and item.value_sets & caution.value_sets and not _taken_back(item, asserted, caution)
    ]
    return RaisedCaution(caution, max(found, key=lambda item: item.finding.last_day).finding) if found else None


def _taken_back(item: AssertedConcept, asserted: Sequence[AssertedConcept], caution: Caution) -> bool:
    """Whether a later record says that what was there is gone; it must be of the same kind of thing."""
    kinds = item.value_sets & caution.taken_back
    return bool(kinds) and any(
        other.value_sets & caution.unless_later and other.finding.last_day >= item.finding.last_day
        for other in asserted
    )


def without_contrast(modality: str, raised: Iterable[RaisedCaution]) -> bool:
    """Whether studies of this modality are proposed without contrast."""
    return any(modality in item.caution.without_contrast for item in raised)


def withdrawn(modality: str, raised: Iterable[RaisedCaution]) -> bool:
    """Whether studies of this modality are not proposed; an MRI always is."""
    return modality != "MRI" and any(modality in item.caution.withdraws for item in raised)
