"""What a card needs to know of the call that it answers, and of the site that shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from cds_service.content.model import CodingData
from cds_service.protocol.hook_request import HookRequest


@dataclass(frozen=True, slots=True)
class DecidedCall:
    """A hook call on which there is a decision: what was asked, at which moment, and the id of the decision."""

    request: HookRequest
    at: datetime
    decision_id: UUID


@dataclass(frozen=True, slots=True)
class OrderOptions:
    """The site's choices for proposed orders: extra codings by slug, and the intent."""

    codings: Mapping[str, Sequence[CodingData]] = field(default_factory=dict)
    intent: str = "proposal"
