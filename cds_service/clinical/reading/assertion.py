"""Whether an entry of the chart says that something is there: its status, its value, its visit.

The same for every rule; what the thing is, recognition tells.
"""

from __future__ import annotations

from cds_service.chart.records import Condition, Value
from cds_service.chart.span import Span, lies_in_future
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer, words_of
from cds_service.clinical.reading.value_sets import SharedValueSet


def is_present(condition: Condition, calendar: Calendar) -> bool:
    """Whether a condition is there now: not over by its status, and not abated.

    An abatement to come is none yet, and one on the day of the onset, today, is the day of the visit: some EHRs end
    every visit diagnosis with its visit (decision 11.8).
    """
    if condition.is_over:
        return False
    end = condition.abatement
    if not condition.abated or end is None:
        return not condition.abated
    is_visit = end == condition.onset == Span.day(calendar.today)
    return is_visit or lies_in_future(end, calendar.now)


def denies(value: Value, status: str, recognizer: Recognizer) -> bool:
    """Whether an Observation whose own code is a finding does not state it (decision 2.12).

    It states it by true, a number above zero, a word that says so, or by no value at all in a final observation;
    anything else is no statement.
    """
    if value.is_empty:
        return status not in ("", "final")
    if value.boolean is not None:
        return not value.boolean
    if value.number is not None:
        return value.number <= 0
    coded = recognizer.value_sets(value.concept) if value.concept else {}
    words = recognizer.result_words
    if SharedValueSet.RESULT_NEGATIVE in coded or any(words.negative.search(text.strip()) for text in words_in(value)):
        return True
    if SharedValueSet.RESULT_POSITIVE in coded or any(
        words.affirmative.search(text.strip()) for text in words_in(value)
    ):
        return False
    return not coded and not any(recognizer.text(text) for text in words_in(value))


def words_in(value: Value) -> tuple[str, ...]:
    """Everything a value says in words."""
    return (value.text, *(words_of(value.concept) if value.concept else ()))
