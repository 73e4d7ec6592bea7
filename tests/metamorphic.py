"""Pairs of nearly the same call: charts with something added, moved, translated, split or joined.

The charts are the synthetic patients of `fixtures/scenarios` and those that tests build. A test changes one thing and
compares the two answers; what it may not change it need not know beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.demo.scenarios import read_scenario, scenario_folders, scenarios_folder
from tests.builders import KEYS, NOW, Json, bundle, concept, condition, encounter, name_of, reference

_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"
VISIT_DIAGNOSIS = [{"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}]
LIST_ENTRY = [{"coding": [{"system": _CATEGORY, "code": "problem-list-item"}]}]

# From a silent service to an emergency.
_RANKS = {"info": 1, "warning": 2, "critical": 3}

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_AGO = re.compile(r"\b(today|yesterday|\d+ (day|week|month|year)s? ago)")


# --- Answers


@cache
def _support() -> DecisionSupport:
    return DecisionSupport()


def decided(call: Json) -> Decision:
    """The answer of the service, with the settings as they come, to a hook call of `NOW`."""
    service = _support().service_for(call)
    assert service is not None
    return _support().decide(HookCall(service, NOW), call)


@dataclass(frozen=True)
class Answer:
    """What a call comes to: whether a card comes, how urgent it is, and what it proposes.

    `orders` are slugs with priorities, `cautions` the ids of what changes them.
    """

    outcome: Outcome
    reason: str
    indicator: str
    orders: tuple[tuple[str, str], ...]
    cautions: tuple[str, ...]

    @property
    def rank(self) -> int:
        """How loud the service is: 0 where it is silent, 3 in an emergency."""
        return _RANKS[self.indicator] if self.outcome is Outcome.FIRED else 0


def answer_of(found: Any) -> Answer:
    """The answer of an assessment."""
    assert isinstance(found, Assessment)
    fired = found.outcome is Outcome.FIRED
    return Answer(
        found.outcome,
        found.reason,
        found.indicator if fired else "",
        tuple((order.slug, order.priority) for order in found.orders),
        tuple(sorted(item.caution.id for item in found.cautions)),
    )


def answer(call: Json) -> Answer:
    return answer_of(decided(call).assessment)


# --- Fixtures


@cache
def fixtures() -> Mapping[str, Json]:
    """The hook calls of all scenarios as of `NOW`, by the names of their folders. They must not be changed."""
    scenarios = (read_scenario(folder, NOW) for folder in scenario_folders(scenarios_folder()))
    return {scenario.name: scenario.request for scenario in scenarios}


@cache
def advised() -> Mapping[str, Answer]:
    """The scenarios that bring a card with imaging, and the answers to them."""
    answers = {name: answer(call) for name, call in fixtures().items()}
    return {name: found for name, found in answers.items() if found.reason == Reason.IMAGING_ADVISED}


def added(call: Json, *resources: Json) -> Json:
    """The call with these resources of its patient among those that it sends."""
    whose = {"subject": reference("Patient", call["context"]["patientId"])}
    prefetch = dict(call["prefetch"])
    for resource in resources:
        key = KEYS[resource["resourceType"]]
        known = prefetch.get(key) or bundle()
        entry = {"fullUrl": f"https://ehr.example.org/fhir/{name_of(resource)}", "resource": resource | whose}
        entries = [*known.get("entry", ()), entry]
        prefetch[key] = known | {"entry": entries} | ({"total": known["total"] + 1} if "total" in known else {})
    return call | {"prefetch": prefetch}


# --- Entries


def visit(code: str, when: str, clinical: str | None = "active", text: str = "") -> list[Json]:
    """A visit with its diagnosis."""
    seen = encounter(when=when)
    return [seen, condition(code, clinical=clinical, text=text, category=VISIT_DIAGNOSIS, encounter=_to(seen))]


def visited_for(code: str, when: str) -> Json:
    """A visit for a reason."""
    return encounter(concept(code), when=when)


def listed(code: str, **elements: Any) -> Json:
    """An entry of the problem list."""
    return condition(*([code] if code else []), category=LIST_ENTRY, **elements)


def _to(resource: Json) -> Json:
    return {"reference": name_of(resource)}


# --- Cards


def lines(card: Json) -> list[str]:
    """Summary and detail of a card line by line, its dates and spans of time left out."""
    whole = f"{card['summary']}\n{card['detail']}".replace("\N{NO-BREAK SPACE}", " ")
    return [_AGO.sub("AGO", _DATE.sub("DATE", line)) for line in whole.splitlines() if line]


def codings_in(item: Any) -> Iterator[Json]:
    """Every Coding of a JSON document that has a system."""
    if isinstance(item, dict):
        if isinstance(item.get("system"), str) and isinstance(item.get("code"), str):
            yield item
        for value in item.values():
            yield from codings_in(value)
    elif isinstance(item, list):
        for value in item:
            yield from codings_in(value)
