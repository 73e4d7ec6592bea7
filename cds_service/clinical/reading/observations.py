"""What kind of Observation it is, and what stands in it: itself, and each component as an Observation of its own."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from cds_service.chart.records import Observation
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.value_sets import SharedValueSet

_COMPLAINT = frozenset({SharedValueSet.COMPLAINT_OBSERVATION})


def component_observations(observation: Observation, recognizer: Recognizer) -> Iterator[Observation]:
    """Each component that states something, as an Observation with the site, date and status of the whole.

    What is said to be absent as a whole has no parts that are there. A component without a value states nothing, and a
    measurement (a number with a unit) under a code that nobody reads neither.
    """
    if not observation.components or observation.value.boolean is False:
        return
    if SharedValueSet.SYMPTOM_ABSENT_OBSERVATION in recognizer.value_sets(observation.concept):
        return
    for component in observation.components:
        value = component.value
        if value.is_empty or value.absent or (value.unit and not recognizer.value_sets(component.concept)):
            continue
        yield replace(observation, concept=component.concept, value=value, components=(), interpretation=())


def with_components(observations: Iterable[Observation], recognizer: Recognizer) -> Iterator[Observation]:
    """Observations, each followed by its components: some laboratories and monitors send a panel as one."""
    for observation in observations:
        yield observation
        yield from component_observations(observation, recognizer)


def kinds_of(observation: Observation, recognizer: Recognizer) -> Collection[str]:
    """The value sets of the Observation's code; where none is known, whether its name calls it a chief complaint.

    Sites record complaints under codes of their own. Their value is coded or in words.
    """
    value_sets = recognizer.value_sets(observation.concept)
    said = observation.value.text or observation.value.concept
    if value_sets or not said or not recognizer.text_match:
        return value_sets
    is_complaint = recognizer.result_words.complaint.search
    return _COMPLAINT if any(is_complaint(name.strip()) for name in words_of(observation.concept)) else ()
