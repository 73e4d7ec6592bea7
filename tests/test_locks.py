"""The locks: whole, of one mind, and with the hashes of every file; held without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.test_dependencies import ROOT, declared

# Each lock with the extras of which it is made; those of production are hashed.
LOCKS = {"requirements.lock": ("postgresql",), "requirements-demo.lock": ("demo",), "requirements-dev.lock": ("dev",)}
HASHED = ("requirements.lock", "requirements-demo.lock")

every_lock = pytest.mark.parametrize("lock", LOCKS)


@cache
def pins(lock: str) -> dict[str, set[str]]:
    """The lines of a lock by distribution, without hashes: one, or one for each kind of machine."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    for line in re.sub(r" *\\\n +--hash=\S+", "", text).splitlines():
        found.setdefault(canonicalize_name(Requirement(line).name), set()).add(line)
    return found


def wanted(requirements: list[str]) -> Iterator[Requirement]:
    """What requirements of setup.cfg ask for, those of our own extras included."""
    for line in requirements:
        requirement = Requirement(line)
        if requirement.name != "cds-service":
            yield requirement
        for extra in requirement.extras if requirement.name == "cds-service" else ():
            yield from wanted(declared("options.extras_require", extra))


def direct(lock: str) -> list[Requirement]:
    extras = [line for extra in LOCKS[lock] for line in declared("options.extras_require", extra)]
    return list(wanted([*declared("options", "install_requires"), *extras]))


def applies(requirement: Requirement, extras: frozenset[str]) -> bool:
    marker = requirement.marker
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in extras | {""})


def everything(requirements: list[Requirement], locked: dict[str, set[str]]) -> set[str]:
    """The distributions that these bring on this machine, by what is installed here in the locked version."""
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = [(item.name, frozenset(item.extras)) for item in requirements if applies(item, frozenset())]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in found:
            continue
        found.add((name, extras))
        behind = [Requirement(line) for line in needed_by(name, locked)]
        waiting += [(item.name, frozenset(item.extras)) for item in behind if applies(item, extras)]
    return {canonicalize_name(name) for name, _ in found}


def needed_by(name: str, locked: dict[str, set[str]]) -> list[str]:
    """What a distribution says that it needs; nothing where another version than the locked one is installed."""
    try:
        return (requires(name) or []) if f"=={version(name)}" in locked.get(canonicalize_name(name), ()) else []
    except PackageNotFoundError:
        return []


@every_lock
def test_a_lock_has_a_fitting_version_of_everything_that_setup_cfg_asks_for(lock: str) -> None:
    for requirement in direct(lock):
        lines = pins(lock).get(canonicalize_name(requirement.name), set())
        assert lines, f"{requirement.name}: run `make lock UPGRADE=`"
        for line in lines:
            (pinned,) = Requirement(line).specifier
            assert pinned.operator == "=="
            assert requirement.specifier.contains(pinned.version), line


@every_lock
def test_a_lock_has_everything_that_its_distributions_need(lock: str) -> None:
    assert everything(direct(lock), versions(lock)) - set(pins(lock)) == set()


@pytest.mark.parametrize("lock", HASHED)
def test_every_version_that_is_installed_for_use_is_named_by_the_hashes_of_its_files(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 30
    for entry in entries:
        first, *hashes = [line.strip(" \\") for line in entry.splitlines()]
        assert hashes, first
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", line) for line in hashes), first


@pytest.mark.parametrize("lock", HASHED)
def test_what_is_installed_for_use_is_what_was_tested(lock: str) -> None:
    tested = versions("requirements-dev.lock")
    assert {name: found for name, found in versions(lock).items() if not found <= tested[name]} == {}


def versions(lock: str) -> dict[str, set[str]]:
    """The versions of each distribution, whatever machine they are for."""
    return {name: {str(Requirement(line).specifier) for line in lines} for name, lines in pins(lock).items()}


@every_lock
def test_a_lock_names_no_address_to_fetch_from(lock: str) -> None:
    assert not re.search(r"://|--(?:extra-)?index|--find-links", (ROOT / lock).read_text(encoding="utf-8"))
