"""The evidence page: everything of `cards/` that a committee asks for; and how this and the other pages are made."""

from __future__ import annotations

import itertools
import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.rule import BreastCancerBackPain
from cds_service.content.caution_model import Caution
from cds_service.content.error import ContentError
from cds_service.content.evidence_base import EvidenceBase, ModalityAccuracy, Proportion
from cds_service.content.model import Content, EvidenceStatement, OverrideReason
from cds_service.plots.svg import PLOT_STYLE
from cds_service.web.codes_page import codes_html
from cds_service.web.evidence_page import SOURCE_ATTRIBUTES, caution_effect, evidence_html, front_html, reason_effect
from cds_service.web.pages import STATIC_FOLDER, capital
from tests.builders import BREAST_CANCER, LOW_BACK_PAIN, SERVICES, assessment, condition, day, draft, rule
from tests.html_reading import Reading, plain

CONTENT = load_content()
RULE = rule()

SOURCES = {
    "front": front_html(RULE),
    "evidence": evidence_html(RULE),
    "codes": codes_html(CONTENT),
}
PAGES = {name: Reading(html) for name, html in SOURCES.items()}
FRONT, EVIDENCE = PAGES["front"], PAGES["evidence"]


def page_of(content: Content, **choices: object) -> Reading:
    """The page with this content, where a site made these choices."""
    return Reading(evidence_html(BreastCancerBackPain(content, RuleOptions.of(content, choices))))


# --- What it says


@pytest.mark.parametrize("statement", CONTENT.evidence, ids=lambda item: item.id)
def test_every_statement_stands_with_who_says_so_its_grade_and_its_source(statement: EvidenceStatement) -> None:
    cells = EVIDENCE.row(statement.text)
    graded = [statement.by, statement.grade or "None stated"] if statement.by else []
    assert cells[1:] == [*graded, statement.source]
    assert not statement.url or statement.url in EVIDENCE.attributes("href")


@pytest.mark.parametrize("modality", CONTENT.evidence_base.accuracy.modalities, ids=lambda item: item.name)
def test_the_figures_of_every_study_stand_in_picture_and_table(modality: ModalityAccuracy) -> None:
    sensitivity, specificity = f"{modality.sensitivity.percent:.1f}", f"{modality.specificity.percent:.1f}"
    assert EVIDENCE.row(modality.name) == [modality.name, sensitivity, specificity]
    assert f"{modality.name}: Sensitivity {sensitivity} %, Specificity {specificity} %" in EVIDENCE.text


# Decision 7.7.
def test_the_figures_are_of_one_named_analysis_and_the_page_says_of_whom() -> None:
    accuracy = CONTENT.evidence_base.accuracy
    assert plain(accuracy.population) in EVIDENCE.text
    assert plain(accuracy.note) in EVIDENCE.text
    assert f"Source, of all figures here: {accuracy.source}" in EVIDENCE.text


def test_the_statement_on_the_card_has_the_figures_of_the_picture() -> None:
    on_card = next(item for item in CONTENT.evidence if item.id == "modality-accuracy")
    figures = {item.name: item for item in CONTENT.evidence_base.accuracy.modalities}
    mri, scan = figures["MRI"], figures["Bone scan"]
    shown = [item.percent for item in (mri.sensitivity, mri.specificity, scan.sensitivity, scan.specificity)]
    assert [float(number) for number in re.findall(r"\d+\.\d", on_card.text)] == shown


def test_an_interval_is_drawn_only_where_the_source_gives_one() -> None:
    mri, *others = CONTENT.evidence_base.accuracy.modalities
    known = replace(mri, sensitivity=Proportion(90.6, (85.1, 94.4)))
    accuracy = replace(CONTENT.evidence_base.accuracy, modalities=(known, *others))
    content = replace(CONTENT, evidence_base=replace(CONTENT.evidence_base, accuracy=accuracy))
    page = evidence_html(replace(RULE, content=content))
    assert "plot-range" in page
    assert "(85.1 to 94.4)" in page
    assert "plot-range" not in SOURCES["evidence"]


# Decision 7.7.
def test_every_claim_that_was_not_confirmed_stands_with_what_was_found_and_used() -> None:
    for item in CONTENT.evidence_base.unconfirmed:
        assert EVIDENCE.row(item.claim)[1:] == [item.found, item.used]


def test_where_the_question_came_from_is_one_line_at_the_end_and_no_source() -> None:
    origin = CONTENT.evidence_base.source_page
    before, found, after = EVIDENCE.text.partition(
        f"Origin of the question, and no source of any answer here: {origin}."
    )
    assert found and "Dr.Oracle" not in before
    assert plain(after).startswith("Made from the clinical content")
    assert not [item.id for item in CONTENT.evidence if "Oracle" in f"{item.by} {item.source} {item.url}"]


def test_every_source_names_the_year_that_was_read_or_is_called_not_verified() -> None:
    unknown = [item.id for item in CONTENT.evidence if not re.search(r"\b(19|20)\d\d\b|not verified", item.source)]
    assert unknown == []


# Decision 7.1.
def test_the_advice_of_nice_to_image_the_whole_spine_stands_beside_the_setting() -> None:
    said = "Beside mri_extent : NICE NG234 (2023) advises MRI of the whole spine"
    assert said in EVIDENCE.text and "whole-spine follows NICE in every case" in EVIDENCE.text
    following = page_of(CONTENT, mri_extent="whole-spine").text
    assert said in following and "This site follows it in every case." in following


def test_acr_stands_by_the_topic_of_the_region() -> None:
    sources = {item.id: item.source for item in CONTENT.evidence if item.by.startswith("American College of Radiology")}
    topics = ("Low Back Pain 2021", "Thoracic Back Pain 2024", "Management of Vertebral Compression Fractures")
    for statement, topic in zip(("mri-first", "mri-thoracic", "mri-fracture"), topics, strict=True):
        assert topic in sources[statement]
        assert topic in CONTENT.source_attributes["citation"]


# Decision 4.6.
def test_acog_is_cited_for_no_more_than_it_says() -> None:
    (said,) = [item for item in CONTENT.evidence if "ACOG" in item.by]
    assert "a study that is needed is not withheld" in said.text and "obstetrics" not in said.text
    assert "obstetrics agree is a choice of this project" in EVIDENCE.text


def test_every_limit_is_said() -> None:
    limits = CONTENT.evidence_base.limits
    for sentence in (*limits.does_not, *limits.cannot_see, *limits.not_tested):
        assert plain(sentence) in EVIDENCE.text


def test_the_questions_are_those_that_the_rule_asks_in_its_order() -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(5))
    asked = assessment(condition(BREAST_CANCER), pain, drafts=[draft("loinc 24967-2")]).criteria
    questions = CONTENT.wording["question"]
    assert [item.id for item in CONTENT.evidence_base.criteria] == [item.id for item in asked] == list(questions)
    for criterion in CONTENT.evidence_base.criteria:
        assert EVIDENCE.row(questions[criterion.id])[1:] == [criterion.met_by, criterion.not_met_by]


def test_what_the_card_says_stands_beside_what_is_found() -> None:
    for outcome in CONTENT.evidence_base.outcomes:
        assert EVIDENCE.row(outcome.found) == [outcome.found, outcome.card]


def test_every_threshold_stands_with_its_reason_and_source() -> None:
    for name, value in CONTENT.rule.thresholds.items():
        reason = CONTENT.rule.threshold_reasons[name]
        assert EVIDENCE.row(name) == [name, str(value), reason.why, reason.source]


def test_a_threshold_that_the_site_chose_is_shown_beside_that_of_the_content() -> None:
    page = page_of(CONTENT, new_window_days=60, egfr_recent_days=30)
    assert page.row("new_window_days")[1] == "60 site's choice; content: 84"
    assert page.row("clean_days")[1] == "180"
    assert "An eGFR counts for 30 days" in page.text


def test_every_choice_of_the_site_stands_with_its_value_and_meaning() -> None:
    page = page_of(CONTENT, dcis_mode="info", hospice_suppress=False, region_unspecified="spine")
    meaning = "In situ disease alone with new back pain: silence, or an info card without orders"
    assert page.row("dcis_mode") == ["dcis_mode", "info", meaning]
    assert page.row("hospice_suppress")[1] == "false"
    assert f"No region named {CONTENT.orders['mri-spine'].label} Staging" in page.text
    for field in fields(RuleOptions):
        assert EVIDENCE.row(field.name)[1] == str(getattr(RULE.options, field.name)).lower()


def test_a_site_that_reads_no_free_text_is_not_said_to_read_it() -> None:
    assert "Where there is none, free text counts" in EVIDENCE.text
    page = page_of(CONTENT, text_match=False)
    assert "Where there is none, free text counts" not in page.text
    assert "does not read free text" in page.text


def test_every_order_stands_with_its_slug_and_codes() -> None:
    for order in CONTENT.orders.values():
        codes = " ".join(f"{CONTENT.terminology.system_name(item['system'])} {item['code']}" for item in order.codings)
        row = EVIDENCE.row(order.slug)
        assert [row[0], row[1], row[2]] == [order.slug, order.label, codes]


def test_what_is_ordered_for_what_is_said_in_the_words_of_the_card() -> None:
    rule, orders = CONTENT.rule, CONTENT.orders
    assert f"Lumbar {orders['mri-lumbar-spine'].label}" in EVIDENCE.text
    staging = ", ".join(orders[slug].label for slug in rule.staging)
    assert f"Staging {staging} Brain {orders[rule.brain].label}" in EVIDENCE.text


def test_a_variant_that_was_read_in_a_summary_is_said_to_be_so_in_every_row() -> None:
    sources = [item.source for item in CONTENT.evidence if "variant 7" in item.source]
    assert len(sources) == 2 and all(source.endswith("(read in a summary)") for source in sources)


def test_a_fact_does_not_read_as_a_recommendation() -> None:
    facts = [item.text for item in CONTENT.evidence if not item.by]
    assert not [text for text in facts if re.search(r"\b(to include|should|must)\b", text)]


def test_the_source_attributes_name_no_file_that_a_reader_of_the_page_cannot_see() -> None:
    assert not [text for text in CONTENT.source_attributes.values() if ".toml" in text]


def test_the_page_says_why_failing_kidneys_change_the_contrast_though_contrast_is_not_ruled_out() -> None:
    (kidneys,) = [item for item in CONTENT.cautions.cautions if item.id == "egfr-below-30"]
    assert kidneys.without_contrast == {"MRI", "CT"} and "{contrast}" in kidneys.sentence
    assert "a group II agent is not contraindicated" in CONTENT.cautions.kidneys.contrast["without"]
    assert "decision of risk and benefit with radiology, which a service cannot take" in EVIDENCE.text


@pytest.mark.parametrize(
    ("changes", "effect"),
    [
        ({"concerns": ("MRI",)}, "Said beside the MRI."),
        ({"concerns": ("CT", "bone scan")}, "Said beside the CT and bone scan."),
        ({"concerns": ("MRI", "CT"), "without_contrast": frozenset({"CT", "MRI"})}, "MRI and CT without contrast."),
        ({"concerns": ("bone scan",), "withdraws": frozenset({"bone scan"})}, "Bone scan not proposed."),
    ],
)
def test_a_caution_says_what_it_changes(changes: dict[str, object], effect: str) -> None:
    caution = replace(Caution("x", "x", "chart", "x", ()), **changes)  # type: ignore[arg-type]
    assert caution_effect(caution) == effect


def test_every_caution_is_listed() -> None:
    for caution in CONTENT.cautions.cautions:
        assert EVIDENCE.row(capital(caution.name))[1] == caution_effect(caution)


def test_the_13_source_attributes_stand_in_the_order_of_the_regulation() -> None:
    assert list(SOURCE_ATTRIBUTES) == list(CONTENT.source_attributes)
    places = [
        EVIDENCE.text.index(f"{number}. {name} {plain(CONTENT.source_attributes[key])}")
        for number, (key, name) in enumerate(SOURCE_ATTRIBUTES.items(), start=1)
    ]
    assert places == sorted(places)
    assert len(places) == 13


def test_version_digest_owner_and_dates_are_stated() -> None:
    rule = CONTENT.rule
    for text in (rule.id, rule.version, CONTENT.version, CONTENT.digest, rule.owner, rule.released, rule.review_by):
        assert text in EVIDENCE.text


@pytest.mark.parametrize(
    ("reason", "effect"),
    [
        (OverrideReason("a", "A", "s"), ""),
        (
            OverrideReason("a", "A", "s", days=30, keeps_away=True),
            "Keeps the card away for 30 days, or until newer evidence of pain is recorded.",
        ),
        (
            OverrideReason("a", "A", "s", days=1, keeps_away=True, back_with=frozenset({"pain", "cancer"})),
            "Keeps the card away for 1 day, or until newer evidence of cancer or pain is recorded.",
        ),
        (
            OverrideReason("a", "A", "s", keeps_away=True),
            "Keeps the card away until newer evidence of pain is recorded.",
        ),
    ],
)
def test_an_override_reason_says_what_it_does(reason: OverrideReason, effect: str) -> None:
    assert reason_effect(reason) == effect


def test_every_override_reason_stands_with_its_code() -> None:
    for reason in CONTENT.override_reasons:
        row = EVIDENCE.row(reason.display)
        assert row[1] == reason.code
        assert row[3] == plain(f"{reason_effect(reason)} {reason.why_days}")


def test_the_front_page_names_every_service_with_its_hook() -> None:
    for service in SERVICES.values():
        assert f"{service.id} on {service.hook}" in FRONT.text
    assert {"/evidence", "/cds-services", "/health/ready"} <= set(FRONT.attributes("href"))


# --- How it is made


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_no_style_or_script_of_its_own_and_loads_from_here_only(name: str) -> None:
    for tag, attributes in PAGES[name].tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [key for key in attributes if key.startswith("on")]
        loaded = attributes.get("src") or (attributes.get("href") if tag == "link" else None)
        assert loaded is None or loaded.startswith("/static/") or loaded == "data:,"
        assert tag != "script" or attributes.get("src")


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_loads_is_there_and_all_is_small(name: str) -> None:
    loaded = [value for key in ("src", "href") for value in PAGES[name].attributes(key) if value.startswith("/static/")]
    assert loaded
    files = [STATIC_FOLDER / path.removeprefix("/static/") for path in loaded]
    # First paint without waiting, on a slow line, too: 300 kB in all, uncompressed. The list of all codes grows with
    # the content, and by no more: 150 bytes for each entry (a seventh of that when compressed).
    most = 150 * SOURCES[name].count("<li") if name == "codes" else 300_000
    assert len(SOURCES[name].encode()) + sum(file.stat().st_size for file in files) < most


@pytest.mark.parametrize("name", PAGES)
def test_every_id_is_there_once_and_every_link_within_the_page_leads_somewhere(name: str) -> None:
    ids = PAGES[name].attributes("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in PAGES[name].attributes("href") if href.startswith("#")} <= set(ids)
    assert set(PAGES[name].attributes("aria-labelledby")) <= set(ids) | {"accuracy-title accuracy-desc"}


@pytest.mark.parametrize("name", PAGES)
def test_headings_go_down_one_level_at_a_time(name: str) -> None:
    levels = [int(tag[1]) for tag, _ in PAGES[name].tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))


def test_text_of_the_content_is_never_markup() -> None:
    odd = "<script>alert('x')</script> & <b>"
    content = replace(
        CONTENT,
        evidence=(replace(CONTENT.evidence[0], text=odd, source=odd, url=""),),
        rule=replace(CONTENT.rule, title=odd, owner=odd),
        evidence_base=replace(CONTENT.evidence_base, source_page=odd),
    )
    changed = replace(RULE, content=content)
    for html in (evidence_html(changed), codes_html(content), front_html(changed)):
        assert "<script>alert" not in html
        assert plain(odd) in Reading(html).text


def test_the_stylesheet_of_the_plots_is_that_of_the_plots() -> None:
    _, _, style = (STATIC_FOLDER / "plots.css").read_text("utf-8").partition("*/\n")
    assert style == PLOT_STYLE


@pytest.mark.parametrize(("text", "begun"), [("bone scan", "Bone scan"), ("eGFR 30-44", "eGFR 30-44"), ("", "")])
def test_a_sentence_begins_with_a_capital_unless_its_first_word_has_one(text: str, begun: str) -> None:
    assert capital(text) == begun


# --- Its data, checked at the start


def evidence_base_with(content_copy: Path, old: str, new: str) -> EvidenceBase:
    """The evidence base after a change of `evidence.toml`; what is changed must be there."""
    path = content_copy / "breast_cancer_back_pain/evidence.toml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return load_content(content_copy).evidence_base


@pytest.mark.parametrize("bounds", ["[90.6, 90.6]", "[90.0, 91]", "[0, 100]"])
def test_a_figure_within_its_interval_is_taken(content_copy: Path, bounds: str) -> None:
    interval = f"sensitivity = 90.6\nsensitivity_interval = {bounds}"
    mri, *_ = evidence_base_with(content_copy, "sensitivity = 90.6", interval).accuracy.modalities
    assert mri.sensitivity.percent == 90.6
    assert mri.sensitivity.interval is not None
    assert mri.specificity.interval is None


@pytest.mark.parametrize(
    ("old", "new", "field", "problem"),
    [
        ("sensitivity = 90.6", "sensitivity = 90.6\nsensitivity_interval = [90.7, 95]", "accuracy", "MRI"),
        ("sensitivity = 90.6", "sensitivity = 90.6\nsensitivity_interval = [80, 90.5]", "accuracy", "outside"),
        ("sensitivity = 90.6", "sensitivity = 90.6\nsensitivity_interval = [80]", "sensitivity_interval", "short"),
        ("sensitivity = 90.6", "sensitivity = 100.1", "accuracy.modality.0.sensitivity", "100"),
        ("sensitivity = 90.6", "sensitivity = -0.1", "accuracy.modality.0.sensitivity", "0"),
        ("specificity = 95.4\n", "", "accuracy.modality.0", "'specificity'"),
        ('by = "NICE, UK"\n', "", "statement", "'by'"),
        ('url = "https://www.nice', 'url = "http://www.nice', "url", "does not match"),
        ("\n[limits]\n", "\n[limit]\n", "", "'limits'"),
        ("used = ", "use = ", "unconfirmed.0", "'used'"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_file_and_field(content_copy: Path, old: str, new: str, field: str, problem: str) -> None:
    with pytest.raises(ContentError, match=re.escape(problem)) as raised:
        evidence_base_with(content_copy, old, new)
    assert raised.value.file == "breast_cancer_back_pain/evidence.toml"
    assert field in raised.value.field
