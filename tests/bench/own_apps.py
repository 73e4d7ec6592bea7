"""What the service is measured beside, each served by Granian with one worker.

`python -m tests.bench.own_apps NAME PORT` runs one of them:

- `canned_json`: a Flask application whose one POST route decodes the body (`request.get_json()`), looks at nothing and
  answers the same card each time (`jsonify`): the least that a CDS service in Flask does. It stands behind the front of
  the service, with the same settings of the server: whatever of a call is not ours (Granian, Flask, receiving a body,
  the hand-over to a thread) it has too.
- `canned_bytes`: the same, but that the body is only read (`request.get_data()`) and never decoded.
- `canned_wsgi`: as `canned_json`, on Granian's own WSGI interface, without the front.
- `without_ledger`: the service itself, but for rows: it reads no earlier feedback and records no decision.

Settings are those of `CDS_*` variables, as for the service.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request

from cds_service.app import WsgiApp
from cds_service.decision.recorder import LedgerRecorder
from cds_service.reporting.metrics_folder import metrics_folder
from cds_service.server.run import serve
from cds_service.server.worker import Front, create_worker_app
from cds_service.settings import read_settings
from tests.server_calls import HOST, PATH

_CARD = {
    "uuid": "11111111-1111-4111-8111-111111111111",
    "summary": "A card that is the same each time",
    "indicator": "info",
    "source": {"label": "Bench"},
    "detail": "It says nothing of the patient.",
}


def canned_app(read: Callable[[], object]) -> Flask:
    """The canned application.

    Args:
        read: takes the body of the current request.
    """
    app = Flask("canned", static_folder=None)

    @app.post(PATH)
    def call() -> Response:
        read()
        return jsonify(cards=[_CARD])

    return app


def canned_json() -> Front:
    """The canned application that decodes a body, behind the service's front."""
    return Front(canned_app(lambda: request.get_json()), read_settings().max_body_bytes)


def canned_bytes() -> Front:
    """The canned application that only reads a body, behind the service's front."""
    return Front(canned_app(lambda: request.get_data()), read_settings().max_body_bytes)


def canned_wsgi() -> WsgiApp:
    """The canned application that decodes a body, as it is."""
    return canned_app(lambda: request.get_json())


def without_ledger() -> Front:
    """The service without its rows."""
    recorder: Any = LedgerRecorder
    recorder.record_decision = lambda *arguments, **named: None
    recorder.earlier_feedback = lambda *arguments, **named: ()
    return create_worker_app()


def _serve_wsgi(port: int) -> None:
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces

    # Granian logs to standard output if it is not told otherwise; that it has started is read on standard error.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    server = Granian(
        f"{__spec__.name}:{canned_wsgi.__name__}",
        factory=True,
        address=HOST,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        http=HTTPModes.http1,
        websockets=False,
    )
    server.serve()


def main(name: str, port: int) -> None:
    """Serve an application by its name until told to end."""
    if name == canned_wsgi.__name__:
        _serve_wsgi(port)
        return
    with metrics_folder():
        serve(HOST, port, 1, read_settings(), f"{__spec__.name}:{name}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
