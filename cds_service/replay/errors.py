"""What stops a replay before it begins, or tells why it cannot go on."""

from __future__ import annotations


class ReplayError(Exception):
    """The export, the folder or the options cannot be used; the message says which, and what to do."""
