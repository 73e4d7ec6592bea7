"""What must hold for every patient, checked on every combination of the facts that change a card.

Nine facts make 23,040 patients. All 7,680 who are alive and not in hospice are asked about, and every seventh
of the others: seven divides none of the numbers of choices, so that every pair of choices occurs (the first
test says so). What is right is written down here a second time, by LOINC code, and never asked of the code
under test.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import astuple, dataclass, fields
from functools import cache

import orjson
import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.protocol.validation import problem
from tests.builders import (
    Json,
    concept,
    condition,
    day,
    draft,
    observation,
    patient,
    prefetch,
    request,
    section,
)
from tests.combinations import (
    ALIVE,
    BONE_SCAN,
    CT,
    HISTORY,
    HTML,
    LONGEST_DETAIL,
    LUMBAR_MRI,
    NO,
    PREGNANT,
    PROMISES,
    STUDIES,
    WHOLE_SPINE_MRI,
    YES,
    allergy,
    answer,
    beside_quotes,
    egfr,
    loinc_of,
    longest,
    orders_of,
    other,
    report,
)

# Thousands of calls and responses, about half a minute.
pytestmark = pytest.mark.slow

LONGEST_SUMMARY = 139


# --- The facts of a patient, and the records that state them

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


# --- What is right, written down independently: LOINC code -> kind of study, region, with contrast or not
ALL_CONTRAST = frozenset({"spine MRI", "brain MRI", "CT"})
GADOLINIUM = frozenset({"spine MRI", "brain MRI"})
NO_CONTRAST_WITH_ALLERGY = {
    "none": frozenset[str](),
    "gadolinium": GADOLINIUM,
    "iodinated": frozenset({"CT"}),
    "class unknown": ALL_CONTRAST,
}
EMERGENCIES = frozenset({"cord sign", "infection", "pathological fracture"})
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
    # Staging would delay the search for an infection.
    if facts.pregnant == NO and facts.red_flag != "infection":
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


# What the card says where a caution forbids contrast, or the study: its sentence, or its name behind `As well`.
SPOKEN_OF = {
    "gadolinium": ("Gadolinium reaction", "gadolinium allergy"),
    "iodinated": ("Iodinated contrast reaction", "iodinated contrast allergy"),
    "class unknown": ("Contrast reaction", "contrast allergy"),
}


def is_cautioned(card: Json, sentence: str, name: str) -> bool:
    """Whether a caution stands on the card: in full or, where there is no room, by its name; or in the first line."""
    first, *_ = card["detail"].splitlines()
    if first.startswith(f"- The chosen MRI has contrast. {sentence}"):
        return True
    lines = section(card, "Caution").splitlines()
    return any(f": {sentence}" in line or (line.startswith("- As well: ") and name in line) for line in lines)


# Decision 4.12.
def test_a_card_beside_an_order_that_is_still_open_names_what_forbids_its_contrast() -> None:
    def rule(item: Case) -> bool:
        facts = item.facts
        still_open = {kind for kind, _ in IN_HAND[facts.already]} if facts.already in STILL_OPEN else set()
        said = [SPOKEN_OF[facts.allergy]] if still_open & NO_CONTRAST_WITH_ALLERGY[facts.allergy] else []
        said += [("Pregnant (", "pregnancy")] if facts.pregnant == YES else []
        said += [("eGFR 22", "low eGFR")] if facts.egfr == "22" and still_open & ALL_CONTRAST else []
        return all(is_cautioned(card, *words) for card in item.cards for words in said)

    assert not breaking(rule)


# Decision 7.5.
def test_no_study_is_proposed_twice() -> None:
    assert not breaking(lambda item: len({kind for kind, _, _ in item.studies}) == len(item.studies))


# Decisions 3.7, 7.2 and 7.3.
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


# Decision 7.14.
def test_every_detail_fits_in_1200_characters() -> None:
    facts, card = longest((item.facts, card) for item in answers() for card in item.cards)
    print(f"\n{facts}\n{len(card['detail'])} characters:\n{card['detail']}")
    assert len(beside_quotes(card["detail"])) <= LONGEST_DETAIL


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
