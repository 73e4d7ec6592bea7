"""Which files an overlay may hold: those of the content, by their names. Any other would change nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cds_service.content.error import Problem
from cds_service.content.files import VALUE_SETS, ContentFiles
from cds_service.did_you_mean import did_you_mean

# Who approved what; see `cds_service.content.approvals`.
APPROVALS = "approvals.jsonl"

# Notes of the people who keep the overlay.
_NOTES = (".md", ".txt")


def overlay_file_problems(rules: Sequence[ContentFiles]) -> Iterator[Problem]:
    """What is wrong with the files of the overlays, whatever stands in them.

    Args:
        rules: the files of each rule, with the same overlays.
    """
    names = _names(rules)
    for overlay in rules[0].overlays if rules else ():
        if not overlay.is_dir():
            yield Problem(str(overlay), "", "there is no such folder; it is to hold what differs from the content")
            continue
        for path in sorted(item for item in overlay.rglob("*") if item.is_file()):
            name = path.relative_to(overlay).as_posix()
            # Of an editor or a version control system.
            is_hidden = any(part.startswith(".") for part in name.split("/"))
            if is_hidden or name == APPROVALS or path.suffix in _NOTES or name in names:
                continue
            folder, _, file = name.rpartition("/")
            if folder in _value_set_folders(rules) and file.endswith(".json"):
                # Whether it changes a value set, or is a new one, is seen when it is read.
                continue
            yield Problem(str(path), "", f"the content has no such file to change{_meant(name, names)}")


def _meant(name: str, names: set[str]) -> str:
    """The file that was probably meant: one of the same name in another folder before one that is spelt alike."""
    same = [known for known in names if known.rpartition("/")[2] == name.rpartition("/")[2]]
    return f"; did you mean '{min(same)}'?" if same else did_you_mean(name, names)


def _names(rules: Sequence[ContentFiles]) -> set[str]:
    """The files of the content, by their names in an overlay."""
    names = set()
    for files in rules:
        names |= {path.name for path in files.shared.glob("*.toml")}
        own = files.shared / files.rule
        names |= {f"{own.name}/{path.name}" for path in own.glob("*.toml")}
        names |= {files.in_overlay(file) for file, _ in files.value_sets()}
    return names


def _value_set_folders(rules: Sequence[ContentFiles]) -> set[str]:
    return {VALUE_SETS, *(f"{Path(files.rule).name}/{VALUE_SETS}" for files in rules)}
