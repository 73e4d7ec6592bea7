"""Why a body of content cannot be used: every problem that was found, by file and place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem, or a note: `file` and `field` say where, `text` what is wanted."""

    file: str
    field: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}: {self.field}: {self.text}" if self.field else f"{self.file}: {self.text}"


class ContentError(Exception):
    """The content cannot be used; `file` and `field` are those of the first of its problems."""

    def __init__(self, file: str, field: str, problem: str, *more: Problem) -> None:
        self.problems = (Problem(file, field, problem), *more)
        super().__init__("\n".join(map(str, self.problems)))
        self.file = file
        self.field = field

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> ContentError:
        """The error with these problems, of which there is at least one."""
        first, *more = problems
        return cls(first.file, first.field, first.text, *more)


class Problems:
    """What is wrong with a body of content, collected while it is read, so that all of it can be told at once.

    Attributes:
        notes: what somebody should know, though the content can be used.
        unusable_sets: value sets that were told of already: what names them is not told again.
        without_some: whether a file of an overlay was left out, since it cannot be used as a whole.
    """

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self.notes: dict[Problem, None] = {}
        self.unusable_sets: set[str] = set()
        self.without_some = False

    @property
    def found(self) -> tuple[Problem, ...]:
        """The problems in the order in which they were found, each once."""
        return tuple(self._found)

    def add(self, *problems: Problem) -> None:
        """Keep problems."""
        self._found.update(dict.fromkeys(problems))

    def attempt(
        self, read: Callable[_Arguments, _Result], *args: _Arguments.args, **named: _Arguments.kwargs
    ) -> _Result | None:
        """What `read` returns; None where it raises ContentError, whose problems are kept."""
        try:
            return read(*args, **named)
        except ContentError as error:
            self.add(*error.problems)
            return None
