"""The built wheel: complete, with nothing else in it, and of use without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built without the network from what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A copy, so that nothing left over from an earlier build in the checkout gets in.
    for name in ("cds_service", "cards"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, source],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_every_file_of_the_cards_and_every_schema(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    content = [path for path in (ROOT / "cards").rglob("*") if path.suffix in (".toml", ".json")]
    assert len(content) > 100
    assert {f"cds_service/{path.relative_to(ROOT)}" for path in content} <= inside
    schemas = {str(path.relative_to(ROOT)) for path in (ROOT / "cds_service").rglob("*.json")}
    assert schemas and schemas <= inside


def test_the_wheel_holds_every_module_and_nothing_else_at_the_top(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "cds_service").rglob("*.py")}
    assert modules <= set(inside)
    assert {name.split("/")[0] for name in inside if ".dist-info/" not in name} == {"cds_service"}


@pytest.mark.slow
def test_an_installation_outside_the_checkout_answers_a_call(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The dependencies come from the environment of the tests, so that this needs no network; the wheel itself is
    # installed for real, and the checkout is out of reach.
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages" and (path / "flask").is_dir())
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, capture_output=True)
    target = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    own = [path for path in site.iterdir() if "cds_service" not in path.name and "editable" not in path.name]
    for path in own:
        if not (target / path.name).exists():
            os.symlink(path, target / path.name)
    command = [str(tmp_path / "venv" / "bin" / "cds-service"), "evaluate"]
    fixture = ROOT / "fixtures" / "scenarios" / "row-001-lumbar-pain-icd10"
    clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    answer = subprocess.run([*command, str(fixture)], cwd=tmp_path, env=clean, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert "exclude spinal metastasis" in answer.stdout
    where = subprocess.run(
        [python, "-c", "import cds_service; print(cds_service.__file__)"],
        cwd=tmp_path, env=clean, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert str(tmp_path) in where.stdout
