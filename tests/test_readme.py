"""README, CONTRIBUTING and SECURITY name what exists, and the README shows what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cds_service.cli.main import main
from cds_service.settings import Settings, settings_table

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def between(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)<!-- end of {name} -->", README, re.DOTALL)
    assert found
    return found[1].strip()


def test_the_settings_table_is_that_of_the_settings() -> None:
    assert between("settings") == settings_table()


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_card_shown_is_the_card_that_comes_back() -> None:
    folder = ROOT / "fixtures" / "scenarios" / "row-001-lumbar-pain-icd10"
    result = CliRunner().invoke(main, ["evaluate", str(folder), "--as-of", "2026-11-22"])
    card = json.loads(result.output)["cards"][0]
    shown = "\n".join(f"> {line}".rstrip() for line in f"**{card['summary']}**\n\n{card['detail']}".split("\n"))
    assert between("card") == shown


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_every_file_and_make_target_it_names_exists(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.M):
        assert f"\n{target}:" in makefile
    for path in re.findall(r"((?:cards|cds_service|docs|fixtures|tests)/[\w./-]+)", text):
        assert (ROOT / path.rstrip("./")).exists(), path


def test_every_command_it_names_exists() -> None:
    for command in re.findall(r"cds-service (\w+)", README):
        assert command in main.commands


def test_the_layout_names_every_part_of_the_package() -> None:
    layout = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The layout")[2].partition("## ")[0]
    named = {name.partition("/")[0] for line in layout.splitlines() for name in re.findall(r"`([\w./]+)`", line[:50])}
    parts = {path.name for path in (ROOT / "cds_service").iterdir() if path.name not in ("py.typed", "__pycache__")}
    assert parts - named == {"__init__.py", "__main__.py"}


@pytest.mark.parametrize(
    ("patient", "said", "expected"),
    [
        ("pt-001", "patientId=pt-001", "warning"),
        ("patient-022", "an emergency", "critical"),
        ("patient-112-1", "allergic to gadolinium", "warning"),
        ("pt-054", "silence", None),
    ],
)
def test_the_patients_it_names_for_the_sandbox_are_what_it_says(patient: str, said: str, expected: str | None) -> None:
    assert re.search(rf"{re.escape(said)}" if said.startswith("patientId") else rf"`{patient}` \([^)]*{said}", README)
    own = [
        json.loads((path.parent / "scenario.json").read_text(encoding="utf-8"))["expected"]
        for path in (ROOT / "fixtures" / "scenarios").glob("*/request.json")
        if json.loads(path.read_text(encoding="utf-8"))["context"]["patientId"] == patient
    ]
    assert [item.get("indicator") for item in own] == [expected]
