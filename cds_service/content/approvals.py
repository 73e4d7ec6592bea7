"""Who approved which content when, and why: one line of JSON each, only ever appended.

The file lies in the overlay's folder, and is kept with it; for content without an overlay it lies in the state folder
of the service. An approval names the content by its digest, so that content that was approved once is approved again
when an upgrade is rolled back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cds_service.content.error import ContentError, Problem


@dataclass(frozen=True, slots=True)
class Approval:
    """One approval.

    Attributes:
        at: when, with a time zone.
        by, why: as the person who approved said it.
        version: of all rules with their content, as it is shown.
        digests: of the content of each rule.
        over: digests of the content without its overlays.
        replaced: by file and place, what that content had where the overlay has something else.
    """

    at: datetime
    by: str
    why: str
    version: str
    digests: Sequence[str]
    over: Sequence[str] = ()
    replaced: Mapping[str, Any] = field(default_factory=dict)


def read_approvals(file: Path) -> list[Approval]:
    """All approvals of a file, the last one last; none where there is no file.

    Raises:
        ContentError: the file cannot be read, or a line is no approval.
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise ContentError(str(file), "", f"cannot be read: {type(error).__name__}") from error
    return [_approval(file, number, line) for number, line in enumerate(lines, 1) if line.strip()]


def append_approval(file: Path, approval: Approval) -> None:
    """Write one more approval, for good.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps(asdict(approval) | {"at": approval.at.isoformat()}, ensure_ascii=False)
    with file.open("a", encoding="utf-8") as text:
        text.write(f"{line}\n")
        text.flush()
        os.fsync(text.fileno())


def approval_of(approvals: Sequence[Approval], digests: Sequence[str]) -> Approval | None:
    """The last approval of this content, if there is one."""
    return next((item for item in reversed(approvals) if list(item.digests) == list(digests)), None)


def changed_since(approval: Approval, replaced: Mapping[str, Any]) -> list[Problem]:
    """Where the content has changed since an approval below what an overlay changes; empty where it has not.

    Args:
        replaced: what the content has now where the overlay has something else, by file and place.
    """
    notes = []
    for place, value in replaced.items():
        if place not in approval.replaced or approval.replaced[place] == value:
            continue
        file, _, where = place.partition(": ")
        was, now = _told(approval.replaced[place]), _told(value)
        text = (
            f"the content changed here since the approval of {approval.at:%Y-%m-%d} by {approval.by}: {was}, now {now}"
        )
        notes.append(Problem(file, where, f"{text}; the overlay keeps its own"))
    return notes


def _told(value: Any) -> str:
    return "nothing" if value is None else f"'{value}'"


def _approval(file: Path, number: int, line: str) -> Approval:
    try:
        data = json.loads(line)
        at = datetime.fromisoformat(data.pop("at"))
        approval = Approval(at=at, **data)
        if at.tzinfo is None or not all(isinstance(item, str) for item in (approval.by, *approval.digests)):
            raise ValueError
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ContentError(str(file), f"line {number}", "is no approval; restore the line as it was written") from error
    return approval
