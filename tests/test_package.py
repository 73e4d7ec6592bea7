"""The built wheel: complete, with nothing else in it, and of use without the checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.overlays import CHANGED_SENTENCE, WORDING, write
from tests.server_calls import HOST, PATH, PATIENCE_SECONDS, comes_true, free_port

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built without the network from what is installed here."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # A copy, so that nothing left over from an earlier build in the checkout gets in.
    for name in ("cds_service", "cards", "fixtures/scenarios"):
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


def test_the_wheel_holds_every_synthetic_patient(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    patients = [path.relative_to(ROOT / "fixtures") for path in (ROOT / "fixtures" / "scenarios").glob("*/*.json")]
    assert len(patients) > 600
    assert {f"cds_service/{path}" for path in patients} <= inside


def test_the_wheel_names_what_demo_and_postgresql_need(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = archive.read(name).decode()
    for needed, extra in (("sekmet-fhir==", "demo"), ("uvicorn>=", "demo"), ("psycopg[binary]>=", "postgresql")):
        assert re.search(rf"^Requires-Dist: {re.escape(needed)}.*extra == .{extra}.$", metadata, re.M), needed


def test_the_wheel_holds_every_module_and_nothing_else_at_the_top(wheel: Path) -> None:
    inside = zipfile.ZipFile(wheel).namelist()
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "cds_service").rglob("*.py")}
    assert modules <= set(inside)
    assert {name.split("/")[0] for name in inside if ".dist-info/" not in name} == {"cds_service"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment with the wheel, and without the checkout.

    The dependencies come from the environment of the tests, so that this needs no network; the wheel itself is
    installed for real.
    """
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", wheel], check=True, capture_output=True)
    site = next(path for path in map(Path, sys.path) if path.name == "site-packages" and (path / "flask").is_dir())
    target = next((folder / "lib").glob("python*/site-packages"))
    for path in site.iterdir():
        own = "cds_service" in path.name or "editable" in path.name
        if not own and not (target / path.name).exists():
            os.symlink(path, target / path.name)
    return folder / "bin"


def outside(folder: Path) -> dict[str, Any]:
    """How a program is run in an empty folder, with nothing of the tests in its environment."""
    return {"cwd": folder, "env": {"PATH": os.environ["PATH"], "HOME": str(folder)}, "text": True}


@pytest.mark.slow
def test_an_installation_outside_the_checkout_answers_a_call(installed: Path, tmp_path: Path) -> None:
    command = [str(installed / "cds-service"), "evaluate", "row-001-lumbar-pain-icd10"]
    result = subprocess.run(command, **outside(tmp_path), capture_output=True)
    assert result.returncode == 0, result.stderr
    assert "exclude spinal metastasis" in result.stdout
    asked = [str(installed / "python"), "-c", "import cds_service; print(cds_service.__file__)"]
    where = subprocess.run(asked, **outside(tmp_path), capture_output=True, check=True)
    assert str(installed.parent) in where.stdout


@pytest.mark.slow
def test_an_overlay_is_tested_on_every_synthetic_patient_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    write(tmp_path / "overlay", WORDING, CHANGED_SENTENCE)
    command = [str(installed / "cds-service"), "content", "test", "overlay", "--page", "page.html"]
    result = subprocess.run(command, **outside(tmp_path), capture_output=True)
    assert result.returncode == 0, result.stderr
    patients = len(list((ROOT / "fixtures" / "scenarios").glob("*/request.json")))
    assert f"{patients} synthetic patients:" in result.stdout and "rule out spinal metastasis" in result.stdout
    assert "rule out spinal metastasis" in (tmp_path / "page.html").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.server
def test_the_demo_runs_from_an_empty_folder_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://{HOST}:{port}"
    call = subprocess.run(
        [str(installed / "cds-service"), "fixture", "row-001-lumbar-pain-icd10"],
        **outside(tmp_path), capture_output=True, check=True,
    )  # fmt: skip
    command = [str(installed / "cds-service"), "demo", "--port", str(port)]
    with subprocess.Popen(command, **outside(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as demo:
        try:
            assert comes_true(lambda: demo.poll() is not None or answers(f"{address}/health/live"))
            assert demo.poll() is None, demo.communicate()
            assert "row-001-lumbar-pain-icd10" in requests.get(address, timeout=10).text
            answer = requests.post(f"{address}{PATH}", json=json.loads(call.stdout), timeout=10)
        finally:
            demo.terminate()
            output, _ = demo.communicate(timeout=PATIENCE_SECONDS)
    assert answer.json()["cards"][0]["indicator"] == "warning"
    assert demo.returncode == 0, output
    # Its ledger lies apart from that of a service in real use, and nothing was written beside the program.
    assert [path.parent.name for path in tmp_path.rglob("ledger.sqlite3")] == ["cds-service-demo"]


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
