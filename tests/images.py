"""The image, really built and run: by buildah, without a daemon, on a base that debootstrap makes.

Nothing of it stays: images and containers lie in a storage of their own, which goes with the tests.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.server_calls import PATIENCE_SECONDS, comes_true

ROOT = Path(__file__).parents[1]

# As the first line of the Dockerfile names it, in full, so that nothing is fetched under this name.
BASE = "docker.io/library/debian:trixie-slim"

# The user of the image.
USER = 10001

# What a machine trusts, which a proxy in front of the package index may be among.
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

_BUILD_SECONDS = 900

# A root that cannot be written, and the two places that can; the service is process 1, as in a container.
_READ_ONLY = """
mount --make-rprivate /
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
mount -t tmpfs -o mode=0700,uid=10001,gid=10001 tmpfs "$0/var/lib/cds-service"
mount -t proc proc "$0/proc"
mount --bind /dev "$0/dev"
exec chroot --userspec=10001:10001 "$0" /usr/bin/env --ignore-environment "$@"
"""


def lacking() -> str | None:
    """Why no image can be built on this machine, or None."""
    absent = [name for name in ("buildah", "debootstrap", "unshare", "chroot") if shutil.which(name) is None]
    if absent:
        return f"{', '.join(absent)} not installed"
    return None if os.geteuid() == 0 else "only root can build it without a daemon"


class BaseUnavailable(Exception):
    """The base could not be made, most likely for want of a network; the message says why."""


class Image:
    """The image of the Dockerfile, in a storage of its own.

    Raises:
        BaseUnavailable: the packages of the base cannot be had.
        CalledProcessError: the image cannot be built; the message has the end of what was said.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tool = _tool(folder, "overlay")
        if not self._works():
            # On some file systems; every layer is then a copy of the one before.
            self._tool = _tool(folder, "vfs")
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self) -> None:
        self._make_base(self._folder / "debootstrap.log")
        self._buildah(
            "bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--tag", "cds-service",
            *(["--secret", f"id=ca,src={_AUTHORITIES}"] if _AUTHORITIES.exists() else []), str(ROOT),
        )  # fmt: skip
        self._container = self._buildah("from", "--pull-never", "localhost/cds-service")
        self.root = Path(self._buildah("mount", self._container))
        inspected = json.loads(self._buildah("inspect", "--type", "image", "localhost/cds-service"))
        self.config: dict[str, Any] = inspected["Docker"]["config"]

    def close(self) -> None:
        """Remove containers, mounts and all files: they are more than a gigabyte."""
        for arguments in (["umount", "--all"], ["rm", "--all"]):
            subprocess.run([*self._tool, *arguments], capture_output=True, timeout=_BUILD_SECONDS)
        # What is still mounted there, /dev of this machine perhaps, is not to be removed with it.
        if f" {self._folder}/" not in Path("/proc/self/mounts").read_text():
            shutil.rmtree(self._folder, ignore_errors=True)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in a container of the image, as its user."""
        return subprocess.run(self._run(command, {}), capture_output=True, text=True, timeout=PATIENCE_SECONDS * 2)

    @contextmanager
    def serving(self, settings: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The entry point of the image with these arguments, in a container, until the end of the block."""
        with _process(self._run([*self.config["Entrypoint"], *arguments], settings)) as process:
            yield process

    @contextmanager
    def serving_read_only(self, settings: Mapping[str, str], *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """The same with a root that cannot be written, as process 1."""
        environment = [*self.config["Env"], *(f"{name}={value}" for name, value in settings.items())]
        command = [*environment, *self.config["Entrypoint"], *arguments]
        isolated = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", _READ_ONLY, str(self.root)]
        with _process([*isolated, *command]) as process:
            yield process

    def _run(self, command: Sequence[str], settings: Mapping[str, str]) -> list[str]:
        given = [option for name, value in settings.items() for option in ("--env", f"{name}={value}")]
        return [*self._tool, "run", "--isolation", "chroot", *given, self._container, "--", *command]

    def _works(self) -> bool:
        container = subprocess.run([*self._tool, "from", "scratch"], capture_output=True, text=True)
        mounted = subprocess.run([*self._tool, "mount", container.stdout.strip()], capture_output=True)
        return container.returncode == mounted.returncode == 0

    def _make_base(self, log: Path) -> None:
        container = self._buildah("from", "scratch")
        target = self._buildah("mount", container)
        with log.open("wb") as output:
            made = subprocess.run(
                ["debootstrap", "--variant=minbase", "trixie", target],
                stdout=output, stderr=subprocess.STDOUT, timeout=_BUILD_SECONDS,
            )  # fmt: skip
        if made.returncode:
            raise BaseUnavailable(log.read_text(errors="replace").strip().splitlines()[-1])
        self._buildah("umount", container)
        self._buildah("commit", "--quiet", container, BASE)
        self._buildah("rm", container)

    def _buildah(self, *arguments: str) -> str:
        done = subprocess.run([*self._tool, *arguments], capture_output=True, text=True, timeout=_BUILD_SECONDS)
        assert done.returncode == 0, f"buildah {arguments[0]}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout.strip()


def _tool(folder: Path, driver: str) -> list[str]:
    storage = folder / driver
    return ["buildah", "--root", str(storage), "--runroot", str(folder / "run"), "--storage-driver", driver]


@contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """A running command; what is left of it at the end is killed."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            for number in descendants(process.pid):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            process.kill()


def stop(process: subprocess.Popen[str]) -> str:
    """Tell the service in a container to stop, wait for it, and return what it said."""
    services = [number for number in descendants(process.pid) if _is_service(number)]
    os.kill(services[0], signal.SIGTERM)
    output, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert comes_true(lambda: not any(map(_is_service, services)))
    return output


def descendants(number: int) -> list[int]:
    """The processes that a process has started, and they in turn, parents first."""
    try:
        # Each thread has children of its own.
        told = [path.read_text() for path in Path(f"/proc/{number}/task").glob("*/children")]
    except OSError:
        return []
    children = " ".join(told).split()
    return [found for child in children for found in (int(child), *descendants(int(child)))]


def _is_service(number: int) -> bool:
    try:
        program, *arguments = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    # The tool that starts it has the same arguments.
    return program.endswith(b"/python") and arguments[:2] == [b"/opt/cds-service/bin/cds-service", b"serve"]
