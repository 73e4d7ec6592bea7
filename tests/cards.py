"""Write docs/cards.md: every kind of card as text, for a committee to read in one sitting. `make cards` renews it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NECK_PAIN,
    OF_A_VISIT,
    ON_THE_LIST,
    THORACIC_PAIN,
    Json,
    allergy,
    condition,
    day,
    decision,
    draft,
    observation,
    patient,
    study,
)

PAGE = Path(__file__).parents[1] / "docs" / "cards.md"

_HEAD = """# Every kind of card

Made by `make cards` from the content of the service, for a committee to read in one sitting; a test holds that it is
true. The patients are made up; their day is 2026-11-22. `code` marks words of the chart. Behind each title stand the
indicator, the words of the detail, and the orders that a click would draft.
"""

CANCER = condition(BREAST_CANCER, onset=day(3000), text="Left breast IDC 2018")
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
LUMBAR, WHOLE = "loinc 24967-2", "loinc 30855-1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of card: a title, what the chart holds beside the cancer, and how it is asked.

    Attributes:
        without: prefetch keys that the call lacks.
    """

    title: str
    chart: Sequence[Json]
    drafts: Sequence[Json] = ()
    settings: Json = field(default_factory=dict)
    without: Sequence[str] = ()

    def answer(self) -> Mapping[str, Any]:
        """The response of the service. Records have ids of their place, by which those of one day are sorted."""
        chart = [
            item if item["resourceType"] == "Patient" else item | {"id": f"record-{place}"}
            for place, item in enumerate((CANCER, *self.chart))
        ]
        hook = "order-select" if self.drafts else "patient-view"
        return decision(*chart, hook=hook, drafts=self.drafts, without=self.without, **self.settings).response


def visit(code: str, days_ago: int = 0) -> Json:
    return condition(code, recorded=day(days_ago), **OF_A_VISIT)


def egfr(value: float, days_ago: int = 10) -> Json:
    return observation("loinc 98979-8", day(days_ago), valueQuantity={"value": value, "unit": "mL/min/1.73m2"})


STANDARD = (
    Kind("Low back pain", [PAIN]),
    Kind("Low back pain, eGFR known", [PAIN, egfr(84)]),
    Kind("Low back pain, eGFR not recent", [PAIN, egfr(84, 120)]),
    Kind("Low back pain, eGFR in another unit", [PAIN, observation("loinc 98979-8", day(10), valueQuantity={
        "value": 1.2, "unit": "mg/dL"})]),
    Kind("Low back pain, creatinine alone", [PAIN, observation("loinc 2160-0", day(10), valueQuantity={
        "value": 1.1, "unit": "mg/dL"})]),
    Kind("Low back pain, a patient of 34 years", [patient(birth="1992-05-04"), PAIN]),
    Kind("Low back pain, earlier imaging not supplied", [PAIN], without=["diagnosticReports", "procedures"]),
    Kind("Low back pain, an entry that cannot be read", [PAIN, observation("loinc 10154-3", day(1), valueString=7)]),
    Kind("Low back pain in the chart's words", [condition(text="new low back pain, worse at night", recorded=day(3))]),
    Kind("Neck pain", [condition(NECK_PAIN, onset=day(5))]),
    Kind("Thoracic pain", [condition(THORACIC_PAIN, onset=day(5))]),
    Kind("Sacral pain", [condition("icd10cm M53.3", onset=day(5))]),
    Kind("Pain of two regions", [PAIN, condition(THORACIC_PAIN, onset=day(5))]),
    Kind("A site that images the whole spine", [PAIN], settings={"mri_extent": "whole-spine"}),
    Kind("Pain without a date", [condition(LOW_BACK_PAIN)]),
    Kind("Pain on the list for years, worse now", [
        condition(LOW_BACK_PAIN, onset=day(2500), **ON_THE_LIST),
        condition(LOW_BACK_PAIN, recorded=day(1), text="Low back pain, much worse since Monday", **OF_A_VISIT),
    ]),
    Kind("Known bone metastasis", [PAIN, condition("icd10cm C79.51", onset=day(400))]),
    Kind("Known metastasis of the liver", [PAIN, condition("icd10cm C78.7", onset=day(400))]),
    Kind("New vertebral fracture without pain on record", [condition("icd10cm M80.08XA", onset=day(3))]),
    Kind("Vertebral fracture from an injury", [condition("icd10cm S22.080A", onset=day(3))]),
    Kind("A nonspecific sign", [PAIN, visit("icd10cm R26.81")]),
    Kind("A sign recorded weeks ago", [condition(LOW_BACK_PAIN, onset=day(40)), visit("icd10cm R29.898", 30),
                                       visit("snomed 309774006", 30)]),
    Kind("A sign known for years", [PAIN, condition("icd10cm M21.371", onset=day(2000), **ON_THE_LIST)]),
    Kind("Aortic aneurysm recorded with the pain", [
        condition(LOW_BACK_PAIN, recorded=day(0), **OF_A_VISIT), visit("icd10cm I71.40"),
    ]),
    Kind("Kidney stone recorded with the pain", [
        condition(LOW_BACK_PAIN, recorded=day(0), **OF_A_VISIT), visit("icd10cm N20.0"),
    ]),
    Kind("A strain, an injection into the spine and radiotherapy", [
        PAIN, visit("icd10cm S39.012A", 6), study("Procedure", text="SBRT T8", when=day(60)),
        study("Procedure", text="Lumbar epidural steroid injection", when=day(80)),
    ]),
    Kind("Infection possible", [PAIN, visit("icd10cm R50.9", 20)]),
    Kind("Receptors unknown, new headache", [PAIN, condition("snomed 25064002", onset=day(4))]),
    Kind("HER2-positive, new headache", [
        PAIN, condition("snomed 25064002", onset=day(4)),
        observation("loinc 85319-2", day(300), valueString="3+"),
    ]),
)  # fmt: skip
EMERGENCIES = (
    Kind("Cauda equina syndrome", [PAIN, visit("icd10cm G83.4")]),
    Kind("Cord compression", [PAIN, visit("icd10cm G95.20")]),
    Kind("Weakness", [PAIN, visit("snomed 309774006")]),
    Kind("Urinary retention", [PAIN, visit("icd10cm R33.9")]),
    Kind("Saddle numbness in words", [PAIN, condition(text="numb in the saddle area", recorded=day(0), **OF_A_VISIT)]),
    Kind("Numbness", [PAIN, visit("icd10cm R20.0")]),
    Kind("Gait disturbance", [PAIN, visit("icd10cm R26.0")]),
    Kind("Two nonspecific signs", [PAIN, visit("icd10cm R53.1"), visit("icd10cm R29.6")]),
    Kind("Fracture through a tumor", [condition("icd10cm M84.58XA", onset=day(2))]),
    Kind("Metastasis of the spinal cord", [PAIN, condition("icd10cm C79.49", onset=day(90)),
                                           condition("snomed 94600009", onset=day(90))]),
    Kind("Spinal infection", [PAIN, visit("icd10cm M46.46")]),
    Kind("Fever", [PAIN, visit("icd10cm R50.9", 1)]),
    Kind("Febrile neutropenia", [PAIN, visit("icd10cm R50.81"), visit("icd10cm D70.1")]),
    Kind("Fever with a cord sign", [PAIN, visit("icd10cm R50.9", 1), visit("icd10cm R33.9")]),
    Kind("MRI ordered, as routine", [PAIN, visit("icd10cm G83.4", 1),
                                     study("ServiceRequest", WHOLE, status="active", when=day(0))]),
    Kind("MRI ordered stat", [PAIN, visit("icd10cm G83.4", 1),
                              study("ServiceRequest", WHOLE, status="active", when=day(0), priority="stat")]),
    Kind("MRI of the spine done since the sign", [PAIN, visit("icd10cm G83.4", 2),
                                                  study("DiagnosticReport", WHOLE, when=day(1))]),
    Kind("MRI of one region ordered before the sign", [PAIN, visit("icd10cm G83.4"),
                                                       study("ServiceRequest", LUMBAR, status="active", when=day(2))]),
    Kind("MRI of one region ordered after the sign", [PAIN, visit("icd10cm G83.4", 1),
                                                      study("ServiceRequest", LUMBAR, status="active", when=day(0))]),
    Kind("Anticoagulants beside a sign", [PAIN, visit("icd10cm R33.9"), condition("icd10cm Z79.01", onset=day(300))]),
    Kind("Contrast allergy not supplied", [PAIN, visit("icd10cm G83.4")], without=["allergies"]),
    Kind("MRI ordered before the sign", [PAIN, visit("icd10cm G83.4"),
                                         study("ServiceRequest", WHOLE, status="active", when=day(2))]),
    Kind("MRI done before the sign", [PAIN, visit("icd10cm G83.4"), study("DiagnosticReport", WHOLE, when=day(3))]),
)  # fmt: skip
CAUTIONS = (
    Kind("eGFR 22", [PAIN, egfr(22)]),
    Kind("eGFR 22, a site that gives group II agents", [PAIN, egfr(22)], settings={"renal_gadolinium": "group2"}),
    Kind("eGFR 38", [PAIN, egfr(38)]),
    Kind("Dialysis", [PAIN, condition("icd10cm Z99.2", recorded=day(40))]),
    Kind("Gadolinium reaction", [PAIN, allergy("snomed 58281002")]),
    Kind("Reaction to iodinated contrast", [PAIN, allergy("snomed 426722004")]),
    Kind("Pregnant", [PAIN, condition("icd10cm Z33.1", recorded=day(10))]),
    Kind(
        "Pregnant, cauda equina syndrome", [PAIN, condition("icd10cm Z33.1", recorded=day(10)), visit("icd10cm G83.4")]
    ),
    Kind("Gadolinium reaction, sacral pain", [condition("icd10cm M53.3", onset=day(5)), allergy("snomed 58281002")]),
    Kind(
        "Four cautions at once",
        [PAIN, egfr(22), allergy("snomed 293637006"), condition("icd10cm Z95.0"), condition(text="Tissue expander")],
    ),
    Kind("Pacemaker", [PAIN, condition("icd10cm Z95.0", recorded=day(900))]),
)
STUDIES = (
    Kind("MRI done", [PAIN, study("DiagnosticReport", LUMBAR, when=day(1))]),
    Kind(
        "MRI done, its conclusion",
        [
            PAIN,
            study(
                "DiagnosticReport",
                LUMBAR,
                when=day(1),
                conclusion="Degenerative changes L4-S1. No compression of the cauda.",
            ),
        ],
    ),
    Kind("MRI without contrast done", [PAIN, study("DiagnosticReport", "loinc 30679-5", when=day(1))]),
    Kind(
        "Bone scan and radiograph done",
        [
            PAIN,
            study("DiagnosticReport", "loinc 39818-0", when=day(2)),
            study("DiagnosticReport", "loinc 24972-2", when=day(1)),
        ],
    ),
    Kind("MRI ordered", [PAIN, study("ServiceRequest", LUMBAR, status="active", when=day(1))]),
    Kind("An old order of an MRI is open", [PAIN, study("ServiceRequest", LUMBAR, status="active", when=day(200))]),
)
CHOSEN = tuple(
    Kind(f"{name} chosen", [PAIN], [draft(*codes, kind=kind, text=text)])
    for name, kind, codes, text in (
        ("Radiograph", "ServiceRequest", ["cpt 72100"], ""),
        ("CT of the spine", "ServiceRequest", ["cpt 72131"], ""),
        ("MRI", "ServiceRequest", [LUMBAR], ""),
        ("MRI without contrast", "ServiceRequest", ["loinc 30679-5"], ""),
        ("MRI of another region", "ServiceRequest", ["loinc 24937-5"], ""),
        ("Bone scan", "ServiceRequest", ["loinc 39818-0"], ""),
        ("CT chest/abdomen/pelvis", "ServiceRequest", ["loinc 72254-6"], ""),
        ("PET/CT", "ServiceRequest", ["loinc 81555-5"], ""),
        ("Ibuprofen", "MedicationRequest", ["rxnorm 5640"], "Ibuprofen"),
    )
) + (
    Kind("MRI with contrast chosen, pregnant", [PAIN, condition("icd10cm Z33.1", recorded=day(10))], [draft(LUMBAR)]),
    Kind(
        "MRI of one region chosen, known bone metastasis",
        [PAIN, condition("icd10cm C79.51", onset=day(400))],
        [draft(LUMBAR)],
    ),
)
WITHOUT_ORDERS = (
    Kind("Routine imaging for metastases", [], [draft("loinc 39818-0")]),
    Kind("A child", [patient(birth="2012-01-01"), PAIN]),
)
SECTIONS = (
    ("New back pain", STANDARD),
    ("Emergencies", EMERGENCIES),
    ("Cautions", CAUTIONS),
    ("What is there already", STUDIES),
    ("On choosing an order", CHOSEN),
    ("No imaging is proposed", WITHOUT_ORDERS),
)


def cards_page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for title, kinds in SECTIONS:
        lines += ["", f"## {title}"]
        for kind in kinds:
            lines += ["", *_shown(kind.title, kind.answer())]
    lines += ["", "## Where the chart was not read", "", *_in_situ(), "", *_undetermined()]
    return "\n".join(lines).rstrip() + "\n"


def _in_situ() -> Iterator[str]:
    answer = decision(condition("icd10cm D05.11", onset=day(900)), PAIN, dcis_mode="info").response
    yield from _shown("In situ disease only, where a site wants a card", answer)


def _undetermined() -> Iterator[str]:
    answer = decision(CANCER, without=("observations",), undetermined_card="info").response
    yield from _shown("An answer left open, where a site wants a card", answer)


def _shown(title: str, answer: Mapping[str, Any]) -> Iterator[str]:
    (card,) = answer["cards"]
    words = sum(any(map(str.isalnum, word)) for word in card["detail"].split())
    yield f"### {title}"
    yield ""
    yield f"{card['indicator']}, {words} words"
    yield ""
    yield f"> **{card['summary']}**"
    yield ">"
    yield from (f"> {line}".rstrip() for line in card["detail"].splitlines())
    yield ""
    yield from (f"- [{suggestion['label']}]" for suggestion in card.get("suggestions", ()))


def main() -> int:
    """Write the page; return the exit status."""
    PAGE.write_text(cards_page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
