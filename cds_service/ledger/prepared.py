"""The statements of every call: compiled once, and handed to the driver, which keeps them prepared.

What SQLAlchemy does for each execution takes several times as long as the database takes for one row. It still writes
the statement and says how each value is stored, so that both databases are written in one way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ClauseElement, Dialect

# Parameters as a driver takes them: by place, or by name.
DriverValues = tuple[Any, ...] | dict[str, Any]


class Prepared:
    """One statement for both databases.

    Args:
        statement: makes the statement in a dialect.
        names: of the values that it is given with each execution.
    """

    def __init__(self, statement: Callable[[Dialect], ClauseElement], names: Iterable[str]) -> None:
        self._statement = statement
        self._names = list(names)
        self._compiled: dict[str, Compiled] = {}

    def compiled(self, dialect: Dialect) -> Compiled:
        """The statement in a dialect."""
        known = self._compiled.get(dialect.name)
        if known is None:
            known = self._compiled[dialect.name] = _compiled(self._statement(dialect), dialect, self._names)
        return known


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in the words of one database.

    Attributes:
        text: what the driver gets.
        constants: values that stand in the statement itself, by name.
        stored: by name, in the order of their places, how each value is stored; None: as it is.
        by_place: whether the driver takes values by their places.
    """

    text: str
    constants: Mapping[str, Any]
    stored: Mapping[str, Callable[[Any], Any] | None]
    by_place: bool

    def values(self, given: Mapping[str, Any]) -> DriverValues:
        """The values of an execution as the driver takes them."""
        row = {**self.constants, **given}
        values = {name: row[name] if store is None else store(row[name]) for name, store in self.stored.items()}
        return tuple(values.values()) if self.by_place else values


def _compiled(statement: ClauseElement, dialect: Dialect, names: list[str]) -> Compiled:
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    kinds = {name: bind.type for bind, name in compiled.bind_names.items()}
    return Compiled(
        text=str(compiled),
        constants={name: value for name, value in compiled.params.items() if name not in names},
        stored={
            name: kinds[name].dialect_impl(dialect).bind_processor(dialect) for name in compiled.positiontup or kinds
        },
        by_place=bool(compiled.positional),
    )
