"""What a replay makes of exports as they come: damaged, compressed, split, with absolute references."""

from __future__ import annotations

import csv
import gzip
import random
from collections import Counter
from pathlib import Path

import orjson
import pytest

from cds_service.replay import plan
from cds_service.replay.errors import ReplayError
from cds_service.replay.export import ExportFile, Lines, Part, find_files, parts_of
from cds_service.replay.heads import Head, patient_of, read_head
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, NECK_PAIN, Json, condition, day, patient, reference
from tests.replays import Found, empty_files, replayed, run, write_export


def of_patient(identity: str, *resources: Json, base: str = "") -> list[Json]:
    """The patient with this id, and these resources as theirs."""
    made = [
        item | {"id": f"{identity}-{item['id']}", "subject": {"reference": f"{base}Patient/{identity}"}}
        for item in resources
    ]
    return [patient() | {"id": identity}, *made]


CANCER = condition(BREAST_CANCER, recorded=day(2000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10), recorded=day(8))


def crowd(count: int) -> list[Json]:
    """Patients of whom every second has a card."""
    return [item for number in range(count) for item in of_patient(f"p-{number}", PAIN, *([CANCER] * (number % 2)))]


def bytes_of(found: Found) -> tuple[bytes, bytes]:
    return (found.folder / "summary.json").read_bytes(), (found.folder / "answers.parquet").read_bytes()


def damaged(found: Found) -> list[dict[str, str]]:
    with (found.folder / "damaged-lines.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_damaged_lines_are_counted_and_named_and_the_others_are_used(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(100))
    empty_files(export)
    path = export / "Condition.ndjson"
    lines = path.read_bytes().splitlines()
    spoiled = sorted(random.Random(1).sample(range(len(lines)), len(lines) // 10))
    for number in spoiled:
        lines[number] = lines[number][: len(lines[number]) // 2]
    path.write_bytes(b"\n".join(lines) + b"\n")
    found = run(export, tmp_path / "out")
    assert found.summary["export"]["bad_lines"] == {"not JSON": len(spoiled)}
    assert [(row["file"], int(row["line"]) - 1) for row in damaged(found)] == [
        ("Condition.ndjson", number) for number in spoiled
    ]
    left = Counter(
        orjson.loads(line)["subject"]["reference"] for number, line in enumerate(lines) if number not in spoiled
    )
    fired = {f"Patient/{row['patient']}" for row in found.rows if row["outcome"] == "fired"}
    assert fired == {name for name, count in left.items() if count == 2}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"resourceType": "Condition", "id"', "not JSON"),
        (b"[1, 2]", "not a FHIR R4 resource"),
        (b'"Condition"', "not a FHIR R4 resource"),
        (b'{"id": "1"}', "not a FHIR R4 resource"),
        (b'{"resourceType": "Diagnosis", "id": "1"}', "not a FHIR R4 resource"),
        (b'{"resourceType": 7}', "not a FHIR R4 resource"),
        (b"\xff\xfe", "not JSON"),
        (b'{"resourceType": "Condition", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
    ],
)
def test_why_a_line_is_not_used(line: bytes, why: str) -> None:
    assert read_head(line) == why


def test_elements_in_another_form_than_that_of_r4_do_not_hide_a_line() -> None:
    line = orjson.dumps({"resourceType": "condition", "id": 7, "subject": [{"reference": "Patient/p-1"}]})
    assert read_head(line) == Head("Condition", "p-1")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Patient/p-1", ("p-1", "")),
        ("Patient/p-1/_history/2", ("p-1", "")),
        ("https://ehr.example.org/fhir/Patient/p-1", ("p-1", "https://ehr.example.org/fhir")),
        ("https://ehr.example.org/fhir/Patient/p-1/_history/3", ("p-1", "https://ehr.example.org/fhir")),
        ("urn:uuid:0f1e2d3c-0000-4000-8000-000000000000", ("0f1e2d3c-0000-4000-8000-000000000000", "")),
        ("Group/p-1", ("", "")),
        ("#p-1", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_patient_behind_a_reference(written: str, expected: tuple[str, str]) -> None:
    assert patient_of(written) == expected


def test_a_line_that_is_not_utf_8_inside_is_named_by_its_place(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(4))
    path = export / "Condition.ndjson"
    lines = path.read_bytes().splitlines()
    lines[1] = lines[1].replace(b"M54.50", b"M54.50\xff")
    path.write_bytes(b"\n".join(lines))
    found = run(export, tmp_path / "out")
    assert [(row["line"], row["why"]) for row in damaged(found)] == [("2", "not JSON")]
    assert len(found.rows) == 4


def test_blank_lines_windows_line_ends_and_a_byte_order_mark_are_no_damage(tmp_path: Path) -> None:
    clean = run(write_export(tmp_path / "clean", crowd(4)), tmp_path / "out-clean")
    export = write_export(tmp_path / "export", crowd(4))
    for path in export.iterdir():
        path.write_bytes(b"\xef\xbb\xbf\r\n\r\n" + path.read_bytes().replace(b"\n", b"\r\n\r\n"))
    found = run(export, tmp_path / "out")
    assert not found.summary["export"]["bad_lines"]
    assert found.rows == clean.rows


def test_an_empty_file_says_that_there_is_nothing_and_a_missing_one_says_nothing(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(2))
    unknown = run(export, tmp_path / "out-unknown")
    assert unknown.summary["export"]["missing_keys"] == [
        "allergies", "devices", "diagnosticReports", "encounters", "observations", "procedures", "serviceRequests",
    ]  # fmt: skip
    only_pain = of_patient("p-9", CANCER)
    without = run(write_export(tmp_path / "export-2", only_pain), tmp_path / "out-2")
    assert [(row["outcome"], row["missing"]) for row in without.rows] == [("undetermined", ["observations"])]
    empty_files(tmp_path / "export-2")
    known = run(tmp_path / "export-2", tmp_path / "out-3")
    assert [row["reason"] for row in known.rows] == ["no-back-pain"]
    assert known.summary["export"]["empty_files"] == 7


def test_compressed_files_are_read_as_plain_ones(tmp_path: Path) -> None:
    plain = write_export(tmp_path / "plain", crowd(20))
    packed = tmp_path / "packed"
    packed.mkdir()
    for path in plain.iterdir():
        (packed / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    assert run(packed, tmp_path / "out-2").rows == run(plain, tmp_path / "out-1").rows


def test_of_a_compressed_file_that_is_cut_off_what_came_is_used_and_the_break_is_named(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(400))
    path = export / "Condition.ndjson"
    packed = gzip.compress(path.read_bytes())
    path.unlink()
    (export / "Condition.ndjson.gz").write_bytes(packed[: len(packed) // 2])
    (export / "Observation.ndjson.gz").write_bytes(b"")
    (export / "Procedure.ndjson.gz").write_bytes(b"this is no gzip file")
    found = run(export, tmp_path / "out")
    assert found.summary["export"]["broken_files"] == [
        {"file": "Condition.ndjson.gz", "why": "the compressed file ends early"},
        {"file": "Procedure.ndjson.gz", "why": "not a gzip file"},
    ]
    assert 0 < sum(row["outcome"] == "fired" for row in found.rows) < 200


def test_absolute_references_to_the_servers_own_patients_count(tmp_path: Path) -> None:
    base = "https://ehr.example.org/fhir/"
    absolute = [item for number in range(4) for item in of_patient(f"p-{number}", CANCER, PAIN, base=base)]
    foreign = of_patient("p-0", condition(NECK_PAIN, onset=day(5), recorded=day(4)), base="https://other.example.org/")[
        1:
    ]
    found = replayed(tmp_path, *absolute, *foreign)
    assert {row["outcome"] for row in found.rows} == {"fired"}
    assert {row["place"] for row in found.rows} == {"lumbar"}
    assert found.summary["export"]["of_another_server"] == 1


def test_of_a_resource_of_another_server_nobody_knows_whose_it_is_and_the_answer_is_left_open(tmp_path: Path) -> None:
    base, other = "https://ehr.example.org/fhir/", "https://other.example.org/fhir/"
    own = [item for number in range(3) for item in of_patient(f"p-{number}", PAIN, base=base)]
    found = replayed(tmp_path, *own, *of_patient("p-0", CANCER, base=other)[1:])
    assert [(row["outcome"], row["missing"]) for row in found.of("p-0")] == [("undetermined", ["conditions"])]
    assert {row["reason"] for row in found.of("p-1")} == {"no-breast-cancer-history"}


def test_a_compressed_file_that_is_damaged_in_the_middle_is_named_as_such(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(4))
    first, last = (gzip.compress(b'{"resourceType": "Device"}\n'), gzip.compress(b'{"resourceType": "Device"}\n'))
    (export / "Device.ndjson.gz").write_bytes(first + b"damage" + last)
    found = run(export, tmp_path / "out")
    assert found.summary["export"]["broken_files"] == [
        {"file": "Device.ndjson.gz", "why": "the compressed file is damaged after line 1"}
    ]


def test_resources_that_name_no_patient_are_counted_by_type(tmp_path: Path) -> None:
    nobodys = [PAIN | {"subject": {"display": "somebody"}}, PAIN | {"subject": {"reference": "Group/g-1"}}]
    found = replayed(tmp_path, *of_patient("p-1", CANCER, PAIN), *nobodys)
    assert found.summary["export"]["without_patient"] == {"Condition": 2}


def test_a_merged_record_is_not_current_and_what_lies_under_it_is_counted(tmp_path: Path) -> None:
    merged = of_patient("p-old", CANCER, PAIN)
    merged[0] |= {"active": False, "link": [{"other": reference("Patient", "p-new"), "type": "replaced-by"}]}
    kept = of_patient("p-new", PAIN)
    found = replayed(tmp_path, *merged, *kept)
    assert [row["reason"] for row in found.of("p-old")] == ["patient-record-not-current"]
    assert [row["reason"] for row in found.of("p-new")] == ["no-breast-cancer-history"]
    assert (found.summary["patients"]["merged"], found.summary["patients"]["resources_of_merged"]) == (1, 2)


def test_a_patient_without_a_record_is_answered_as_a_call_without_one(tmp_path: Path) -> None:
    found = replayed(tmp_path, *of_patient("p-1", CANCER, PAIN)[1:], patient() | {"id": "p-2"})
    assert [(row["outcome"], row["missing"]) for row in found.of("p-1")] == [("undetermined", ["patient"])]
    assert found.summary["patients"]["without_record"] == 1


def test_the_same_lines_twice_count_once(tmp_path: Path) -> None:
    once = write_export(tmp_path / "export", crowd(6))
    twice = write_export(tmp_path / "twice", crowd(6) + crowd(6))
    found = run(twice, tmp_path / "out-2")
    assert found.rows == run(once, tmp_path / "out-1").rows
    assert found.summary["export"]["same_line_again"] == 15


def test_how_an_export_is_split_changes_no_answer(tmp_path: Path) -> None:
    one = write_export(tmp_path / "one", crowd(30))
    many = tmp_path / "many"
    (many / "deep").mkdir(parents=True)
    lines = [line for path in one.iterdir() for line in path.read_bytes().splitlines()]
    random.Random(2).shuffle(lines)
    for number in range(7):
        (many / "deep" / f"part-{number}.ndjson").write_bytes(b"\n".join(lines[number::7]))
    assert run(many, tmp_path / "out-2").rows == run(one, tmp_path / "out-1").rows


@pytest.mark.parametrize("part_bytes", [1, 100, 700, 10_000])
def test_stretches_of_a_file_hold_each_line_once(tmp_path: Path, part_bytes: int) -> None:
    lines = [f'{{"number": {number}, "pad": "{"x" * (number % 90)}"}}'.encode() for number in range(60)]
    (tmp_path / "a.ndjson").write_bytes(b"\n".join(lines))
    files = find_files(str(tmp_path))
    parts = parts_of(files, part_bytes)
    assert [text for part in parts for _, text in Lines(files[part.file], part)] == lines


def test_stretches_change_no_answer_and_damage_keeps_its_line_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = write_export(tmp_path / "export", crowd(40))
    path = export / "Condition.ndjson"
    lines = path.read_bytes().splitlines()
    lines[50] = b"{"
    path.write_bytes(b"\n".join(lines))
    whole = run(export, tmp_path / "out-1")
    monkeypatch.setattr(plan, "all_parts", lambda files: parts_of(files, 500))
    monkeypatch.setattr("cds_service.replay.run.all_parts", lambda files: parts_of(files, 500))
    monkeypatch.setattr("cds_service.replay.run.partitions_for", lambda files: 5)
    split = run(export, tmp_path / "out-2")
    assert split.rows == whole.rows
    assert damaged(split) == damaged(whole) == [{"file": "Condition.ndjson", "line": "51", "why": "not JSON"}]


def test_an_export_that_is_not_there_or_holds_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReplayError, match=r"no \.ndjson"):
        run(tmp_path, tmp_path / "out")
    with pytest.raises(ReplayError, match="cannot be reached"):
        run("nosuch://bucket/export", tmp_path / "out")


def test_an_export_in_memory_is_read_by_its_address(tmp_path: Path) -> None:
    import fsspec

    system = fsspec.filesystem("memory")
    for path in write_export(tmp_path / "export", crowd(4)).iterdir():
        system.pipe(f"/replayed/{path.name}", path.read_bytes())
    assert len(run("memory://replayed", tmp_path / "out").rows) == 4


def test_only_the_listed_patients_are_replayed(tmp_path: Path) -> None:
    export = write_export(tmp_path / "export", crowd(10))
    found = run(export, tmp_path / "out", patients=["p-3", "p-4", "nobody"])
    assert sorted(row["patient"] for row in found.rows) == ["p-3", "p-4"]
    assert found.summary["patients"]["listed_not_found"] == 1


def test_an_unreadable_file_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = Lines(ExportFile("gone.ndjson", str(tmp_path / "gone.ndjson"), 10), Part(0))
    assert list(lines) == []
    assert lines.broken.startswith("cannot be read")


def test_dates_after_the_day_of_the_run_do_not_move_the_end_of_the_data(tmp_path: Path) -> None:
    typo = condition(NECK_PAIN, recorded="2206-11-20")
    found = replayed(tmp_path, *of_patient("p-1", CANCER, PAIN, typo))
    assert found.summary["period"]["data_end"] == day(8)
    # At the end everything that the export holds was recorded, whatever it says: a call would see it, too.
    assert [row["place"] for row in found.rows] == ["several"]


def test_data_that_were_shifted_into_the_future_as_a_whole_end_there(tmp_path: Path) -> None:
    shifted = [condition(BREAST_CANCER, recorded="2115-01-03"), condition(LOW_BACK_PAIN, recorded="2115-02-03")]
    found = replayed(tmp_path, *of_patient("p-1", *shifted))
    assert found.summary["period"]["data_end"] == "2115-02-03"
    assert [row["outcome"] for row in found.rows] == ["fired"]
