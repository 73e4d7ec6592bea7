"""Which content the settings name, and whether it is approved.

A release that nobody changed counts as approved by its release. Content with an overlay needs an approval; content of
the site's own (`content_folder`) does from the first approval on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cds_service.clinical import registry
from cds_service.content.approvals import Approval, approval_of, read_approvals
from cds_service.content.error import ContentError
from cds_service.content.model import Content
from cds_service.content.overlay_files import APPROVALS
from cds_service.settings import Client, Settings

# In the state folder, for content without an overlay.
_OWN_APPROVALS = "content-approvals.jsonl"


@dataclass(frozen=True, slots=True)
class ContentPlace:
    """Where a body of content lies: its folder (None for the one that came with the service), and its overlays."""

    folder: Path | None
    overlays: tuple[Path, ...]
    approvals: Path


class ContentInUse:
    """The content that the service answers with, and whether it is approved, which may change while it runs."""

    def __init__(self, place: ContentPlace, contents: Sequence[Content]) -> None:
        self._place = place
        self._digests = [content.digest for content in contents]
        self._version = version_of(contents)
        self._is_release = self._digests == registry.digests()

    def warning(self) -> str | None:
        """In one sentence, that this content is approved by nobody; None where it is, or needs no approval."""
        if self._is_release:
            return None
        try:
            approvals = read_approvals(self._place.approvals)
        except ContentError as error:
            return f"The approvals of the content in use cannot be read ({error})."
        if approval_of(approvals, self._digests) or not (self._place.overlays or approvals):
            return None
        last = f" The last approval is of {_told(approvals[-1])}." if approvals else ""
        asked = "See cds-service content check, test and approve."
        return f"The content in use ({self._version}) is approved by nobody.{last} {asked}"


def version_of(contents: Sequence[Content]) -> str:
    """The versions of all rules with their content, as metrics and approvals name them."""
    return ", ".join(content.version for content in contents)


def content_place(settings: Settings, client: Client | None = None) -> ContentPlace:
    """Where the content of these settings lies; the overlay of a client lies over that of the site."""
    named = (settings.content_overlay, client.content_overlay if client else None)
    overlays = tuple(dict.fromkeys(overlay for overlay in named if overlay))
    file = overlays[-1] / APPROVALS if overlays else settings.ledger_folder() / _OWN_APPROVALS
    return ContentPlace(settings.content_folder, overlays, file)


def _told(approval: Approval) -> str:
    return f"{approval.version}, by {approval.by} on {approval.at:%Y-%m-%d}"
