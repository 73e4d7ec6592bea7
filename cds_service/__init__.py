"""CDS Hooks service: a history of breast cancer and new back pain, answered with the right imaging orders."""

from __future__ import annotations

from flask import Flask

from cds_service.app import make_app
from cds_service.settings import Settings, read_settings

__all__ = ["Settings", "create_app", "read_settings"]


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application.

    Args:
        settings: all settings; by default those of `CDS_CONFIG` and the `CDS_*` environment variables.

    Raises:
        SettingsError: a setting is unknown or cannot be used.
        ContentError: the clinical content cannot be used.
    """
    return make_app(read_settings() if settings is None else settings)
