"""Read `override-reasons.toml`: what a clinician may answer when a card is not taken."""

from __future__ import annotations

from typing import Any

from cds_service.content.files import ContentFiles
from cds_service.content.model import OverrideReason


def read_override_reasons(files: ContentFiles) -> tuple[OverrideReason, ...]:
    """The reasons in the order in which they are offered.

    Raises:
        ContentError: the file cannot be used. A code that stands there twice is collected in `files`.
    """
    data = files.read_own("override-reasons")
    codes = [reason["code"] for reason in data["reason"]]
    for code in codes:
        if codes.count(code) > 1:
            files.refuse(files.own("override-reasons"), "reason.code", f"'{code}' stands there twice")
    return tuple(_override_reason(reason, data["system"]) for reason in data["reason"])


def _override_reason(reason: dict[str, Any], system: str) -> OverrideReason:
    days = reason.get("days")
    return OverrideReason(
        code=reason["code"],
        display=reason["display"],
        system=system,
        only_for=reason.get("only_for", ""),
        days=days if isinstance(days, int) else None,
        keeps_away=days is not None,
        why_days=reason.get("why_days", ""),
        back_with=frozenset(reason.get("back_with", ("pain",))),
    )
