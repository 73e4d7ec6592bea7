"""README, CONTRIBUTING, SECURITY and docs/: what they name exists, and what they show is what the code has."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from cds_service.app import make_app
from cds_service.chart.records import Gap
from cds_service.cli.main import main
from cds_service.settings import Settings, make_settings
from tests.docs import BLOCKS, ROOT, pages, renewed
from tests.test_alerts import BY_NAME

PAGES = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in pages()}
# Where readers look for all of a kind.
SETTINGS, COMMANDS, INTEGRATE, OPERATE = (
    f"docs/{name}.md" for name in ("settings", "commands", "integrate", "operate")
)

every_page = pytest.mark.parametrize("page", PAGES)


def code(text: str) -> Iterator[str]:
    """What a page shows as code: spans, and blocks with their continued lines joined."""
    yield from (span.replace("\\|", "|") for span in re.findall(r"`([^`]+)`", re.sub(r"\n(?! {4})", " ", text)))
    yield from re.findall(r"^ {4}(\S.*)$", re.sub(r"\\\n\s*", "", text), re.M)


def commands(group: click.Group, before: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, and the groups that hold others."""
    for name, command in group.commands.items():
        if not command.hidden:
            yield f"{before}{name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{before}{name} ")


ALL_COMMANDS = dict(commands(main))


def named_commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each `cds-service` command of a page, with the words behind it."""
    for line in code(text):
        for found in re.findall(r"(?:^|[\s/])cds-service ([a-z][^|<>]*)", line):
            words = shlex.split(found.replace("…", "…"), comments=True)
            depth = 2 if isinstance(main.commands.get(words[0]), click.Group) and len(words) > 1 else 1
            yield " ".join(words[:depth]), words[depth:]


def anchors(text: str) -> set[str]:
    """The anchors that a page's headings get."""
    return {
        re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", text, re.M)
    }


@cache
def known_words() -> frozenset[str]:
    """Every word of the code and the content, and the folders of fixtures, hyphens and underscores inside."""
    files = [*(ROOT / "cds_service").rglob("*.*"), *(ROOT / "cards").rglob("*.*")]
    text = "\n".join(
        file.read_text(encoding="utf-8") for file in files if file.suffix in (".py", ".json", ".toml", ".yml")
    )
    folders = {path.name for path in (ROOT / "fixtures").rglob("*")}
    gaps = {gap.code for gap in Gap}
    return frozenset(re.findall(r"\w+(?:-\w+)*", text)) | folders | gaps | {file.stem for file in files}


@every_page
def test_what_a_page_shows_of_the_code_is_what_the_code_has(page: str) -> None:
    assert PAGES[page] == renewed(PAGES[page]), "run `make docs`"


def test_every_kind_of_table_is_shown_once() -> None:
    shown = sorted(name for text in PAGES.values() for name in re.findall(r"<!-- (?!end of )([a-z-]+) -->", text))
    assert shown == sorted(BLOCKS)


@every_page
def test_every_file_and_make_target_a_page_names_exists(page: str) -> None:
    text = PAGES[page]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:`|^    )make ([a-z-]+)", text, re.M):
        assert f"\n{target}:" in makefile, target
    for path in re.findall(r"(?<![\w/.-])((?:cards|cds_service|deploy|docs|fixtures|tests)/[\w./-]+)", text):
        assert (ROOT / path.rstrip("./")).exists(), path


def test_every_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert set(targets) - {"help"} == set(re.findall(r"`make ([a-z-]+)`", PAGES[COMMANDS]))


@every_page
def test_every_link_of_a_page_leads_somewhere(page: str) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        address, _, anchor = link.partition("#")
        if address.startswith(("http://", "https://")):
            continue
        target = (ROOT / page).parent / address if address else ROOT / page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), link


@every_page
def test_every_command_and_option_a_page_names_exists(page: str) -> None:
    for name, words in named_commands(PAGES[page]):
        assert name in ALL_COMMANDS or name == "COMMAND", name
        options = {option for parameter in ALL_COMMANDS[name].params for option in parameter.opts} | {"--help"}
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, name


def test_the_options_in_the_row_of_a_command_are_its_own() -> None:
    rows = re.findall(r"^\| `cds-service ((?:[a-z-]+ ?)+)[^`]*` \| (.+) \|$", PAGES[COMMANDS], re.M)
    assert len(rows) > 10
    for name, text in rows:
        options = {option for parameter in ALL_COMMANDS[name.strip()].params for option in parameter.opts}
        assert set(re.findall(r"(--[a-z-]+)", text)) <= options, name


@pytest.mark.parametrize("name", ALL_COMMANDS)
def test_every_command_is_documented(name: str) -> None:
    assert name in {command for command, _ in named_commands(PAGES[COMMANDS])} or any(
        command.startswith(f"{name} ") for command, _ in named_commands(PAGES[COMMANDS])
    )


@every_page
def test_every_route_a_page_names_exists(page: str, routes: set[str]) -> None:
    for route in re.findall(r"`((?:GET|POST) /[^`\s]*)`", PAGES[page]):
        assert re.sub(r"\{[^}]*\}", "<>", route) in routes, route
    paths = {route.partition(" ")[2] for route in routes}
    roots = "|".join({path.split("/")[1] for path in paths} - {""})
    for path in re.findall(rf"`(/(?:{roots})\b[^`\s]*)`", PAGES[page]):
        # `/health` stands for all below it.
        named = re.sub(r"\{[^}]*\}", "<>", path)
        assert any(known == named or known.startswith(f"{named}/") for known in paths), path


def test_every_route_is_documented(routes: set[str]) -> None:
    named = {re.sub(r"\{[^}]*\}", "<>", route) for route in re.findall(r"`((?:GET|POST) /[^`\s]*)`", PAGES[INTEGRATE])}
    own = {route for route in routes if not re.search(r"/(static|workbench)/", route)}
    assert own == named


@pytest.fixture(scope="module")
def routes(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    app = make_app(make_settings({"data_folder": str(tmp_path_factory.mktemp("data")), "development": True}))
    return {
        f"{method} {re.sub(r'<[^>]*>', '<>', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"GET", "POST"}
    }


@every_page
def test_every_variable_a_page_names_is_that_of_a_setting(page: str) -> None:
    for name in re.findall(r"\bCDS_([A-Z_]+)", PAGES[page]):
        assert name == "CONFIG" or name.lower() in Settings.model_fields, name


def test_the_settings_file_that_is_shown_can_be_used() -> None:
    shown = "\n".join(re.findall(r"^ {4}(.*)$", PAGES[SETTINGS], re.M))
    settings = make_settings(tomllib.loads(shown))
    assert settings.clients and settings.order_codings


@every_page
def test_every_name_in_code_is_known_to_the_code(page: str) -> None:
    # Settings, metrics, log keys, orders, reasons, services: what is renamed there must be renamed here.
    names = {
        name
        for span in re.findall(r"`([^`\n]+)`", PAGES[page])
        for name in re.findall(r"^[a-z]+(?:[_-][a-z]+)+$", span)
    }
    assert sorted(names - known_words() - OF_OTHERS) == []


# Names of others: packages and commands of Debian, screens of the public sandbox, a code of FHIR.
OF_OTHERS = {"chromium-headless-shell", "pg_restore", "rx-sign", "rx-view", "lock-error"}


def test_there_is_advice_for_every_alert_and_for_no_other() -> None:
    assert re.findall(r"^### (Cds\w+)$", PAGES[OPERATE], re.M) == list(BY_NAME)


def test_the_readme_is_read_in_a_few_minutes_and_leads_to_every_page() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150
    linked = set(re.findall(r"\]\((docs/\w[\w-]*\.md)", PAGES["README.md"]))
    assert linked == {name for name in PAGES if name.startswith("docs/")}


@pytest.mark.parametrize("path", [ROOT / "docs"])
def test_every_picture_is_shown(path: Path) -> None:
    for picture in path.glob("*.png"):
        assert any(picture.name in text for text in PAGES.values()), picture.name
