"""A bound on the JSON values of a body, checked before it is decoded."""

from __future__ import annotations

from cds_service.errors import TooMuch
from cds_service.json_values import values_at_most


def check_values(body: bytes, most: int) -> None:
    """Refuse a body that would take far more memory than its bytes say.

    Args:
        body: as it was received.
        most: so many values it may hold.

    Raises:
        TooMuch: with the limit, and without anything of the body.
    """
    # A value takes a byte, and what parts it from the next another.
    if len(body) > most and values_at_most(body) > most:
        raise TooMuch(f"The body holds more than {most} JSON values; an object counts as two.")
