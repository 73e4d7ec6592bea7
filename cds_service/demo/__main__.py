"""What the demo's FHIR server runs: `python -m cds_service.demo LISTENER FOLDER`; not for people."""

import sys
from pathlib import Path

from cds_service.demo.fhir_server import serve_fhir

serve_fhir(int(sys.argv[1]), Path(sys.argv[2]))
