"""What one file of content may say of another."""

from __future__ import annotations

from collections.abc import Iterable

from cds_service.content.error import ContentError
from cds_service.content.terminology import Terminology


def check_known(file: str, field: str, names: Iterable[str], terminology: Terminology) -> None:
    """Refuse a name that is no value set."""
    for name in names:
        if name not in terminology.value_sets:
            raise ContentError(file, field, f"there is no value set '{name}'")
