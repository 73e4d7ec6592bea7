"""Resources in which anything may stand anywhere: a replay gives an answer, and the one of a hook call."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from cds_service.decision.pseudonyms import Pseudonyms
from cds_service.replay.counting import count_patient
from cds_service.replay.course import course_of
from cds_service.replay.evaluate import Evaluator
from cds_service.replay.moments import Period
from cds_service.replay.options import Answers, Options
from cds_service.replay.plan import ContentFolders, variants_of
from cds_service.replay.record import KEYS, Line, PatientRecord
from cds_service.replay.rows import answer_rows
from cds_service.replay.tally import Tally
from tests.builders import Json
from tests.metamorphic import fixtures
from tests.test_replay_answers import resources_in

END = datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC)

# What may stand in place of an element.
ANYTHING: list[Any] = [
    None, 17, "", [], {}, "word", [None], [[]], True, -1e300, "2026-13-45", "9999-12-31", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "2020-02-30", "2026-11-01", {"coding": 5}, {"coding": [5]}, {"reference": 5},
    [{"reference": []}], {"start": 5}, {"start": "9999-12-31T23:59:59-14:00"}, {"end": "x"}, {"end": "2026-11-23"},
    "2026-11-24T24:00:00Z", "2026", "2062-01-01", {"type": []}, [{"type": {}}],
]  # fmt: skip

ELEMENTS = (
    "status", "clinicalStatus", "verificationStatus", "period", "link", "meta", "encounter", "basedOn", "extension",
    "deceasedDateTime", "deceasedBoolean", "active", "birthDate", "performedPeriod", "performedDateTime", "started",
    "effectivePeriod", "effectiveDateTime", "abatementDateTime", "abatementPeriod", "onsetPeriod", "recordedDate",
    "issued", "authoredOn", "code", "category", "reasonCode", "diagnosis", "context", "id",
)  # fmt: skip


@pytest.fixture(scope="module", params=["patient-view", "order-select"])
def evaluator(request: pytest.FixtureRequest) -> Evaluator:
    options = Options(moments="visits", hook=request.param, answers=Answers.IGNORE)
    supplied = tuple(sorted(set(KEYS.values())))
    variants = variants_of(options, ContentFolders(), {})
    return Evaluator(variants, options, Period.of(options, END, True), Pseudonyms("0" * 32), supplied=supplied)


def spoiled(drawn: random.Random, resources: list[Json]) -> list[Json]:
    """The resources, with anything in place of some elements."""
    made = [dict(item) for item in resources]
    for _ in range(drawn.randint(1, 4)):
        item = drawn.choice(made)
        item[drawn.choice(ELEMENTS if drawn.random() < 0.6 else [*item])] = drawn.choice(ANYTHING)
    return made


def lines_of(resources: list[Json]) -> list[Line]:
    """As the first pass keeps them: those that name a type and, as far as they can, an id."""
    typed = [(item["resourceType"], item) for item in resources if isinstance(item.get("resourceType"), str)]
    identity = (item.get("id") for _, item in typed)
    return [
        Line(kind, name if isinstance(name, str) and name.strip() else "", orjson.dumps(item))
        for (kind, item), name in zip(typed, identity, strict=True)
        if kind in KEYS
    ]


@pytest.mark.slow
def test_whatever_stands_in_a_resource_there_is_an_answer_at_every_moment(evaluator: Evaluator) -> None:
    drawn = random.Random(5)
    charts = [(call["context"]["patientId"], list(resources_in(call))) for call in fixtures().values()]
    tally = Tally()
    for _ in range(700):
        patient, resources = drawn.choice(charts)
        made = spoiled(drawn, resources)
        found = evaluator.answers(PatientRecord(patient, lines_of(made), evaluator.supplied, END))
        count_patient(tally, found, evaluator)
        for row in answer_rows("somebody", found):
            assert row["outcome"] in ("fired", "suppressed", "not-applicable", "undetermined"), made
        course_of(found, found.by_variant[0])
    assert tally.count("patients") == 700
