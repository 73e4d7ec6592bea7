"""Copies of the content that tests may break, and what the loader says of them."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.error import ContentError
from cds_service.content.load import content_folder

Json = dict[str, Any]

RULE = "breast_cancer_back_pain"


def copy_of_content(folder: Path) -> Path:
    """A copy of the content in `folder`, which must be empty."""
    return Path(shutil.copytree(content_folder(), folder / "cards"))


def replace_in(folder: Path, file: str, pattern: str, replacement: str) -> None:
    """Edit the first match in a TOML file; the pattern must be there."""
    path = folder / file
    text, count = re.subn(pattern, lambda _: replacement, path.read_text("utf-8"), count=1, flags=re.MULTILINE)
    assert count == 1, f"{file} no longer holds {pattern}"
    path.write_text(text, encoding="utf-8")


def edit_value_set(folder: Path, set_id: str, edit: Callable[[Json], object]) -> None:
    """Edit a shared ValueSet as data."""
    path = folder / f"value-sets/{set_id}.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    edit(data)
    path.write_text(json.dumps(data), encoding="utf-8")


def add_code(folder: Path, set_id: str, system: str, code: str) -> None:
    """List one more code in a shared ValueSet."""
    edit_value_set(
        folder, set_id, lambda data: data["compose"]["include"].append({"system": system, "concept": [{"code": code}]})
    )


def refusal(folder: Path) -> ContentError:
    """What stops the start with this content."""
    with pytest.raises(ContentError) as raised:
        load_content(folder)
    return raised.value
