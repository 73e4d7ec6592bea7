"""A made-up Bulk Data export of any size: `python -m tests.bulk_export FOLDER MEGABYTES`.

Of the conditions and observations 30 % have codes of a local system only, as an EHR sends them that was never mapped.
The patients are synthetic and all alike but for their numbers.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LOCAL = "urn:oid:1.2.840.113619.21.1.7"
LOCAL_SHARE = 0.3

Json = dict[str, Any]

_CONDITIONS = [
    ("http://hl7.org/fhir/sid/icd-10-cm", "C50.911", "Malignant neoplasm of breast"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "M54.50", "Low back pain, unspecified"),
    ("http://hl7.org/fhir/sid/icd-10-cm", "I10", "Essential (primary) hypertension"),
    ("http://snomed.info/sct", "38341003", "Hypertensive disorder, systemic arterial"),
]
_LOCAL_CONDITIONS = [("LBP-1", "Low back pain"), ("CA-7", "Malignant neoplasm of breast"), ("HTN", "High pressure")]
_LOCAL_CONDITIONS += [(f"DX{number:05}", f"Local diagnosis {number}") for number in range(2000)]
_OBSERVATIONS = [
    ("http://loinc.org", "8310-5", "Body temperature", "Cel"),
    ("http://loinc.org", "33914-3", "Glomerular filtration rate", "mL/min/{1.73_m2}"),
    ("http://loinc.org", "718-7", "Hemoglobin [Mass/volume] in Blood", "g/dL"),
]
_LOCAL_OBSERVATIONS = [(f"LAB{number:05}", f"Local laboratory test {number}") for number in range(3000)]
_ORDERS = [(LOCAL, "IMG-MRLS", "MRI lumbar spine with and without contrast"), ("http://loinc.org", "24981-3", "")]
_NARRATIVE = "<div xmlns='http://www.w3.org/1999/xhtml'>" + "A generated narrative. " * 12 + "</div>"


def _base(kind: str, number: int, random_: random.Random) -> Json:
    return {
        "resourceType": kind,
        "id": f"{kind.lower()}-{number}",
        "meta": {"versionId": "1", "lastUpdated": "2026-11-01T08:00:00Z", "tag": [{"code": "HTEST"}]},
        "text": {"status": "generated", "div": _NARRATIVE},
        "subject": {"reference": f"Patient/{random_.randrange(50_000)}"},
        "encounter": {"reference": f"Encounter/{random_.randrange(900_000)}"},
    }


def _code(known: tuple[str, ...], local: tuple[str, str], random_: random.Random) -> Json:
    if random_.random() < LOCAL_SHARE:
        return {"coding": [{"system": LOCAL, "code": local[0], "display": local[1]}], "text": local[1]}
    return {"coding": [{"system": known[0], "code": known[1], "display": known[2]}], "text": known[2]}


def conditions(count: int, seed: int = 1) -> Iterator[Json]:
    """So many Conditions of many patients."""
    random_ = random.Random(seed)
    for number in range(count):
        yield _base("Condition", number, random_) | {
            "clinicalStatus": {"coding": [{"code": "active"}]},
            "code": _code(random_.choice(_CONDITIONS), random_.choice(_LOCAL_CONDITIONS), random_),
            "onsetDateTime": f"20{random_.randrange(10, 26)}-0{random_.randrange(1, 9)}-11",
        }


def observations(count: int, seed: int = 2) -> Iterator[Json]:
    """So many Observations of many patients; one in fifty temperatures has a unit that nobody reads."""
    random_ = random.Random(seed)
    for number in range(count):
        known = random_.choice(_OBSERVATIONS)
        unit = "K" if known[1] == "8310-5" and random_.random() < 0.02 else known[3]
        yield _base("Observation", number, random_) | {
            "status": "final",
            "code": _code(known, random_.choice(_LOCAL_OBSERVATIONS), random_),
            "effectiveDateTime": f"2026-0{random_.randrange(1, 9)}-11T09:00:00Z",
            "valueQuantity": {"value": round(random_.uniform(20, 120), 1), "unit": unit, "code": unit},
        }


def orders(count: int, seed: int = 3) -> Iterator[Json]:
    """So many ServiceRequests, half of them under a code of the site."""
    random_ = random.Random(seed)
    for number in range(count):
        system, code, display = random_.choice(_ORDERS)
        yield _base("ServiceRequest", number, random_) | {
            "status": "active",
            "intent": "order",
            "code": {"coding": [{"system": system, "code": code, "display": display}]},
        }


def write(folder: Path, megabytes: float) -> None:
    """Write Condition, Observation and ServiceRequest files of so many megabytes together."""
    folder.mkdir(parents=True, exist_ok=True)
    for make, share in ((conditions, 0.3), (observations, 0.6), (orders, 0.1)):
        left = megabytes * 1e6 * share
        with (folder / f"{make.__name__}.ndjson").open("w", encoding="utf-8") as stream:
            for resource in make(sys.maxsize):
                line = json.dumps(resource) + "\n"
                stream.write(line)
                left -= len(line)
                if left <= 0:
                    break


if __name__ == "__main__":
    write(Path(sys.argv[1]), float(sys.argv[2]))
