"""The resources of which made-up patients consist, as lines of NDJSON.

The codes are those of the fixtures, and vital signs of the FHIR R4 profile of that name, which no rule asks for.
"""

from __future__ import annotations

from datetime import datetime
from random import Random

from tests.builders import SYSTEMS

# Diagnoses that have nothing to do with the question, from the fixtures.
OTHER_DIAGNOSES = (
    ("I10", "Essential (primary) hypertension"),
    ("E78.5", "Hyperlipidemia, unspecified"),
    ("E03.9", "Hypothyroidism, unspecified"),
    ("K21.9", "Gastro-esophageal reflux disease without esophagitis"),
    ("H26.9", "Unspecified cataract"),
    ("J45.909", "Unspecified asthma, uncomplicated"),
    ("L40.9", "Psoriasis, unspecified"),
    ("E55.9", "Vitamin D deficiency, unspecified"),
)

VITAL_SIGNS = (
    ("8867-4", "Heart rate", "/min", 50, 110),
    ("9279-1", "Respiratory rate", "/min", 10, 24),
    ("29463-7", "Body weight", "kg", 45, 120),
    ("8302-2", "Body height", "cm", 145, 190),
    ("39156-5", "Body mass index (BMI) [Ratio]", "kg/m2", 18, 38),
)

_HL7 = "http://terminology.hl7.org/CodeSystem"


def instant(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def patient(identity: str, born: int, gender: str) -> str:
    return (
        f'{{"resourceType":"Patient","id":"{identity}","identifier":[{{"system":"https://ehr.example.org/mrn",'
        f'"value":"{identity}"}}],"active":true,"name":[{{"family":"Made","given":["Up"]}}],'
        f'"gender":"{gender}","birthDate":"{born}-06-15"}}'
    )


def condition(
    identity: str, owner: str, code: str, display: str, recorded: datetime, onset: datetime | None = None,
    visit: str = "", system: str = SYSTEMS["icd10cm"],
) -> str:  # fmt: skip
    """A confirmed, active Condition."""
    began = f'"onsetDateTime":"{onset:%Y-%m-%d}",' if onset else ""
    seen = f'"encounter":{{"reference":"Encounter/{visit}"}},' if visit else ""
    return (
        f'{{"resourceType":"Condition","id":"{identity}","clinicalStatus":{{"coding":[{{"system":'
        f'"{_HL7}/condition-clinical","code":"active"}}]}},"verificationStatus":{{"coding":[{{"system":'
        f'"{_HL7}/condition-ver-status","code":"confirmed"}}]}},"category":[{{"coding":[{{"system":'
        f'"{_HL7}/condition-category","code":"problem-list-item","display":"Problem List Item"}}]}}],'
        f'"code":{{"coding":[{{"system":"{system}","code":"{code}","display":"{display}"}}],"text":"{display}"}},'
        f'"subject":{{"reference":"Patient/{owner}"}},{seen}{began}"recordedDate":"{instant(recorded)}"}}'
    )


def vital_sign(identity: str, owner: str, visit: str, at: datetime, drawn: Random) -> str:
    code, display, unit, low, high = drawn.choice(VITAL_SIGNS)
    when = instant(at)
    return (
        f'{{"resourceType":"Observation","id":"{identity}","status":"final","category":[{{"coding":[{{"system":'
        f'"{_HL7}/observation-category","code":"vital-signs","display":"Vital Signs"}}]}}],"code":{{"coding":'
        f'[{{"system":"http://loinc.org","code":"{code}","display":"{display}"}}],"text":"{display}"}},"subject":'
        f'{{"reference":"Patient/{owner}"}},"encounter":{{"reference":"Encounter/{visit}"}},"effectiveDateTime":'
        f'"{when}","issued":"{when}","valueQuantity":{{"value":{drawn.randint(low, high)},"unit":"{unit}","system":'
        f'"http://unitsofmeasure.org","code":"{unit}"}}}}'
    )


def told_sign(identity: str, owner: str, at: datetime) -> str:
    """A body height that is dated by the day on which it was measured alone, outside of any visit."""
    return (
        f'{{"resourceType":"Observation","id":"{identity}","status":"final","code":{{"coding":[{{"system":'
        f'"http://loinc.org","code":"8302-2"}}]}},"subject":{{"reference":"Patient/{owner}"}},"effectiveDateTime":'
        f'"{instant(at)}"}}'
    )


def visit(identity: str, owner: str, at: datetime) -> str:
    when = instant(at)
    return (
        f'{{"resourceType":"Encounter","id":"{identity}","status":"finished","class":{{"system":'
        f'"{_HL7}/v3-ActCode","code":"AMB","display":"ambulatory"}},"subject":{{"reference":"Patient/{owner}"}},'
        f'"period":{{"start":"{when}","end":"{when}"}}}}'
    )


def report(identity: str, owner: str, loinc: str, display: str, at: datetime) -> str:
    when = instant(at)
    return (
        f'{{"resourceType":"DiagnosticReport","id":"{identity}","status":"final","code":{{"coding":[{{"system":'
        f'"http://loinc.org","code":"{loinc}","display":"{display}"}}]}},"subject":{{"reference":"Patient/{owner}"}},'
        f'"effectiveDateTime":"{when}","issued":"{when}"}}'
    )
