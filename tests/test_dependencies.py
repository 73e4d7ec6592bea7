"""What the code imports is declared in setup.cfg, and an installation gets no more than it needs."""

from __future__ import annotations

import ast
import configparser
import importlib.util
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from cds_service.app import make_app
from cds_service.settings import SettingsError, make_settings

ROOT = Path(__file__).parent.parent
OWN = {"cds_service", "tests"}

# Rooms that are not part of a service in real use, with the extra that brings what they need.
EXTRAS = {"demo": "demo", "replay": "replay", "workbench": "workbench"}


def declared(section: str, option: str) -> list[str]:
    """The requirements under one heading of setup.cfg, as they are written."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    return [line for line in setup[section][option].splitlines() if line]


def distributions(*requirements: str) -> set[str]:
    """The distributions that requirements name, spelled alike (PEP 503); those of an extra of our own for its name."""
    found = set()
    for requirement in requirements:
        own = re.fullmatch(r"cds-service\[(.+)\]", requirement)
        for extra in own[1].split(",") if own else ():
            found |= distributions(*declared("options.extras_require", extra.strip()))
        if not own:
            found.add(spelled(re.split(r"[\[><=~!; ]", requirement)[0]))
    return found


def spelled(name: str) -> str:
    return re.sub("[-_.]+", "-", name).lower()


# Which distributions bring a module of this name: known once for all tests, since to know it takes a while.
_distributions = cache(packages_distributions)


@cache
def imported(folder: Path) -> list[tuple[Path, str]]:
    """Each file with each distribution that it imports, whether at its top or inside a function."""
    return list(_imports(folder))


def _imports(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []
            for module in {name.partition(".")[0] for name in names} - OWN - sys.stdlib_module_names:
                # `_typeshed` exists for type checkers only.
                if module != "_typeshed":
                    yield path, spelled(_distributions().get(module, [module])[0])


REQUIRED = distributions(*declared("options", "install_requires"))


def test_everything_that_the_service_imports_is_declared() -> None:
    undeclared = []
    for path, name in imported(ROOT / "cds_service"):
        extra = EXTRAS.get(path.relative_to(ROOT / "cds_service").parts[0])
        allowed = REQUIRED | (distributions(f"cds-service[{extra}]") if extra else set())
        if name not in allowed:
            undeclared.append((str(path.relative_to(ROOT)), name))
    assert undeclared == []


def test_nothing_is_installed_in_production_that_the_service_does_not_import() -> None:
    used = {name for path, name in imported(ROOT / "cds_service") if path.parent.name not in EXTRAS}
    assert REQUIRED - used == set()


def test_everything_that_the_tests_import_is_declared() -> None:
    allowed = REQUIRED | distributions("cds-service[dev]")
    assert {(path.name, name) for path, name in imported(ROOT / "tests") if name not in allowed} == set()


def test_development_installs_every_extra() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    extras = setup["options.extras_require"]
    assert distributions(*(f"cds-service[{extra}]" for extra in extras)) == distributions("cds-service[dev]")


@pytest.mark.parametrize(
    ("section", "option"),
    [("options", "install_requires")]
    + [("options.extras_require", extra) for extra in ("demo", "dev", "postgresql", "workbench")],
)
def test_every_dependency_has_a_floor(section: str, option: str) -> None:
    others = [line for line in declared(section, option) if not line.startswith("cds-service[")]
    assert [line for line in others if ">=" not in line and "==" not in line] == []


def test_without_its_extra_the_workbench_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"markdown-it-py is not installed: pip install 'cds-service\[workbench\]'"):
        make_app(make_settings({"development": True}))
