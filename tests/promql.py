"""Reads the part of PromQL that the alert rules use, and refuses what Prometheus would refuse or silently not match.

It knows the kinds of values (scalar, instant vector, range vector), the kinds that functions take, and the labels that
are left after a sum: two vectors whose labels differ match nothing. It evaluates nothing. The grammar is that of the
Prometheus documentation, "Querying basics" and "Operators".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["scalar", "vector", "range"]

# What each function takes, and which of its arguments gives the labels of its result.
_FUNCTIONS: dict[str, tuple[Sequence[Kind], int | None]] = {
    "absent": (("vector",), None),
    "histogram_quantile": (("scalar", "vector"), 1),
    "increase": (("range",), 0),
    "rate": (("range",), 0),
    "time": ((), None),
    "vector": (("scalar",), None),
}

# Over all series, or `by` some labels, which are left.
_AGGREGATIONS = ("sum", "min", "max")

# From the loosest to the closest.
_OPERATORS = (("or",), ("and", "unless"), ("==", "!=", "<=", ">=", "<", ">"), ("+", "-"), ("*", "/"))

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\d+[smhdw]\b|\d+(?:\.\d+)?|[A-Za-z_]\w*|=~|!~|[=!<>]=|[-+*/(){}\[\],<>=])')
_DURATION = re.compile(r"\d+[smhdw]")


class NotPromql(Exception):
    """An expression that is none, or that can never be true."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric with its matchers, each as label, operator and value; `window` and `offset` where it has them."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]
    window: str
    offset: str


@dataclass(frozen=True, slots=True)
class _Value:
    """`labels` are those that a sum left; None for all of a metric."""

    kind: Kind
    labels: frozenset[str] | None = None


@dataclass
class Expression:
    """An expression as it was read: its selectors, and its comparisons with a number."""

    text: str
    selectors: list[Selector] = field(default_factory=list)
    comparisons: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Read it. Raises NotPromql."""
        self._tokens = _tokens(self.text)
        if self._binary(0).kind != "vector":
            raise NotPromql("an alert needs a vector")
        if self._tokens:
            raise NotPromql(f"{self._tokens[0]} is too much")

    def _binary(self, level: int) -> _Value:
        if level == len(_OPERATORS):
            return self._operand()
        left = self._binary(level + 1)
        while self._tokens and self._tokens[0] in _OPERATORS[level]:
            operator = self._take()
            number = self._tokens[0] if self._tokens else ""
            right = self._binary(level + 1)
            if level == 2 and right.kind == "scalar":
                self.comparisons.append((operator, float(number)))
            left = _together(left, operator, right)
        return left

    def _operand(self) -> _Value:
        token = self._take()
        if token == "(":
            value = self._binary(0)
            self._take(")")
            return value
        if re.fullmatch(r"[\d.]+", token):
            return _Value("scalar")
        if token in _AGGREGATIONS:
            return self._aggregation(token)
        if self._tokens and self._tokens[0] == "(":
            return self._call(token)
        return self._selector(token)

    def _aggregation(self, name: str) -> _Value:
        labels: frozenset[str] = frozenset()
        if self._tokens and self._tokens[0] == "by":
            self._take("by")
            labels = frozenset(self._listed())
        self._take("(")
        if self._binary(0).kind != "vector":
            raise NotPromql(f"{name} takes a vector")
        self._take(")")
        return _Value("vector", labels)

    def _call(self, name: str) -> _Value:
        if name not in _FUNCTIONS:
            raise NotPromql(f"there is no function {name}")
        kinds, kept = _FUNCTIONS[name]
        self._take("(")
        values = []
        while self._tokens[:1] != [")"]:
            values.append(self._binary(0))
            if not self._next_is(","):
                break
        self._take(")")
        if [value.kind for value in values] != list(kinds):
            raise NotPromql(f"{name} takes {kinds}")
        labels = frozenset[str]() if kept is None else values[kept].labels
        if name == "histogram_quantile" and labels is not None:
            if "le" not in labels:
                raise NotPromql("histogram_quantile needs the label le")
            labels -= {"le"}
        return _Value("scalar") if name == "time" else _Value("vector", labels)

    def _selector(self, name: str) -> _Value:
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            raise NotPromql(f"{name} is no metric")
        matchers, window, offset = [], "", ""
        if self._next_is("{"):
            while not self._next_is("}"):
                label, operator, value = self._take(), self._take(), self._take()
                if operator not in ("=", "!=", "=~", "!~") or not value.startswith('"'):
                    raise NotPromql(f"{label}{operator}{value} is no matcher")
                matchers.append((label, operator, value[1:-1]))
                if self._tokens[:1] != ["}"]:
                    self._take(",")
        if self._next_is("["):
            window = self._duration()
            self._take("]")
        if self._next_is("offset"):
            offset = self._duration()
        self.selectors.append(Selector(name, tuple(matchers), window, offset))
        return _Value("range" if window else "vector")

    def _listed(self) -> list[str]:
        self._take("(")
        names = [self._take()]
        while self._next_is(","):
            names.append(self._take())
        self._take(")")
        return names

    def _duration(self) -> str:
        if not _DURATION.fullmatch(self._tokens[0]):
            raise NotPromql(f"{self._tokens[0]} is no duration")
        return self._take()

    def _next_is(self, token: str) -> bool:
        """Whether the next token is this one, which is then taken."""
        if self._tokens[:1] == [token]:
            self._tokens.pop(0)
            return True
        return False

    def _take(self, wanted: str = "") -> str:
        if not self._tokens or (wanted and self._tokens[0] != wanted):
            raise NotPromql(f"{wanted or 'something'} is missing")
        return self._tokens.pop(0)


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    while place < len(text.rstrip()):
        found = _TOKEN.match(text, place)
        if found is None:
            raise NotPromql(f"not understood from {text[place:]}")
        tokens.append(found[1])
        place = found.end()
    return tokens


def _together(left: _Value, operator: str, right: _Value) -> _Value:
    """Two values with an operator between them; vectors match by all their labels."""
    if "range" in (left.kind, right.kind):
        raise NotPromql(f"{operator} takes no range")
    if left.kind == right.kind == "vector" and operator != "or" and left.labels != right.labels:
        raise NotPromql(f"{operator} between {left.labels} and {right.labels} matches nothing")
    if "scalar" in (left.kind, right.kind) and operator in ("and", "or", "unless"):
        raise NotPromql(f"{operator} takes vectors")
    return left if left.kind == "vector" else right
