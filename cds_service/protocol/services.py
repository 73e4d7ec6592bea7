"""CDS services, and what discovery says of them (CDS Hooks 2.0.1, Discovery)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The version of the specification that requests and responses follow. Announced for CDS Hooks 3 clients; others
# pass over it.
SPECIFICATION_VERSION = "2.0.1"


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: one hook, one stable id."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str

    @property
    def has_orders(self) -> bool:
        return self.hook != "patient-view"


def discovery(services: Iterable[tuple[Service, Mapping[str, str]]]) -> dict[str, Any]:
    """The discovery document, of services with their prefetch templates."""
    return {
        "services": [
            {
                "hook": service.hook,
                "title": service.title,
                "description": service.description,
                "id": service.id,
                "version": SPECIFICATION_VERSION,
                "prefetch": dict(prefetch),
                "usageRequirements": service.usage_requirements,
            }
            for service, prefetch in services
        ]
    }
