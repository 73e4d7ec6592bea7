"""Units of laboratory results that rules share and cannot read."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.chart.records import Observation
from cds_service.clinical.reading.measured import measured
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.kidney import CREATININE_UNITS, egfr_unit
from cds_service.content.caution_model import ResultTest


def unread_laboratory_unit(observation: Observation, reader: Recognizer, tests: Mapping[str, ResultTest]) -> str:
    """The unit in which an eGFR, a creatinine or a test of the cautions cannot be read; empty where it can.

    Args:
        observation: any; a result without a number has no unit.
        reader: of the rule.
        tests: those of the cautions, by their value set.
    """
    value_sets = reader.value_sets(observation.concept)
    number = measured(observation.value) if value_sets else None
    if number is None or not number.unit:
        return ""
    is_read = True
    if SharedValueSet.EGFR_TEST in value_sets:
        is_read = egfr_unit(number.plain_unit) is not None
    elif SharedValueSet.CREATININE_TEST in value_sets:
        is_read = number.plain_unit in CREATININE_UNITS
    elif (test := next((tests[name] for name in value_sets if name in tests), None)) and test.positive_from is not None:
        is_read = number.plain_unit in test.units
    return "" if is_read else number.unit
