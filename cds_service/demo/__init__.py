"""The demo: the service beside an EHR's FHIR server that holds the synthetic patients. For development only."""

from __future__ import annotations

from cds_service.demo.fhir_server import DemoFhirServer
from cds_service.demo.patients import EHR_BASE, LoadReport, load_patients
from cds_service.demo.processes import LOOPBACK, DemoError
from cds_service.demo.run import run_demo

__all__ = ["EHR_BASE", "LOOPBACK", "DemoError", "DemoFhirServer", "LoadReport", "load_patients", "run_demo"]
