"""What the demo's own processes run: `python -m cds_service.demo fhir|service …`; not for people."""

from __future__ import annotations

import sys
from pathlib import Path

from cds_service.demo.fhir_server import serve_fhir
from cds_service.demo.run import serve_service

if sys.argv[1] == "fhir":
    serve_fhir(int(sys.argv[2]), Path(sys.argv[3]))
else:
    serve_service(sys.argv[2:])
