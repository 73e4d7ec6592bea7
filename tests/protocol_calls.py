"""Hook calls in the shapes that the public sandbox sends."""

from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]
Change = Callable[[Json], object]

# Stands for a patient's data in every bad call: it must not come back in an error.
MARKER = "Marker-7351"
UUID = "5b0f2c1e-8d0a-4c1b-9a53-0e6f0a4d7c11"
ID_RULE = "must be a FHIR id (letters, digits, '-' and '.', at most 64)"


def a_draft() -> Json:
    """An imaging draft in which nothing has been chosen yet: not valid FHIR, but sent."""
    return {
        "resourceType": "ServiceRequest",
        "id": "draft-1",
        "status": "draft",
        "intent": "plan",
        "code": {"coding": [{}]},
        "subject": {"reference": f"Patient/{MARKER}"},
        "reasonCode": [],
    }


def a_call(hook: str = "patient-view") -> Json:
    context: Json = {"patientId": MARKER, "userId": "Practitioner/user-1"}
    if hook != "patient-view":
        context["draftOrders"] = {"resourceType": "Bundle", "entry": [{"resource": a_draft()}]}
    if hook == "order-select":
        context["selections"] = ["ServiceRequest/draft-1"]
    return {
        "hookInstance": UUID,
        "hook": hook,
        "fhirServer": "http://127.0.0.1:9400/fhir",
        "context": context,
        "prefetch": {"patient": {"resourceType": "Patient", "id": MARKER}},
    }


def put(path: str, value: object) -> Change:
    """Return a change that sets the member at a dotted path."""
    return lambda document: _parent(document, path).__setitem__(path.split(".")[-1], value)


def drop(path: str) -> Change:
    """Return a change that removes the member at a dotted path."""
    return lambda document: _parent(document, path).pop(path.split(".")[-1])


def _parent(document: Json, path: str) -> Any:
    target: Any = document
    for part in path.split(".")[:-1]:
        target = target[int(part)] if part.isdigit() else target[part]
    return target


def both(*changes: Change) -> Change:
    return lambda document: [change(document) for change in changes]


def names(table: Sequence[tuple[Any, ...]]) -> list[str]:
    """Return the first column of a table of cases: what each is called."""
    return [row[0] for row in table]


def changes(table: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return a table of cases without its first column."""
    return [row[1:] for row in table]
