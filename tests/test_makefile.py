"""The Makefile: each target installs what it needs and no more, and `make install` starts nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.skips import NO_MAKE

ROOT = Path(__file__).parent.parent

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason=NO_MAKE)


def steps(target: str, folder: Path) -> str:
    """What a target would do where nothing is installed."""
    command = ["make", "--dry-run", "--always-make", target, f"VENV={folder}"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_serving_installs_the_demo_and_nothing_of_development(tmp_path: Path) -> None:
    done = steps("serve", tmp_path)
    assert ".[demo]" in done and ".[dev]" not in done
    assert "cds-service demo" in done


def test_testing_installs_the_rest(tmp_path: Path) -> None:
    done = steps("test", tmp_path)
    assert done.index(".[demo]") < done.index(".[dev]") < done.index("-m pytest")


def test_install_installs_everything_and_starts_nothing(tmp_path: Path) -> None:
    done = steps("install", tmp_path)
    assert ".[dev]" in done
    assert "cds-service demo" not in done and "-m pytest" not in done


@pytest.mark.parametrize("target", ["serve", "test", "install"])
def test_what_is_installed_for_work_is_what_the_lock_says(target: str, tmp_path: Path) -> None:
    installing = [line for line in steps(target, tmp_path).splitlines() if "--editable" in line]
    assert installing
    assert all("--constraint requirements-dev.lock" in line for line in installing)
