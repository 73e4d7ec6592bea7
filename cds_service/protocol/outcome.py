"""The body of every answer that is not 200: a FHIR OperationOutcome."""

from typing import Any

from cds_service.errors import CdsError


def operation_outcome(error: CdsError) -> dict[str, Any]:
    """Return the OperationOutcome (one issue, no null or empty member) that tells the client of the error."""
    issue: dict[str, Any] = {"severity": "error", "code": error.code, "details": {"text": error.text}}
    if error.diagnostics:
        issue["diagnostics"] = error.diagnostics
    return {"resourceType": "OperationOutcome", "issue": [issue]}
