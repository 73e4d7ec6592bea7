"""The same facts in other codes, or in other entries: neither changes the answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import CHRONIC_BACK_PAIN
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    SYMPTOM,
    SYSTEMS,
    Json,
    assessment,
    concept,
    condition,
    day,
    observation,
    reference,
)
from tests.metamorphic import LIST_ENTRY, VISIT_DIAGNOSIS, Answer, answer, answer_of, codings_in, fixtures

TERMINOLOGY = load_content().terminology

# Codes that say the same, by the value set that holds them all. A patient with one of them is one with any other.
EQUALS: Sequence[tuple[str, tuple[str, ...]]] = (
    ("breast-cancer", ("icd10cm C50.919", "icd10 C50.9", "icd9cm 174.9", "snomed 254837009")),
    ("breast-cancer", ("icd10cm C50.911", "snomed 353511000119101")),
    ("breast-cancer", ("icd10cm Z85.3", "icd10 Z85.3", "icd9cm V10.3", "snomed 429087003")),
    ("breast-cancer-in-situ", ("icd10cm D05.90", "icd10 D05.9", "icd9cm 233.0", "snomed 189336000")),
    ("breast-cancer-family-history", ("icd10cm Z80.3", "icd10 Z80.3", "icd9cm V16.3", "snomed 429740004")),
    ("back-pain-lumbar", ("icd10cm M54.50", "icd10 M54.5", "icd9cm 724.2", "snomed 279039007")),
    ("back-pain-lumbar", ("icd10cm M54.30", "icd10 M54.3", "icd9cm 724.3", "snomed 23056005")),
    ("back-pain-thoracic", ("icd10cm M54.6", "icd10 M54.6", "icd9cm 724.1", "snomed 267981009")),
    ("back-pain-cervical", ("icd10cm M54.2", "icd10 M54.2", "icd9cm 723.1", "snomed 81680005")),
    ("back-pain-sacral", ("icd10cm M53.3", "icd10 M53.3", "icd9cm 724.79", "snomed 61486003")),
    ("back-pain-unspecified", ("icd10cm M54.9", "icd10 M54.9", "icd9cm 724.5", "snomed 161891005")),
    # ICD-10-CM G89.29 is none of them: it makes a pain code of the same visit chronic.
    ("chronic-pain-any-site", ("icd10 R52.2", "snomed 82423001")),
    ("cord-compression", ("icd10cm G95.20", "icd10 G95.2", "icd9cm 336.9", "snomed 71286001")),
    ("cord-compression", ("icd10cm G83.4", "icd10 G83.4", "icd9cm 344.60", "snomed 192970008")),
    ("cord-compression", ("icd10cm G82.20", "icd10 G82.2", "icd9cm 344.1", "snomed 60389000")),
    ("sign-motor", ("icd10cm M21.371", "icd10 M21.3", "snomed 6077001")),
    ("sign-sensory", ("icd10cm R20.0", "icd10 R20.0")),
    ("sign-gait", ("icd10cm R26.0", "icd10 R26.0", "snomed 25136009")),
    ("sign-sphincter", ("icd10cm R32", "icd10 R32", "icd9cm 788.30", "snomed 165232002")),
    ("sign-sphincter", ("icd10cm R33.9", "icd10 R33", "icd9cm 788.20", "snomed 267064002")),
    ("sign-sphincter", ("icd10cm R15.9", "icd10 R15", "icd9cm 787.60", "snomed 72042002")),
    ("nonspecific-sign-sensory", ("icd10cm R20.1", "icd10 R20.1")),
    ("nonspecific-sign-sensory", ("icd10cm R20.2", "icd10 R20.2", "icd9cm 782.0", "snomed 91019004")),
    ("nonspecific-sign-gait", ("icd10cm R26.81", "icd10 R26.8", "icd9cm 781.2", "snomed 394616008")),
    ("neuropathy", ("icd10cm G62.9", "icd10 G62.9", "icd9cm 356.9")),
    ("red-flag-exclusion", ("icd10cm N39.3", "icd10 N39.3", "icd9cm 625.6", "snomed 60241006")),
    # ICD-10-CM M84.58 holds other bones than vertebrae too.
    ("pathological-fracture", ("icd10 M49.5", "icd9cm 733.13", "snomed 866087009")),
    ("metastasis-bone", ("icd10cm C79.51", "icd10 C79.5", "icd9cm 198.5", "snomed 94222008")),
    ("metastasis-spinal-cord", ("icd10cm C79.49", "icd10 C79.4", "icd9cm 198.4", "snomed 94600009")),
    ("fever", ("icd10cm R50.9", "icd10 R50.9", "icd9cm 780.60", "snomed 386661006")),
    ("spinal-infection", ("icd10cm G06.1", "icd10 G06.1", "icd9cm 324.1", "snomed 63627007")),
    ("spinal-infection", ("icd10cm M46.40", "icd10 M46.4", "snomed 2304001")),
    ("infection-elsewhere", ("icd10cm N39.0", "icd10 N39.0", "icd9cm 599.0")),
    ("systemic-flag", ("icd10cm R63.4", "icd10 R63.4", "icd9cm 783.21", "snomed 448765001")),
    ("brain-symptom", ("icd10cm R51.9", "icd10 R51", "icd9cm 784.0", "snomed 25064002")),
    ("pregnant", ("icd10cm Z33.1", "icd10 Z33", "icd9cm V22.2", "snomed 77386006")),
    ("ckd-severe", ("icd10cm N18.5", "icd10 N18.5", "icd9cm 585.5", "snomed 433146000")),
    ("dialysis", ("icd10cm Z99.2", "icd10 Z99.2", "icd9cm V45.11", "snomed 105502003")),
    ("acute-kidney-injury", ("icd10cm N17.9", "icd10 N17.9", "icd9cm 584.9", "snomed 14669001")),
    ("kidney-transplant", ("icd10cm Z94.0", "icd10 Z94.0", "icd9cm V42.0")),
    ("mri-device", ("icd10cm Z95.0", "icd10 Z95.0", "icd9cm V45.01", "snomed 441509002")),
    ("chronic-pain-any-site", ("icd10cm G89.4", "icd9cm 338.4")),
    ("chronic-pain-any-site", ("icd10cm G89.29", "icd9cm 338.29")),
    ("sign-sphincter", ("icd10cm N31.9", "icd10 N31.9", "icd9cm 596.54")),
    ("sign-gait", ("icd10cm R26.2", "icd10 R26.2", "icd9cm 719.7")),
    ("nonspecific-sign-motor", ("icd10cm M62.81", "icd9cm 728.87")),
    ("nonspecific-sign-sphincter", ("icd10cm R39.14", "icd9cm 788.21")),
    ("neuropathy", ("icd10cm G62.0", "icd10 G62.0", "icd9cm 357.6")),
    ("spinal-infection", ("icd10cm M46.20", "icd10 M46.2", "icd9cm 730.28")),
    ("bloodstream-infection", ("icd10cm R78.81", "icd9cm 790.7")),
    ("bloodstream-infection", ("icd10cm A41.9", "icd10 A41.9", "icd9cm 038.9", "icd9cm 995.91")),
    ("bloodstream-infection", ("icd10cm I33.0", "icd10 I33.0", "icd9cm 421.0")),
    ("neutropenia", ("icd10cm D70.9", "icd10 D70", "icd9cm 288.00")),
    ("ckd-severe", ("icd10cm N18.4", "icd10 N18.4", "icd9cm 585.4")),
    ("dialysis", ("icd10cm N18.6", "icd9cm 585.6")),
    ("contrast-allergy-iodinated", ("icd10cm Z91.041", "icd9cm V15.08")),
    ("pregnant", ("icd10cm Z34.90", "icd10 Z34.9", "icd9cm V22.1")),
    ("pregnancy-complication", ("icd10cm O10.011", "icd9cm 642.03")),
    ("pregnancy-ended", ("icd10cm O80", "icd10 O80", "icd9cm 650", "icd9cm 648.81")),
    ("pregnancy-lost", ("icd10cm O03.9", "icd10 O03.9", "icd9cm 634.90")),
    ("palliative-care", ("icd10cm Z51.5", "icd10 Z51.5", "icd9cm V66.7")),
    ("traumatic-vertebral-fracture", ("icd10cm S22.009A", "icd10 S22.0", "icd9cm 805.2")),
    ("traumatic-vertebral-fracture", ("icd10cm S32.009A", "icd10 S32.0", "icd9cm 805.4", "icd9cm 806.4")),
    ("claustrophobia", ("icd10cm F40.240", "snomed 19887002")),
)
NAMES = [f"{codes[0]}, {value_set}" for value_set, codes in EQUALS]

# The short names of the systems by their URIs.
SHORT = {uri: name for name, uri in SYSTEMS.items() if name}


# --- Translating


@pytest.mark.parametrize(("value_set", "codes"), EQUALS, ids=NAMES)
def test_equals_stand_in_one_value_set(value_set: str, codes: Sequence[str]) -> None:
    apart = [code for code in codes if value_set not in _value_sets(code)]
    assert apart == []


def _value_sets(code: str) -> frozenset[str]:
    system, _, value = code.partition(" ")
    return TERMINOLOGY.value_sets_with(SYSTEMS[system], value)


def patients(code: str) -> dict[str, list[Json]]:
    """Patients whose answer may hang on a code: as their cancer, as their pain, and beside both."""
    cancer, pain = condition(BREAST_CANCER, onset=day(3000)), condition(LOW_BACK_PAIN, onset=day(20))
    coded: Json = {"category": VISIT_DIAGNOSIS, "recorded": day(3)}
    return {
        "for the cancer": [condition(code, onset=day(3000)), pain],
        "for the pain": [cancer, condition(code, **coded)],
        "on the list": [cancer, pain, condition(code, onset=day(3), category=LIST_ENTRY)],
        "in a visit": [cancer, pain, condition(code, **coded)],
        "in a visit of last month": [cancer, pain, condition(code, **coded | {"recorded": day(40)})],
        "as a symptom": [cancer, pain, observation(SYMPTOM, day(3), valueCodeableConcept=concept(code))],
        "in the same entry as the pain": [cancer, condition(LOW_BACK_PAIN, code, **coded)],
        "in the visit of a fever": [cancer, pain, condition("icd10cm R50.9", **coded), condition(code, **coded)],
        "beside numb feet and falls": [
            cancer,
            pain,
            condition("icd10cm R20.2", **coded),
            condition("icd10cm R29.6", **coded),
            condition(code, onset=day(900), category=LIST_ENTRY),
        ],
        "after dialysis": [cancer, pain, condition("icd10cm Z99.2", onset=day(400)), condition(code, recorded=day(3))],
    }


# Decision 11.1.
@pytest.mark.parametrize(("value_set", "codes"), EQUALS, ids=NAMES)
def test_a_code_and_its_equal_in_another_system_decide_alike(value_set: str, codes: Sequence[str]) -> None:
    first, *others = codes
    expected = {where: answer_of(assessment(*chart)) for where, chart in patients(first).items()}
    for code in others:
        assert {where: answer_of(assessment(*chart)) for where, chart in patients(code).items()} == expected, code


# Decision 11.1.
@pytest.mark.parametrize("system", ["icd10cm", "icd10", "icd9cm", "snomed"])
def test_a_scenario_whose_codes_are_translated_has_the_same_answer(system: str) -> None:
    translated = {name: _translated(call, system) for name, call in fixtures().items()}
    changed = {name: call for name, call in translated.items() if call != fixtures()[name]}
    assert len(changed) > 20
    assert {name: found for name, call in changed.items() if (found := _both(name, call))} == {}


def _both(name: str, call: Json) -> tuple[Answer, Answer] | None:
    """The answers to a scenario and to its changed call, where they differ."""
    before, after = answer(fixtures()[name]), answer(call)
    return None if before == after else (before, after)


def _translated(call: Json, system: str) -> Json:
    """The call with every code that has an equal in a system in that system; words stay, displays of codes do not."""
    changed = copy.deepcopy(call)
    for item in codings_in(changed.get("prefetch")):
        own = f"{SHORT.get(item['system'], '')} {item['code']}"
        equal = next(
            (code for _, codes in EQUALS if own in codes for code in codes if code.startswith(system + " ")), own
        )
        if equal != own:
            item.pop("display", None)
            item["system"], item["code"] = SYSTEMS[system], equal.partition(" ")[2]
    return changed


# --- Splitting and joining

# What an entry may mean, one code each, and no two of one meaning.
MEANINGS = (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    "icd10cm M54.6",
    "snomed 309774006",
    "icd10cm R33.9",
    "icd10cm R29.6",
    "icd10cm R20.2",
    "icd10cm R50.9",
    "icd10cm N39.0",
    "icd10cm C79.51",
    "icd10cm M84.58XA",
    "icd10cm M48.56XA",
    "icd10cm S39.012A",
    "icd10cm R63.4",
    "icd10cm R51.9",
    "icd10cm Z33.1",
    "icd10cm N18.5",
    "icd10cm Z95.0",
    "icd10cm Z15.01",
    "icd10cm Z12.31",
    "icd10cm C79.81",
    "icd10cm G62.9",
    "icd10cm I10",
    "local 1",
)

# How an entry may be dated and filed.
FORMS: Mapping[str, Json] = {
    "a visit": {"category": VISIT_DIAGNOSIS, "recorded": day(3)},
    "one visit that is named": {
        "category": VISIT_DIAGNOSIS,
        "recorded": day(3),
        "encounter": reference("Encounter", "encounter-of-now"),
    },
    "a visit of last month": {"category": VISIT_DIAGNOSIS, "recorded": day(40)},
    "the list": {"category": LIST_ENTRY, "onset": day(5)},
    "no category": {"recorded": day(3)},
}

# A code that decides about what stands in the same entry, and that: with the decision that says so.
BOUND = (
    pytest.param("icd10cm Z80.3", BREAST_CANCER, id="1.7, family history takes back a cancer"),
    pytest.param("snomed 429740004", BREAST_CANCER, id="1.7, family history in SNOMED CT too"),
    pytest.param("icd10cm G89.29", LOW_BACK_PAIN, id="2.7, chronic pain is that of the pain code beside it"),
    pytest.param("snomed 278860009", LOW_BACK_PAIN, id="2.7, chronic back pain under two codes is chronic"),
    pytest.param("icd10cm M79.7", LOW_BACK_PAIN, id="2.14, fibromyalgia takes the pain away"),
    pytest.param("icd10cm Z87.310", "icd10cm M48.56XA", id="2.10, a healed fracture is past"),
    pytest.param("icd10cm R33.0", "icd10cm R33.9", id="3.4, retention by a drug is no sign"),
)

# Without the pain, for which the fracture stands.
INSTEAD_OF_PAIN = (LOW_BACK_PAIN, "icd10cm M48.56XA")


def in_one_and_in_two(first: str, second: str, beside: Sequence[Json], **form: Any) -> tuple[Answer, Answer]:
    """The answers to a chart with two codes in one entry, and with each in its own."""
    joined = [condition(first, second, **form)]
    split = [condition(first, **form), condition(second, **form)]
    return answer_of(assessment(*beside, *joined)), answer_of(assessment(*beside, *split))


# Decisions 1.7, 2.18 and 11.4.
@pytest.mark.parametrize("form", FORMS)
def test_two_meanings_in_one_entry_or_in_two_decide_alike(form: str) -> None:
    cancer, pain = condition(BREAST_CANCER, onset=day(3000)), condition(LOW_BACK_PAIN, onset=day(10))
    apart = []
    for first, second in combinations(MEANINGS, 2):
        for beside in ([], [cancer], [cancer, pain]):
            one, two = in_one_and_in_two(first, second, beside, **FORMS[form])
            if one != two:
                apart.append((first, second, one, two))
    assert apart == []


@pytest.mark.parametrize(("binding", "bound"), BOUND)
def test_a_code_that_decides_about_its_entry_lowers_the_answer_in_one_entry_only(binding: str, bound: str) -> None:
    needed = {BREAST_CANCER: condition(BREAST_CANCER), LOW_BACK_PAIN: condition(LOW_BACK_PAIN, onset=day(10))}
    beside = [entry for code, entry in needed.items() if code != bound and (code, bound) != INSTEAD_OF_PAIN]
    one, two = in_one_and_in_two(binding, bound, beside, **FORMS["the list"])
    assert one.rank < two.rank


# Decision 2.7: ICD-10-CM says chronic back pain with two codes of one visit.
def test_chronic_pain_and_its_site_in_one_visit_are_one_in_two_entries_as_in_one() -> None:
    beside, form = [condition(BREAST_CANCER)], FORMS["one visit that is named"]
    one, two = in_one_and_in_two("icd10cm G89.29", LOW_BACK_PAIN, beside, **form)
    assert one == two
    assert one.rank == 0


# --- Splitting and joining the entries of the scenarios

# What two entries share that one entry may stand for both.
SHARED = (
    "category", "clinicalStatus", "verificationStatus", "subject", "encounter", "onsetDateTime", "recordedDate",
    "abatementDateTime", "bodySite",
)  # fmt: skip
# Value sets whose codes decide about what else stands in their entry (decisions 1.7, 2.7, 2.10, 2.14 and 3.4).
BINDING = {
    "breast-cancer-family-history",
    "chronic-pain-any-site",
    *CHRONIC_BACK_PAIN,
    "back-pain-exclusion",
    "healed-fracture",
    "red-flag-exclusion",
}
# Ten entries of one day are an import: fewer are none (decision 2.24).
COUNTED = "chart-list-imported-on-one-day"
ESSENTIAL = {"resourceType", "id", "code", "meta", *SHARED}


def test_a_scenario_whose_dual_codes_are_split_into_entries_has_the_same_answer() -> None:
    changed = {name: _rewritten(call, _split) for name, call in fixtures().items()}
    changed = {name: call for name, call in changed.items() if call != fixtures()[name]}
    assert len(changed) >= 2
    assert {name: found for name, call in changed.items() if (found := _both(name, call))} == {}


def test_a_scenario_whose_entries_of_one_day_are_joined_has_the_same_answer() -> None:
    changed = {name: _rewritten(call, _joined) for name, call in fixtures().items() if name != COUNTED}
    changed = {name: call for name, call in changed.items() if call != fixtures()[name]}
    assert len(changed) >= 2
    assert {name: found for name, call in changed.items() if (found := _both(name, call))} == {}


def _rewritten(call: Json, rewrite: Callable[[list[Json]], list[Json]]) -> Json:
    """The call with its Conditions rewritten; what it sends beside them stays."""
    prefetch = call.get("prefetch") or {}
    known = prefetch.get("conditions")
    if not isinstance(known, dict):
        return call
    entries = [entry for entry in known.get("entry", ()) if entry["resource"]["resourceType"] == "Condition"]
    others = [entry for entry in known.get("entry", ()) if entry not in entries]
    made = rewrite([entry["resource"] for entry in entries])
    if made == [entry["resource"] for entry in entries]:
        return call
    base = "https://ehr.example.org/fhir/Condition"
    written = [{"fullUrl": f"{base}/{item['id']}", "resource": item} for item in made]
    conditions = {key: value for key, value in known.items() if key != "total"} | {"entry": [*written, *others]}
    return call | {"prefetch": prefetch | {"conditions": conditions}}


def _split(conditions: list[Json]) -> list[Json]:
    """Each coding in an entry of its own, without the words that stood beside both."""
    made = []
    for item in conditions:
        codings = item.get("code", {}).get("coding", ())
        if len(codings) < 2 or _binds(item):
            made.append(item)
            continue
        made += [item | {"id": f"{item['id']}-{place}", "code": {"coding": [one]}} for place, one in enumerate(codings)]
    return made


def _joined(conditions: list[Json]) -> list[Json]:
    """Entries of the same dates, status and visit in one, where they say nothing else and nothing binding."""
    made: list[Json] = []
    for item in conditions:
        same = next((other for other in made if _may_join(item, other)), None)
        if same is None:
            made.append(copy.deepcopy(item))
        else:
            same["code"] = {"coding": [*same["code"]["coding"], *item["code"]["coding"]]}
    return made


def _may_join(one: Json, other: Json) -> bool:
    return (
        all(one.get(key) == other.get(key) for key in SHARED)
        and not (one.keys() | other.keys()) - ESSENTIAL
        and all(item.get("code", {}).get("coding") and not _binds(item) for item in (one, other))
    )


def _binds(item: Json) -> bool:
    """Whether an entry holds a code that decides about the others of it."""
    codings = [one for one in codings_in(item["code"]) if one["system"] in SHORT]
    return any(not BINDING.isdisjoint(TERMINOLOGY.value_sets_with(one["system"], one["code"])) for one in codings)
