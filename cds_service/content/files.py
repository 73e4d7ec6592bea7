"""The files of one rule's content: what rules share, and the rule's own folder."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema

from cds_service.content.error import ContentError

_VALUE_SETS = "value-sets"


@dataclass(frozen=True, slots=True)
class ContentFiles:
    """`shared` holds what rules share; `rule`, below it or absolute, is the rule's own folder.

    Names of files in errors are relative to `shared`.
    """

    shared: Path
    rule: str | Path

    def own(self, name: str) -> str:
        """The TOML file `name` in the rule's folder, as errors name it."""
        return f"{self.rule}/{name}.toml"

    def read_own(self, name: str) -> Any:
        """The data of the rule's file `name.toml`, which its schema has accepted.

        Raises:
            ContentError: the file is missing, is not TOML, or is refused by its schema.
        """
        return _checked_toml(self.shared, self.own(name), name)

    def read_shared(self, name: str) -> Any:
        """The data of a file that rules share; see `read_own`."""
        return _checked_toml(self.shared, f"{name}.toml", name)

    def read_shared_and_own(self, name: str) -> Iterator[tuple[str, Any]]:
        """A file that rules share and, where a rule has one, its own beside it: as errors name it, and its data."""
        yield f"{name}.toml", self.read_shared(name)
        if (self.shared / self.own(name)).exists():
            yield self.own(name), self.read_own(name)

    def value_set(self, set_id: str) -> str:
        """The file of one value set, as errors name it."""
        return next((file for file, path in self.value_sets() if path.stem == set_id), f"{_VALUE_SETS}/{set_id}.json")

    def value_sets(self) -> Iterator[tuple[str, Path]]:
        """Every ValueSet, the shared ones first: the file as errors name it, and its path."""
        for folder in (_VALUE_SETS, f"{self.rule}/{_VALUE_SETS}"):
            for path in sorted((self.shared / folder).glob("*.json")):
                yield f"{folder}/{path.name}", path

    def digest(self) -> str:
        """SHA-256 over names and bytes of all files, hexadecimal. It does not depend on where they lie."""
        digest = hashlib.sha256()
        for name, path in self._all():
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
        return digest.hexdigest()

    def _all(self) -> Iterator[tuple[str, Path]]:
        folder = Path(self.rule).name
        for path in sorted(self.shared.glob("*.toml")):
            yield path.name, path
        for path in sorted((self.shared / self.rule).glob("*.toml")):
            yield f"{folder}/{path.name}", path
        for name, path in self.value_sets():
            yield name if name.startswith(_VALUE_SETS) else f"{folder}/{_VALUE_SETS}/{path.name}", path


def _checked_toml(folder: Path, file: str, name: str) -> Any:
    try:
        data = tomllib.loads((folder / file).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ContentError(file, "", "the file is missing") from error
    except OSError as error:
        raise ContentError(file, "", f"cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ContentError(file, "", f"not well-formed TOML: {error}") from error
    for problem in _schema(name).iter_errors(data):
        raise ContentError(file, ".".join(map(str, problem.absolute_path)), problem.message)
    return data


@cache
def _schema(name: str) -> jsonschema.Draft202012Validator:
    """The JSON Schema of one kind of file."""
    text = resources.files("cds_service.content").joinpath(f"schemas/{name}.json").read_text(encoding="utf-8")
    return jsonschema.Draft202012Validator(json.loads(text))
