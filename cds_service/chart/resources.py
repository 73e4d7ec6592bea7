"""FHIR R4 resources (and the R3 and DSTU2 spellings of their elements) read into chart records.

Each reader takes one resource as a plain dict and a `Reading` that collects what could not be read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from datetime import timedelta

from cds_service.chart.abatement import date_in_text, is_abated
from cds_service.chart.age_text import age_in_words
from cds_service.chart.certainty import certainty_of
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
from cds_service.chart.reports import read_conclusion, same_study
from cds_service.chart.span import Span
from cds_service.chart.statuses import (
    CLINICAL,
    CONDITION,
    ENCOUNTER,
    NO_STATUS,
    NOT_TRUE,
    OBSERVATION,
    ORDER,
    STUDIES,
    VERIFICATION,
)

# How a gender is abbreviated.
_GENDERS = {"f": "female", "w": "female", "m": "male"}

# UCUM units of an Age, in days.
_AGE_UNITS = {"a": 365.25, "year": 365.25, "years": 365.25, "mo": 30.4, "month": 30.4, "months": 30.4}
_AGE_UNITS |= {"wk": 7, "week": 7, "weeks": 7, "d": 1, "day": 1, "days": 1}


def read_patient(resource: Json, reading: Reading) -> Patient:
    replaced = any(
        reading.text(link.get("type"), "link.type") == "replaced-by"
        for link in reading.items(resource.get("link"), "link")
    )
    gender = reading.text(resource.get("gender"), "gender").strip().lower()
    return Patient(
        birth=reading.date(resource.get("birthDate"), "birthDate"),
        gender=_GENDERS.get(gender, gender),
        deceased=bool(reading.truth(resource.get("deceasedBoolean"), "deceased") or resource.get("deceasedDateTime")),
        active=reading.truth(resource.get("active"), "active") is not False,
        replaced=replaced,
    )


def read_condition(resource: Json, reading: Reading, birth: Span | None) -> Condition:
    """A Condition. Its onset may be a date, a period, an age, a range of ages or text."""
    onset_text = reading.text(resource.get("onsetString"), "onsetString")
    abatement = (
        reading.date(resource.get("abatementDateTime"), "abatementDateTime")
        or reading.period(resource.get("abatementPeriod"), "abatementPeriod")
        or _at_age(resource.get("abatementAge"), birth, reading, "abatementAge")
        or date_in_text(resource.get("abatementString"))
    )
    certainty = certainty_of(resource.get("code"), resource)
    clinical, verification = _statuses(resource, reading, certainty)
    return Condition(
        reference=reading.where,
        concept=reading.concept(resource.get("code"), "code"),
        sites=reading.concepts(resource.get("bodySite"), "bodySite"),
        clinical_status=clinical,
        verification_status=verification,
        onset=_lived(_onset(resource, reading, birth), birth, "onset", reading),
        onset_text=onset_text,
        recorded=_lived(_recorded(resource, reading), birth, "recordedDate", reading),
        is_visit_diagnosis=is_visit_diagnosis(resource, reading),
        encounter=reading.reference(resource.get("encounter") or resource.get("context"), "encounter"),
        abated=is_abated(resource, reading),
        abatement=abatement,
        is_past=certainty in CLINICAL,
        note=" ".join(reading.text(item.get("text"), "note") for item in reading.items(resource.get("note"), "note")),
    )


def _statuses(
    resource: Json, reading: Reading, certainty: str, clinical_element: str = "clinicalStatus"
) -> tuple[str, str]:
    """The clinical and the verification status of a Condition or AllergyIntolerance.

    Each is put where it belongs: charts write a refutation into the clinical status, and a cure into the verification
    status. The `certainty` of an ICD-10-GM diagnosis, by its letter, says the one or the other.
    """
    clinical = reading.status(resource.get(clinical_element), clinical_element, CONDITION)
    verification = reading.status(resource.get("verificationStatus"), "verificationStatus", CONDITION)
    if clinical in VERIFICATION:
        verification = clinical if clinical in NOT_TRUE else verification or clinical
        clinical = NO_STATUS
    if verification in CLINICAL:
        clinical, verification = clinical or verification, NO_STATUS
    if certainty in CLINICAL:
        return certainty, verification
    if certainty in NOT_TRUE and verification not in NOT_TRUE:
        return clinical, certainty
    return clinical, verification or certainty


# When the author first stated it, where that is another day than the one of its recording (HL7 extension).
_ASSERTED = "http://hl7.org/fhir/StructureDefinition/condition-assertedDate"


def _recorded(resource: Json, reading: Reading) -> Span | None:
    """The day on which a Condition was recorded or asserted, the first of both."""
    extensions = reading.items(resource.get("extension"), "extension")
    asserted = [item.get("valueDateTime") for item in extensions if item.get("url") == _ASSERTED]
    days = [resource.get("recordedDate"), resource.get("assertedDate"), resource.get("dateRecorded"), *asserted]
    spans = [span for day in days if day and (span := reading.date(day, "recordedDate"))]
    return min(spans, key=lambda span: span.earliest, default=None)


def is_visit_diagnosis(resource: Json, reading: Reading) -> bool | None:
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


def _lived(day: Span | None, birth: Span | None, element: str, reading: Reading) -> Span | None:
    """A day, unless it lies before the patient's birth."""
    if day and birth and day.latest < birth.earliest:
        reading.cannot(element, "is before the birth of the patient")
        return None
    return day


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
    if isinstance(value := resource.get("onsetString"), str) and (ages := age_in_words(value)):
        first, last = (_at_age({"value": age, "unit": "a"}, birth, reading, "onsetString") for age in ages)
        return Span.between(first, last)
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
        or _first_event(resource.get("effectiveTiming"), "effectiveTiming", reading)
        or reading.date(resource.get("issued"), "issued")
    )
    components = tuple(
        Component(reading.concept(item.get("code"), "component.code"), reading.value(item))
        for item in reading.items(resource.get("component"), "component")
    )
    return Observation(
        reference=reading.where,
        status=reading.status(resource.get("status"), "status", OBSERVATION),
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


def _first_event(timing: object, element: str, reading: Reading) -> Span | None:
    """When a Timing begins: at its first event, else at the start of the period in which it repeats."""
    if not isinstance(timing, dict):
        return None
    events = timing.get("event")
    if isinstance(events, list) and events:
        return reading.date(events[0], f"{element}.event")
    repeat = timing.get("repeat")
    bounds = repeat.get("boundsPeriod") if isinstance(repeat, dict) else None
    return _start(reading.period(bounds, f"{element}.repeat.boundsPeriod"))


def _start(period: Span | None) -> Span | None:
    return Span.day(period.earliest) if period else None


def read_encounter(resource: Json, reading: Reading, sent: Container[str] = frozenset()) -> Encounter:
    """A visit and its reasons, coded, in words, or by reference.

    Args:
        resource: an Encounter.
        sent: references of the entries that came with it: what stands there is read there.
    """
    parts = _visit_reasons(resource, reading)
    within = {
        f"#{item.get('id')}"
        for item in reading.items(resource.get("contained"), "contained")
        if item.get("resourceType") == "Condition"
    }
    stated = [
        part for part in parts if not (target := part.get("reference")) or (target not in within and target not in sent)
    ]
    named = dict.fromkeys(str(part["reference"]) for part in parts if part.get("reference"))
    return Encounter(
        reference=reading.where,
        status=reading.status(resource.get("status"), "status", ENCOUNTER),
        reasons=reading.reasons(stated, "reason"),
        conditions=tuple(named),
        period=reading.period(resource.get("period"), "period"),
    )


# Where a visit says why it took place.
_VISIT_REASONS = ("reasonCode", "reason", "reasonReference", "indication", "diagnosis")


def _visit_reasons(resource: Json, reading: Reading) -> list[Json]:
    """The reasons and diagnoses of a visit as concepts; of a reference, its display in words and where it leads.

    Of a reference that leads to nothing that was sent, the display is the reason in words; without one the reason is
    there, and empty.
    """
    if resource.keys().isdisjoint(_VISIT_REASONS):
        return []
    parts = list(reason_parts(resource.get("reasonCode") or resource.get("reason"), "reasonCode", reading))
    parts += reason_parts(resource.get("reasonReference") or resource.get("indication"), "reasonReference", reading)
    for diagnosis in reading.items(resource.get("diagnosis"), "diagnosis"):
        parts += reason_parts(diagnosis.get("condition"), "diagnosis.condition", reading)
    return [_behind(part, reading) if _is_reference(part) else part for part in parts]


def _is_reference(part: Json) -> bool:
    return not part.keys().isdisjoint(("reference", "display", "identifier")) and part.keys().isdisjoint(
        ("coding", "text")
    )


def _behind(pointer: Json, reading: Reading) -> Json:
    """A Reference as a concept in the words of its display; `reference` is where it leads."""
    return {"text": pointer.get("display"), "reference": reading.reference(pointer, "reason.reference")}


def _reasons(value: object, reading: Reading) -> tuple[Concept, ...]:
    """The coded reasons of an order: `reasonCode`, which DSTU2 called `reason`."""
    parts = reason_parts(value, "reasonCode", reading)
    return reading.reasons([part for part in parts if not _is_reference(part)], "reasonCode")


def reason_parts(value: object, element: str, reading: Reading) -> Iterator[Json]:
    """Each reason in a list as a CodeableConcept or a Reference; a bare string is a concept in words.

    R5 puts either into a CodeableReference (`concept`, `reference`), in a visit below `value`.
    """
    listed = value if isinstance(value, list) else [value]
    for reason in reading.items([_worded(item) for item in listed], element):
        for part in reading.items(reason["value"], f"{element}.value") if "value" in reason else (reason,):
            inner = part.get("concept") or part.get("reference")
            yield from reading.items(_worded(inner) if "concept" in part or isinstance(inner, dict) else part, element)


def _worded(value: object) -> object:
    """A string as a concept in words, a blank one as nothing; anything else as it is."""
    if not isinstance(value, str):
        return value
    return {"text": value} if value.strip() else None


# Where an order may explain itself besides its reasonCode.
_REASONS = ("reasonReference", "supportingInfo", "note")


def read_order(resource: Json, reading: Reading, medications: Mapping[str, Concept]) -> Order:
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
    coded = _reasons(reasons, reading) if not isinstance(reasons, str) else ()
    references = tuple(
        reading.reference(item, "reasonReference")
        for item in reading.items(resource.get("reasonReference"), "reasonReference")
    )
    coded += _contained_reasons(resource, references, reading)
    return Order(
        reference=reading.where,
        kind=str(resource.get("resourceType")),
        status=reading.status(resource.get("status"), "status", ORDER),
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        reasons=coded,
        reason_given=any(item.codings or item.text for item in coded) or any(map(resource.get, _REASONS)),
        reason_references=references,
        priority=reading.text(resource.get("priority"), "priority").strip().lower(),
        not_to_be_done=reading.truth(resource.get("doNotPerform"), "doNotPerform") is True,
        when=reading.date(resource.get("authoredOn"), "authoredOn"),
    )


def _contained_reasons(resource: Json, references: tuple[str, ...], reading: Reading) -> tuple[Concept, ...]:
    """The codes of the conditions that an order holds itself and gives as its reason."""
    return tuple(
        reading.concept(item.get("code"), "contained.code")
        for item in reading.items(resource.get("contained"), "contained")
        if item.get("resourceType") == "Condition" and f"#{item.get('id')}" in references
    )


# Where the date of a study stands, by type; the first that is there counts. A request is dated by the day it is
# due, else by the day it was written.
_STUDY_DATES = {
    "DiagnosticReport": ("effectiveDateTime", "effectivePeriod", "issued"),
    "Procedure": ("performedDateTime", "performedPeriod"),
    "ImagingStudy": ("started",),
    "ServiceRequest": ("occurrenceDateTime", "occurrencePeriod", "occurrenceTiming", "authoredOn"),
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
        status=reading.status(resource.get("status"), "status", STUDIES[kind]),
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        when=_first_date(resource, reading, _STUDY_DATES[kind]),
        priority=reading.text(resource.get("priority"), "priority").strip().lower(),
        written=reading.date(resource.get("authoredOn"), "authoredOn") if kind == _REQUEST else None,
        due=_first_date(resource, reading, _STUDY_DATES[kind][:-1]) if kind == _REQUEST else None,
        fulfills=_references(resource, "basedOn", reading),
        reasons=reading.concepts(resource.get("reasonCode"), "reasonCode"),
        intent=reading.text(resource.get("intent"), "intent").strip().lower() if kind == _REQUEST else "",
        not_to_be_done=reading.truth(resource.get("doNotPerform"), "doNotPerform") is True,
        conclusion=read_conclusion(resource, reading),
        same_study=same_study(resource, reading),
    )


def _references(resource: Json, element: str, reading: Reading) -> tuple[str, ...]:
    return tuple(reading.reference(item, element) for item in reading.items(resource.get(element), element))


def _first_date(resource: Json, reading: Reading, elements: tuple[str, ...]) -> Span | None:
    for element in elements:
        value = resource.get(element)
        if element.endswith("Timing"):
            found = _first_event(value, element, reading)
        else:
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
    # DSTU2 had one status for both.
    certainty = certainty_of(resource.get("code"), resource)
    element = "status" if "status" in resource else "clinicalStatus"
    clinical, verification = _statuses(resource, reading, certainty, element)
    return Allergy(
        reference=reading.where,
        clinical_status=clinical,
        verification_status=verification,
        concepts=tuple(concept for concept in concepts if concept.codings or concept.text),
        recorded=reading.date(resource.get("recordedDate"), "recordedDate"),
        reactions=tuple(concept for concept in showed if concept.codings or concept.text),
        is_severe=any(isinstance(grade, str) and grade in _SEVERE for grade in grades),
    )
