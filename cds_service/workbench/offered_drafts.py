"""The draft orders that the workbench offers, each with a code taken from the clinical content or from a fixture.

No code stands here: an order is the first code of the content that lies in all of its value sets and whose name holds
its word, or a study of the content. An order that the content cannot make is not offered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from cds_service.content.model import CodingData, Content

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OfferedDraft:
    """One order to draft: `name` in addresses, `label` for people, and what it orders."""

    name: str
    label: str
    codings: tuple[CodingData, ...]
    is_drug: bool = False

    @property
    def reference(self) -> str:
        """How `selections` name the draft."""
        return f"{'MedicationRequest' if self.is_drug else 'ServiceRequest'}/draft-{self.name}"

    def resource(self, patient_id: str, day: date) -> Json:
        """The draft as FHIR R4, written on `day`."""
        kind, _, identity = self.reference.partition("/")
        what = "medicationCodeableConcept" if self.is_drug else "code"
        return {
            "resourceType": kind,
            "id": identity,
            "status": "draft",
            "intent": "order",
            what: {"coding": [dict(coding) for coding in self.codings], "text": self.label},
            "subject": {"reference": f"Patient/{patient_id}"},
            "authoredOn": day.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class _Wanted:
    """An order as it is looked up: the first code in all of `sets` whose display holds `word`."""

    name: str
    label: str
    sets: tuple[str, ...]
    word: str
    is_drug: bool = False


_LUMBAR = "imaging-spine-plain-lumbar"
_FROM_VALUE_SETS = (
    _Wanted("radiograph-lumbar-spine", "Lumbar spine X-ray", ("imaging-spine-radiograph", _LUMBAR), "lumbar"),
    _Wanted("ct-lumbar-spine", "Lumbar spine CT", ("imaging-spine-ct", _LUMBAR), "lumbar"),
    _Wanted("ibuprofen", "Ibuprofen", ("analgesic-drug",), "ibuprofen", is_drug=True),
    _Wanted("physical-therapy", "Physical therapy", ("physical-therapy",), "physical therapy"),
)
_STUDIES = (
    ("mri-lumbar-spine", "Lumbar spine MRI"),
    ("bone-scan-whole-body", "Whole-body bone scan"),
    ("ct-chest-abdomen-pelvis", "CT chest/abdomen/pelvis"),
)

# An order that has nothing to do with the pain has no code in the content: it is the draft of this fixture.
_UNRELATED = "row-086-draft-lipid-panel"


def offered_drafts(content: Content, scenarios_folder: Path) -> Mapping[str, OfferedDraft]:
    """The orders that may be drafted, by name, in the order in which they are shown."""
    found = [*_from_value_sets(content), *_studies(content), *_unrelated(scenarios_folder)]
    return {draft.name: draft for draft in found}


def _from_value_sets(content: Content) -> Iterator[OfferedDraft]:
    for wanted in _FROM_VALUE_SETS:
        if coding := _coding(wanted, content):
            yield OfferedDraft(wanted.name, wanted.label, (coding,), wanted.is_drug)


def _coding(wanted: _Wanted, content: Content) -> CodingData | None:
    first = content.terminology.value_sets.get(wanted.sets[0])
    for system, code, display in first.concepts if first else ():
        if wanted.word in display.lower() and content.terminology.value_sets_with(system, code).issuperset(wanted.sets):
            return {"system": system, "code": code, "display": display}
    return None


def _studies(content: Content) -> Iterator[OfferedDraft]:
    for slug, label in _STUDIES:
        if order := content.orders.get(slug):
            yield OfferedDraft(slug, label, order.codings)


def _unrelated(scenarios_folder: Path) -> Iterator[OfferedDraft]:
    request = scenarios_folder / _UNRELATED / "request.json"
    if not request.is_file():
        return
    call = json.loads(request.read_text(encoding="utf-8"))
    draft = call["context"]["draftOrders"]["entry"][0]["resource"]
    yield OfferedDraft("lipid-panel", draft["code"]["text"], tuple(draft["code"]["coding"]))
