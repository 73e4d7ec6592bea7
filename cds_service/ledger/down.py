"""That the ledger cannot be used, and why, in words that hold nothing of a row."""

from __future__ import annotations

from sqlalchemy.exc import TimeoutError as PoolTimeout

# Words in the messages of errors that carry no code, and the cause that we name instead: messages name hosts and users.
_CAUSES = {
    "timeout": "timeout",
    "refused": "connection refused",
    "password": "password refused",
    "resolve": "unknown host",
    "translate host": "unknown host",
    "No such file": "no such socket",
    "does not exist": "no such database or user",
    "too many": "too many connections",
    "connection slots": "too many connections",
    "closed": "connection lost",
}


class LedgerDown(Exception):
    """The ledger cannot be reached, read or written; nothing of the interrupted transaction was kept.

    The text names the kind of failure only. What the database said may hold values of rows, and is left out.
    """


class OtherTables(LedgerDown):
    """The tables are not those of this version; what is written may still fit them."""


class OldTables(OtherTables):
    """They are of an older version, or none: to prepare the ledger makes them those of this one."""


class FileChanged(LedgerDown):
    """The SQLite file is no longer the one that was opened: what is written there is lost."""


def cause(error: Exception) -> str:
    """What went wrong: the type of the driver's error, with the database's code or a cause of ours."""
    if isinstance(error, PoolTimeout):
        return "no free connection"
    error = _of_driver(error)
    name = type(error).__name__
    code = _code(error) or next((cause for words, cause in _CAUSES.items() if words in str(error)), None)
    return f"{name}, {code}" if code else name


def is_read_only(error: Exception) -> bool:
    """Whether the database, as this connection has it, can be read only (PostgreSQL: read_only_sql_transaction)."""
    code = _code(_of_driver(error))
    return code.startswith("SQLITE_READONLY") or code == "25006"


def _of_driver(error: Exception) -> Exception:
    return getattr(error, "orig", None) or error


def _code(error: Exception) -> str:
    """The database's code of an error of its driver; empty where it has none."""
    return getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None) or ""
