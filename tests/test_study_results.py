"""What the card quotes of studies that were done since the pain began (decisions 5.11, 5.12 and 5.13)."""

from __future__ import annotations

from typing import Any

import pytest

from cds_service.advice.markdown import LONGEST_PASSAGE, passage
from cds_service.clinical.rules.assessment import Outcome
from cds_service.decision.explanation import explain
from tests.builders import (
    BREAST_CANCER,
    BREAST_CANCER_HISTORY,
    LOW_BACK_PAIN,
    Json,
    assessed,
    assessment,
    condition,
    day,
    decision,
    name_of,
    only_card,
    study,
)

CANCER = condition(BREAST_CANCER, onset=day(3000))
PAIN = condition(LOW_BACK_PAIN, onset=day(10))
LUMBAR, THORACIC, CERVICAL, WHOLE = "loinc 24967-2", "loinc 24981-3", "loinc 24937-5", "loinc 30855-1"
BONE_SCAN, CT, BRAIN = "loinc 39818-0", "loinc 72254-6", "loinc 24590-2"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def report(*codes: str, when: str = day(3), conclusion: object = "No fracture.", **elements: Any) -> Json:
    """A report of a study, the MRI of the lumbar spine by default."""
    made = study("DiagnosticReport", *(codes or (LUMBAR,)), when=when, **elements)
    return made if conclusion is None else made | {"conclusion": conclusion}


def detail(*resources: Json) -> str:
    return str(only_card(decision(CANCER, PAIN, *resources))["detail"])


def lines_of_results(*resources: Json) -> list[str]:
    """The lines of the section of results."""
    sections = [section for section in detail(*resources).split("\n\n") if section.startswith("**Recent imaging")]
    return sections[0].splitlines()[1:] if sections else []


def labelled(*labels: Json) -> Json:
    return report(conclusion="Lesion of L2.") | {"meta": {"security": list(labels)}}


# Decision 5.11.
def test_a_study_is_quoted_by_name_date_status_and_conclusion() -> None:
    (line,) = lines_of_results(report(conclusion="Lesion of L3, suspicious."))
    assert line == f"- MR Lumbar spine WO and W contrast IV, {day(3)}, final: `Lesion of L3, suspicious.`"


@pytest.mark.parametrize("codes", [(CT,), (BONE_SCAN,), (THORACIC,), (CERVICAL,)])
def test_studies_for_staging_and_of_other_parts_of_the_spine_are_quoted_too(codes: tuple[str, ...]) -> None:
    (line,) = lines_of_results(report(*codes, conclusion="Nothing suspicious."))
    assert line.endswith(", final: `Nothing suspicious.`")


def test_a_study_from_before_the_pain_and_one_of_another_organ_are_not_quoted() -> None:
    assert not lines_of_results(report(when=day(40)), report(BRAIN))


def test_a_preliminary_report_is_a_study_done_and_marked() -> None:
    found = assessed(CANCER, PAIN, report(status="preliminary"))
    assert found.studies == ("bone-scan-whole-body", "ct-chest-abdomen-pelvis")
    assert "**preliminary**: `No fracture.`" in detail(report(status="preliminary"))


def test_after_the_mri_staging_is_offered_if_it_shows_or_suggests_metastasis_and_for_information() -> None:
    card = only_card(decision(CANCER, PAIN, report(conclusion="Lesion of L3.")))
    assert card["indicator"] == "info"
    assert "if the MRI shows or suggests metastasis" in card["detail"]
    assert "if it shows or suggests metastasis" in card["summary"]


@pytest.mark.parametrize(
    "conclusion", ["Lesion of L3.", "Spine is clear.", "Cord compression, cauda equina syndrome.", None]
)
def test_no_word_of_a_conclusion_changes_what_is_decided(conclusion: str | None) -> None:
    said = "Low back pain for years. Breast cancer. Bone metastases. " + (conclusion or "")
    plain, told = (
        assessment(CANCER, PAIN, report(conclusion=words, conclusionCode=[{"text": words or "none"}]))
        for words in (None, said)
    )
    assert (told.studies, told.indicator, told.flags, told.cautions) == (
        plain.studies,
        plain.indicator,
        plain.flags,
        plain.cautions,
    )
    alone = assessment(condition(BREAST_CANCER_HISTORY), report(conclusion=said, conclusionCode=[{"text": said}]))
    assert alone.outcome is Outcome.NOT_APPLICABLE


def test_a_conclusion_of_four_hundred_characters_is_quoted_whole() -> None:
    text = "x" * (LONGEST_PASSAGE - 4) + " end"
    assert passage(text, "(shortened)") == f"`{text}`"


def test_a_longer_conclusion_ends_with_a_sentence_and_says_so() -> None:
    told = passage("First finding. " + "Second finding vs. third. " * 30, "(shortened, read the report)")
    assert told.startswith("`First finding. Second") and told.endswith("third.` (shortened, read the report)")
    assert len(told) <= LONGEST_PASSAGE + 40


def test_the_number_of_a_list_ends_no_sentence() -> None:
    told = passage("1. Degenerative change. " + "2. " + "y" * 500, "(shortened)")
    assert told == "`1. Degenerative change.` (shortened)"


def test_a_conclusion_of_one_endless_sentence_is_cut_at_a_word() -> None:
    told = passage("word " * 200, "(shortened)")
    assert told.endswith("word…` (shortened)")


MARKUP = [
    "**bold** _it_ # no heading",
    "<b>See</b> <img src=x onerror=alert(1)> <script>",
    "[the images](https://pacs.example.org/1) ![x](http://a.example.org/x.png)",
    "``` `code` ` \\` end",
    "line\none\r\n- two\n\n# three\u2028four",
    "\u202eright to left\x00\x1b[31m",
    "<https://a.example.org> www.example.org mailto:x@example.org",
]


@pytest.mark.parametrize("text", MARKUP)
def test_no_conclusion_becomes_markup_a_link_or_an_image(text: str) -> None:
    told = passage(text)
    inner = told[1:-1]
    assert told[0] == told[-1] == "`"
    assert not set("`<>[]\\\n\r\u2028\x00\x1b\u202e") & set(inner)
    assert "](" not in inner and "://" not in inner


def test_quotes_take_no_room_from_the_rest_of_the_card() -> None:
    long = "A sentence of the report. " * 15
    without, quoted = detail(report(conclusion=None)), detail(report(conclusion=long))
    assert quoted.count("\n") == without.count("\n")
    assert set(without.splitlines()) - set(quoted.splitlines()) == {
        f"- MR Lumbar spine WO and W contrast IV, {day(3)}, final: read the report."
    }


def test_without_a_conclusion_its_codes_are_quoted_in_their_words() -> None:
    codes = [
        {"coding": [{"code": "1", "display": "Degenerative disc"}]},
        {"text": "Old fracture"},
        {"coding": [{"code": "2"}]},
    ]
    (line,) = lines_of_results(report(conclusion=None, conclusionCode=codes))
    assert line.endswith(", final, coded: `Degenerative disc` and `Old fracture`")


@pytest.mark.parametrize("conclusion", [None, "", "  \n", "--", ["Lesion."], {"text": "Lesion."}, 7])
def test_without_a_readable_conclusion_the_reader_is_sent_to_the_report(conclusion: object) -> None:
    (line,) = lines_of_results(report(conclusion=conclusion))
    assert line.endswith(", final: read the report.")


@pytest.mark.parametrize("code", ["broken", 3, [None], [{"coding": "x"}]])
def test_a_coded_conclusion_that_cannot_be_read_costs_nothing(code: object) -> None:
    told = only_card(decision(CANCER, PAIN, report(conclusion=None, conclusionCode=code)))["detail"]
    assert "final: read the report." in told and "nreadable" not in told


# Decision 5.12.
@pytest.mark.parametrize(
    "label",
    [
        {"system": CONFIDENTIALITY, "code": "R"},
        {"system": CONFIDENTIALITY, "code": "V"},
        {"system": "urn:oid:2.16.840.1.113883.5.25", "code": "r"},
        {"code": "R"},
        {"system": "https://ehr.example.org/labels", "code": "x", "display": "Very restricted"},
        {"code": "restricted"},
        {"system": ACT_CODE, "code": "any label of sensitivity"},
    ],
)
def test_of_a_restricted_report_only_name_and_date_are_said(label: Json) -> None:
    assert lines_of_results(labelled(label)) == [f"- MR Lumbar spine WO and W contrast IV, {day(3)}"]
    assert "L2" not in detail(labelled(label))


@pytest.mark.parametrize(
    "label",
    [
        {"system": CONFIDENTIALITY, "code": "N", "display": "normal"},
        {"system": CONFIDENTIALITY, "code": "U", "display": "unrestricted"},
        {"system": "http://terminology.hl7.org/CodeSystem/v3-ActReason", "code": "HTEST"},
        {"display": "not restricted"},
        {},
    ],
)
def test_a_label_that_restricts_nothing_hides_nothing(label: Json) -> None:
    assert "`Lesion of L2.`" in detail(labelled(label))


@pytest.mark.parametrize("meta", [{"security": "R"}, {"security": {"code": "V"}}])
def test_a_label_in_an_odd_form_is_a_label(meta: Json) -> None:
    assert "L2" not in detail(report(conclusion="Lesion of L2.") | {"meta": meta})


def test_nothing_of_a_restricted_report_is_even_read() -> None:
    (result,) = assessed(CANCER, PAIN, labelled({"code": "R"})).results
    assert result.record.conclusion.text == "" and result.record.conclusion.codes == ()


# Decision 5.13.
def test_the_newest_report_of_each_kind_is_quoted() -> None:
    told = lines_of_results(
        report(when=day(6), conclusion="Older."), report(when=day(2), conclusion="Newer."), report(CT, conclusion="CT.")
    )
    assert [line.rpartition(": ")[2] for line in told] == ["`Newer.`", "`CT.`"]


def test_of_two_reports_of_one_day_the_final_one_is_quoted() -> None:
    told = detail(report(conclusion="First look.", status="preliminary"), report(conclusion="Last word."))
    assert "Last word." in told and "First look." not in told


@pytest.mark.parametrize("kind", ["ImagingStudy", "Procedure"])
def test_images_and_procedure_of_a_reported_study_are_not_named_again(kind: str) -> None:
    assert len(lines_of_results(report(), study(kind, LUMBAR, when=day(3)))) == 1


def test_images_that_a_report_names_are_its_own_whatever_their_code_says() -> None:
    images = study("ImagingStudy", WHOLE, when=day(6))
    told = report() | {"imagingStudy": [{"reference": name_of(images)}]}
    assert len(lines_of_results(told, images)) == 1


def test_a_study_without_a_report_is_named_and_the_reader_sent_to_it() -> None:
    (line,) = lines_of_results(study("Procedure", LUMBAR, when=day(3)))
    assert line.endswith(f"{day(3)}, done: read the report.")


def test_a_study_known_by_a_bare_billing_code_has_the_name_of_its_order() -> None:
    (line,) = lines_of_results(report("cpt 72157"))
    assert line.startswith("- MRI thoracic spine, ")


def test_a_study_older_than_a_new_sign_is_quoted_beside_the_new_mri() -> None:
    sign = condition("snomed 309774006", recorded=day(0))
    card = only_card(decision(CANCER, PAIN, sign, report(WHOLE, conclusion="No compression.")))
    assert card["indicator"] == "critical" and "`No compression.`" in card["detail"]


def test_explain_and_the_record_of_a_decision_hold_no_word_of_a_conclusion() -> None:
    made = decision(CANCER, PAIN, report(conclusion="Zq7351Zq of L3."))
    assert "Zq7351Zq" not in explain(made)
    assert "Zq7351Zq" not in repr(made)
