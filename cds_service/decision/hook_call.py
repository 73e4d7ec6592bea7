"""A request to one of the services, as it is known before its body is read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cds_service.clock import Deadline
from cds_service.decision.caller import ANONYMOUS_CALLER, Caller
from cds_service.errors import TookTooLong
from cds_service.ledger.entries import Mode
from cds_service.protocol.services import Service


@dataclass(frozen=True, slots=True)
class HookCall:
    """Which service is called (or gets feedback), when, by whom, in which mode, and until when it must answer.

    Attributes:
        at: the moment of the call, with a time zone; ages and windows are counted from it.
        mode: the mode in force for this service and caller.
        deadline: None where nobody waits for the response.
    """

    service: Service
    at: datetime
    caller: Caller = ANONYMOUS_CALLER
    mode: Mode = Mode.LIVE
    deadline: Deadline | None = None

    def check_time(self) -> None:
        """Raises TookTooLong where the deadline has passed: whoever asked no longer waits for an answer."""
        if self.deadline and self.deadline.seconds_left() <= 0:
            raise TookTooLong(self.deadline.seconds)

    def milliseconds_taken(self) -> float:
        """The time that the call has taken so far; 0 where it is not measured."""
        return self.deadline.seconds_taken() * 1000 if self.deadline else 0
