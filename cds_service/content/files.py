"""The files of one rule's content: what rules share, the rule's own folder, and the overlays laid over both.

An overlay is a folder with the same names of folders and files, each with only what differs.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, time
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from cds_service.content.error import ContentError, Problem, Problems
from cds_service.content.overlay_tables import Overlaid, lay_over, told_apart
from cds_service.content.overlay_value_sets import is_whole, lay_over_value_set, read_overlay_value_set
from cds_service.did_you_mean import did_you_mean

VALUE_SETS = "value-sets"

# A place by the names of tables and fields.
_NAME = re.compile(r"[\w.-]*")


@dataclass(slots=True)
class Changes:
    """What overlays change, collected while files are read.

    Attributes:
        replaced: by file and place, what the content has where an overlay has something else.
        files: by file as errors name it, the overlay's file and the places that it sets; the last overlay last.
    """

    replaced: dict[str, Any] = field(default_factory=dict)
    files: dict[str, list[tuple[Path, frozenset[str]]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContentFiles:
    """`shared` holds what rules share; `rule`, below it or absolute, is the rule's own folder.

    Names of files in errors are relative to `shared`; where an overlay is at fault, its own file is named.

    Attributes:
        overlays: folders that are laid over the content, each over those before it.
        problems: what is wrong is collected here.
        changes: what the overlays change.
    """

    shared: Path
    rule: str | Path
    overlays: tuple[Path, ...] = ()
    problems: Problems = field(default_factory=Problems, compare=False)
    changes: Changes = field(default_factory=Changes, compare=False)

    def own(self, name: str) -> str:
        """The TOML file `name` in the rule's folder, as errors name it."""
        return f"{self.rule}/{name}.toml"

    def in_overlay(self, file: str) -> str:
        """Where a file, as errors name it, lies in an overlay: the rule's folder by its name."""
        return (
            f"{Path(self.rule).name}/{file.removeprefix(f'{self.rule}/')}" if file.startswith(str(self.rule)) else file
        )

    def refuse(self, file: str, field: str, problem: str) -> None:
        """Collect a problem: where, and what is wanted."""
        self.problems.add(Problem(self._at_fault(file, field), field, problem))

    def read_own(self, name: str) -> Any:
        """The data of the rule's file `name.toml`, overlays laid over it, which its schema has accepted.

        Raises:
            ContentError: the file is missing, is not TOML, or is refused by its schema.
        """
        return self._checked_toml(self.own(name), name)

    def read_shared(self, name: str) -> Any:
        """The data of a file that rules share; see `read_own`."""
        return self._checked_toml(f"{name}.toml", name)

    def read_shared_and_own(self, name: str) -> Iterator[tuple[str, Any]]:
        """A file that rules share and, where a rule has one, its own beside it: as errors name it, and its data."""
        yield f"{name}.toml", self.read_shared(name)
        if (self.shared / self.own(name)).exists():
            yield self.own(name), self.read_own(name)

    def value_set(self, set_id: str) -> str:
        """The file of one value set, as errors name it."""
        return next((file for file, path in self.value_sets() if path.stem == set_id), f"{VALUE_SETS}/{set_id}.json")

    def value_sets(self) -> Iterator[tuple[str, Path]]:
        """Every ValueSet, the shared ones first, those of overlays last: the file as errors name it, and its path."""
        folders = (VALUE_SETS, f"{self.rule}/{VALUE_SETS}")
        known: set[str] = set()
        for folder in folders:
            for path in sorted((self.shared / folder).glob("*.json")):
                known.add(f"{folder}/{path.name}")
                yield f"{folder}/{path.name}", path
        for overlay in self.overlays:
            for folder in folders:
                for path in sorted((overlay / self.in_overlay(folder)).glob("*.json")):
                    if (file := f"{folder}/{path.name}") not in known:
                        known.add(file)
                        yield file, path

    def read_value_set(self, file: str, path: Path) -> bytes:
        """The text of a ValueSet with the overlays laid over it; see `value_sets`.

        Raises:
            ContentError: a file cannot be read, or an overlay's changes nothing that there is.
        """
        own = next((place for place in self.overlays if path.is_relative_to(place)), None)
        text = _bytes_of(path, file if own is None else str(path))
        if own is not None:
            text = self._whole_value_set(path, text)
        later = self.overlays if own is None else self.overlays[self.overlays.index(own) + 1 :]
        for overlay in later:
            changed = overlay / self.in_overlay(file)
            if changed.exists():
                text = self._with_overlay(file, changed, text)
        return text

    def digest(self) -> str:
        """SHA-256 over names and bytes of all files, hexadecimal. It does not depend on where they lie.

        Overlays count by their files; without any the digest is that of the content.
        """
        digest = hashlib.sha256()
        for name, path in self._all():
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
        for overlay in self.overlays:
            for name, path in self._all_of(overlay):
                digest.update(b"overlay\0" + name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _all(self) -> Iterator[tuple[str, Path]]:
        folder = Path(self.rule).name
        for path in sorted(self.shared.glob("*.toml")):
            yield path.name, path
        for path in sorted((self.shared / self.rule).glob("*.toml")):
            yield f"{folder}/{path.name}", path
        for name, path in self.value_sets():
            if not any(path.is_relative_to(overlay) for overlay in self.overlays):
                yield name if name.startswith(VALUE_SETS) else f"{folder}/{VALUE_SETS}/{path.name}", path

    def _all_of(self, overlay: Path) -> Iterator[tuple[str, Path]]:
        """The files of an overlay that belong to this rule, by their names in it."""
        folder = Path(self.rule).name
        for pattern in ("*.toml", f"{folder}/*.toml", f"{VALUE_SETS}/*.json", f"{folder}/{VALUE_SETS}/*.json"):
            for path in sorted(overlay.glob(pattern)):
                yield path.relative_to(overlay).as_posix(), path

    def _checked_toml(self, file: str, name: str) -> Any:
        base = data = _toml(file, _bytes_of(self.shared / file, file))
        schema = _schema(name)
        for overlay in self.overlays:
            path = overlay / self.in_overlay(file)
            if path.exists() and (change := self._change(path)) is not None:
                laid = lay_over(data, change, _schema_data(name), name)
                data = self._laid(file, path, laid)
        if refused := [self._refused(file, data, problem) for problem in schema.iter_errors(data)]:
            if data is base or not schema.is_valid(base):
                raise ContentError.of(refused)
            # The content itself has this file right: what else is wrong is told as well.
            self.problems.add(*refused)
            self.problems.without_some = True
            return base
        return data

    def _change(self, path: Path) -> dict[str, Any] | None:
        """What an overlay's file says; None where it is not TOML, so that everything else is checked without it."""
        change = self.problems.attempt(_overlay_toml, path)
        if change is None:
            self.problems.without_some = True
        return change

    def _refused(self, file: str, data: Any, problem: jsonschema.ValidationError) -> Problem:
        path = list(problem.absolute_path)
        place = ".".join(map(str, path))
        # TOML has dates, which JSON Schema does not know.
        text = "is text: write it in quotes" if isinstance(problem.instance, date | time) else problem.message
        return Problem(self._at_fault(file, told_apart(data, path)), place, text)

    def _with_overlay(self, file: str, path: Path, text: bytes) -> bytes:
        try:
            base = json.loads(text)
        except ValueError:
            # The content itself is at fault, and says so where it is parsed.
            return text
        try:
            change = read_overlay_value_set(_bytes_of(path, str(path)))
        except ValueError as error:
            raise ContentError(str(path), "", str(error)) from error
        if is_whole(change):
            problem = "has a 'url', as a whole value set has; there is one of this name: write only what differs"
            raise ContentError(str(path), "url", problem)
        return json.dumps(self._laid(file, path, lay_over_value_set(base, change))).encode()

    def _whole_value_set(self, path: Path, text: bytes) -> bytes:
        """A value set that only an overlay has."""
        try:
            data = read_overlay_value_set(text)
        except ValueError as error:
            raise ContentError(str(path), "", str(error)) from error
        if not is_whole(data):
            others = [other.stem for _, other in self.value_sets() if other != path]
            problem = f"there is no value set '{path.stem}' to change{did_you_mean(path.stem, others)}"
            raise ContentError(str(path), "", problem)
        self.changes.replaced[path.name] = None
        return text

    def _laid(self, file: str, path: Path, laid: Overlaid) -> dict[str, Any]:
        """What an overlay's file makes of a file of the content; what is wrong with it is collected."""
        self.problems.add(*(Problem(str(path), place, text) for place, text in laid.problems))
        self.problems.notes.update((Problem(str(path), place, text), None) for place, text in laid.notes)
        for place, value in laid.replaced.items():
            # With overlays over each other, what the content itself has.
            self.changes.replaced.setdefault(f"{self.in_overlay(file)}: {place}", value)
        self.changes.files.setdefault(file, []).append((path, frozenset(laid.replaced)))
        return laid.data

    def _at_fault(self, file: str, field: str) -> str:
        """The overlay's file, where the overlay sets what stands at this place; else the file of the content."""
        for path, places in reversed(self.changes.files.get(file, ())):
            if path.suffix == ".json" or any(_is_within(field, place) for place in places) or _is_written(field, path):
                return str(path)
        return file


def _is_within(field: str, place: str) -> bool:
    return field == place or field.startswith(f"{place}.") or place.startswith(f"{field}.")


def _is_written(field: str, path: Path) -> bool:
    """Whether a pattern, which errors name as their place, stands in a file."""
    return not _NAME.fullmatch(field) and field in path.read_text(encoding="utf-8")


def _bytes_of(path: Path, file: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ContentError(file, "", "the file is missing") from error
    except OSError as error:
        raise ContentError(file, "", f"cannot be read: {error.strerror}") from error


def _toml(file: str, text: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentError(file, "", f"not well-formed TOML: {error}") from error


def _overlay_toml(path: Path) -> dict[str, Any]:
    return _toml(str(path), _bytes_of(path, str(path)))


@cache
def _schema(name: str) -> jsonschema.Draft202012Validator:
    """The JSON Schema of one kind of file."""
    return jsonschema.Draft202012Validator(_schema_data(name))


@cache
def _schema_data(name: str) -> dict[str, Any]:
    text = resources.files("cds_service.content").joinpath(f"schemas/{name}.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return data
