"""FHIR R4 resources (and the R3 and DSTU2 spellings of their elements) read into chart records.

Each reader takes one resource as a plain dict and a `Reading` that collects what could not be read.
"""

from __future__ import annotations

from datetime import timedelta

from cds_service.chart.elements import Json, Reading
from cds_service.chart.records import (
    Allergy,
    Component,
    Concept,
    Condition,
    Encounter,
    Observation,
    Order,
    Patient,
    Study,
)
from cds_service.chart.span import Span

# UCUM units of an Age, in days.
_AGE_UNITS = {"a": 365.25, "year": 365.25, "years": 365.25, "mo": 30.4, "month": 30.4, "months": 30.4}
_AGE_UNITS |= {"wk": 7, "week": 7, "weeks": 7, "d": 1, "day": 1, "days": 1}


def subject_of(resource: Json, reading: Reading) -> str:
    """The patient a resource is about, as `Patient/id`; DSTU2 called the element `patient`."""
    return reading.reference(resource.get("subject") or resource.get("patient"), "subject")


def read_patient(resource: Json, reading: Reading) -> Patient:
    replaced = any(
        reading.text(link.get("type"), "link.type") == "replaced-by"
        for link in reading.items(resource.get("link"), "link")
    )
    return Patient(
        birth=reading.date(resource.get("birthDate"), "birthDate"),
        gender=reading.text(resource.get("gender"), "gender"),
        deceased=_truth(resource.get("deceasedBoolean"), reading, "deceased") or bool(resource.get("deceasedDateTime")),
        active=resource.get("active") is None or _truth(resource.get("active"), reading, "active"),
        replaced=replaced,
    )


def _truth(value: object, reading: Reading, element: str) -> bool:
    """A boolean, also where it came as text."""
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    if value is not None and not isinstance(value, bool):
        reading.cannot(element, "is neither true nor false")
    return value is True


def read_condition(resource: Json, reading: Reading, birth: Span | None) -> Condition:
    """A Condition. Its onset may be a date, a period, an age, a range of ages or text."""
    onset_text = reading.text(resource.get("onsetString"), "onsetString")
    abatement = (
        reading.date(resource.get("abatementDateTime"), "abatementDateTime")
        or reading.period(resource.get("abatementPeriod"), "abatementPeriod")
        or _at_age(resource.get("abatementAge"), birth, reading, "abatementAge")
    )
    return Condition(
        reference=reading.where,
        concept=reading.concept(resource.get("code"), "code"),
        sites=reading.concepts(resource.get("bodySite"), "bodySite"),
        clinical_status=reading.status(resource.get("clinicalStatus"), "clinicalStatus"),
        verification_status=reading.status(resource.get("verificationStatus"), "verificationStatus"),
        onset=_lived(_onset(resource, reading, birth), birth, reading),
        onset_text=onset_text,
        recorded=_recorded(resource, reading),
        is_visit_diagnosis=_is_visit_diagnosis(resource, reading),
        encounter=reading.reference(resource.get("encounter") or resource.get("context"), "encounter"),
        abated=any(
            value is not None and value is not False for key, value in resource.items() if key.startswith("abatement")
        ),
        abatement=abatement,
        note=" ".join(reading.text(item.get("text"), "note") for item in reading.items(resource.get("note"), "note")),
    )


# When the author first stated it, where that is another day than the one of its recording (HL7 extension).
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"


def _recorded(resource: Json, reading: Reading) -> Span | None:
    """The day on which a Condition was recorded or asserted, the first of both."""
    asserted = [item.get("valueDateTime") for item in resource.get("extension") or () if _is_asserted(item)]
    days = [resource.get("recordedDate"), resource.get("assertedDate"), resource.get("dateRecorded"), *asserted]
    spans = [span for day in days if day and (span := reading.date(day, "recordedDate"))]
    return min(spans, key=lambda span: span.earliest, default=None)


def _is_asserted(extension: object) -> bool:
    return isinstance(extension, dict) and extension.get("url") == _ASSERTED


def _is_visit_diagnosis(resource: Json, reading: Reading) -> bool | None:
    """Whether a Condition is of one visit and not on a list, by its categories (FHIR condition-category and local)."""
    categories = reading.concepts(resource.get("category"), "category")
    named = {
        word.strip().lower().replace(" ", "-")
        for category in categories
        for word in (category.text, *(item for coding in category.codings for item in (coding.code, coding.display)))
        if word.strip()
    }
    if not named:
        return None
    if any("problem" in name or "health-concern" in name for name in named):
        return False
    return any(name.startswith(("encounter", "visit", "admission", "discharge")) for name in named) or None


def _lived(onset: Span | None, birth: Span | None, reading: Reading) -> Span | None:
    """The onset, unless it lies before the patient's birth."""
    if onset and birth and onset.latest < birth.earliest:
        reading.cannot("onset", "is before the birth of the patient")
        return None
    return onset


def _onset(resource: Json, reading: Reading, birth: Span | None) -> Span | None:
    if (value := resource.get("onsetDateTime")) is not None:
        return reading.date(value, "onsetDateTime")
    if isinstance(value := resource.get("onsetPeriod"), dict):
        return reading.date(value.get("start"), "onsetPeriod.start")
    if (value := resource.get("onsetAge")) is not None:
        return _at_age(value, birth, reading, "onsetAge")
    if isinstance(value := resource.get("onsetRange"), dict):
        low = _at_age(value.get("low"), birth, reading, "onsetRange.low")
        high = _at_age(value.get("high"), birth, reading, "onsetRange.high")
        return Span.between(low, high)
    return None


def _at_age(value: object, birth: Span | None, reading: Reading, element: str) -> Span | None:
    """The days in which the patient had this age: an age of 58 years lasts until the next birthday."""
    if value is None:
        return None
    if not isinstance(value, dict):
        reading.cannot(element, "is not an age")
        return None
    number = reading.number(value.get("value"), f"{element}.value")
    unit = reading.text(value.get("code") or value.get("unit"), f"{element}.unit")
    if number is None or birth is None:
        return None
    if unit not in _AGE_UNITS:
        reading.cannot(element, "has a unit that is not a unit of age")
        return None
    days = _AGE_UNITS[unit]
    try:
        return Span(
            birth.earliest + timedelta(days=int(number * days)),
            birth.latest + timedelta(days=int((number + 1) * days)),
        )
    except OverflowError:
        reading.cannot(element, "is outside the calendar")
        return None


def read_observation(resource: Json, reading: Reading) -> Observation:
    effective = (
        reading.date(resource.get("effectiveDateTime") or resource.get("effectiveInstant"), "effectiveDateTime")
        or _start(reading.period(resource.get("effectivePeriod"), "effectivePeriod"))
        or reading.date(resource.get("issued"), "issued")
    )
    components = tuple(
        Component(reading.concept(item.get("code"), "component.code"), reading.value(item))
        for item in reading.items(resource.get("component"), "component")
    )
    return Observation(
        reference=reading.where,
        status=reading.text(resource.get("status"), "status"),
        concept=reading.concept(resource.get("code"), "code"),
        value=reading.value(resource),
        sites=_one_or_more(resource.get("bodySite"), reading),
        components=components,
        interpretation=_one_or_more(resource.get("interpretation"), reading),
        effective=effective,
        encounter=reading.reference(resource.get("encounter") or resource.get("context"), "encounter"),
    )


def _one_or_more(value: object, reading: Reading) -> tuple[Concept, ...]:
    return reading.concepts(value, "bodySite or interpretation")


def _start(period: Span | None) -> Span | None:
    return Span.day(period.earliest) if period else None


def read_encounter(resource: Json, reading: Reading) -> Encounter:
    reasons = resource.get("reasonCode") or resource.get("reason")
    return Encounter(
        reference=reading.where,
        status=reading.text(resource.get("status"), "status"),
        reasons=reading.concepts(reasons, "reasonCode"),
        period=reading.period(resource.get("period"), "period"),
    )


# Where an order may explain itself besides its reasonCode.
_REASONS = ("reasonReference", "supportingInfo", "note")


def read_order(resource: Json, reading: Reading, medications: dict[str, Concept]) -> Order:
    """An order or a study: what it orders (code, drug, or the Medication it points to) and why.

    Args:
        resource: any request resource.
        medications: Medication codes at hand, by reference (`Medication/id`, `#id`).
    """
    concepts = [reading.concept(resource.get("code"), "code")]
    concepts.append(reading.concept(resource.get("medicationCodeableConcept"), "medicationCodeableConcept"))
    if drug := reading.reference(resource.get("medicationReference"), "medicationReference"):
        contained = {
            f"#{item.get('id')}": reading.concept(item.get("code"), "contained.code")
            for item in reading.items(resource.get("contained"), "contained")
        }
        concepts.append(contained.get(drug) or medications.get(drug) or Concept())
    if isinstance(pointer := resource.get("medicationReference"), dict):
        concepts.append(Concept(text=reading.text(pointer.get("display"), "medicationReference.display")))
    reasons = resource.get("reasonCode") or resource.get("reason")
    coded = reading.concepts(reasons, "reasonCode") if not isinstance(reasons, str) else ()
    return Order(
        reference=reading.where,
        kind=str(resource.get("resourceType")),
        status=reading.text(resource.get("status"), "status"),
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        reasons=coded,
        reason_given=any(item.codings or item.text for item in coded) or any(map(resource.get, _REASONS)),
        priority=reading.text(resource.get("priority"), "priority"),
        not_to_be_done=resource.get("doNotPerform") is True,
        when=reading.date(resource.get("authoredOn"), "authoredOn"),
    )


# Where the date of a study stands, by type; the first that is there counts. A request is dated by the day it is
# due, else by the day it was written.
_STUDY_DATES = {
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "ImagingStudy": ("started",),
    "ServiceRequest": ("occurrenceDateTime", "occurrencePeriod", "authoredOn"),
    "Device": (),
}
# The last date of a request is the one on which it was written.
_REQUEST = "ServiceRequest"

_STUDY_CODES = {"ImagingStudy": "procedureCode", "Device": "type"}


def read_study(resource: Json, reading: Reading) -> Study:
    """A DiagnosticReport, Procedure, ImagingStudy, Device or ServiceRequest."""
    kind = str(resource["resourceType"])
    code = resource.get(_STUDY_CODES.get(kind, "code"))
    concepts = list(reading.concepts(code, "code")) if isinstance(code, list) else [reading.concept(code, "code")]
    if kind == "Device":
        names = reading.items(resource.get("deviceName"), "deviceName")
        concepts += [Concept(text=reading.text(name.get("name"), "deviceName.name")) for name in names]
    if kind == "ImagingStudy":
        concepts.append(Concept(text=reading.text(resource.get("description"), "description")))
    return Study(
        reference=reading.where,
        kind=kind,
        status=reading.text(resource.get("status"), "status"),
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        when=_first_date(resource, reading, _STUDY_DATES[kind]),
        priority=reading.text(resource.get("priority"), "priority"),
        written=reading.date(resource.get("authoredOn"), "authoredOn") if kind == _REQUEST else None,
        due=_first_date(resource, reading, _STUDY_DATES[kind][:-1]) if kind == _REQUEST else None,
        fulfills=tuple(
            reading.reference(item, "basedOn") for item in reading.items(resource.get("basedOn"), "basedOn")
        ),
        reasons=reading.concepts(resource.get("reasonCode"), "reasonCode"),
        not_to_be_done=resource.get("doNotPerform") is True,
    )


def _references(resource: Json, element: str, reading: Reading) -> tuple[str, ...]:
    return tuple(reading.reference(item, element) for item in reading.items(resource.get(element), element))


def _first_date(resource: Json, reading: Reading, elements: tuple[str, ...]) -> Span | None:
    for element in elements:
        value = resource.get(element)
        found = reading.period(value, element) if element.endswith("Period") else reading.date(value, element)
        if found:
            return found
    return None


# How R4 writes that a reaction was severe, or that the next one may be.
_SEVERE = frozenset({"severe", "high"})


def read_allergy(resource: Json, reading: Reading) -> Allergy:
    """An AllergyIntolerance. R5 puts a manifestation into a `concept`."""
    substances = []
    showed = []
    grades = [resource.get("criticality")]
    for reaction in reading.items(resource.get("reaction"), "reaction"):
        substances.append(reading.concept(reaction.get("substance"), "reaction.substance"))
        for item in reading.items(reaction.get("manifestation"), "reaction.manifestation"):
            showed.append(reading.concept(item.get("concept", item), "reaction.manifestation"))
        showed.append(Concept(text=reading.text(reaction.get("description"), "reaction.description")))
        grades.append(reaction.get("severity"))
    concepts = [reading.concept(resource.get("code"), "code"), *substances]
    return Allergy(
        reference=reading.where,
        clinical_status=reading.status(resource.get("clinicalStatus"), "clinicalStatus"),
        verification_status=reading.status(resource.get("verificationStatus"), "verificationStatus"),
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        recorded=reading.date(resource.get("recordedDate"), "recordedDate"),
        reactions=tuple(concept for concept in showed if concept.codings or concept.text),
        is_severe=any(isinstance(grade, str) and grade in _SEVERE for grade in grades),
    )
