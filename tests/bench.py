"""What a call costs, beside `json.loads` of the same bytes: `make bench`.

Charts of 50 and of 5,000 resources, prefetch only. Both are measured in turn, in one run; the best of several
rounds is given, because other work on the machine only ever adds time. Read the ratio, not the milliseconds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.protocol.hook_request import decode
from cds_service.settings import Settings
from tests.builders import SERVICES

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SERVICE = SERVICES["breast-cancer-back-pain-patient-view"]
ROUNDS = 15


def _condition(index: int, system: str, code: str, display: str, days_ago: int) -> dict[str, Any]:
    status = "http://terminology.hl7.org/CodeSystem/condition-"
    return {
        "resourceType": "Condition",
        "id": f"c{index}",
        "clinicalStatus": {"coding": [{"system": f"{status}clinical", "code": "active"}]},
        "verificationStatus": {"coding": [{"system": f"{status}ver-status", "code": "confirmed"}]},
        "category": [{"coding": [{"system": f"{status}category", "code": "problem-list-item"}]}],
        "code": {"coding": [{"system": system, "code": code, "display": display}], "text": display},
        "subject": {"reference": "Patient/p"},
        "onsetDateTime": (NOW - timedelta(days=days_ago)).date().isoformat(),
        "recordedDate": (NOW - timedelta(days=days_ago)).isoformat(),
    }


def _observation(index: int) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"o{index}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "72514-3", "display": "Pain severity"}]},
        "subject": {"reference": "Patient/p"},
        "effectiveDateTime": (NOW - timedelta(days=index % 900)).isoformat(),
        "valueQuantity": {"value": index % 10, "unit": "{score}"},
    }


def chart(resources: int) -> bytes:
    """A call with so many resources, a third of them conditions, two that matter."""
    icd = "http://hl7.org/fhir/sid/icd-10-cm"
    conditions = [_condition(0, icd, "C50.911", "Malignant neoplasm of breast", 4000)]
    conditions.append(_condition(1, icd, "M54.50", "Low back pain, unspecified", 5))
    others = range(2, resources // 3)
    conditions += [_condition(n, icd, "E11.9", f"Type 2 diabetes, note {n % 97}", 900 + n) for n in others]
    observations = [_observation(n) for n in range(resources - len(conditions) - 1)]

    def bundle(items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in items]}

    call = {
        "hook": "patient-view",
        "hookInstance": "6a5b9d52-6a9b-4f0a-9ad0-0d1f1c2b3a4d",
        "context": {"userId": "Practitioner/1", "patientId": "p"},
        "prefetch": {
            "patient": {"resourceType": "Patient", "id": "p", "birthDate": "1968-04-02"},
            "conditions": bundle(conditions),
            "observations": bundle(observations),
        },
    }
    return json.dumps(call).encode()


def _best_ms(*tasks: Callable[[], object]) -> list[float]:
    """The best time of each task, the tasks taken in turn."""
    best = [float("inf")] * len(tasks)
    for _ in range(ROUNDS):
        for index, task in enumerate(tasks):
            start = time.perf_counter()
            task()
            best[index] = min(best[index], (time.perf_counter() - start) * 1000)
    return best


def main() -> None:
    support = DecisionSupport(Settings())
    for size in (50, 5000):
        body = chart(size)

        def call(body: bytes = body) -> object:
            return support.decide(HookCall(SERVICE, NOW), decode(body)).response_or_error()

        assert call()
        whole, reading = _best_ms(call, lambda body=body: json.loads(body))  # type: ignore[misc]
        print(
            f"{size:5} resources, {len(body) / 1000:6.0f} kB: call {whole:7.2f} ms,"
            f" json.loads {reading:7.2f} ms, ratio {whole / reading:.1f}"
        )


if __name__ == "__main__":
    main()
