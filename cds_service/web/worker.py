"""What each worker of `cds-service serve` runs."""

from __future__ import annotations

from flask import Flask

from cds_service.settings import read_settings
from cds_service.web.app import make_app
from cds_service.web.call_log import log_to_standard_output


def create_worker_app() -> Flask:
    """The application with the settings of the environment, logging to standard output.

    Raises:
        SettingsError, ContentError: see `create_app`.
    """
    log_to_standard_output()
    return make_app(read_settings())
