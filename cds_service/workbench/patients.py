"""The synthetic patients of `fixtures/scenarios`, as a list to choose from and as hook calls to send.

Only folders that stand in the list are ever read: a name from an address is looked up, never joined to a path.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any
from uuid import uuid4

from cds_service.chart.span import read_date
from cds_service.content.model import Content
from cds_service.demo.scenarios import Scenario, read_scenario, scenario_folders
from cds_service.errors import InvalidRequest
from cds_service.workbench.offered_drafts import OfferedDraft, offered_drafts

Json = dict[str, Any]

_WITHOUT_ORDERS = "patient-view"

# In a list of drafts: those that the fixture itself brings.
OWN_DRAFTS = "own"

# An answer without a card in a word or two; a card is called by its indicator.
OUTCOME_TAGS = {"suppressed": "suppressed", "not-applicable": "silent", "undetermined": "cannot tell"}


@dataclass(frozen=True, slots=True)
class PatientLine:
    """One patient in the list: who, what is the matter, the hook, what is expected, and the labels of own drafts."""

    name: str
    person: str
    line: str
    hook: str
    expected: str
    drafts: tuple[str, ...]


class FixturePatients:
    """All fixture patients, and the draft orders that may be given to them."""

    def __init__(self, folder: Path, content: Content, hooks: Sequence[str]) -> None:
        self.hooks = tuple(hooks)
        self._folders = {found.name: found for found in scenario_folders(folder)}
        self.drafts: Mapping[str, OfferedDraft] = offered_drafts(content, folder)

    def lines(self, now: datetime) -> list[PatientLine]:
        """The list, with ages as of `now`.

        Raises:
            ValueError: a scenario cannot be read.
        """
        return [_line(read_scenario(folder, now), now.date()) for folder in self._folders.values()]

    def request(self, name: str, hook: str | None, drafts: Sequence[str] | None, now: datetime, as_of: date) -> Json:
        """A fresh hook call for a patient.

        Args:
            name: of the scenario.
            hook: any of the three; None for the scenario's own.
            drafts: names of drafts, all of them selected; None for the scenario's own.
            now: the chart's dates count back from here.
            as_of: the day on which the drafts are written.

        Raises:
            InvalidRequest: there is no such patient, hook or draft.
        """
        if name not in self._folders:
            raise InvalidRequest("patient", "must be a name of the list of patients")
        if hook is not None and hook not in self.hooks:
            raise InvalidRequest("hook", f"must be one of {', '.join(self.hooks)}")
        request = read_scenario(self._folders[name], now).request
        context = request["context"]
        own = context.pop("draftOrders", None), context.pop("selections", [])
        request["hook"] = hook or request["hook"]
        request["hookInstance"] = str(uuid4())
        if request["hook"] != _WITHOUT_ORDERS:
            self._add_orders(request, own, [OWN_DRAFTS] if drafts is None else drafts, as_of)
        return request

    def _add_orders(self, request: Json, own: tuple[Json | None, list[str]], names: Sequence[str], day: date) -> None:
        context = request["context"]
        if set(names) - {OWN_DRAFTS} - self.drafts.keys():
            raise InvalidRequest("drafts", f"must be of {OWN_DRAFTS}, {', '.join(self.drafts)}")
        kept, selections = own if OWN_DRAFTS in names else (None, [])
        bundle = kept or {"resourceType": "Bundle", "type": "collection"}
        chosen = [self.drafts[name] for name in names if name != OWN_DRAFTS]
        written = [{"resource": draft.resource(context["patientId"], day)} for draft in chosen]
        context["draftOrders"] = {**bundle, "entry": [*bundle.get("entry", ()), *written]}
        if request["hook"] == "order-select":
            context["selections"] = [*selections, *(draft.reference for draft in chosen)]


def noon(day: date) -> datetime:
    """The moment that stands for a day: at noon it is the same day in most of the world."""
    return datetime.combine(day, time(12), UTC)


def _line(scenario: Scenario, today: date) -> PatientLine:
    patient = (scenario.request.get("prefetch") or {}).get("patient") or {}
    title = str(scenario.about["title"])
    return PatientLine(
        name=scenario.name,
        person=_person(patient) or scenario.name,
        line=_with_age(title, patient, today),
        hook=scenario.request["hook"],
        expected=_expected(scenario.about["expected"]),
        drafts=tuple(_own_drafts(scenario.request["context"])),
    )


def _person(patient: Mapping[str, Any]) -> str:
    for name in patient.get("name") or ():
        words = [*name.get("given", ()), name.get("family")]
        return " ".join(word for word in words if word)
    return ""


def _with_age(title: str, patient: Mapping[str, Any], today: date) -> str:
    """The title, which nearly always says how old the patient is, or would have been."""
    if not (birth := patient.get("birthDate")) or any(word.strip(",-").isdigit() for word in title.split()):
        return title
    born = read_date(birth).earliest
    age = today.year - born.year - ((today.month, today.day) < (born.month, born.day))
    return f"{age}, {title}"


def _expected(expected: Mapping[str, Any]) -> str:
    return str(expected.get("indicator") or OUTCOME_TAGS.get(expected["outcome"], expected["outcome"]))


def _own_drafts(context: Mapping[str, Any]) -> list[str]:
    labels = []
    for entry in (context.get("draftOrders") or {}).get("entry") or ():
        resource = entry.get("resource") or {}
        concept = resource.get("code") or resource.get("medicationCodeableConcept") or {}
        codings = concept.get("coding") or [{}]
        labels.append(concept.get("text") or codings[0].get("display") or resource.get("resourceType", "Order"))
    return labels
