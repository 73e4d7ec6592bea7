"""Why a body of content cannot be used."""

from __future__ import annotations


class ContentError(Exception):
    """The content cannot be used: `file` and `field` say where, the message says what is expected."""

    def __init__(self, file: str, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}" if field else f"{file}: {problem}")
        self.file = file
        self.field = field
