"""What must hold for every patient, checked on every combination of the facts that change a card.

Nine facts make 23,040 patients. All 7,680 who are alive and not in hospice are asked about, and every seventh
of the others: seven divides none of the numbers of choices, so that every pair of choices occurs (the first
test says so). What is right is written down here a second time, by LOINC code, and never asked of the code
under test.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache
from typing import Any

import orjson
import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.protocol.validation import problem
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    Json,
    bundle,
    concept,
    condition,
    day,
    draft,
    observation,
    patient,
    prefetch,
    reference,
    request,
)

# Thousands of calls and responses, about half a minute.
pytestmark = pytest.mark.slow

LONGEST_DETAIL = 1_500
LONGEST_SUMMARY = 139

NO = "no"
YES = "yes"


# --- The facts of a patient, and the records that state them


def other(resource_type: str, **elements: object) -> Json:
    """A resource for which there is no builder of its own."""
    return {"resourceType": resource_type, "subject": reference("Patient", PATIENT_ID)} | elements


def report(identity: str, loinc: str, days_ago: int) -> Json:
    return other(
        "DiagnosticReport",
        id=identity,
        status="final",
        code=concept(f"loinc {loinc}"),
        effectiveDateTime=day(days_ago),
    )


def egfr(value: float, days_ago: int = 10) -> Json:
    quantity = {"value": value, "unit": "mL/min/{1.73_m2}"}
    return observation("loinc 98979-8", day(days_ago), valueQuantity=quantity)


def allergy(code: str = "", text: str = "") -> Json:
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"allergy-{code.replace(' ', '-') or len(text)}",
        "patient": reference("Patient", PATIENT_ID),
        "code": concept(*([code] if code else []), text=text),
    }


HISTORY = (condition(BREAST_CANCER, onset=day(2000)), condition(LOW_BACK_PAIN, onset=day(10)))

PREGNANT: dict[str, tuple[Json, ...]] = {NO: (), YES: (condition("icd10cm Z33.1", onset=day(60)),)}

# The cord sign is younger than the MRI of yesterday, which does not answer it; the others are older.
RED_FLAG: dict[str, tuple[Json, ...]] = {
    "none": (),
    "cord sign": (condition("snomed 192970008", onset=day(0)),),
    "infection": (condition("icd10cm M46.46", onset=day(3)),),
    "pathological fracture": (condition("icd10cm M84.58XA", onset=day(2)),),
    "nonspecific": (condition("icd10cm R53.1", onset=day(3)),),
}
EGFR: dict[str, tuple[Json, ...]] = {
    "none": (),
    "22": (egfr(22),),
    "38": (egfr(38),),
    "75": (egfr(75),),
}
DEVICE: dict[str, tuple[Json, ...]] = {
    "none": (),
    "pacemaker": (condition("icd10cm Z95.0", recorded=day(900)),),
}
ALLERGY: dict[str, tuple[Json, ...]] = {
    "none": (),
    "gadolinium": (allergy("snomed 58281002"),),
    "iodinated": (allergy("snomed 426722004"),),
    "class unknown": (allergy("snomed 293637006"),),
}
LUMBAR_ORDER = other(
    "ServiceRequest",
    id="order-1",
    status="active",
    intent="order",
    code=concept("loinc 24967-2"),
    authoredOn=day(2),
)
ALREADY: dict[str, tuple[Json, ...]] = {
    "nothing": (),
    "lumbar MRI ordered": (LUMBAR_ORDER,),
    "whole spine MRI done yesterday": (report("report-whole", "30855-1", 1),),
    "all three done": (
        report("report-mri", "24967-2", 1),
        report("report-scan", "39818-0", 1),
        report("report-ct", "72254-6", 1),
    ),
    "all three drafted": (),
    "bone scan drafted": (),
}
DRAFTED: dict[str, tuple[Json, ...]] = {
    "all three drafted": (draft("loinc 24967-2"), draft("loinc 39818-0"), draft("loinc 72254-6")),
    "bone scan drafted": (draft("loinc 39818-0"),),
}
BONE_METASTASIS: dict[str, tuple[Json, ...]] = {
    NO: (),
    YES: (condition("icd10cm C79.51", onset=day(400)),),
}
BRAIN_SYMPTOM: dict[str, tuple[Json, ...]] = {
    NO: (),
    YES: (
        condition("snomed 25064002", onset=day(4)),
        observation("loinc 85319-2", day(300), valueCodeableConcept=concept("snomed 10828004")),
    ),
}
ADMITTED_TO_HOSPICE = other(
    "Procedure",
    id="procedure-1",
    status="completed",
    code=concept("snomed 305336008"),
    performedDateTime=day(5),
)
ALIVE = patient("1988-05-04")
LIFE: dict[str, tuple[Json, ...]] = {
    "alive": (ALIVE,),
    "deceased": (patient("1988-05-04", deceasedBoolean=True),),
    "hospice": (ALIVE, ADMITTED_TO_HOSPICE),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One patient with breast cancer history and new low back pain: a choice for each fact."""

    pregnant: str
    red_flag: str
    egfr: str
    device: str
    allergy: str
    already: str
    bone_metastasis: str
    brain_symptom: str
    life: str


CHOICES = (PREGNANT, RED_FLAG, EGFR, DEVICE, ALLERGY, ALREADY, BONE_METASTASIS, BRAIN_SYMPTOM, LIFE)
EVERY = 7


@cache
def patients() -> tuple[Facts, ...]:
    everyone = [Facts(*chosen) for chosen in itertools.product(*CHOICES)]
    others = [facts for facts in everyone if facts.life != "alive"]
    return (*(facts for facts in everyone if facts.life == "alive"), *others[::EVERY])


# --- The answers


@dataclass(frozen=True, slots=True)
class Case:
    """What the service said of one patient."""

    facts: Facts
    outcome: Outcome
    reason: str
    response: Json

    @property
    def cards(self) -> list[Json]:
        found: list[Json] = self.response["cards"]
        return found

    @property
    def orders(self) -> list[Json]:
        return orders_of(self.cards)

    @property
    def studies(self) -> list[tuple[str, str, bool]]:
        """What is proposed, as the table below knows it: kind of study, region, with contrast or not."""
        return [STUDIES[loinc_of(order)] for order in self.orders]


def orders_of(cards: Sequence[Json]) -> list[Json]:
    actions = [
        action for card in cards for suggestion in card.get("suggestions", ()) for action in suggestion["actions"]
    ]
    return [action["resource"] for action in actions if action["type"] == "create"]


def loinc_of(order: Json) -> str:
    """The LOINC code of an order; there is exactly one."""
    (code,) = [item["code"] for item in order["code"]["coding"] if item["system"] == "http://loinc.org"]
    return str(code)


@cache
def service() -> DecisionSupport:
    return DecisionSupport()


def answer(document: Json) -> tuple[Outcome, str, Json]:
    decision = service().decide(HookCall(SERVICES[f"breast-cancer-back-pain-{document['hook']}"], NOW), document)
    return decision.assessment.outcome, decision.assessment.reason, dict(decision.response_or_error())


def call(facts: Facts) -> Json:
    chosen = zip(CHOICES, astuple(facts), strict=True)
    stated = [resource for choices, choice in chosen for resource in choices[choice]]
    chart = prefetch(*HISTORY, *stated)
    if drafts := DRAFTED.get(facts.already):
        return request("order-select", chart, drafts)
    return request("patient-view", chart)


@cache
def answers() -> tuple[Case, ...]:
    return tuple(Case(facts, *answer(call(facts))) for facts in patients())


def breaking(rule: Callable[[Case], bool]) -> list[str]:
    """The first patients of whom a rule does not hold, with what was proposed; none where it holds of all."""
    broken = (item for item in answers() if not rule(item))
    return [f"{item.facts}: {item.studies}" for item in itertools.islice(broken, 3)]


def longest(cards: Iterable[tuple[object, Json]]) -> tuple[object, Json]:
    """The card with the longest detail, and of whom it speaks."""
    return max(cards, key=lambda pair: len(pair[1]["detail"]))


# --- What is right, written down independently: LOINC code -> kind of study, region, with contrast or not

STUDIES = {
    "24937-5": ("spine MRI", "cervical", True),
    "30667-0": ("spine MRI", "cervical", False),
    "24981-3": ("spine MRI", "thoracic", True),
    "36532-0": ("spine MRI", "thoracic", False),
    "24967-2": ("spine MRI", "lumbar", True),
    "30679-5": ("spine MRI", "lumbar", False),
    "30855-1": ("spine MRI", "whole", True),
    "30854-4": ("spine MRI", "whole", False),
    "39818-0": ("bone scan", "whole body", False),
    "72254-6": ("CT", "chest, abdomen, pelvis", True),
    "72253-8": ("CT", "chest, abdomen, pelvis", False),
    "24587-8": ("brain MRI", "brain", True),
    "30657-1": ("brain MRI", "brain", False),
}
ALL_CONTRAST = frozenset({"spine MRI", "brain MRI", "CT"})
GADOLINIUM = frozenset({"spine MRI", "brain MRI"})
NO_CONTRAST_WITH_ALLERGY = {
    "none": frozenset[str](),
    "gadolinium": GADOLINIUM,
    "iodinated": frozenset({"CT"}),
    "class unknown": ALL_CONTRAST,
}
EMERGENCIES = frozenset({"cord sign", "infection", "pathological fracture"})

# What is in hand: kind of study and region.
LUMBAR_MRI, WHOLE_SPINE_MRI = ("spine MRI", "lumbar"), ("spine MRI", "whole")
BONE_SCAN, CT = ("bone scan", "whole body"), ("CT", "chest, abdomen, pelvis")
IN_HAND = {
    "nothing": frozenset[tuple[str, str]](),
    "lumbar MRI ordered": frozenset({LUMBAR_MRI}),
    "whole spine MRI done yesterday": frozenset({LUMBAR_MRI, WHOLE_SPINE_MRI}),
    "all three done": frozenset({LUMBAR_MRI, BONE_SCAN, CT}),
    "all three drafted": frozenset({LUMBAR_MRI, BONE_SCAN, CT}),
    "bone scan drafted": frozenset({BONE_SCAN}),
}
STILL_OPEN = frozenset({"lumbar MRI ordered", "all three drafted", "bone scan drafted"})


def without_contrast(facts: Facts) -> frozenset[str]:
    """The kinds of study that may not have contrast in this patient."""
    if facts.pregnant == YES or facts.egfr == "22":
        return ALL_CONTRAST
    return NO_CONTRAST_WITH_ALLERGY[facts.allergy]


def is_emergency(facts: Facts) -> bool:
    return facts.red_flag in EMERGENCIES


def spine_mri_needed(facts: Facts) -> tuple[str, str]:
    """The MRI of the painful region; of the whole spine in an emergency and with known bone metastases."""
    return WHOLE_SPINE_MRI if is_emergency(facts) or facts.bone_metastasis == YES else LUMBAR_MRI


def in_hand(facts: Facts) -> frozenset[tuple[str, str]]:
    """The studies that must not be ordered again. An MRI from before an emergency sign does not answer it."""
    held = IN_HAND[facts.already]
    return held - {LUMBAR_MRI, WHOLE_SPINE_MRI} if facts.red_flag == "cord sign" else held


def expected(facts: Facts) -> list[tuple[str, str, bool]]:
    """Every study that this patient needs and does not have, the MRI of the spine first."""
    if facts.life != "alive":
        return []
    wanted = [spine_mri_needed(facts)]
    if facts.pregnant == NO:
        wanted += [BONE_SCAN, CT]
    if facts.brain_symptom == YES:
        wanted.append(("brain MRI", "brain"))
    plain = without_contrast(facts) | {"bone scan"}
    missing = [study for study in wanted if study not in in_hand(facts)]
    return [(kind, region, kind not in plain) for kind, region in missing]


# --- Every patient


def test_every_pair_of_facts_occurs_among_the_patients() -> None:
    names = [field.name for field in fields(Facts)]
    for (first, one), (second, two) in itertools.combinations(zip(names, CHOICES, strict=True), 2):
        met = {(getattr(facts, first), getattr(facts, second)) for facts in patients()}
        assert met == set(itertools.product(one, two)), (first, second)


def test_never_contrast_for_a_study_whose_caution_forbids_it() -> None:
    def rule(item: Case) -> bool:
        with_contrast = {kind for kind, _, has_it in item.studies if has_it}
        return not with_contrast & without_contrast(item.facts)

    assert not breaking(rule)


def test_contrast_is_left_out_only_where_a_caution_forbids_it() -> None:
    def rule(item: Case) -> bool:
        plain = {kind for kind, _, with_contrast in item.studies if not with_contrast}
        return plain <= without_contrast(item.facts) | {"bone scan"}

    assert not breaking(rule)


def test_in_pregnancy_neither_ct_nor_bone_scan_is_proposed() -> None:
    def rule(item: Case) -> bool:
        return item.facts.pregnant == NO or not {kind for kind, _, _ in item.studies} & {"CT", "bone scan"}

    assert not breaking(rule)


def test_no_study_that_is_ordered_done_or_drafted_is_proposed_again() -> None:
    assert not breaking(lambda item: not any((kind, region) in in_hand(item.facts) for kind, region, _ in item.studies))


def test_a_study_in_hand_that_has_contrast_is_never_called_one_without() -> None:
    # All that is in hand has contrast, whatever this patient should have.
    claim = re.compile(r"^- Not offered again:.*without contrast", re.MULTILINE)
    assert not breaking(lambda item: not any(claim.search(card["detail"]) for card in item.cards))


# What the card says where a caution forbids contrast, or the study.
SPOKEN_OF = {"gadolinium": "Gadolinium", "iodinated": "Iodinated contrast", "class unknown": "Contrast"}


# Decision 4.12.
def test_a_card_beside_an_order_that_is_still_open_names_what_forbids_its_contrast() -> None:
    def rule(item: Case) -> bool:
        facts = item.facts
        still_open = {kind for kind, _ in IN_HAND[facts.already]} if facts.already in STILL_OPEN else set()
        said = []
        if still_open & NO_CONTRAST_WITH_ALLERGY[facts.allergy]:
            said.append(f"{SPOKEN_OF[facts.allergy]} reaction")
        said += ["Pregnant ("] if facts.pregnant == YES else []
        said += ["eGFR 22"] if facts.egfr == "22" and still_open & ALL_CONTRAST else []
        return all(words in card["detail"] for card in item.cards for words in said)

    assert not breaking(rule)


# Decision 7.5.
def test_no_study_is_proposed_twice() -> None:
    assert not breaking(lambda item: len({kind for kind, _, _ in item.studies}) == len(item.studies))


# Decisions 7.2 and 7.3.
def test_exactly_the_studies_that_are_needed_and_not_in_hand_are_proposed() -> None:
    assert not breaking(lambda item: sorted(item.studies) == sorted(expected(item.facts)))


def test_no_critical_card_is_without_a_spine_mri_among_its_suggestions() -> None:
    def rule(item: Case) -> bool:
        is_critical = any(card["indicator"] == "critical" for card in item.cards)
        return not is_critical or any(kind == "spine MRI" for kind, _, _ in item.studies)

    assert not breaking(rule)


# Decision 7.4.
def test_an_emergency_that_no_mri_has_answered_is_critical_and_nothing_else_is() -> None:
    def rule(item: Case) -> bool:
        facts = item.facts
        unanswered = is_emergency(facts) and spine_mri_needed(facts) not in in_hand(facts)
        return all((card["indicator"] == "critical") == unanswered for card in item.cards)

    assert not breaking(rule)


# Decision 7.5.
def test_there_is_never_more_than_one_card() -> None:
    assert not breaking(lambda item: len(item.cards) <= 1)


def must_be_said(facts: Facts) -> bool:
    """A card without an order: an emergency whose MRI is only routine, or drafts that a caution forbids."""
    if facts.life != "alive" or facts.already not in STILL_OPEN or spine_mri_needed(facts) not in in_hand(facts):
        return False
    forbidden = facts.pregnant == YES or bool(without_contrast(facts))
    return is_emergency(facts) or (forbidden and "drafted" in facts.already)


def test_there_is_a_card_wherever_a_study_is_missing_or_something_must_be_said_and_none_elsewhere() -> None:
    assert not breaking(lambda item: bool(item.cards) == (bool(expected(item.facts)) or must_be_said(item.facts)))


# Decisions 4.9 and 4.11.
@pytest.mark.parametrize("life", ["deceased", "hospice"])
def test_there_is_no_card_for_the_deceased_and_none_in_hospice(life: str) -> None:
    assert not breaking(lambda item: item.facts.life != life or not item.cards)


def test_every_response_follows_the_schema() -> None:
    assert not breaking(lambda item: problem("response", item.response) is None)


def test_every_summary_fits_in_139_characters() -> None:
    assert not breaking(lambda item: all(len(card["summary"]) <= LONGEST_SUMMARY for card in item.cards))


# Decision 7.9.
def test_every_detail_fits_in_1500_characters() -> None:
    facts, card = longest((item.facts, card) for item in answers() for card in item.cards)
    print(f"\n{facts}\n{len(card['detail'])} characters:\n{card['detail']}")
    assert len(card["detail"]) <= LONGEST_DETAIL


# Whole words: "unlikely" in the card about children is not a promise.
PROMISES = re.compile(r"\blikely\b|\ball clear\b|\bno risk\b|\bnothing found\b", re.IGNORECASE)
HTML = re.compile(r"<[A-Za-z/!?]|&(lt|gt|#)|javascript:", re.IGNORECASE)


# Decision 7.8.
def test_no_detail_promises_or_predicts() -> None:
    assert not breaking(lambda item: not any(PROMISES.search(card["detail"]) for card in item.cards))


def test_no_detail_holds_html() -> None:
    assert not breaking(lambda item: not any(HTML.search(card["detail"]) for card in item.cards))


# Decision 4.1.
def test_a_spine_mri_is_proposed_or_in_hand_whenever_the_card_is_about_imaging() -> None:
    def rule(item: Case) -> bool:
        if item.outcome is not Outcome.FIRED or item.reason is not Reason.IMAGING_ADVISED:
            return True
        proposed = any(kind == "spine MRI" for kind, _, _ in item.studies)
        return proposed or spine_mri_needed(item.facts) in in_hand(item.facts)

    assert not breaking(rule)


# Decision 7.5.
def test_the_spine_mri_is_the_first_suggestion_and_the_only_recommended_one() -> None:
    def rule(item: Case) -> bool:
        for card in item.cards:
            recommended = [bool(suggestion.get("isRecommended")) for suggestion in card.get("suggestions", ())]
            spine = [kind == "spine MRI" for kind, _, _ in item.studies]
            if any(spine[1:]) or recommended != spine:
                return False
        return True

    assert not breaking(rule)


# Decision 3.11.
def test_the_spine_mri_is_stat_if_and_only_if_the_card_is_critical() -> None:
    def rule(item: Case) -> bool:
        stat = [order["priority"] == "stat" for order in item.orders]
        is_critical = any(card["indicator"] == "critical" for card in item.cards)
        return stat == [is_critical, *[False] * (len(stat) - 1)] if stat else not is_critical

    assert not breaking(rule)


def test_every_proposed_order_is_a_valid_fhir_service_request() -> None:
    # Most patients get the same few orders; each different one is parsed once.
    different = {orjson.dumps(order) for item in answers() for order in item.orders}
    for body in different:
        ServiceRequest.model_validate_json(body)


# --- The worst case: everything at once

# 4,000 characters of what an EHR may send in one text, with markup that a client must never see as such.
NOISE = " <img src=x onerror=alert(1)> [here](javascript:alert(1)) `code` **bold** \u0000 and more words"


def long_text(words: str) -> str:
    return (words + NOISE * 50)[:4_000]


SIGNS = {
    "coded": (
        condition("icd10cm M84.58XA", onset=day(40)),
        condition("snomed 866087009", onset=day(41)),
        condition("snomed 12454008", onset=day(42)),
        condition("snomed 782390002", onset=day(43)),
        condition("icd10cm M46.36", onset=day(44)),
        condition("snomed 94600009", onset=day(45)),
    ),
    "in words": tuple(
        condition(text=long_text(words), recorded=day(40 + number))
        for number, words in enumerate(
            ("bilateral leg weakness", "foot drop", "urinary retention", "perineal numbness", "paraplegia")
        )
    ),
}
CANCERS = {
    "coded": (
        condition("snomed 1082901000112103", onset=day(4000)),
        condition("snomed 353511000119101", onset=day(5000)),
        condition("snomed 1081561000119108", onset=day(6000)),
        condition("icd10cm C50.A1", onset=day(3000)),
    ),
    "in words": tuple(
        condition(text=long_text(words), recorded=day(2000))
        for words in ("left breast cancer", "right breast cancer", "carcinoma of the breast", "breast ca")
    ),
}
PAINS = {
    "coded": tuple(
        condition(code, onset="2026", recorded=day(number), text="unremitting night pain, worse" + NOISE)
        for number, code in enumerate(
            ("icd10cm M54.18", "icd10cm M54.13", "icd10cm M54.11", "icd10cm M54.15", "icd10cm M54.9"),
            start=20,
        )
    ),
    "in words": tuple(
        condition(text=long_text(f"unremitting night pain, worse, {words}"), onset="2026", recorded=day(20))
        for words in ("low back pain", "neck pain", "thoracic pain", "sacral pain", "back pain")
    ),
}
BESIDE = (
    condition("icd10cm R29.898", onset=day(30)),
    condition("snomed 94274006", onset=day(600)),
    condition("snomed 94250008", onset=day(700)),
    condition("icd10cm M80.08XA", onset=day(50)),
    condition("icd10cm M48.50XA", onset=day(51)),
    condition("icd10cm M48.54XA", onset=day(52)),
    condition("icd10cm R63.4", onset=day(30)),
    condition("icd10cm E83.52", onset=day(31)),
    condition("snomed 422868009", onset=day(32)),
    condition("snomed 25064002", onset=day(30)),
    condition("icd10cm R51.0", onset=day(31)),
    condition("icd10cm S39.012A", onset=day(33)),
    report("report-radiograph", "24972-2", 3),
)
CAUTIONS = (
    egfr(22, days_ago=25),
    condition("icd10cm Z99.2", onset=day(30)),
    condition("icd10cm N17.9", onset=day(30)),
    condition("icd10cm N18.6", onset=day(30)),
    condition("icd10cm Z91.041", recorded=day(30)),
    condition("icd10cm Z95.810", onset=day(30)),
    condition("icd10cm Z18.10", onset=day(30)),
    condition("snomed 69805005", onset=day(30)),
    condition("icd10cm F40.240", onset=day(30)),
    condition(text=long_text("tissue expander"), recorded=day(30)),
    allergy(text=long_text("contrast media")),
    allergy(text=long_text("gadolinium and more")),
    allergy(text=long_text("iodinated contrast, once more")),
)
WITHOUT_CONTRAST_CAUTION = (egfr(22, days_ago=400), condition("icd10cm Z95.810", onset=day(30)))


@dataclass(frozen=True, slots=True)
class Crowd:
    """One chart with everything in it: what its findings are written in, and which larger facts hold."""

    wording: str
    emergency: bool
    pregnant: bool
    contrast_allowed: bool
    missing_keys: bool

    def __str__(self) -> str:
        names = ("emergency", "pregnant", "contrast_allowed", "missing_keys")
        facts = [name.replace("_", " ") for name in names if getattr(self, name)]
        return ", ".join([self.wording, *facts])


def crowded_call(crowd: Crowd) -> Json:
    """Every list is only the first page of more, and holds an entry and an element that cannot be read."""
    chart = prefetch(
        patient("1988-05-04"),
        *CANCERS[crowd.wording],
        *PAINS[crowd.wording],
        *(SIGNS[crowd.wording] if crowd.emergency else ()),
        *BESIDE,
        *(WITHOUT_CONTRAST_CAUTION if crowd.contrast_allowed else CAUTIONS),
        *(PREGNANT[YES] if crowd.pregnant else ()),
        *(condition(text="unreadable", onset="the day before yesterday") for _ in range(20)),
    )
    for key in set(chart) - {"patient"}:
        chart[key]["link"] = bundle(next_page=True)["link"]
        chart[key].setdefault("entry", []).append({"resource": None})
    if crowd.missing_keys:
        for key in ("encounters", "serviceRequests", "diagnosticReports", "procedures", "allergies"):
            del chart[key]
    return request("patient-view", chart, encounterId="encounter-1")


CROWDS = [
    Crowd(wording, *facts) for wording in ("coded", "in words") for facts in itertools.product([True, False], repeat=4)
]


@cache
def crowded_card(crowd: Crowd) -> Json:
    (card,) = answer(crowded_call(crowd))[2]["cards"]
    found: Json = card
    return found


def test_the_worst_case_fits_in_1500_characters() -> None:
    crowd, card = longest((crowd, crowded_card(crowd)) for crowd in CROWDS)
    print(f"\n{crowd}\n{len(card['detail'])} characters:\n{card['detail']}")
    assert len(card["detail"]) <= LONGEST_DETAIL


@pytest.mark.parametrize("crowd", CROWDS, ids=str)
def test_the_worst_case_keeps_to_the_schema_and_out_of_html(crowd: Crowd) -> None:
    card = crowded_card(crowd)
    assert problem("response", {"cards": [card]}) is None
    assert not HTML.search(_outside_code(card["detail"])) and "<" not in card["detail"]
    assert not PROMISES.search(card["detail"])
    for order in orders_of([card]):
        ServiceRequest.model_validate_json(orjson.dumps(order))


@pytest.mark.parametrize("crowd", CROWDS, ids=str)
def test_the_worst_case_still_names_the_emergency_and_puts_the_mri_first(crowd: Crowd) -> None:
    card = crowded_card(crowd)
    first = orders_of([card])[0]
    assert STUDIES[loinc_of(first)][:2] == WHOLE_SPINE_MRI
    assert (card["indicator"] == "critical") == crowd.emergency == (first["priority"] == "stat")
    assert ("- Red flag: " in card["detail"]) == crowd.emergency


def _outside_code(markdown: str) -> str:
    """Markdown without its code spans, in which nothing is read as markup."""
    return re.sub(r"`[^`]*`", "", markdown)


def test_markup_in_the_comparator_of_a_result_never_reaches_the_card() -> None:
    result = egfr(22)
    result["valueQuantity"]["comparator"] = "<img src=x onerror=alert(1)>"
    chart = prefetch(ALIVE, *HISTORY, result)
    (card,) = answer(request("patient-view", chart))[2]["cards"]
    assert not HTML.search(card["detail"])


def test_markup_in_the_id_of_a_record_never_reaches_the_card() -> None:
    marked: Any = [item | {"id": f"<b>{number}</b>"} for number, item in enumerate(HISTORY)]
    (card,) = answer(request("patient-view", prefetch(ALIVE, *marked)))[2]["cards"]
    assert not HTML.search(orjson.dumps(card).decode())
