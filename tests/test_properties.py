"""What must hold for every chart, whatever is in it: checked on charts made up by Hypothesis."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from cds_service.chart.build import build_chart
from cds_service.clinical.rules.assessment import Outcome
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.errors import MissingData
from tests.builders import (
    BACK_PAIN,
    BREAST_CANCER,
    CHIEF_COMPLAINT,
    IN_SITU,
    LOW_BACK_PAIN,
    NECK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    SYMPTOM,
    THORACIC_PAIN,
    Json,
    assess,
    assessment,
    bundle,
    concept,
    condition,
    day,
    encounter,
    name_of,
    observation,
    outcome,
    patient,
    prefetch,
    reference,
    request,
)

# The same examples in every run, so that a failure is the fault of a change and not of chance.
examples = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

PATIENT_VIEW = SERVICES["breast-cancer-back-pain-patient-view"]

# Without these nothing can be concluded; the other keys only refine the advice.
DECIDING = ("patient", "conditions", "observations")

CANCERS = (
    BREAST_CANCER,
    "icd10cm Z85.3",
    "icd9cm 174.9",
    "snomed 254837009",
    "snomed 429087003",
    "snomed 706970001",
)
NOT_CANCERS = (IN_SITU, "icd10cm Z80.3", "icd10cm Z12.31", "snomed 94297009", "snomed 126926005")
REGIONAL_PAINS = (LOW_BACK_PAIN, THORACIC_PAIN, NECK_PAIN, "snomed 279039007", "icd10cm M54.41", "icd9cm 724.2")
PAINS = (*REGIONAL_PAINS, BACK_PAIN, "icd10cm M54.15", "snomed 161891005")
CHRONIC_PAINS = ("snomed 278860009", "snomed 134407002", "snomed 82423001", "icd10cm G89.29")
SIGNS = ("icd10cm R33.9", "icd10cm G83.4", "snomed 309774006", "icd10cm C79.51", "icd10cm R63.4", "icd10cm S39.012A")
CANCER_TEXTS = ("hx L breast ca 2011", "Mother: breast cancer", "r/o breast cancer", "Breast cancer in remission")
PAIN_TEXTS = ("low back pain", "chronic low back pain", "denies back pain", "back pain, worse", "neck pain")


# --- Charts


def days() -> st.SearchStrategy[str | None]:
    """Dates round the ends of the window and of the clean days, long past, to come, or none."""
    near = st.integers(-3, 300).map(day)
    partial = st.sampled_from(["2026", "2026-11", "2026-08", "2026-05", "2025", "2014"])
    return st.none() | near | st.sampled_from([day(0), day(84), day(85), day(264), day(265), day(2000)]) | partial


@st.composite
def diagnoses(draw: DrawFn, codes: Sequence[str] = (*CANCERS, *NOT_CANCERS, *PAINS, *CHRONIC_PAINS, *SIGNS)) -> Json:
    return condition(
        draw(st.sampled_from(codes)),
        onset=draw(days()),
        recorded=draw(days()),
        clinical=draw(st.sampled_from(["active", "active", None, "resolved", "inactive", "recurrence", "remission"])),
        verification=draw(st.sampled_from(["confirmed", "confirmed", None, "refuted", "provisional", "unconfirmed"])),
        text=draw(st.sampled_from(["", "", *CANCER_TEXTS, *PAIN_TEXTS])),
    )


@st.composite
def texts(draw: DrawFn) -> Json:
    return condition(text=draw(st.sampled_from([*CANCER_TEXTS, *PAIN_TEXTS])), recorded=draw(days()))


@st.composite
def observed(draw: DrawFn) -> Json:
    when = draw(days())
    if draw(st.booleans()):
        return observation(SYMPTOM, when, valueCodeableConcept=concept(draw(st.sampled_from(PAINS))))
    return observation(CHIEF_COMPLAINT, when, valueString=draw(st.sampled_from(PAIN_TEXTS)))


@st.composite
def visits(draw: DrawFn) -> Json:
    return encounter(concept(draw(st.sampled_from(PAINS))), when=draw(days()))


def charts(with_visits: bool = True) -> st.SearchStrategy[list[Json]]:
    """Lists of resources of one patient, most of which concern the rule."""
    kinds = diagnoses() | texts() | observed()
    return st.lists(kinds | visits() if with_visits else kinds, max_size=7)


def likely_charts() -> st.SearchStrategy[list[Json]]:
    """Charts with breast cancer and recent pain, and whatever else: most of them bring a card."""
    cancer = st.sampled_from(CANCERS).map(condition)
    pain = st.builds(
        lambda code, days_ago: condition(code, onset=day(days_ago)), st.sampled_from(PAINS), st.integers(0, 84)
    )
    return st.builds(lambda *items: [*items[:2], *items[2]], cancer, pain, charts())


def any_charts() -> st.SearchStrategy[list[Json]]:
    return charts() | likely_charts()


# --- Decisions


def decision(found: Assessment) -> Assessment:
    """An assessment without what tells of single entries: those that were passed over, and those not readable."""
    criteria = tuple(replace(item, because="") for item in found.criteria)
    return replace(found, criteria=criteria, unread=(), unreadable=0)


def decide(values: Mapping[str, Any]) -> Assessment:
    return assess(build_chart(PATIENT_ID, values))


UNRELATED = (
    condition("local 1", text="Essential hypertension", onset=day(100)),
    condition("local 2", text="Type 2 diabetes mellitus", recorded=day(3)),
    condition(text="Knee pain", recorded=day(1)),
    condition(),
    condition(BREAST_CANCER, subject=reference("Patient", "pt-2")),
    condition(LOW_BACK_PAIN, onset=day(2), subject=reference("Patient", "pt-2")),
    observation("loinc 72514-3", day(1), valueInteger=4),
    observation("local 3", day(1), valueString="clear"),
    encounter(concept(text="Annual physical"), when=day(1)),
)


@examples
@given(any_charts(), st.lists(st.sampled_from(UNRELATED), unique_by=id, min_size=1))
def test_resources_that_do_not_concern_the_rule_never_change_the_decision(
    resources: list[Json], others: list[Json]
) -> None:
    # A list that holds nothing of this patient but another's data is no list of this patient: it stays unknown.
    own = (condition("local 4"), observation("local 5", day(1)), encounter(when=day(1)))
    assert decision(assessment(*resources, *own, *others)) == decision(assessment(*resources))


# Decision 11.6.
@examples
@given(any_charts(), st.randoms(use_true_random=False))
def test_the_order_of_entries_never_changes_the_decision(resources: list[Json], random: Any) -> None:
    shuffled = list(resources)
    random.shuffle(shuffled)
    assert decision(assessment(*shuffled)) == decision(assessment(*resources))


def test_the_order_of_entries_never_changes_which_vague_onset_is_named() -> None:
    person, cancer = patient(birth="1968-11-01"), condition(BREAST_CANCER)
    vague = [
        condition(LOW_BACK_PAIN, onset="2026"),
        condition("icd10cm M54.41", onsetAge={"value": 57, "code": "a"}),
    ]
    assert decision(assessment(person, cancer, *vague)) == decision(assessment(person, cancer, *reversed(vague)))


# Decision 11.6.
@examples
@given(any_charts())
def test_entries_that_are_sent_twice_never_change_the_decision(resources: list[Json]) -> None:
    twice = [*resources, *copy.deepcopy(resources)]
    assert decision(assessment(*twice)) == decision(assessment(*resources))


@examples
@given(any_charts())
def test_the_same_chart_always_gives_the_same_decision(resources: list[Json]) -> None:
    assert assessment(*copy.deepcopy(resources)) == assessment(*resources)


@examples
@given(
    st.lists(st.sampled_from(CANCERS), unique=True, min_size=1),
    st.lists(st.tuples(st.sampled_from(REGIONAL_PAINS), st.integers(0, 84)), min_size=1, max_size=4),
    charts(),
)
def test_without_the_findings_that_a_card_names_there_is_no_card(
    cancers: list[str], pains: list[tuple[str, int]], others: list[Json]
) -> None:
    resources = [condition(code) for code in cancers]
    resources += [condition(code, onset=day(days_ago)) for code, days_ago in pains]
    resources += others
    # A finding stands for others of the same code: what a card names is removed until no card comes.
    while (found := assessment(*resources)).outcome is Outcome.FIRED:
        named = {finding.source for item in found.criteria for finding in item.findings}
        left = [resource for resource in resources if name_of(resource) not in named]
        assert len(left) < len(resources)
        resources = left
    assert found.outcome is Outcome.NOT_APPLICABLE


@examples
@given(any_charts())
def test_every_finding_leads_to_a_resource_of_the_chart(resources: list[Json]) -> None:
    found = assessment(*resources)
    sources = {finding.source for item in found.criteria for finding in item.findings}
    assert sources <= {name_of(resource) for resource in resources}


@examples
@given(any_charts())
def test_a_card_always_rests_on_a_finding_of_cancer_and_one_of_pain(resources: list[Json]) -> None:
    found = assessment(*resources)
    assume(found.outcome is Outcome.FIRED)
    assert found.criterion("breast-cancer-history").findings
    assert found.criterion("new-back-pain").findings
    assert found.studies and found.studies[0].startswith("mri-")


# Decision 7.9.
@examples
@given(likely_charts())
def test_a_card_that_rests_on_text_alone_says_so(resources: list[Json]) -> None:
    found = assessment(*resources)
    assume(found.outcome is Outcome.FIRED)
    from_text = [all(finding.from_text for finding in item.findings) for item in found.criteria if item.findings]
    assert (Note.TEXT_ONLY in found.notes) is any(from_text)


# --- What is unknown


def unknown(values: Json, key: str, way: str, kept: int) -> Json:
    """The prefetch with one key made unknown, in one of the ways in which EHRs leave a key open."""
    changed = dict(values)
    if way == "absent":
        del changed[key]
    elif way == "error":
        changed[key] = outcome()
    elif key == "patient":
        changed[key] = bundle(next_page=True)
    else:
        resources = [entry["resource"] for entry in values[key].get("entry", ())]
        if way == "first page":
            changed[key] = bundle(*resources[:kept], next_page=True)
        elif way == "error inside":
            changed[key] = bundle(*resources[:kept], outcome())
        elif way == "empty entry":
            changed[key] = bundle(*resources[:kept])
            changed[key]["entry"] = [*changed[key].get("entry", ()), {}]
    return changed


WAYS = ("absent", "error", "first page", "error inside", "empty entry")


# Decision 6.1.
@examples
@given(
    any_charts(),
    st.lists(st.sampled_from(DECIDING), unique=True, min_size=1),
    st.sampled_from(WAYS),
    st.integers(0, 7),
)
def test_unknown_never_reads_as_no(resources: list[Json], keys: list[str], way: str, kept: int) -> None:
    values = prefetch(*resources)
    complete = decide(values)
    for key in keys:
        values = unknown(values, key, way, kept)
    partial = decide(values)
    if partial.outcome is Outcome.NOT_APPLICABLE:
        assert complete.outcome is Outcome.NOT_APPLICABLE
    if partial.outcome is Outcome.UNDETERMINED:
        assert set(partial.missing) <= set(keys)
        assert partial.missing


# Decision 6.2.
@examples
@given(likely_charts(), st.sampled_from(DECIDING), st.sampled_from(WAYS))
def test_unknown_data_only_ever_asks_for_more_or_keeps_the_card(resources: list[Json], key: str, way: str) -> None:
    values = prefetch(*resources)
    assume(decide(values).outcome is Outcome.FIRED)
    partial = decide(unknown(values, key, way, kept=0))
    assert partial.outcome in (Outcome.FIRED, Outcome.UNDETERMINED)
    assert key in partial.unchecked


@examples
@given(any_charts(), st.sampled_from(DECIDING))
def test_null_is_known_to_be_empty(resources: list[Json], key: str) -> None:
    assume(key != "patient")
    values = prefetch(*resources)
    assert decision(decide(values | {key: None})) == decision(decide(values | {key: bundle()}))


def test_visits_that_are_unknown_are_not_said_to_have_been_checked() -> None:
    known = prefetch(condition(BREAST_CANCER))
    unasked = unknown(known, "encounters", "absent", 0)
    assert "encounters" in decide(unasked).unchecked
    because = [decide(values).criterion("new-back-pain").because for values in (known, unasked)]
    assert because[0] != because[1]


@pytest.mark.parametrize("empty", [None, bundle()], ids=["null", "empty Bundle"])
def test_an_ehr_that_knows_no_such_patient_is_told_that_the_patient_is_missing(empty: Json | None) -> None:
    values = prefetch(condition(BREAST_CANCER), condition(LOW_BACK_PAIN, onset=day(2))) | {"patient": empty}
    answer = DecisionSupport().decide(HookCall(PATIENT_VIEW, NOW), request(prefetch=values))
    with pytest.raises(MissingData, match="patient"):
        answer.response_or_error()


# --- Charts that are broken


# Whatever an EHR may put where something else belongs.
junk = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=10) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
DATES = ("onsetDateTime", "onsetAge", "onsetPeriod", "onsetRange", "onsetString", "recordedDate", "abatementAge")
DETAILS = ("category", "clinicalStatus", "encounter", "bodySite", "note", "extension", "contained", "stage")
ELEMENTS = ("id", "verificationStatus", *DATES, *DETAILS)


# Decision 6.5.
@examples
@given(st.dictionaries(st.sampled_from(ELEMENTS), junk, min_size=1), st.sampled_from([condition, observation]))
def test_a_broken_resource_never_hides_the_others(elements: dict[str, Any], build: Any) -> None:
    sound = [condition(BREAST_CANCER), condition(LOW_BACK_PAIN, onset=day(5))]
    broken = build("local 1") | elements
    whole = assessment(*sound)
    values = prefetch(*sound)
    key = "conditions" if build is condition else "observations"
    entries = values[key].get("entry", [])
    values[key] = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": broken}, *entries]}
    found = decide(values)
    assert (found.outcome, found.studies) == (whole.outcome, whole.studies)


@examples
@given(st.dictionaries(st.sampled_from((*DATES, *DETAILS)), junk, min_size=1))
def test_a_stray_element_never_hides_a_history_of_cancer(elements: dict[str, Any]) -> None:
    found = assessment(condition(BREAST_CANCER) | elements, condition(LOW_BACK_PAIN, onset=day(5)))
    assert found.outcome is Outcome.FIRED


@examples
@given(st.dictionaries(st.sampled_from(("patient", "conditions", "observations", "encounters")), junk))
def test_any_prefetch_is_answered(values: dict[str, Any]) -> None:
    found = decide(values)
    # Where nothing is known, nothing is concluded.
    if not values:
        assert found.outcome is Outcome.UNDETERMINED


@pytest.mark.parametrize("birth", ["1968-05-04", "1968", "2099-01-01", "unknown", "0001-01-01", "9999-12-31"])
@examples
@given(value=st.integers(-(10**6), 10**12) | st.floats(allow_nan=False), unit=st.sampled_from(["a", "mo", "wk", "d"]))
def test_any_age_is_an_onset_or_passed_over(birth: str, value: float, unit: str) -> None:
    pain = condition(LOW_BACK_PAIN, onsetAge={"value": value, "code": unit})
    found = assessment(condition(BREAST_CANCER), pain, patient(birth=birth))
    assert found.outcome in (Outcome.FIRED, Outcome.NOT_APPLICABLE)
