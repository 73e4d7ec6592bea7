"""What a page of HTML says, read by the standard library alone, for tests that need no browser."""

from __future__ import annotations

from html.parser import HTMLParser

# Elements that have no end.
VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})


class Reading(HTMLParser):
    """What a page says: its visible text, its tags with their attributes, its ids, links and rows of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self._text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == [], "an element was left open"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        # The end of a list item may be left out.
        if tag not in VOID | {"li"}:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag != "li":
            assert self._open.pop() == tag
        # What stood in two elements is never one word.
        self.handle_data(" ")

    def handle_data(self, data: str) -> None:
        self._text.append(data)
        if {"td", "th"} & set(self._open):
            self.rows[-1][-1] += data

    @property
    def text(self) -> str:
        return plain("".join(self._text))

    def row(self, first: str) -> list[str]:
        """The cells of the row that begins with this text."""
        return next(cells for cells in map(self._plain_row, self.rows) if cells[0].startswith(plain(first)))

    def attributes(self, name: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(name)) is not None]

    def _plain_row(self, cells: list[str]) -> list[str]:
        return [plain(cell) for cell in cells]


def plain(text: str) -> str:
    return " ".join(text.split())
