"""Hook calls with more entries than matter, and charts in which something is odd: for tests of how charts are read."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tests.bench.charts import KEYS, resources

Json = dict[str, Any]

# So many entries of each key are added to a call.
_ADDED = 6
_TYPES = {key: resource_type for resource_type, key in KEYS.items()}
_BACKGROUND = resources(300, False, datetime(2026, 11, 28, tzinfo=UTC))

# What stands where something else belongs: nothing, values of other types, dates that are none, and what would matter.
_ODD: list[Any] = [
    *(None, "", [], {}, "x", 0, -1, 1.5, True, False, 10**30, [None], [[]], [{}], {"a": 1}),
    *("2026-13-45", "2026-09", "0001-01-01", "1900-01-01", "2026-11-01T10:00:00-05:00", "9999-12-31"),
    *(
        "final",
        "entered-in-error",
        "Low back pain",
        "breast cancer",
        "Allergic reaction to contrast",
        "Chief complaint",
    ),
    *("Patient/another", "urn:uuid:1", {"reference": "Patient/another"}, {"text": "back pain"}),
    {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "M54.50", "display": "Low back pain"}]},
    {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C50.911"}]},
    {"coding": [{"system": "urn:made-up:codes", "code": "9"}]},
]

# Elements that entries may have, of one type or another.
_ELEMENT_NAMES = """
    note bodySite extension onsetString onsetAge onsetDateTime abatementDateTime abatementString abatementBoolean
    abatement category recordedDate valueString valueQuantity valueCodeableConcept valueBoolean valueDateTime component
    interpretation subject patient status effectivePeriod effectiveDateTime issued encounter context clinicalStatus
    verificationStatus id resourceType code contained dateRecorded meta dataAbsentReason basedOn reasonCode
    authoredOn performedDateTime performedPeriod occurrenceDateTime priority intent doNotPerform reasonReference partOf
"""
_ELEMENTS = _ELEMENT_NAMES.split()


def with_background(request: Json, numbers: random.Random) -> Json:
    """A call with some entries more under its main keys, such as every chart has."""
    document = copy.deepcopy(request)
    prefetch = document.get("prefetch")
    for key, resource_type in _TYPES.items():
        bundle = prefetch.setdefault(key, {"resourceType": "Bundle"}) if isinstance(prefetch, dict) else None
        if not isinstance(bundle, dict) or not isinstance(bundle.get("entry", []), list):
            continue
        others = [item for item in _BACKGROUND if item["resourceType"] == resource_type]
        subject = {"reference": f"Patient/{document['context']['patientId']}"}
        added = [{**item, "subject": subject} for item in numbers.sample(others, min(_ADDED, len(others)))]
        bundle["entry"] = [*bundle.get("entry", []), *({"resource": copy.deepcopy(item)} for item in added)]
        bundle.pop("total", None)
    return document


def broken(document: Json, numbers: random.Random) -> Json:
    """The call with one to three things in its entries that are not as they should be."""
    changed = copy.deepcopy(document)
    for _ in range(numbers.choice((1, 1, 1, 2, 3))):
        places = list(_places(changed.get("prefetch")))
        if not places:
            break
        _break(*numbers.choice(places), numbers)
    return changed


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Every container with each of its keys, but for the prefetch keys themselves."""
    if isinstance(value, dict):
        inner: list[tuple[Any, Any]] = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        return
    for key, item in inner:
        if depth > 0:
            yield value, key
        yield from _places(item, depth + 1)


def _break(holder: Any, key: Any, numbers: random.Random) -> None:
    value = holder[key]
    odd = copy.deepcopy(numbers.choice(_ODD))
    ways = ["replaced", "removed", "listed"]
    ways += ["added to"] * 3 if isinstance(value, dict) else []
    ways += ["doubled"] if isinstance(holder, list) else []
    ways += ["rewritten"] if isinstance(value, str) else []
    match numbers.choice(ways):
        case "replaced":
            holder[key] = odd
        case "removed":
            del holder[key]
        case "listed":
            holder[key] = [value]
        case "added to":
            value[numbers.choice(_ELEMENTS)] = odd
        case "doubled":
            holder.append(copy.deepcopy(value))
        case "rewritten":
            holder[key] = numbers.choice((value.upper(), f" {value}", f"{value} ", value[:4], f"{value}|1"))
