"""What is counted: cards first and repeated, yield with intervals, days, other thresholds and other content."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cds_service.cli.replay import replay
from cds_service.replay.counting import age_group
from cds_service.replay.statistics import quantile, wilson
from cds_service.replay.tally import Tally
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, Json, condition, day, encounter, observation, patient, study
from tests.content_copies import copy_of_content
from tests.replays import Found, replayed

BONE_METASTASIS = "icd10cm C79.51"
LUMBAR_MRI = "loinc 24967-2"


def of(identity: str, *resources: Json) -> list[Json]:
    """A patient with this id, and these resources as theirs."""
    subject = {"subject": {"reference": f"Patient/{identity}"}}
    return [patient() | {"id": identity}, *(item | subject | {"id": f"{item['id']}-{identity}"} for item in resources)]


def visit(days_ago: int) -> Json:
    start = f"{day(days_ago)}T10:00:00Z"
    return encounter(period={"start": start, "end": start})


CANCER = condition(BREAST_CANCER, recorded=day(900))


def with_card(identity: str, began: int, *more: Json) -> list[Json]:
    """Pain recorded so many days ago, and a visit the day after: the card stands there."""
    pain = condition(LOW_BACK_PAIN, onset=day(began + 3), recorded=day(began))
    return of(identity, CANCER, pain, visit(began - 1), *more)


def summary(tmp_path: Path, *patients: list[Json], **options: Any) -> Mapping[str, Any]:
    return found(tmp_path, *patients, **options).summary


def found(tmp_path: Path, *patients: list[Json], **options: Any) -> Found:
    """What a replay finds; the data end with a visit today of somebody else."""
    last = of("last", visit(0))
    return replayed(tmp_path, *(item for own in (*patients, last) for item in own), **{"moments": "visits"} | options)


def metastasis(days_ago: int) -> Json:
    return condition(BONE_METASTASIS, recorded=f"{day(days_ago)}T12:00:00Z")


# --- Yield


def test_a_code_within_the_days_after_the_first_card_is_a_yield_and_a_later_one_is_none(tmp_path: Path) -> None:
    got = summary(
        tmp_path,
        with_card("within-20", 401, metastasis(380)),
        with_card("within-60", 401, metastasis(340)),
        with_card("within-200", 401, metastasis(200)),
        with_card("never", 401),
    )["yield"]["card"]
    assert got["patients"] == 4
    assert [got[f"within_{days}_days"]["found"] for days in (30, 90, 365)] == [1, 2, 3]
    assert [got[f"within_{days}_days"]["followed"] for days in (30, 90, 365)] == [4, 4, 4]


def test_who_is_not_followed_for_so_long_counts_neither_way(tmp_path: Path) -> None:
    got = summary(tmp_path, with_card("short", 61, metastasis(50)), with_card("long", 401))["yield"]["card"]
    assert [got[f"within_{days}_days"]["followed"] for days in (30, 90, 365)] == [2, 1, 1]
    assert [got[f"within_{days}_days"]["found"] for days in (30, 90, 365)] == [1, 0, 0]


def test_a_code_from_before_the_card_is_no_yield(tmp_path: Path) -> None:
    got = summary(tmp_path, with_card("known", 401, metastasis(500)))["yield"]["card"]
    assert (got["known_before"], got["within_365_days"]["followed"]) == (1, 0)


def test_a_refuted_or_suspected_code_is_no_yield(tmp_path: Path) -> None:
    refuted = condition(BONE_METASTASIS, recorded=day(380), verification="refuted")
    suspected = condition(BONE_METASTASIS, recorded=day(380), verification="provisional")
    got = summary(tmp_path, with_card("a", 401, refuted), with_card("b", 401, suspected))["yield"]["card"]
    assert got["within_30_days"]["found"] == 0


def test_beside_them_stand_those_without_a_card_with_and_without_the_history(tmp_path: Path) -> None:
    got = summary(
        tmp_path, of("history", CANCER, visit(401), metastasis(380)), of("neither", visit(401)), with_card("c", 401)
    )["yield"]
    assert got["no-card"]["within_30_days"] == {
        "followed": 2, "found": 1, "share": {"value": 0.5, "low": 0.0945312, "high": 0.905469},
    }  # fmt: skip
    assert got["no-card-at-risk"]["within_30_days"]["followed"] == 1
    assert got["card"]["patients"] == 1


# --- Time


def test_the_days_count_from_the_first_record_of_the_pain(tmp_path: Path) -> None:
    mri = study("DiagnosticReport", LUMBAR_MRI, when=f"{day(371)}T12:00:00Z")
    got = summary(tmp_path, with_card("a", 401, mri, metastasis(341)))["time"]
    medians = {name: got[name]["median"] for name in got if name != "undated"}
    # The pain counts from the end of its day on, the card stands at ten in the morning of the next.
    assert medians == {
        "complaint-to-card": 0, "complaint-to-imaging": 29, "complaint-to-disease": 59, "card-to-imaging": 29,
        "card-to-disease": 59,
    }  # fmt: skip


def test_an_mri_from_before_the_pain_answers_nothing(tmp_path: Path) -> None:
    mri = study("DiagnosticReport", LUMBAR_MRI, when=day(500))
    assert summary(tmp_path, with_card("a", 401, mri))["time"]["complaint-to-imaging"]["patients"] == 0


# --- Rates and groups


def test_cards_count_by_openings_and_by_years_first_and_repeated(tmp_path: Path) -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(25), recorded=day(20))
    got = summary(tmp_path, of("a", CANCER, pain, visit(15), visit(5)), of("b", visit(15), visit(5)))
    assert got["rates"]["openings"] == 5
    assert (got["cards"]["openings"]["first"], got["cards"]["openings"]["repeated"]) == (1, 1)
    assert got["rates"]["all_per_100_openings"]["value"] == 40
    # 901 days of the first, from the end of the first record's day on; 16 and 1 of the others.
    years = got["patients"]["years_observed"]
    assert years == pytest.approx((900 + 1 + 16 + 1) / 365.25, abs=0.01)
    assert got["rates"]["first_per_1000_patient_years"] == pytest.approx(1000 / years, rel=1e-4)


def test_a_rate_of_a_few_years_stands_in_the_summary_and_not_in_the_report(tmp_path: Path) -> None:
    of_one = found(tmp_path, with_card("a", 401))
    assert of_one.summary["rates"]["first_per_1000_patient_years"] > 0
    report = (of_one.folder / "report.html").read_text()
    assert '<dt>First cards</dt><dd class="count">none</dd>' in report


def test_visits_without_a_moment_at_which_they_began_are_counted(tmp_path: Path) -> None:
    imprecise = visit(15) | {"id": "v-1", "period": {"start": day(15)[:7]}}
    slip = visit(15) | {"id": "v-2", "period": {"start": f"{day(15)}T10:00:60Z"}}
    never = visit(15) | {"id": "v-3", "status": "cancelled", "period": {}}
    got = summary(tmp_path, of("a", CANCER, imprecise, slip, never, visit(5)))
    assert got["knowledge"]["visits_without_start"] == 2
    # That of the fifth day, and the one of somebody else.
    assert got["rates"]["openings"] == 2


def test_a_new_episode_years_later_is_a_first_card_again(tmp_path: Path) -> None:
    first = condition(LOW_BACK_PAIN, onset=day(700), recorded=day(698), clinical="resolved", abatementDateTime=day(650))
    second = condition(LOW_BACK_PAIN, onset=day(20), recorded=day(18))
    rows = found(tmp_path, of("a", CANCER, first, visit(690), visit(680), second, visit(10))).of("a")
    assert [(row["outcome"], row["repeated"]) for row in rows if row["outcome"] == "fired"] == [
        ("fired", False), ("fired", True), ("fired", False), ("fired", True),
    ]  # fmt: skip


def test_what_was_not_understood_is_counted_by_key_and_system_and_never_by_code(tmp_path: Path) -> None:
    got = found(tmp_path, of("a", condition("local 4711", recorded=day(5)), condition("local 4712", recorded=day(5))))
    assert got.summary["not_understood"]["by_system"] == [
        {"key": "conditions", "system": "https://ehr.example.org/codes", "entries": 2, "patients": 1}
    ]
    assert "4711" not in (got.folder / "summary.json").read_text()
    assert got.of("a")[-1]["not_understood"] == 2


@pytest.mark.parametrize(
    ("age", "group"), [(None, "unknown"), (39, "under 40"), (40, "40-49"), (79, "70-79"), (80, "80 and over")]
)
def test_ages_are_told_apart_by_decades(age: int | None, group: str) -> None:
    assert age_group(age) == group


# --- Other thresholds, other content


def test_other_values_of_a_setting_show_who_gains_and_who_loses_a_card(tmp_path: Path) -> None:
    got = found(
        tmp_path,
        of("recent", CANCER, condition(LOW_BACK_PAIN, onset=day(23), recorded=day(20)), visit(5)),
        of("older", CANCER, condition(LOW_BACK_PAIN, onset=day(140), recorded=day(20)), visit(10)),
        vary={"new_window_days": (10, 180)},
    )
    short, long = got.summary["compared"]
    assert (short["name"], short["patients_gained"], short["patients_lost"]) == ("new_window_days=10", 0, 1)
    assert (long["name"], long["patients_gained"], long["patients_lost"]) == ("new_window_days=180", 1, 0)
    rows = pq.read_table(got.folder / "differences.parquet").to_pylist()
    gained = {(row["patient"], row["against"], row["reason"], row["other_reason"]) for row in rows}
    assert ("older", "new_window_days=180", "back-pain-not-new", "imaging-advised") in gained
    assert {row["patient"] for row in rows if row["against"] == "new_window_days=10"} == {"recent"}


def test_another_content_is_asked_of_the_same_patients(tmp_path: Path) -> None:
    other = copy_of_content(tmp_path / "other")
    rule = other / "breast_cancer_back_pain" / "rule.toml"
    text = rule.read_text()
    rule.write_text(text.replace("[threshold.new_window_days]\nvalue = 84", "[threshold.new_window_days]\nvalue = 5"))
    pain = condition(LOW_BACK_PAIN, onset=day(23), recorded=day(20))
    got = found(tmp_path, of("recent", CANCER, pain, visit(5)), against=str(other))
    (compared,) = got.summary["compared"]
    assert compared["name"].startswith("content=")
    assert compared["content"] != got.summary["rule"]["version"]
    assert (compared["patients_with_card"], compared["patients_lost"]) == (0, 1)


def test_an_overlay_is_laid_over_the_content_and_compared(tmp_path: Path) -> None:
    overlay = tmp_path / "shorter"
    (overlay / "breast_cancer_back_pain").mkdir(parents=True)
    (overlay / "breast_cancer_back_pain" / "rule.toml").write_text(
        '[threshold.new_window_days]\nvalue = 5\nwhy = "A trial."\nsource = "none"\n'
    )
    pain = condition(LOW_BACK_PAIN, onset=day(23), recorded=day(20))
    got = found(tmp_path, of("recent", CANCER, pain, visit(5)), against=str(overlay))
    (compared,) = got.summary["compared"]
    assert (compared["name"], compared["patients_lost"]) == ("content=shorter", 1)


def test_answers_are_simulated_for_each_rule_by_itself(tmp_path: Path) -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(60), recorded=day(50))
    got = found(
        tmp_path, of("a", CANCER, pain, visit(40), visit(10)), answers="accept", vary={"new_window_days": (10,)}
    )
    assert [row["reason"] for row in got.of("a")] == ["imaging-advised"] + ["already-imaged-or-ordered"] * 2
    assert got.summary["compared"][0]["patients_with_card"] == 0


# --- Order hooks


def test_at_an_order_hook_the_moments_are_those_of_the_orders_and_these_are_its_drafts(tmp_path: Path) -> None:
    radiograph = study("ServiceRequest", "cpt 72100", when=f"{day(10)}T11:00:00Z", status="completed")
    other = study("ServiceRequest", text="Lipid panel", when=f"{day(9)}T11:00:00Z", status="active")
    pain = condition(LOW_BACK_PAIN, onset=day(25), recorded=day(20))
    got = found(tmp_path, of("a", CANCER, pain, radiograph, other), hook="order-sign")
    assert [(row["moment"], row["outcome"], row["reason"]) for row in got.rows] == [
        ("order", "fired", "imaging-advised"), ("order", "not-applicable", "unrelated-order"),
    ]  # fmt: skip


def test_drugs_are_orders_too(tmp_path: Path) -> None:
    drug = {
        "resourceType": "MedicationRequest", "id": "drug", "status": "active", "intent": "order",
        "medicationCodeableConcept": {"text": "Ibuprofen 400 MG Oral Tablet"}, "authoredOn": f"{day(10)}T11:00:00Z",
    }  # fmt: skip
    pain = condition(LOW_BACK_PAIN, onset=day(25), recorded=day(20))
    got = found(tmp_path, of("a", CANCER, pain, drug), hook="order-select")
    assert [row["outcome"] for row in got.rows] == ["fired"]


def test_every_so_many_days_are_counted_back_from_the_end(tmp_path: Path) -> None:
    got = found(tmp_path, of("a", observation("loinc 8867-4", day(25))), moments="days:10")
    assert [(row["moment"], row["at"].date().isoformat()) for row in got.of("a")] == [
        ("day", day(20)), ("day", day(10)), ("end", day(0)),
    ]  # fmt: skip


# --- Statistics


@pytest.mark.parametrize(
    ("count", "of_all", "low", "high"),
    # Newcombe, Stat Med 1998;17:857-872, table I, score method without continuity correction.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilsons_interval_is_that_of_the_literature(count: int, of_all: int, low: float, high: float) -> None:
    share = wilson(count, of_all)
    assert share is not None
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


def test_of_nothing_there_is_no_share_and_no_quantile() -> None:
    assert wilson(0, 0) is None and quantile({}, 0.5) is None
    whole = wilson(5, 5)
    assert whole is not None and whole.high == 1


def test_quantiles_are_nearest_ranks() -> None:
    counts = {1: 2, 5: 1, 9: 1}
    assert [quantile(counts, share) for share in (0.1, 0.5, 0.75, 0.9)] == [1, 1, 5, 9]
    assert quantile({3: 1}, 0.0) == 3
    assert not math.isnan(float(quantile({-2: 1, 4: 1}, 0.5) or 0))


def test_tallies_add_up_whatever_was_counted_where() -> None:
    one, two = Tally(), Tally()
    one.add("a", "b")
    two.add("a", "b", count=2)
    two.add("a", "c")
    one.update(Tally.of(two.plain()))
    assert one.by_word("a") == {"b": 3, "c": 1}
    assert one.count("a") == 0


# --- What is documented

DOCS = (Path(__file__).parent.parent / "docs" / "replay.md").read_text(encoding="utf-8")


def named(value: Any, free: frozenset[str]) -> set[str]:
    """The keys of a summary, but those that are values themselves: codes, types, reasons."""
    if isinstance(value, Mapping):
        keys = {str(key) for key in value}
        return keys.union(*(named(item, free) for key, item in value.items() if key not in free))
    return set().union(*(named(item, free) for item in value)) if isinstance(value, list) else set()


def test_every_key_and_column_is_documented(tmp_path: Path) -> None:
    got = found(
        tmp_path, with_card("a", 401, metastasis(380)), of("b", condition("local 1")), vary={"new_window_days": (9,)}
    )
    groups = [f"by_{name}" for name in ("indicator", "reason", "age", "place", "order", "caution")]
    counted = {"choices", "resources", "by_outcome", "known_by", "could_not_be_told", *groups}
    counted |= {"bad_lines", "without_patient", "missing", "answered_earlier", "unreadable"}
    keys = named(got.summary, frozenset(counted | {f"first_{name}" for name in groups})) - {"conditions"}
    assert len(keys) > 70
    # What is written once for several, with the beginning of their names.
    written = {key for key in keys if not re.match("(first|repeated)_(by|per)_", key)}
    assert not {key for key in written if f"`{key}`" not in DOCS}
    for file in ("answers", "differences"):
        columns = pq.read_schema(got.folder / f"{file}.parquet").names
        assert not {column for column in columns if f"`{column}`" not in DOCS}


def test_every_option_is_documented() -> None:
    options = [name for option in replay.params for name in option.opts if name.startswith("--")]
    assert not {name for name in options if f"`{name}" not in DOCS and f"{name} FOLDER" not in DOCS}
