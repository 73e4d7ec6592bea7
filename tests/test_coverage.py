"""What of a site's data is not understood: the counts are those of the rule, and nothing of a patient is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cds_service.chart.build import build_chart
from cds_service.cli.main import main
from cds_service.clinical.reading.understanding import Understanding
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder
from cds_service.readiness import documents
from cds_service.readiness.coverage import Coverage
from cds_service.readiness.coverage_report import HIDDEN, CoverageReport, report_of
from cds_service.readiness.coverage_text import WIDTH, coverage_text
from cds_service.readiness.entry_reading import EntryReader
from cds_service.readiness.resources import resources_in
from cds_service.settings import Settings, make_settings
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    Json,
    bundle,
    concept,
    condition,
    draft,
    observation,
    request,
)
from tests.bulk_export import LOCAL, conditions, observations, orders

SUPPORT = DecisionSupport()
SCENARIOS = [read_scenario(folder, NOW).request for folder in scenario_folders(scenarios_folder())]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["coverage", *map(str, arguments)])


def counted(
    *found: Any, settings: Settings | None = None, show_all: bool = False, most_codes: int = 100
) -> CoverageReport:
    """The report on some documents, each of which stands in a line of its own."""
    coverage = Coverage(DecisionSupport(settings) if settings else SUPPORT, NOW, most_codes)
    for number, document in enumerate(found, 1):
        coverage.add(f"export.ndjson:{number}", document)
    return report_of(coverage, show_all=show_all)


def of_patients(resource: Json, *patients: str) -> list[Json]:
    """The same resource of several patients."""
    return [resource | {"subject": {"reference": f"Patient/{patient}"}} for patient in patients]


def local(code: str, display: str, system: str = LOCAL) -> Json:
    """A condition under a code of the site."""
    return condition() | {"code": {"coding": [{"system": system, "code": code, "display": display}]}}


def test_hook_calls_are_counted_as_the_service_counts_them() -> None:
    report = counted(*SCENARIOS)
    expected: dict[str, list[int]] = {}
    systems: dict[tuple[str, str], int] = {}
    for document in SCENARIOS:
        service = SUPPORT.service_for(document)
        assert service
        for item in SUPPORT.decide(HookCall(service, NOW), document).assessment.understanding:
            unread = sum(item.not_understood.values())
            sums = expected.setdefault(item.key, [0, 0, 0])
            expected[item.key] = [a + b for a, b in zip(sums, (item.understood, item.irrelevant, unread), strict=True)]
            for system, count in item.not_understood.items():
                systems[item.key, system] = systems.get((item.key, system), 0) + count
    found = {key: [item.understood, item.irrelevant, item.not_understood] for key, item in report.keys.items()}
    assert found == {key: sums for key, sums in expected.items() if key in found}
    assert {key for key, sums in expected.items() if any(sums)} <= found.keys()
    assert {(row.key, row.system): row.count for row in report.unknown_systems} == systems


def test_an_entry_alone_is_read_as_the_whole_resource_is() -> None:
    """What is left out of a signature says nothing of what an entry is."""
    (rule,) = SUPPORT.rules
    reader, different = EntryReader(rule), []
    for document in SCENARIOS:
        for value in document.get("prefetch", {}).values():
            for _, resource in resources_in(value) if value else ():
                key = reader.key_of(resource) if resource else ""
                if not resource or not key or resource["resourceType"] in ("Patient", "Encounter"):
                    continue
                own = {**resource, "subject": {"reference": "Patient/x"}, "patient": {"reference": "Patient/x"}}
                found = rule.understanding(build_chart("x", {key: own}), rule.reader())
                whole = [item for item in found if item.key == key]
                alone = reader.read(key, resource)
                here = (alone.understood, alone.irrelevant, alone.not_understood, alone.besides)
                there = [_of_one(item) for item in whole]
                if [here] != (there or [(False, False, "", {})]):
                    different.append((resource["id"], here, there))
    assert not different


def _of_one(item: Understanding) -> tuple[object, ...]:
    return bool(item.understood), bool(item.irrelevant), next(iter(item.not_understood), ""), item.besides


def test_an_ehr_with_a_third_of_local_codes_is_told_which_they_are() -> None:
    report = counted(*conditions(1000), *observations(500), most_codes=10_000)
    found = {(row.key, row.system): row.share for row in report.unknown_systems}
    # A local code whose words say it is read by them.
    assert found["observations", LOCAL] == pytest.approx(0.3, abs=0.06)
    assert found["conditions", LOCAL] == pytest.approx(0.3, abs=0.05)
    total = sum(row.not_understood for row in report.unread_codes)
    assert total == sum(row.count for row in report.unknown_systems)


def test_a_code_of_unknown_meaning_comes_with_what_its_words_may_mean() -> None:
    report = counted(
        *of_patients(local("LBP-1", "Low back pain"), "a", "b"),
        *of_patients(local("C50.911", "", system="urn:oid:2.999.1"), "a", "b"),
        *of_patients(local("BC9", "malignant neoplasm of breast, left"), "a", "b"),
        *of_patients(local("Q17", "Something else"), "a", "b"),
    )
    proposed = {row.code: row.proposal for row in report.unread_codes}
    assert proposed["LBP-1"] and (proposed["LBP-1"].value_set, proposed["LBP-1"].by) == ("back-pain-lumbar", "name")
    assert proposed["C50.911"] and (proposed["C50.911"].value_set, proposed["C50.911"].by) == ("breast-cancer", "code")
    assert proposed["C50.911"].system == "ICD-10-CM"
    assert proposed["BC9"] and (proposed["BC9"].value_set, proposed["BC9"].by) == ("breast-cancer", "words")
    assert proposed["Q17"] is None


def test_a_client_is_counted_with_its_own_settings() -> None:
    client = {"issuer": "https://ehr.example.org", "jwks_url": "https://ehr.example.org/keys", "text_match": False}
    support = DecisionSupport(make_settings({"clients": [client], "base_url": "https://cds.example.org"}))
    unread = []
    for issuer in ("", "https://ehr.example.org"):
        coverage = Coverage(support, NOW, client=issuer)
        coverage.add("a", local("LBP-1", "Low back pain"))
        unread.append(report_of(coverage).keys["conditions"].not_understood)
    assert unread == [0, 1]


def test_a_proposal_changes_no_answer() -> None:
    before = counted(local("LBP-1", "Low back pain")).keys["conditions"]
    again = counted(local("LBP-1", "Low back pain"), local("LBP-2", "")).keys["conditions"]
    assert (before.understood, again.understood, again.not_understood) == (1, 1, 1)


def test_a_local_code_beside_a_known_one_needs_no_mapping() -> None:
    both = condition(LOW_BACK_PAIN) | {"code": concept(LOW_BACK_PAIN, "local LBP-1")}
    assert not counted(both).unread_codes


def test_what_only_one_patient_has_is_not_shown() -> None:
    report = counted(
        local("DX1", "Jane Doe's headache"),
        local("00471182", "x"),
        *of_patients(local("DX2", "Headache of the clinic"), "a", "b"),
        condition() | {"clinicalStatus": {"text": "as Jane said"}},
    )
    shown = {row.code: row.display for row in report.unread_codes}
    assert shown["DX1"] == HIDDEN and shown["DX2"] == "Headache of the clinic"
    assert "Jane" not in json.dumps(report.to_json()) and "00471182" not in json.dumps(report.to_json())
    assert [row.word for row in report.unread_statuses] == [HIDDEN]


def test_test_data_may_be_shown_wholly() -> None:
    report = counted(local("DX1", "Some headache"), show_all=True)
    assert [row.display for row in report.unread_codes] == ["Some headache"]


def test_no_display_fills_more_than_a_line() -> None:
    report = counted(*of_patients(local("DX1", "pain\n\x1b[2J" * 100), "a", "b"))
    assert len(report.unread_codes[0].display) <= 80 and report.unread_codes[0].display.isprintable()


def test_orders_of_the_site_without_a_mapping_are_listed_apart() -> None:
    sent = request(hook="order-sign", drafts=[draft("local MRI-7", text="MRI lumbar spine")])
    report = counted(*orders(40), sent)
    rows = {(row.key, row.code): row for row in report.unmapped_orders}
    assert rows.keys() == {("serviceRequests", "IMG-MRLS"), ("draftOrders", "MRI-7")}
    proposal = rows["serviceRequests", "IMG-MRLS"].proposal
    assert proposal and proposal.value_set == "imaging-mri-lumbar-spine"
    assert not report.unread_codes


def test_an_order_code_that_the_settings_name_is_said_to_be_one() -> None:
    coding = {"system": LOCAL, "code": "IMG-MRLS", "display": "MRI"}
    report = counted(*orders(9), settings=make_settings({"order_codings": {"mri-lumbar-spine": [coding]}}))
    assert [row.ordered_as for row in report.unmapped_orders] == ["mri-lumbar-spine"]


def test_statuses_and_units_that_mean_nothing_are_named() -> None:
    temperature = observation("loinc 8310-5", valueQuantity={"value": 311, "unit": "K", "code": "K"})
    egfr = observation("loinc 33914-3", valueQuantity={"value": 40, "unit": "mL/h", "code": "mL/h"})
    read = observation("loinc 8310-5", valueQuantity={"value": 39, "unit": "Cel", "code": "Cel"})
    odd = condition(BREAST_CANCER) | {"verificationStatus": {"text": "zweifelhaft xy"}}
    report = counted(*(each for one in (temperature, egfr, read, odd) for each in of_patients(one, "a", "b")))
    units = {(row.element, row.word, row.count) for row in report.unread_units}
    assert units == {("body-temperature", "K", 2), ("egfr-test", "mL/h", 2)}
    assert [(row.element, row.word, row.count) for row in report.unread_statuses] == [
        ("verificationStatus", "zweifelhaft xy", 2)
    ]


def test_prefetch_keys_that_were_missing_or_truncated_are_counted() -> None:
    full = {"patient": None, "conditions": bundle(condition(BREAST_CANCER), next_page=True)}
    report = counted(request(prefetch=full), request(prefetch=full), bundle(condition(BREAST_CANCER), next_page=True))
    found = {(row.key, row.gap): (row.count, row.of) for row in report.prefetch_gaps}
    assert found["conditions", "first-page-only"] == (3, 3)
    assert found["observations", "not-supplied"] == (2, 2)
    assert ("patient", "not-supplied") not in found


def test_a_code_beyond_what_is_kept_changes_no_total_and_the_bound_is_told() -> None:
    many = [local(f"DX{number}", "") for number in range(300)] + [local("DX7", "") for _ in range(50)]
    report = counted(*many, most_codes=40)
    assert report.keys["conditions"].not_understood == 350
    assert len(report.unread_codes) == 40
    assert report.unread_codes[0].code == "DX7"
    assert "only the most frequent" in report.notes[0]


def test_a_line_of_the_table_fits_a_hundred_columns() -> None:
    long = local("X" * 64, "A very long display " * 9, system=f"https://ehr.example.org/{'codes/' * 20}")
    text = coverage_text(counted(*of_patients(long, "a", "b"), *conditions(50), *observations(50)), 20)
    assert max(map(len, text.splitlines())) <= WIDTH


def test_codes_with_a_proposal_come_first_in_the_table() -> None:
    often = [each for number in range(30) for each in of_patients(local(f"DX{number}", "Some thing"), "a", "b", "c")]
    text = coverage_text(counted(*often, *of_patients(local("LBP-1", "Low back pain"), "a", "b")), 5)
    assert text.index("LBP-1") < text.index("DX1")
    assert "… and 25 more" in text


def write_lines(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_damaged_lines_are_named_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST_LINE", 5000)
    good = json.dumps(local("DX1", ""))
    lines = write_lines(tmp_path / "a.ndjson", good, '{"cut": ', "x" * 12_000, "[]", "", good, "null")
    (tmp_path / "b.ndjson.gz").write_bytes(gzip.compress(good.encode())[:-12])
    (tmp_path / "c.ndjson.gz").write_bytes(b"no gzip")
    (tmp_path / "call.json").write_text(json.dumps(request() | {"context": {}}))
    (tmp_path / "notes.txt").write_text("nothing")
    found = json.loads(run(tmp_path, "--format", "json").stdout)
    assert found["entries"]["conditions"]["entries"] == 2
    places = [place.removeprefix(f"{tmp_path}/") for place in found["damaged"]["places"]]
    assert found["damaged"]["count"] == len(places)
    assert any(place.startswith("call.json: is no valid call of patient-view (context") for place in places)
    assert {"a.ndjson:2: is not JSON", "a.ndjson:3: is longer than 5,000 bytes"} <= set(places)
    assert any(place.startswith("b.ndjson.gz: cannot be read") for place in places)
    assert "c.ndjson.gz: cannot be read (is not compressed with gzip)" in places
    assert found["source"]["files_passed_over"] == 3
    assert run(lines).exit_code == 0


def test_a_file_that_is_cut_off_ends_the_command_with_1_behind_what_was_read(tmp_path: Path) -> None:
    whole = "".join(json.dumps(item) + "\n" for item in conditions(50)).encode()
    (tmp_path / "Condition.ndjson.gz").write_bytes(gzip.compress(whole)[:-12])
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "Entries by prefetch key" in result.output
    assert "not all was read: 1 files are damaged or cut off" in result.output


def test_bulk_data_bundles_and_calls_are_read_from_files(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "Condition.ndjson.gz", "wt") as stream:
        stream.writelines(json.dumps(item) + "\n" for item in conditions(20))
    (tmp_path / "patient.json").write_text("\ufeff" + json.dumps(bundle(*conditions(5))))
    (tmp_path / "calls").mkdir()
    write_lines(tmp_path / "calls" / "log.jsonl", *(json.dumps(item) for item in SCENARIOS[:3]))
    source = json.loads(run(tmp_path, "--format", "json").output)["source"]
    assert (source["files"], source["calls"], source["resources"]) == (3, 3, 25)


def test_what_is_understood_by_its_words_alone_is_what_is_not_without_them() -> None:
    words = [local("CA-7", "Malignant neoplasm of breast"), local("LBP-1", "Low back pain"), local("DX7", "Pressure")]
    found = [*words, condition(BREAST_CANCER), condition("icd10cm I10")]
    usual, without = counted(*found).keys["conditions"], counted(*found, settings=Settings(text_match=False))
    assert (usual.understood, usual.by_words, without.keys["conditions"].by_words) == (3, 2, 0)
    assert without.keys["conditions"].not_understood == usual.not_understood + usual.by_words
    assert "conditions: 2 (40.0%) are understood by their words alone" in coverage_text(counted(*found), 5)


def test_the_json_has_stable_names() -> None:
    found = counted(*conditions(30), *orders(30)).to_json()
    assert {"unknown_systems", "unread_codes", "prefetch_gaps", "unmapped_orders"} <= found.keys()
    assert {"unread_statuses", "unread_units", "entries", "source", "damaged", "notes"} <= found.keys()
    assert {"key", "system", "count", "share", "too_high_by"} == found["unknown_systems"][0].keys()
    assert {"count", "proposal", "not_understood", "display"} <= found["unread_codes"][0].keys()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "either files or folders, or --ledger"),
        (["--ledger", "setup.cfg"], "either files or folders, or --ledger"),
        (["docs", "--client", "https://nobody.example.org"], "--client goes with files"),
        (["setup.cfg"], "must end with .json"),
        (["no-such-file"], "does not exist"),
        (["docs", "--since", "30d"], "--since goes with --ledger"),
    ],
)
def test_a_command_that_cannot_be_meant_is_refused(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.output


def test_a_folder_without_any_chart_is_an_error(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert result.exit_code == 1
    assert "nothing could be read" in result.output


def test_codes_without_end_take_no_more_memory_than_others() -> None:
    found = counted(*(local("7" * 10_000 + str(number), "x" * 100_000) for number in range(9)))
    assert found.keys["conditions"].not_understood == 9
    assert len(json.dumps(found.to_json())) < 5_000


def test_an_entry_that_is_nested_too_deeply_is_damaged_and_no_end() -> None:
    deep = condition(BREAST_CANCER)
    inner = deep["code"]
    for _ in range(600):
        inner["extension"] = [{}]
        inner = inner["extension"][0]
    report = counted(deep, condition(BREAST_CANCER))
    assert report.damage.places == ["export.ndjson:1: is nested too deeply"]
    assert report.keys["conditions"].understood == 1
