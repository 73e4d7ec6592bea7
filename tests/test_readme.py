"""What README, docs/sandbox.md and CONTRIBUTING say of the project is so; `tests/test_docs.py` holds what they name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cds_service.settings import Settings
from tests.docs import SHOWN

ROOT = Path(__file__).parent.parent


def test_every_setting_has_a_description() -> None:
    assert all(field.description for field in Settings.model_fields.values())


def test_the_call_that_the_readme_sends_is_that_of_the_card_it_shows() -> None:
    named = re.findall(r"fixtures/scenarios/([\w-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(named) == {SHOWN.name}


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
    page = (ROOT / "docs" / "sandbox.md").read_text(encoding="utf-8")
    assert re.search(rf"{re.escape(said)}" if said.startswith("patientId") else rf"`{patient}` \([^)]*{said}", page)
    own = [
        json.loads((path.parent / "scenario.json").read_text(encoding="utf-8"))["expected"]
        for path in (ROOT / "fixtures" / "scenarios").glob("*/request.json")
        if json.loads(path.read_text(encoding="utf-8"))["context"]["patientId"] == patient
    ]
    assert [item.get("indicator") for item in own] == [expected]
