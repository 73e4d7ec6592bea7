"""The image: built from the Dockerfile and run as a hospital would run it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.images import USER, BaseUnavailable, Image, lacking, stop
from tests.server_calls import HOST, PATH, a_call, comes_true, free_port
from tests.skips import NO_IMAGE

pytestmark = [pytest.mark.slow, pytest.mark.server, pytest.mark.image]

# A key for tests only.
SETTINGS = {"CDS_PSEUDONYM_KEY": "0123456789abcdefghijklmnopqrstuvwxyz"}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if why := lacking():
        pytest.skip(f"{NO_IMAGE}: {why}")
    try:
        built = Image(tmp_path_factory.mktemp("image"))
    except BaseUnavailable as error:
        pytest.skip(f"{NO_IMAGE}: debootstrap could not make the base: {error}")
    try:
        yield built
    finally:
        built.close()


def is_up(port: int) -> bool:
    try:
        return requests.get(f"http://{HOST}:{port}/health/ready", timeout=5).ok
    except requests.RequestException:
        return False


def serve(port: int) -> list[str]:
    """The arguments of the image, on this machine alone."""
    return ["serve", "--host", HOST, "--port", str(port), "--workers", "2"]


def test_the_image_says_how_it_is_run(image: Image) -> None:
    assert image.config["User"] == str(USER)
    assert image.config["Entrypoint"] == ["cds-service"]
    assert image.config["Cmd"][:3] == ["serve", "--host", "0.0.0.0"]
    assert image.config["StopSignal"] == "SIGTERM"
    assert set(image.config["ExposedPorts"]) == {"8000/tcp"}


def test_its_user_has_no_rights_and_may_write_nowhere_but_its_state(image: Image) -> None:
    assert f"uid={USER}" in image.run("id").stdout
    writable = (
        "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*' -not -path '/run/*' 2>/dev/null"
    )
    assert set(image.run("sh", "-c", writable).stdout.split()) <= {"/tmp", "/var/tmp", "/var/lib/cds-service"}
    # Neither this user nor a bug may become another.
    assert image.run("sh", "-c", "find / -xdev -type f -perm /6000 2>/dev/null").stdout == ""


def test_nothing_that_builds_or_installs_is_in_it(image: Image) -> None:
    tools = ("pip", "pip3", "gcc", "cc", "make", "ld", "git", "curl", "wget")
    found = [path for tool in tools for path in image.root.glob(f"**/bin/{tool}")]
    assert found == []
    assert list(image.root.glob("opt/cds-service/lib/python3*/site-packages/pip*")) == []
    assert list(image.root.glob("opt/cds-service/lib/python3*/site-packages/setuptools*")) == []
    assert not (image.root / "src").exists() and not (image.root / "wheel").exists()


def test_a_call_is_answered_and_the_health_check_is_content(image: Image) -> None:
    port = free_port()
    with image.serving(SETTINGS, *serve(port)) as process:
        assert comes_true(lambda: process.poll() is not None or is_up(port)), "it did not start"
        assert process.poll() is None, process.communicate()
        answer = requests.post(f"http://{HOST}:{port}{PATH}", json=a_call(), timeout=20)
        kind, *check = image.config["Healthcheck"]["Test"]
        checks = [[part.replace(":8000/", f":{number}/") for part in check] for number in (port, free_port())]
        statuses = [image.run(*command).returncode for command in checks]
        output = stop(process)
    assert answer.json()["cards"][0]["indicator"] == "warning"
    assert kind == "CMD" and statuses[0] == 0 and statuses[1] != 0
    assert process.returncode == 0, output


def test_it_runs_with_a_root_that_cannot_be_written(image: Image) -> None:
    port = free_port()
    with image.serving_read_only(SETTINGS, *serve(port)) as process:
        assert comes_true(lambda: process.poll() is not None or is_up(port)), "it did not start"
        assert process.poll() is None, process.communicate()
        address = f"http://{HOST}:{port}"
        answer = requests.post(f"{address}{PATH}", json=a_call(), timeout=20)
        ready = requests.get(f"{address}/health/ready", timeout=20).json()
        counted = requests.get(f"{address}/metrics", timeout=20).text
        output = stop(process)
    assert answer.json()["cards"][0]["indicator"] == "warning"
    # The ledger and the counts of several workers are what it writes.
    assert (ready["status"], ready["ledger"]) == ("ready", "ok")
    assert 'outcome="fired"' in counted
    assert process.returncode == 0, output


def test_beyond_its_own_machine_it_asks_for_clients_first(image: Image) -> None:
    refused = image.run(*image.config["Entrypoint"], *image.config["Cmd"])
    assert refused.returncode != 0
    assert "--insecure" in refused.stderr + refused.stdout


def test_the_base_is_the_one_that_the_dockerfile_names() -> None:
    dockerfile = (Path(__file__).parents[1] / "Dockerfile").read_text(encoding="utf-8")
    bases = [line.split()[1] for line in dockerfile.splitlines() if line.startswith("FROM ")]
    assert set(bases) == {"debian:trixie-slim"}


def test_only_what_the_image_needs_is_sent_to_the_build() -> None:
    root = Path(__file__).parents[1]
    copied = " ".join(
        line
        for line in (root / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY") and "--from" not in line
    )
    let_in = {line[1:] for line in (root / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    for name in let_in - {"requirements*.lock"}:
        assert name in copied, name
    tracked = subprocess.run(
        ["git", "check-ignore", *sorted(let_in - {"requirements*.lock"})], cwd=root, capture_output=True
    )
    assert tracked.stdout == b""
