"""What every answer to a broken call must be, whatever the call was; and how many of each class came back."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from uuid import UUID

import orjson
from fhir.resources.R4B.servicerequest import ServiceRequest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from werkzeug.test import TestResponse

from cds_service.protocol.validation import problem
from tests.builders import Json
from tests.fuzz_mutations import MARK

# As lenient as the most lenient client: raw HTML, tables and bare addresses count (CDS Hooks Sandbox).
_MARKDOWN = MarkdownIt("gfm-like", {"html": True, "linkify": False})


class Tally:
    """Counts answers by what was broken (`call`, `feedback`), how, and the status that came back."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, int]] = Counter()

    def add(self, what: str, kind: str, status: int) -> None:
        self._counts[what, kind, status] += 1

    def __len__(self) -> int:
        return self._counts.total()

    def table(self) -> str:
        """The counts as a Markdown table: a row for each class of bad input, a column for each status."""
        statuses = sorted({status for _, _, status in self._counts})
        lines = [f"| Broken | How | Calls | {' | '.join(map(str, statuses))} |", "|---" * (len(statuses) + 3) + "|"]
        for what, kind in sorted({row[:2] for row in self._counts}):
            counts = [self._counts[what, kind, status] for status in statuses]
            lines.append(f"| {what} | {kind} | {sum(counts)} | {' | '.join(str(count or '') for count in counts)} |")
        totals = [sum(count for row, count in self._counts.items() if row[2] == status) for status in statuses]
        return "\n".join([*lines, f"| all | | {sum(totals)} | {' | '.join(map(str, totals))} |"])


class Listener(logging.Handler):
    """Keeps what the service logs, until it is asked for."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())

    def heard(self) -> str:
        """All lines since the last time."""
        heard, self._lines = "\n".join(self._lines), []
        return heard


def check_answer(response: TestResponse, statuses: Iterable[int], schema: str) -> None:
    """Fail unless an answer has one of these statuses, its own form, and nothing of the input in an error.

    Args:
        schema: of the body of an answer with status 200; an empty text for an empty object.
    """
    assert response.status_code in statuses, (response.status, response.text[:500])
    assert response.mimetype == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    assert UUID(response.headers["X-Decision-Id"])
    assert MARK not in str(response.headers)
    body = orjson.loads(response.data)
    if response.status_code != 200:
        assert problem("operation-outcome", body) is None, body
        assert MARK not in response.text
    elif schema:
        assert problem(schema, body) is None, problem(schema, body)
        for card in body["cards"]:
            check_card(card)
    else:
        assert body == {}


def check_card(card: Json) -> None:
    """Fail unless a client can show a card and take its orders without harm."""
    assert foreign_markup(card["detail"]) == []
    assert MARK not in card["summary"]
    for suggestion in card.get("suggestions", ()):
        assert MARK not in suggestion["label"]
        for action in suggestion["actions"]:
            if action["type"] == "create":
                ServiceRequest.model_validate(action["resource"])


def foreign_markup(detail: str) -> list[str]:
    """Raw HTML, images and links in the Markdown of a card: none of them is ever the service's own."""
    return [token.type for token in _tokens(_MARKDOWN.parse(detail)) if token.type in _FOREIGN]


_FOREIGN = {"html_block", "html_inline", "image", "link_open"}


def _tokens(tokens: Iterable[Token]) -> Iterable[Token]:
    for token in tokens:
        yield token
        yield from _tokens(token.children or ())
