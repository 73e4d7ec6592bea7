"""Patients of whom nothing can matter are answered without reading a chart, and as if it had been read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from cds_service.replay.evaluate import Evaluator
from cds_service.replay.options import Options
from cds_service.replay.plan import ContentFolders, variants_of
from cds_service.replay.record import KEYS, Line, PatientRecord
from cds_service.replay.silent import SilentPatients
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    PATIENT_ID,
    Json,
    allergy,
    concept,
    condition,
    day,
    device,
    encounter,
    observation,
    patient,
    study,
)
from tests.metamorphic import fixtures
from tests.population.write import write_population
from tests.replays import Found, run, write_export
from tests.test_replay_answers import mixed_charts, resources_in

OTHER = condition("icd10cm I10", recorded=day(400), text="Essential hypertension")
LOCAL = condition("local 4711", recorded=day(400))
PULSE = observation("loinc 8867-4", day(300), valueQuantity={"value": 72, "unit": "/min", "code": "/min"})
VISIT = encounter(when=day(300))

LATER = re.compile(r'"2026-(11-2[3-9]|11-30|12)|"202[7-9]')


@pytest.fixture(scope="module")
def silence() -> SilentPatients:
    rule = variants_of(Options(), ContentFolders(), {})[0].rule
    return SilentPatients(rule, sorted(set(KEYS.values())))


def record(*resources: Json) -> PatientRecord:
    lines = [Line(item["resourceType"], str(item.get("id", "")), orjson.dumps(item)) for item in resources]
    return PatientRecord(PATIENT_ID, lines, sorted(set(KEYS.values())))


def test_a_patient_of_whom_nothing_can_matter_is_silent_and_what_is_unknown_is_counted(silence: SilentPatients) -> None:
    found = silence.answer(record(patient(), OTHER, LOCAL, PULSE, VISIT))
    assert found is not None
    assert (found[0].outcome, found[0].reason) == ("not-applicable", "no-breast-cancer-history")
    assert {item.key: dict(item.gaps) for item in found[0].understanding} == {
        "conditions": {"https://ehr.example.org/codes": 1}, "observations": {},
    }  # fmt: skip


@pytest.mark.parametrize(
    "resource",
    [
        condition(BREAST_CANCER, recorded=day(900)),
        condition(LOW_BACK_PAIN, onset=day(5)),
        condition("icd10cm I10", recorded="yesterday"),
        condition("icd10cm I10", recorded="1950-01-01"),
        condition("icd10cm I10", clinical="no such status"),
        condition("icd10cm I10", text="history of breast cancer"),
        observation("loinc 10154-3", day(3), valueString="pain in the lower back"),
        encounter(concept(LOW_BACK_PAIN), when=day(3)),
        encounter(when=day(3), status="no such status"),
        encounter(when="last week"),
        encounter(when=day(3)) | {"contained": [condition(LOW_BACK_PAIN)]},
        encounter(when=day(3)) | {"subject": {"display": "somebody"}},
        allergy(text="Gadolinium"),
        device(text="Pacemaker"),
        study("ImagingStudy", "loinc 24967-2", when=day(3)),
        study("DiagnosticReport", "loinc 24967-2", when=day(3)),
        PULSE,
    ],
    ids=lambda item: orjson.dumps(item.get("code") or item.get("type") or item["resourceType"]).decode()[:60],
)  # fmt: skip
def test_whoever_has_anything_that_may_matter_or_is_written_unusually_is_read(
    silence: SilentPatients, resource: Json
) -> None:
    assert silence.answer(record(patient(), OTHER, PULSE, VISIT, resource)) is None


@pytest.mark.parametrize(
    "who",
    [
        patient(deceasedBoolean=True),
        patient(deceasedDateTime=day(3)),
        patient(active=False),
        patient(link=[{"type": "replaced-by", "other": {"reference": "Patient/2"}}]),
        patient("1968"),
        patient("1868-05-04"),
        patient("next year"),
        {"resourceType": "Patient", "id": PATIENT_ID},
    ],
    ids=str,
)
def test_whoever_is_dead_merged_or_of_unclear_age_is_read(silence: SilentPatients, who: Json) -> None:
    assert silence.answer(record(who, OTHER)) is None


def test_two_records_or_none_of_a_patient_are_read(silence: SilentPatients) -> None:
    assert silence.answer(record(patient(), patient() | {"id": "another"}, OTHER)) is None
    assert silence.answer(record(OTHER)) is None


def both_ways(
    export: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: str
) -> tuple[Found, Found, list[bool]]:
    """The replay with patients answered unread, the same with every chart read, and who was answered unread."""
    taken: list[bool] = []
    real = Evaluator._silent

    def noted(self: Evaluator, *arguments: Any) -> Any:
        found = real(self, *arguments)
        taken.append(found is not None)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(Evaluator, "_silent", noted)
        quick = run(export, tmp_path / "quick", moments=moments)
    monkeypatch.setattr(Evaluator, "_silent", lambda *_: None)
    return quick, run(export, tmp_path / "whole", moments=moments), taken


def bytes_of(found: Found) -> list[bytes]:
    return [(found.folder / name).read_bytes() for name in ("summary.json", "answers.parquet")]


@pytest.mark.slow
@pytest.mark.parametrize("moments", ["last", "visits", "days:400"])
def test_a_population_is_answered_alike_in_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: str
) -> None:
    write_population(tmp_path / "export", 300, seed=3)
    quick, whole, taken = both_ways(tmp_path / "export", tmp_path, monkeypatch, moments)
    assert sum(taken) > 100
    assert bytes_of(quick) == bytes_of(whole)


@pytest.mark.slow
@pytest.mark.parametrize("moments", ["last", "visits"])
def test_fixtures_and_mixed_charts_are_answered_alike_in_both_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moments: str
) -> None:
    every = [item for call in fixtures().values() for item in resources_in(call)] + mixed_charts(100, 9)
    # With an entry of the days to come, no patient is answered unread.
    every = [item for item in every if not LATER.search(orjson.dumps(item).decode())]
    quick, whole, taken = both_ways(write_export(tmp_path / "export", every), tmp_path, monkeypatch, moments)
    assert any(taken) and not all(taken)
    assert bytes_of(quick) == bytes_of(whole)
