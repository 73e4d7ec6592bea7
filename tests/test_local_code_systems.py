"""A code system that a site names is not understood for its name: only its codes in value sets say what they mean."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from cds_service.chart.build import build_chart
from cds_service.chart.records import Coding
from cds_service.clinical.reading.understanding import Understanding
from cds_service.decision.support import DecisionSupport
from cds_service.readiness.coverage import Coverage
from cds_service.readiness.coverage_report import CoverageReport, report_of
from cds_service.settings import make_settings
from tests.builders import NOW, PATIENT_ID, Json, condition
from tests.overlays import COPYRIGHT, listed, write, write_codes
from tests.test_fast_reading import SCENARIOS, call_with, differences

LOCAL = "https://ehr.hospital.example.org/codes"
NAMED = f'[[system]]\nadd = true\nuri = "{LOCAL}"\nname = "Hospital codes"\naliases = []\n'
MAPPED = {"code": "LBP-1", "display": "Low back pain"}
COPIES = f'[[system]]\nuri = "http://hl7.org/fhir/sid/icd-10-cm"\naliases = {{ add = ["{LOCAL}"] }}\n'

# A system that was never named, one that was, and one of which a code stands in a value set.
WITHOUT, BY_NAME, BY_CODE = "not named", "named", "named, with a code in a value set"


def support_of(how: str, folder: Path) -> DecisionSupport:
    if how == WITHOUT:
        return DecisionSupport()
    folder.mkdir(exist_ok=True)
    write(folder, "code-systems.toml", NAMED)
    if how == BY_CODE:
        write_codes(folder, "back-pain-lumbar", include=listed(MAPPED, system=LOCAL), copyright=COPYRIGHT)
    return DecisionSupport(make_settings({"content_overlay": str(folder)}))


def local(code: str, display: str = "", *others: Json) -> Json:
    coding = {"system": LOCAL, "code": code} | ({"display": display} if display else {})
    return condition() | {"code": {"coding": [coding, *others]}}


def of_conditions(support: DecisionSupport, *resources: Json) -> tuple[int, int, Mapping[str, int]]:
    """How many conditions were understood, how many are of no interest, and what was not understood."""
    (rule,) = support.rules
    chart = build_chart(PATIENT_ID, {"conditions": {"resourceType": "Bundle", "type": "searchset", "entry": [
        {"resource": resource | {"id": f"c{number}"}} for number, resource in enumerate(resources)
    ]}})  # fmt: skip
    found: Understanding = next(item for item in rule.understanding(chart, rule.reader()) if item.key == "conditions")
    return found.understood, found.irrelevant, dict(found.not_understood)


@pytest.mark.parametrize("how", [WITHOUT, BY_NAME])
def test_a_system_without_a_code_in_a_value_set_stays_not_understood_when_it_is_named(how: str, tmp_path: Path) -> None:
    support = support_of(how, tmp_path / "overlay")
    assert of_conditions(support, local("DX7"), local("DX8", "High pressure")) == (0, 0, {LOCAL: 2})


@pytest.mark.parametrize("how", [WITHOUT, BY_NAME, BY_CODE])
def test_an_entry_that_is_read_by_its_words_is_understood_beside_any_code_of_the_site(how: str, tmp_path: Path) -> None:
    support = support_of(how, tmp_path / "overlay")
    assert of_conditions(support, local("CA-7", "Malignant neoplasm of breast")) == (1, 0, {})


def test_a_system_of_which_a_code_stands_in_a_value_set_is_known(tmp_path: Path) -> None:
    support = support_of(BY_CODE, tmp_path / "overlay")
    assert of_conditions(support, local("LBP-1"), local("DX8", "High pressure")) == (1, 1, {})


def test_a_system_that_copies_a_standard_one_is_known_by_its_alias(tmp_path: Path) -> None:
    support = DecisionSupport(make_settings({"content_overlay": str(write(tmp_path, "code-systems.toml", COPIES))}))
    assert of_conditions(support, local("C50.911"), local("I10"), local("DX7")) == (1, 1, {LOCAL: 1})


def test_every_system_of_the_release_is_known_whatever_is_read_of_it() -> None:
    (rule,) = DecisionSupport().rules
    systems = [item["uri"] for item in tomllib.loads(Path("cards/code-systems.toml").read_text("utf-8"))["system"]]
    unknown = [uri for uri in systems if not rule.reader().knows_system(Coding(uri, "X"))]
    assert (len(systems) > 20, unknown) == (True, [])


def counted(support: DecisionSupport, *documents: Json) -> CoverageReport:
    coverage = Coverage(support, NOW)
    for number, document in enumerate(documents):
        coverage.add(f"calls.jsonl:{number}", document)
    return report_of(coverage, show_all=True)


def test_coverage_is_the_same_before_and_after_a_system_is_named(tmp_path: Path) -> None:
    named = support_of(BY_NAME, tmp_path / "overlay")
    entries = [local("DX7", "High pressure"), local("CA-7", "Malignant neoplasm of breast"), local("LBP-1")]
    documents = [*(scenario.request for scenario in SCENARIOS), *entries]
    before, after = counted(DecisionSupport(), *documents).to_json(), counted(named, *documents).to_json()
    assert {"DX7", "CA-7", "LBP-1"} <= {row["code"] for row in after["unread_codes"]}
    proposed = [report.pop("unread_codes") for report in (before, after)]
    assert before == after
    assert [row["code"] for row in proposed[0]] == [row["code"] for row in proposed[1]]


@pytest.mark.parametrize("how", [BY_NAME, BY_CODE])
@pytest.mark.parametrize("display", ["High pressure", "Malignant neoplasm of breast", ""])
def test_both_ways_of_reading_a_call_say_the_same_of_a_site_s_codes(how: str, display: str, tmp_path: Path) -> None:
    support = support_of(how, tmp_path / "overlay")
    entry = {"resourceType": "Condition", "id": "odd", "recordedDate": "2026-11-20"}
    coding = {"system": LOCAL, "code": "DX7"} | ({"display": display} if display else {})
    for codings in ([coding], [coding, {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "I10"}]):
        assert differences(support, call_with(entry | {"code": {"coding": codings}})) == []
