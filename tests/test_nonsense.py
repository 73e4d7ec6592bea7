"""What is not understood is never read as "no" without a count that says so (decisions 6.4, 6.9 and 11.8)."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.chart.build import build_chart
from cds_service.clinical.rules.assessment import Assessment, Outcome
from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    PATIENT_ID,
    assess,
    condition,
    day,
    observation,
    prefetch,
)
from tests.nonsense import counted, with_nonsense

# A busy machine takes its time for an example.
untimed = settings(deadline=None)

Json = dict[str, Any]

# Charts of which the answer is a card, each in other resources.
CHARTS = [
    prefetch(condition(BREAST_CANCER, onset="2018"), condition(LOW_BACK_PAIN, onset=day(6))),
    prefetch(condition(BREAST_CANCER_HISTORY), condition(LOW_BACK_PAIN, onset=day(6))),
    prefetch(
        condition(BREAST_CANCER, clinical="remission", verification=None),
        observation(CHIEF_COMPLAINT, day(2), valueString="low back pain since last week"),
        condition("icd10cm I10"),
    ),
]


def test_the_charts_bring_a_card() -> None:
    assert [assess(build_chart(PATIENT_ID, known)).outcome for known in CHARTS] == [Outcome.FIRED] * len(CHARTS)


def assessed(known: Json) -> Assessment:
    return assess(build_chart(PATIENT_ID, known))


@untimed
@given(st.sampled_from(CHARTS).flatmap(lambda known: with_nonsense(known, "status")))
def test_a_status_that_means_nothing_hides_no_finding(known: Json) -> None:
    found = assessed(known)
    assert found.outcome is Outcome.FIRED
    assert counted(found) > 0


@untimed
@given(st.sampled_from(CHARTS).flatmap(lambda known: with_nonsense(known, "subject")))
def test_a_subject_that_leads_nowhere_is_never_read_as_no(known: Json) -> None:
    found = assessed(known)
    assert found.outcome in (Outcome.FIRED, Outcome.UNDETERMINED)
    assert counted(found) > 0


@untimed
@given(st.sampled_from(CHARTS).flatmap(lambda known: with_nonsense(known, "system")))
def test_a_code_system_that_nobody_knows_is_counted_where_it_hides_a_finding(known: Json) -> None:
    found = assessed(known)
    assert found.outcome is Outcome.FIRED or counted(found) > 0
