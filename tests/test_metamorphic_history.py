"""What an addition to the history of a chart never does: silence a card or lower its urgency.

Every synthetic patient whose card advises imaging is asked again with more in the chart; what is added says nothing of
the pain of now, or says that there is pain now.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.clinical.rules.assessment import Outcome
from tests.builders import (
    BACK_PAIN,
    CHIEF_COMPLAINT,
    LOW_BACK_PAIN,
    NECK_PAIN,
    SYMPTOM,
    Json,
    assessment,
    concept,
    condition,
    day,
    observation,
)
from tests.metamorphic import (
    VISIT_DIAGNOSIS,
    Answer,
    added,
    advised,
    answer,
    answer_of,
    fixtures,
    listed,
    visit,
    visited_for,
)
from tests.test_properties import examples, likely_charts

LOW_BACK_PAIN_SNOMED = "snomed 279039007"
CHRONIC_BACK_PAIN = "snomed 278860009"
PAINS = (LOW_BACK_PAIN, NECK_PAIN, BACK_PAIN)
STATUSES = ("active", None, "recurrence", "relapse", "inactive", "remission", "resolved")

# The first day before the clean days (180) of every episode that a window of 84 days can hold.
LONG_PAST = (84 + 180 + 1, 400, 4000)

G89_29, G89_4, CHRONIC_PAIN = "icd10cm G89.29", "icd10cm G89.4", "snomed 82423001"
G89_22, G89_28 = "icd10cm G89.22", "icd10cm G89.28"
CHRONIC_SOMEWHERE = (G89_29, G89_4, CHRONIC_PAIN, G89_22, G89_28)
CHRONIC_ELSEWHERE_IN_WORDS = (
    "Chronic pain of right knee",
    "Chronic shoulder pain",
    "Chronic left hip pain for years",
    "Post-mastectomy pain syndrome",
)

# What tells of long ago, of elsewhere, of nobody's or of another's illness.
BESIDE_THE_PAIN: Mapping[str, Sequence[Json]] = {
    "old visits in whatever status": [
        item for status in STATUSES for item in visit(LOW_BACK_PAIN, day(LONG_PAST[0]), status)
    ],
    "old visits for years": [item for days in LONG_PAST for code in PAINS for item in visit(code, day(days))],
    "old visit diagnoses without their visit": [
        condition(code, category=VISIT_DIAGNOSIS, **{dated: day(days)})
        for code in PAINS
        for days in LONG_PAST
        for dated in ("onset", "recorded")
    ],
    "old reasons of visits": [visited_for(code, day(days)) for code in PAINS for days in LONG_PAST],
    "chronic pain of no site on the list": [listed(code, onset=day(900)) for code in CHRONIC_SOMEWHERE],
    "chronic pain of no site in other visits": [
        item for code in CHRONIC_SOMEWHERE for days in (3, 120) for item in visit(code, day(days))
    ],
    "chronic pain elsewhere in words": [listed("", text=words, onset=day(900)) for words in CHRONIC_ELSEWHERE_IN_WORDS],
    "pain that is over": [
        *(listed(code, onset=day(2000), clinical="resolved", abatementDateTime=day(LONG_PAST[0])) for code in PAINS),
        *(listed(code, onset=day(2000), clinical="resolved") for code in PAINS),
        *(listed(code, clinical="inactive") for code in PAINS),
    ],
    "pain that is refuted or in error": [
        listed(code, onset=day(days), verification=verification)
        for verification in ("refuted", "entered-in-error")
        for code in (*PAINS, CHRONIC_BACK_PAIN)
        for days in (0, 40, 120, 2000)
    ],
    "family history of breast cancer": [
        listed("icd10cm Z80.3", recorded=day(20)),
        listed("snomed 429740004", onset=day(3000)),
        listed("", text="Mother: breast cancer at 50", recorded=day(20)),
    ],
}

# The same pain, or another, recorded again. An onset is not set further back than any episode of the scenarios can
# begin: one that lies before it would lengthen the episode and move the clean days.
PAIN_AGAIN: Mapping[str, Sequence[Json]] = {
    "a visit of today": visit(LOW_BACK_PAIN, day(0)),
    "a visit of today, no region named": visit(BACK_PAIN, day(0)),
    "a visit of today, of another region": visit(NECK_PAIN, day(0)),
    "the reason of a visit of yesterday": [visited_for(BACK_PAIN, day(1))],
    "a symptom of today": [observation(SYMPTOM, day(0), valueCodeableConcept=concept(LOW_BACK_PAIN_SNOMED))],
    "a chief complaint": [observation(CHIEF_COMPLAINT, day(0), valueString="severe low back pain for 3 days")],
    "a list entry of today": [listed(LOW_BACK_PAIN, onset=day(0))],
    "a list entry of last month": [listed(BACK_PAIN, onset=day(30))],
    "a list entry without a date": [listed(LOW_BACK_PAIN)],
}


# Decisions 2.2, 2.7, 2.16 and 1.3.
@pytest.mark.parametrize("kind", BESIDE_THE_PAIN)
def test_what_is_past_elsewhere_refuted_or_of_a_relative_changes_no_card(kind: str) -> None:
    assert _changed(BESIDE_THE_PAIN[kind]) == {}


# Decisions 2.2 and 2.4.
@pytest.mark.parametrize("kind", PAIN_AGAIN)
def test_another_record_of_pain_never_silences_a_card_nor_lowers_it(kind: str) -> None:
    quieter = {name: pair for name, pair in _changed(PAIN_AGAIN[kind]).items() if pair[1].rank < pair[0].rank}
    assert quieter == {}


def _changed(entries: Sequence[Json]) -> dict[str, tuple[Answer, Answer]]:
    """The scenarios whose answer is another one with these entries: before and after."""
    pairs = {name: (before, answer(added(fixtures()[name], *entries))) for name, before in advised().items()}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


# --- Charts made up by Hypothesis


@st.composite
def past_or_elsewhere(draw: st.DrawFn) -> list[Json]:
    """Entries that say nothing of the pain of now."""
    kinds = draw(st.lists(st.sampled_from(sorted(BESIDE_THE_PAIN)), min_size=1, max_size=3, unique=True))
    return [item for kind in kinds for item in BESIDE_THE_PAIN[kind]]


# Decisions 2.2, 2.7, 2.16 and 1.3.
@examples
@given(likely_charts(), past_or_elsewhere())
def test_no_made_up_card_is_changed_by_what_is_past_elsewhere_refuted_or_of_a_relative(
    resources: list[Json], others: list[Json]
) -> None:
    before = assessment(*resources)
    if before.outcome is Outcome.FIRED:
        assert answer_of(assessment(*resources, *others)) == answer_of(before)


# Decisions 2.2 and 2.4.
@examples
@given(likely_charts(), st.sampled_from(sorted(set(PAIN_AGAIN) - {"a list entry of last month"})))
def test_no_made_up_card_is_silenced_by_pain_of_today(resources: list[Json], kind: str) -> None:
    before = assessment(*resources)
    if before.outcome is Outcome.FIRED:
        assert answer_of(assessment(*resources, *PAIN_AGAIN[kind])).rank >= answer_of(before).rank
