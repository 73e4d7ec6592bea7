"""The demo: the service beside an EHR's FHIR server that holds the synthetic patients. For development only."""
