"""What a call was about is out of memory when it is answered, without waiting for a collection of garbage.

A large call is a few objects of many megabytes each, and collections come after so many objects: some of such calls
would take gigabytes before the first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.left_in_memory import CALLS


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Names of types by kind of call."""
    command = [sys.executable, "-m", "tests.left_in_memory", str(tmp_path_factory.mktemp("data"))]
    told = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
    names: dict[str, list[str]] = json.loads(told.stdout.splitlines()[-1])
    return names


@pytest.mark.parametrize("kind", CALLS)
def test_nothing_of_a_call_waits_for_a_collection_of_garbage(left: dict[str, list[str]], kind: str) -> None:
    assert left[kind] == []
