"""Units of laboratory results that rules share and cannot read."""

from __future__ import annotations

from collections.abc import Mapping

from cds_service.chart.records import Observation
from cds_service.clinical.reading.measured import measured
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.value_sets import SharedValueSet
from cds_service.clinical.rules.kidney import CREATININE_UNITS, egfr_unit
from cds_service.content.caution_model import ResultTest


def unread_laboratory_unit(
    observation: Observation, reader: Recognizer, tests: Mapping[str, ResultTest]
) -> tuple[str, str] | None:
    """The unit in which an eGFR, a creatinine or a test of the cautions cannot be read, behind its value set.

    Args:
        observation: any; a result without a number or a unit has none that could not be read.
        reader: of the rule.
        tests: those of the cautions, by their value set.
    """
    value_sets = reader.value_sets(observation.concept)
    number = measured(observation.value) if value_sets else None
    if number is None or not number.unit:
        return None
    for name in value_sets:
        if not _is_read(name, number.plain_unit, tests.get(name)):
            return name, number.unit
    return None


def _is_read(name: str, unit: str, test: ResultTest | None) -> bool:
    if name == SharedValueSet.EGFR_TEST:
        return egfr_unit(unit) is not None
    if name == SharedValueSet.CREATININE_TEST:
        return unit in CREATININE_UNITS
    return test is None or test.positive_from is None or unit in test.units
