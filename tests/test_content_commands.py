"""Content without fear, as its owner goes: change by overlay, check, test, approve, upgrade, roll back."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.app import make_app
from cds_service.cli.main import main
from cds_service.content.load import content_folder
from cds_service.decision.support import DecisionSupport
from cds_service.demo.scenarios import scenarios_folder
from cds_service.settings import read_settings
from tests.builders import NOW
from tests.content_copies import replace_in
from tests.overlays import (
    CHANGED_SENTENCE,
    COPYRIGHT,
    NEW_CODE,
    RULE_FILE,
    SENTENCE,
    SNOMED,
    WORDING,
    changed_number,
    listed,
    usable,
    write,
    write_codes,
)
from tests.token_maker import BASE_URL, ISSUER, key, key_set

FIRES = "row-001-lumbar-pain-icd10"
AS_OF = f"{NOW:%Y-%m-%d}"

# After the release of the content and before its review, of which readiness would warn.
IN_DATE = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and no settings but a data folder inside it."""
    for name in [name for name in os.environ if name.startswith("CDS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CDS_DATA_FOLDER", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def overlay(folder: Path) -> Path:
    """One code, one sentence and one threshold that differ."""
    made = folder / "overlay"
    write_codes(made, "back-pain-lumbar", include=listed(NEW_CODE), copyright=COPYRIGHT)
    write(made, WORDING, CHANGED_SENTENCE)
    return write(made, RULE_FILE, changed_number(56))


@pytest.fixture
def patients(folder: Path) -> Path:
    """Three of low back pain: for five days, for sixty days, and for five days by a code that the content has not."""
    made = folder / "patients"
    for name, days, code in (("row-1", 5, None), ("row-2", 60, None), ("row-3", 5, NEW_CODE)):
        copy = Path(shutil.copytree(scenarios_folder() / FIRES, made / name))
        call = json.loads((copy / "request.json").read_text("utf-8"))
        pain = next(
            entry["resource"]
            for entry in call["prefetch"]["conditions"]["entry"]
            if entry["resource"]["code"]["coding"][0]["code"] == "M54.50"
        )
        pain["onsetDateTime"] = pain["recordedDate"] = f"{{{{{days} days ago}}}}"
        if code:
            pain["code"] = {"coding": [{"system": SNOMED, **code}]}
        (copy / "request.json").write_text(json.dumps(call), "utf-8")
    return made


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, ["content", *(str(argument) for argument in arguments)])


def said(*arguments: str | Path) -> str:
    """What a command prints that must succeed."""
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


def state(folder: Path | None = None, overlay: Path | None = None) -> tuple[list[str], float]:
    """Of a service with this content: the warnings of its readiness, and its metric of approval."""
    settings = read_settings().model_copy(update={"content_folder": folder, "content_overlay": overlay})
    client = make_app(settings, lambda: IN_DATE).test_client()
    metric = re.search(r"^cds_content_approved (\S+)", client.get("/metrics").get_data(as_text=True), re.M)
    assert metric
    return client.get("/health/ready").get_json()["warnings"], float(metric[1])


APPROVED: tuple[list[str], float] = ([], 1.0)


def test_a_change_by_overlay_is_tested_approved_kept_by_an_upgrade_and_rolled_back(
    folder: Path, overlay: Path, patients: Path
) -> None:
    assert "No problem." in said("check")
    assert said("check", overlay).startswith(f"The overlay {overlay} over the content that came with the service\n")

    output = said("test", overlay, "--scenarios", patients, "--as-of", AS_OF, "--page", "page.html")
    assert "3 synthetic patients: 3 get another answer (another outcome: 2, another card: 3)." in output
    assert "not-applicable, no-back-pain -> fired, imaging-advised" in output
    assert "fired, imaging-advised -> not-applicable, back-pain-not-new" in output
    assert "rule out spinal metastasis" in (folder / "page.html").read_text("utf-8")

    # Nothing was approved yet, and the service says so until somebody does.
    (warning,), metric = state(overlay=overlay)
    assert "is approved by nobody" in warning and metric == 0
    assert "Approved: 2.0.0+" in said("approve", overlay, "--by", "Dr. A", "--why", "agreed by the spine board")
    assert state(overlay=overlay) == APPROVED
    assert "Approved by Dr. A" in said("check", overlay)

    # The next version changes the same sentence and the same threshold, and another sentence.
    following = Path(shutil.copytree(content_folder(), folder / "next"))
    replace_in(
        following, WORDING, "^imaging = .*", 'imaging = "Breast cancer history + {pain}: metastasis? Order {study}."'
    )
    replace_in(following, RULE_FILE, "^value = 84", "value = 90")
    replace_in(following, WORDING, '^cauda-equina = "possible', 'cauda-equina = "suspected')
    told = said("check", overlay, "--base", following)
    assert f"{WORDING}: summary.imaging: the content changed here since the approval" in told
    assert f"{RULE_FILE}: threshold.new_window_days.value: the content changed here" in told
    assert "'84', now '90'; the overlay keeps its own" in told
    upgraded = usable(overlay, folder=following)
    assert upgraded.wording["flag"]["cauda-equina"].startswith("suspected")
    assert (upgraded.wording["summary"]["imaging"], upgraded.rule.thresholds["new_window_days"]) == (SENTENCE, 56)

    (warning,), metric = state(following, overlay)
    assert "The last approval is of 2.0.0+" in warning and metric == 0
    said("approve", overlay, "--base", following, "--by", "Dr. B", "--why", "read against the next version")
    assert state(following, overlay) == APPROVED
    assert "the content changed here" not in said("check", overlay, "--base", following)

    # Back to the version before: what was approved then is approved again. Without the overlay the release stands.
    assert state(overlay=overlay) == APPROVED
    assert state() == APPROVED
    told = said("check", overlay)
    assert "Approved by Dr. A" in told and "the content changed here" not in told
    lines = (overlay / "approvals.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["by"] for line in lines] == ["Dr. A", "Dr. B"]


def test_the_overlay_of_a_client_is_checked_tested_and_approved_over_that_of_the_site(
    folder: Path, overlay: Path, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = write(folder / "north", WORDING, '[summary]\nimaging = "Breast cancer history + {pain}. Order {study}."\n')
    (folder / "keys.json").write_bytes(key_set(key()))
    client = {"issuer": ISSUER, "jwks_file": str(folder / "keys.json"), "content_overlay": str(own)}
    monkeypatch.setenv("CDS_CONTENT_OVERLAY", str(overlay))
    monkeypatch.setenv("CDS_BASE_URL", BASE_URL)
    monkeypatch.setenv("CDS_CLIENTS", json.dumps([client]))
    assert said("check", own).startswith(f"The overlay {own} over {overlay} over the content that came with")
    output = said("test", own, "--scenarios", patients, "--as-of", AS_OF)
    assert f"- {SENTENCE.partition(' + ')[0]}" in output and "rule out spinal metastasis" in output
    for changed in (overlay, own):
        said("approve", changed, "--by", "Dr. A", "--why", "agreed")
    assert DecisionSupport(read_settings()).approval_warnings() == ()


# --- test


def test_every_patient_of_the_service_is_asked_and_an_empty_overlay_changes_none(folder: Path) -> None:
    (folder / "empty").mkdir()
    count = len(list(scenarios_folder().glob("*/request.json")))
    assert f"{count} synthetic patients: every answer stays as it is." in said("test", folder / "empty")


def test_the_page_is_one_file_without_script_or_other_host_and_what_it_quotes_is_no_markup(
    folder: Path, patients: Path
) -> None:
    overlay = write(folder / "overlay", WORDING, "[summary]\nimaging = '<b onclick=\"x\">{pain}</b> {study}'\n")
    said("test", overlay, "--scenarios", patients, "--as-of", AS_OF, "--page", "page.html")
    page = (folder / "page.html").read_text("utf-8")
    assert "&lt;b onclick" in page and "<b onclick" not in page
    assert not re.search(r"<script|<link|src=|href=|url\(|http-equiv=.refresh", page)


def test_a_page_that_cannot_be_written_is_named(folder: Path, overlay: Path, patients: Path) -> None:
    result = run("test", overlay, "--scenarios", patients, "--page", folder / "no" / "page.html")
    assert result.exit_code == 1 and "No such file" in result.output


@pytest.mark.parametrize(
    "command", [("check",), ("test",), ("approve", "--by", "A", "--why", "B"), ("diff", "installed")]
)
def test_content_with_problems_is_neither_tested_nor_compared_nor_approved(
    folder: Path, overlay: Path, command: tuple[str, ...]
) -> None:
    write(overlay, RULE_FILE, changed_number(9999))
    result = run(*command, overlay)
    assert result.exit_code == 1
    assert "9999 is not from 1 to 3650" in result.output and "1 problem" in result.output
    assert not (overlay / "approvals.jsonl").exists()


# --- diff


def test_a_difference_is_told_by_meaning(overlay: Path) -> None:
    output = said("diff", "installed", overlay)
    assert f"  back-pain-lumbar\n    + SNOMED CT {NEW_CODE['code']} {NEW_CODE['display']}\n" in output
    assert "  summary.imaging\n    - Breast cancer history + {pain}: exclude spinal" in output
    assert f"    + {SENTENCE}\n" in output
    assert "  new_window_days\n    - 84\n    + 56\n" in output
    back = said("diff", overlay, "installed")
    assert f"    - SNOMED CT {NEW_CODE['code']}" in back and "    - 56\n    + 84\n" in back


def test_what_is_the_same_has_no_difference(folder: Path) -> None:
    shutil.copytree(content_folder(), folder / "copy")
    assert "No difference." in said("diff", "installed", folder / "copy")


def test_of_a_list_of_words_only_what_differs_is_told(folder: Path) -> None:
    file = "breast_cancer_back_pain/text-patterns.toml"
    overlay = write(folder / "overlay", file, "[flag.course]\npatterns = { add = ['for ages'] }\n")
    output = said("diff", "installed", overlay)
    assert "  text_patterns.flags.course.patterns\n    + 'for ages'\n" in output


def test_a_name_that_is_no_folder_is_not_understood(overlay: Path) -> None:
    result = run("diff", "instaled", overlay)
    assert result.exit_code == 2 and "neither a folder nor the word 'installed'" in result.output


# --- approve, and who is asked for it


def test_the_content_of_the_settings_is_meant_where_no_folder_is_given(
    overlay: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CDS_CONTENT_OVERLAY", str(overlay))
    assert "Approved by nobody yet" in said("check")
    said("approve", "--by", "Dr. A", "--why", "agreed")
    assert "Approved by Dr. A" in said("check")
    assert DecisionSupport(read_settings()).approval_warnings() == ()


def test_one_change_after_the_approval_is_not_approved(overlay: Path) -> None:
    said("approve", overlay, "--by", "Dr. A", "--why", "agreed")
    write(overlay, RULE_FILE, changed_number(42))
    assert "Approved by nobody yet" in said("check", overlay)


def test_content_of_the_sites_own_needs_an_approval_from_the_first_one_on(
    folder: Path, content_copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_in(content_copy, RULE_FILE, "^value = 84", "value = 90")
    assert state(content_copy) == APPROVED
    said("approve", content_copy, "--by", "Dr. A", "--why", "agreed")
    assert (folder / "data/content-approvals.jsonl").exists()
    other = Path(shutil.copytree(content_copy, folder / "other"))
    replace_in(other, RULE_FILE, "^value = 90", "value = 91")
    assert state(content_copy) == APPROVED
    assert state(other)[1] == 0
    assert state() == APPROVED, "a release that nobody changed is approved by its release"


@pytest.mark.parametrize("options", [("--by", " ", "--why", "x"), ("--by", "x", "--why", "")])
def test_an_approval_needs_a_name_and_a_reason(overlay: Path, options: tuple[str, ...]) -> None:
    result = run("approve", overlay, *options)
    assert result.exit_code == 2 and "must not be empty" in result.output


def test_approvals_that_were_written_into_are_told_and_approve_nothing(overlay: Path) -> None:
    said("approve", overlay, "--by", "Dr. A", "--why", "agreed")
    with (overlay / "approvals.jsonl").open("a", encoding="utf-8") as text:
        text.write("agreed as well\n")
    assert "line 2" in run("check", overlay).output
    (warning,), metric = state(overlay=overlay)
    assert "cannot be read" in warning and "line 2" in warning and metric == 0


def test_serve_says_at_its_start_that_the_content_is_not_approved(overlay: Path) -> None:
    settings = read_settings().model_copy(update={"content_overlay": overlay})
    assert any("approved by nobody" in warning for warning in DecisionSupport(settings).warnings(NOW))


@pytest.fixture
def stray(overlay: Path) -> Iterator[Path]:
    """An overlay of which nothing differs any more."""
    shutil.rmtree(overlay)
    overlay.mkdir()
    yield overlay


def test_an_overlay_that_changes_nothing_is_noted(stray: Path) -> None:
    output = said("check", stray)
    assert "the overlay changes nothing" in output and "Approved by its release" in output
    assert "Approved by nobody" not in output


def test_the_same_approval_twice_is_recorded_once(overlay: Path) -> None:
    for _ in range(2):
        output = said("approve", overlay, "--by", "Dr. A", "--why", "agreed")
    assert "Approved already" in output
    said("approve", overlay, "--by", "Dr. B", "--why", "agreed")
    lines = (overlay / "approvals.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["by"] for line in lines] == ["Dr. A", "Dr. B"]


def test_one_place_that_differs_is_one(stray: Path) -> None:
    write(stray, WORDING, CHANGED_SENTENCE)
    assert "; 1 place differs.\n" in said("check", stray)


@pytest.mark.parametrize("command", [("test",), ("diff", "installed")])
def test_of_a_faulty_next_version_the_folder_is_told(
    folder: Path, overlay: Path, content_copy: Path, command: tuple[str, ...]
) -> None:
    replace_in(content_copy, RULE_FILE, "^owner = .*", "owner = 7")
    result = run(*command, overlay, "--base", content_copy)
    assert result.exit_code == 1 and f"{RULE_FILE}: owner" in result.output
    assert f"the content in {content_copy}\n" in result.output.replace("The content", "the content")
