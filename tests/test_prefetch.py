"""What one prefetch value says about the chart: known, known to be empty, or unknown. Unknown never reads as "no"."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.chart.build import build_chart
from cds_service.chart.records import Condition, Gap, PrefetchResult

Json = dict[str, Any]

PATIENT = "pt-1"
BREAST_CANCER = {
    "system": "http://hl7.org/fhir/sid/icd-10-cm",
    "code": "C50.911",
    "display": "Malignant neoplasm of unspecified site of right female breast",
}

# Stands for words of the chart, which no explanation of a problem may repeat.
MARKER = "Marker-7351"

# Values that no FHIR element has, as interfaces send them all the same.
JUNK: list[object] = [
    0, 1.5, True, "", "x", [], {}, [[]], [None], ["x"], [{}], [{"a": 1}], {"coding": 1}, {"text": []},
]  # fmt: skip


def cancer(**elements: object) -> Json:
    """A Condition that says breast cancer."""
    resource: Json = {
        "resourceType": "Condition",
        "id": "c-1",
        "code": {"coding": [dict(BREAST_CANCER)]},
        "subject": {"reference": f"Patient/{PATIENT}"},
    }
    return resource | elements


def outcome(*severities: str) -> Json:
    issue = [{"severity": severity, "code": "processing"} for severity in severities]
    return {"resourceType": "OperationOutcome", "issue": issue}


def bundle(*resources: object, **members: object) -> Json:
    entries = [{"resource": item} for item in resources]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries} | members


def conditions(prefetch: Json) -> PrefetchResult[Condition]:
    return build_chart(PATIENT, prefetch).conditions


def condition(**elements: object) -> Condition:
    """The record that is read of one Condition."""
    return conditions({"conditions": bundle(cancer(**elements))}).items[0]


# --- What was received, and what that means

OF_ANOTHER = cancer(id="c-2", subject={"reference": "Patient/pt-2"})
OBSERVATION = {"resourceType": "Observation", "id": "o-1", "subject": {"reference": f"Patient/{PATIENT}"}}
NEXT = {"relation": "next", "url": "https://ehr.example.org/fhir?page=2"}

# What came, how many conditions were found, and why they may not be all (None: they are all).
MATRIX: list[tuple[str, Json, int, Gap | None]] = [
    ("the key is absent", {}, 0, Gap.NOT_SUPPLIED),
    ("null", {"conditions": None}, 0, None),
    ("a Bundle without entries", {"conditions": {"resourceType": "Bundle", "total": 0}}, 0, None),
    ("a Bundle with an empty list", {"conditions": bundle(total=0)}, 0, None),
    ("a Bundle with entries null", {"conditions": bundle(entry=None)}, 0, None),
    ("a Bundle", {"conditions": bundle(cancer())}, 1, None),
    ("a Bundle with a link to itself", {"conditions": bundle(cancer(), link=[{"relation": "self"}])}, 1, None),
    ("nothing found, with a warning", {"conditions": bundle(outcome("warning"), total=0)}, 0, None),
    ("an information beside the data", {"conditions": bundle(outcome("information"), cancer())}, 1, None),
    ("an error instead", {"conditions": outcome("error")}, 0, Gap.SOURCE_ERROR),
    ("a fatal error instead", {"conditions": outcome("fatal")}, 0, Gap.SOURCE_ERROR),
    ("a warning and an error instead", {"conditions": outcome("warning", "error")}, 0, Gap.SOURCE_ERROR),
    ("an outcome that says nothing", {"conditions": outcome()}, 0, Gap.SOURCE_ERROR),
    ("an error as the only entry", {"conditions": bundle(outcome("error"))}, 0, Gap.SOURCE_ERROR),
    ("an error beside the data", {"conditions": bundle(cancer(), outcome("error"))}, 1, Gap.SOURCE_ERROR),
    ("the first page", {"conditions": bundle(cancer(), link=[NEXT])}, 1, Gap.FIRST_PAGE_ONLY),
    ("an empty first page", {"conditions": bundle(link=[NEXT])}, 0, Gap.FIRST_PAGE_ONLY),
    ("the first page, its link no list", {"conditions": bundle(cancer(), link=NEXT)}, 1, Gap.FIRST_PAGE_ONLY),
    ("an error page", {"conditions": "<html>Bad gateway</html>"}, 0, Gap.NOT_FHIR),
    ("a bare list", {"conditions": [cancer()]}, 0, Gap.NOT_FHIR),
    ("a number", {"conditions": 0}, 0, Gap.NOT_FHIR),
    ("false", {"conditions": False}, 0, Gap.NOT_FHIR),
    ("an object without type", {"conditions": {}}, 0, Gap.NOT_FHIR),
    ("an object whose type is no text", {"conditions": {"resourceType": 1}}, 0, Gap.NOT_FHIR),
    ("entries that are no list", {"conditions": bundle(entry="x")}, 0, Gap.NOT_FHIR),
    ("one resource", {"conditions": cancer()}, 1, None),
    ("one resource of another type", {"conditions": OBSERVATION}, 0, Gap.NOT_FHIR),
    ("a Bundle of another type only", {"conditions": bundle(OBSERVATION)}, 0, Gap.NOT_FHIR),
    ("another type beside the data", {"conditions": bundle(cancer(), OBSERVATION)}, 1, None),
    ("another patient only", {"conditions": bundle(OF_ANOTHER)}, 0, Gap.OTHER_PATIENT),
    ("another patient beside the data", {"conditions": bundle(OF_ANOTHER, cancer())}, 1, None),
    ("a first page in capitals", {"conditions": bundle(link=[NEXT | {"relation": "Next"}])}, 0, Gap.FIRST_PAGE_ONLY),
    ("a total as text", {"conditions": bundle(total="5")}, 0, Gap.FIRST_PAGE_ONLY),
    ("a total with a zero before it", {"conditions": bundle(total="05")}, 0, Gap.FIRST_PAGE_ONLY),
    ("a total with a decimal point", {"conditions": bundle(total=5.0)}, 0, Gap.FIRST_PAGE_ONLY),
    ("a total as text that is reached", {"conditions": bundle(cancer(), total="1")}, 1, None),
    ("an empty total", {"conditions": bundle(cancer(), total="")}, 1, None),
    ("a total in words", {"conditions": bundle(total="five")}, 0, Gap.UNREADABLE),
    ("a total that is a boolean", {"conditions": bundle(total=True)}, 0, Gap.UNREADABLE),
    ("a total below zero", {"conditions": bundle(total=-1)}, 0, Gap.UNREADABLE),
    ("a total that is a list", {"conditions": bundle(total=[5])}, 0, Gap.UNREADABLE),
    ("a total beyond all numbers", {"conditions": bundle(total="1e999")}, 0, Gap.UNREADABLE),
    ("issues of an error", {"conditions": bundle(issues=outcome("error"))}, 0, Gap.SOURCE_ERROR),
    ("issues of an information", {"conditions": bundle(issues=outcome("information"))}, 0, None),
    ("issues that say nothing", {"conditions": bundle(issues=[])}, 0, Gap.SOURCE_ERROR),
    ("a label: subsetted", {"conditions": bundle(meta={"security": [{"code": "SUBSETTED"}]})}, 0, Gap.LEFT_OUT),
    ("a label: redacted", {"conditions": bundle(meta={"security": {"code": "redacted"}})}, 0, Gap.LEFT_OUT),
    ("a tag: subsetted", {"conditions": bundle(meta={"tag": [{"code": "SUBSETTED"}]})}, 0, Gap.LEFT_OUT),
    ("another label", {"conditions": bundle(meta={"security": [{"code": "R"}], "tag": "x"})}, 0, None),
    ("an entry without resource", {"conditions": bundle(cancer(), entry=[{}])}, 0, Gap.UNREADABLE),
]


# Decision 6.1.
@pytest.mark.parametrize(("prefetch", "count", "gap"), [row[1:] for row in MATRIX], ids=[row[0] for row in MATRIX])
def test_each_prefetch_value_means_what_the_decision_matrix_says(prefetch: Json, count: int, gap: Gap | None) -> None:
    result = conditions(prefetch)
    assert (len(result.items), result.gap) == (count, gap)


def test_one_entry_in_place_of_the_list_is_read_or_unknown_but_never_an_empty_chart() -> None:
    result = conditions({"conditions": bundle(entry={"resource": cancer()})})
    assert result.items or not result.complete


# --- Types in other spellings, and Bundles in a Bundle


@pytest.mark.parametrize("written", ["condition", "CONDITION", "Condition ", " Condition\n"], ids=repr)
def test_a_resource_type_is_read_whatever_its_case_and_blanks(written: str) -> None:
    second = cancer(id="c-2", resourceType=written)
    for value in (bundle(cancer(), second), bundle(second, cancer())):
        result = conditions({"conditions": value})
        assert ({item.reference for item in result.items}, result.gap) == ({"Condition/c-1", "Condition/c-2"}, None)
    assert len(conditions({"conditions": second}).items) == 1


# Decision 6.5.
@pytest.mark.parametrize("written", ["Problem", "", " ", "Conditions", "http://hl7.org/fhir/Condition"], ids=repr)
def test_an_entry_of_a_type_that_fhir_does_not_know_leaves_a_gap(written: str) -> None:
    result = conditions({"conditions": bundle(cancer(resourceType=written), cancer())})
    assert (len(result.items), result.gap) == (1, Gap.UNREADABLE)
    assert [unread.where for unread in result.unread] == ["conditions.entry[0]"]


@pytest.mark.parametrize("kind", ["searchset", "collection", "batch-response"])
def test_bundles_in_a_bundle_are_unfolded(kind: str) -> None:
    inner = bundle(cancer(id="c-2"))
    for value in (bundle(inner, cancer(), type=kind), bundle(bundle(inner), cancer(), type=kind)):
        result = conditions({"conditions": value})
        assert ({item.reference for item in result.items}, result.gap) == ({"Condition/c-1", "Condition/c-2"}, None)


@pytest.mark.parametrize(
    ("inner", "gap"),
    [
        (bundle(link=[NEXT]), Gap.FIRST_PAGE_ONLY),
        (bundle("x"), Gap.UNREADABLE),
        (bundle(outcome("error")), Gap.SOURCE_ERROR),
        (outcome("information"), Gap.LEFT_OUT),
    ],
    ids=["a page", "an unreadable entry", "an error", "a remark in place of a search result"],
)
def test_what_a_bundle_in_a_batch_leaves_open_stays_open(inner: Json, gap: Gap) -> None:
    result = conditions({"conditions": bundle(inner, cancer(), type="batch-response")})
    assert (len(result.items), result.gap) == (1, gap)


def test_bundles_that_are_nested_too_deep_leave_a_gap() -> None:
    value = bundle(cancer())
    for _ in range(300):
        value = bundle(value)
    assert conditions({"conditions": value}).gap is Gap.UNREADABLE


# --- Entries that cannot be read


# Decision 6.5.
@pytest.mark.parametrize(
    "entry",
    [None, "x", 1, [], {}, {"resource": None}, {"resource": "x"}, {"resource": {}}, {"resource": {"resourceType": 1}}],
    ids=repr,
)
def test_an_unreadable_entry_is_named_and_the_others_still_count(entry: object) -> None:
    result = conditions({"conditions": bundle(entry=[entry, {"resource": cancer()}])})
    assert [item.reference for item in result.items] == ["Condition/c-1"]
    assert [unread.where for unread in result.unread] == ["conditions.entry[0]"]
    assert result.gap is Gap.UNREADABLE


def test_every_unreadable_entry_is_counted() -> None:
    result = conditions({"conditions": bundle(entry=[None, {"resource": cancer()}, "x", {}])})
    assert [unread.where for unread in result.unread] == [f"conditions.entry[{place}]" for place in (0, 2, 3)]


def test_a_refused_resource_of_another_patient_is_named() -> None:
    result = conditions({"conditions": bundle(OF_ANOTHER, cancer())})
    named = [(unread.where, unread.why) for unread in result.unread]
    assert named == [("Condition/c-2", "refused: not about this patient")]


@pytest.mark.parametrize(
    ("element", "value"),
    [
        ("onsetDateTime", MARKER),
        ("onsetDateTime", {MARKER: 1}),
        ("onsetDateTime", "2026-13-01"),
        ("recordedDate", 20261117),
        ("onsetString", [MARKER]),
        ("bodySite", MARKER),
        ("encounter", MARKER),
        ("clinicalStatus", 1),
        ("abatementPeriod", MARKER),
    ],
    ids=repr,
)
def test_an_unreadable_element_is_named_without_its_content(element: str, value: object) -> None:
    unread = conditions({"conditions": bundle(cancer(**{element: value}))}).unread
    assert [place.where.split(".")[1] for place in unread] == [element]
    assert MARKER not in str(unread)


# --- A stray element never hides a diagnosis


@pytest.mark.parametrize("junk", JUNK, ids=repr)
@pytest.mark.parametrize(
    "element",
    [
        "onsetDateTime", "onsetPeriod", "onsetAge", "onsetRange", "onsetString", "recordedDate", "encounter",
        "bodySite", "category", "severity", "note", "stage", "evidence", "meta", "contained", "identifier",
        "clinicalStatus", "verificationStatus", "id", "extension", "unknown",
    ],
)  # fmt: skip
def test_a_stray_element_never_hides_a_diagnosis(element: str, junk: object) -> None:
    assert [coding.code for coding in condition(**{element: junk}).concept.codings] == ["C50.911"]


@pytest.mark.parametrize("junk", [None, *JUNK], ids=repr)
def test_a_stray_coding_never_hides_the_one_beside_it(junk: object) -> None:
    codings = condition(code={"coding": [junk, BREAST_CANCER], "text": None}).concept.codings
    assert "C50.911" in [coding.code for coding in codings]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_a_stray_text_never_hides_the_coding_beside_it(junk: object) -> None:
    assert [coding.code for coding in condition(code={"coding": [BREAST_CANCER], "text": junk}).concept.codings] == [
        "C50.911"
    ]


# Decision 6.5.
@pytest.mark.parametrize(
    "code",
    [
        {"coding": [{"system": "http://snomed.info/sct", "code": 254837009}]},
        {"coding": [{"system": "http://snomed.info/sct", "code": ["254837009"]}]},
        {"coding": "C50.911"},
        {"coding": ["C50.911"]},
        {"coding": 1},
        {"text": ["breast cancer"]},
        7,
        [],
        ["C50.911"],
    ],
    ids=repr,
)
def test_where_a_code_cannot_be_read_nobody_says_that_the_diagnosis_is_absent(code: object) -> None:
    result = conditions({"conditions": bundle(cancer(code=code))})
    assert result.gap is Gap.UNREADABLE


@pytest.mark.parametrize(
    "coding",
    [
        {"display": "Malignant neoplasm of left breast"},
        {"system": BREAST_CANCER["system"], "display": "Malignant neoplasm of left breast"},
        {"code": None, "display": "Malignant neoplasm of left breast"},
    ],
    ids=repr,
)
def test_a_coding_without_a_code_keeps_its_words(coding: Json) -> None:
    concept = condition(code={"coding": [coding]}).concept
    assert "Malignant neoplasm of left breast" in [concept.text, *(item.display for item in concept.codings)]


# --- Whose data it is


# Decision 6.4.
@pytest.mark.parametrize("subject", [None, "Patient/pt-1", {}, {"display": "pt-1"}, [], 1], ids=repr)
def test_a_resource_that_names_no_patient_is_refused_and_unknown(subject: object) -> None:
    result = conditions({"conditions": bundle(cancer(subject=subject))})
    assert (result.items, result.complete) == ((), False)


def test_the_patient_must_have_the_id_of_the_call() -> None:
    chart = build_chart(PATIENT, {"patient": {"resourceType": "Patient", "id": "pt-2"}})
    assert (chart.patient.items, chart.patient.gap) == ((), Gap.OTHER_PATIENT)


# --- The spellings of older FHIR versions, and one value where a list belongs


def test_statuses_may_be_bare_strings_as_in_older_fhir() -> None:
    record = condition(clinicalStatus="resolved", verificationStatus="entered-in-error")
    assert (record.clinical_status, record.verification_status) == ("resolved", "entered-in-error")


@pytest.mark.parametrize(
    "status", ["refuted", "Refuted", " refuted ", {"text": "Refuted"}, {"coding": [{"code": "REFUTED"}]}], ids=repr
)
def test_a_status_reads_the_same_in_every_spelling(status: object) -> None:
    assert condition(verificationStatus=status).verification_status == "refuted"


@pytest.mark.parametrize("element", ["recordedDate", "assertedDate", "dateRecorded"])
def test_the_day_of_recording_is_read_under_each_of_its_names(element: str) -> None:
    assert str(condition(**{element: "2026-11-17"}).recorded) == "2026-11-17"


@pytest.mark.parametrize("element", ["encounter", "context"])
def test_the_visit_is_read_under_each_of_its_names(element: str) -> None:
    reference = {"reference": "https://ehr.example.org/fhir/Encounter/e-1"}
    assert condition(**{element: reference}).encounter == "Encounter/e-1"


def test_the_subject_may_stand_under_its_older_name() -> None:
    resource = cancer(patient={"reference": f"Patient/{PATIENT}"})
    del resource["subject"]
    assert len(conditions({"conditions": bundle(resource)}).items) == 1


@pytest.mark.parametrize(
    "elements",
    [
        {"code": {"coding": BREAST_CANCER}},
        {"code": [{"coding": [BREAST_CANCER]}]},
        {"subject": [{"reference": "Patient/pt-1"}]},
    ],
    ids=["a coding", "a list of codes", "a list of subjects"],
)
def test_one_value_for_a_list_or_a_list_for_one_value_still_tells(elements: Json) -> None:
    assert [coding.code for coding in condition(**elements).concept.codings] == ["C50.911"]


def test_one_body_site_and_one_note_count_without_their_lists() -> None:
    record = condition(bodySite={"text": "Back"}, note={"text": "worse since May"})
    assert (record.sites[0].text, record.note) == ("Back", "worse since May")


def test_a_merge_link_counts_without_its_list() -> None:
    patient = {"resourceType": "Patient", "id": PATIENT, "link": {"type": "replaced-by"}}
    assert build_chart(PATIENT, {"patient": patient}).patient.items[0].replaced
