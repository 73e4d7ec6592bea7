"""The timeline of the workbench: what of a chart it shows, what counts, and how it is drawn."""

from __future__ import annotations

import itertools
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import pytest

from cds_service.chart.span import Span
from cds_service.clinical.rules.timeline import Entry, Row, Timeline, Window
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import DecisionSupport
from cds_service.settings import make_settings
from cds_service.workbench.picture import picture
from cds_service.workbench.scale import TimeScale
from cds_service.workbench.why import explained
from tests.builders import (
    BREAST_CANCER,
    IN_SITU,
    LOW_BACK_PAIN,
    NOW,
    SERVICES,
    condition,
    day,
    draft,
    observation,
    patient,
    request,
    study,
    supplied,
)
from tests.workbench import workbench_app

Json = dict[str, Any]

TODAY = NOW.date()
CANCER = condition(BREAST_CANCER, onset="2014")
LUMBAR_MRI = "loinc 24967-2"
URINARY_RETENTION = "icd10cm R33.9"


def drawn(*resources: Json, hook: str = "patient-view", drafts: tuple[Json, ...] = (), **settings: Any) -> Timeline:
    """The timeline of a chart with these resources."""
    selections = [f"{item['resourceType']}/{item['id']}" for item in drafts[:1]] if hook == "order-select" else None
    without = settings.pop("without", ())
    call = request(hook, supplied(patient(), *resources, without=without), drafts, selections)
    service = next(item for item in SERVICES.values() if item.hook == hook)
    return explained(DecisionSupport(make_settings(settings)), HookCall(service, NOW), call).timeline


def row(timeline: Timeline, title: str) -> Row:
    return next(item for item in timeline.rows if item.title == title)


def only(timeline: Timeline, title: str) -> Entry:
    (entry,) = row(timeline, title).entries
    return entry


def made(*entries: Entry) -> Timeline:
    """A timeline of one row."""
    new = Window("new", TODAY - timedelta(days=84), TODAY)
    clean = Window("clean", TODAY - timedelta(days=264), TODAY - timedelta(days=84))
    return Timeline(TODAY, new, clean, (Row("Back pain", entries),))


def tree(timeline: Timeline) -> Element:
    return fromstring(picture(timeline))


def marks(timeline: Timeline, kind: str) -> list[Element]:
    """What is drawn with this class."""
    return [item for item in tree(timeline).iter() if kind in item.get("class", "").split()]


def texts(timeline: Timeline) -> list[str]:
    return [item.text or "" for item in tree(timeline).iter("text")]


# --- The axis


def test_today_is_at_the_right_end_and_the_oldest_day_is_still_on_the_axis() -> None:
    oldest = TODAY - timedelta(days=20 * 365)
    scale = TimeScale.reaching(TODAY, oldest)
    assert scale.position(TODAY) == 100
    assert 0 < scale.position(oldest) < 5


def test_the_last_year_takes_half_of_the_width_and_five_days_can_be_told_from_today() -> None:
    scale = TimeScale.reaching(TODAY, TODAY - timedelta(days=20 * 365))
    year, days = (scale.position(TODAY - timedelta(days=back)) for back in (365, 5))
    assert 40 < year < 60
    # On a panel 300 pixels wide, 5 percent are 15 pixels: more than a mark.
    assert days < 95


def test_a_day_before_another_stands_to_its_left() -> None:
    scale = TimeScale.reaching(TODAY, TODAY - timedelta(days=3000))
    positions = [scale.position(TODAY - timedelta(days=back)) for back in range(0, 3000, 7)]
    assert positions == sorted(positions, reverse=True) and len(set(positions)) == len(positions)


def test_days_outside_of_the_axis_stand_at_its_ends() -> None:
    scale = TimeScale(TODAY, 1000)
    assert scale.position(TODAY + timedelta(days=1)) == 100
    assert scale.position(TODAY - timedelta(days=1001)) == scale.position(TODAY - timedelta(days=1000)) == 0


def test_only_ticks_that_the_axis_reaches_are_named() -> None:
    names = [name for _, name in TimeScale(TODAY, 3 * 365).ticks()]
    assert names == ["1 week", "4 weeks", "12 weeks", "1 year", "2 years"]


@pytest.mark.parametrize("years", range(1, 60))
def test_names_of_ticks_never_touch(years: int) -> None:
    old = Entry("a", Span.day(TODAY - timedelta(days=365 * years)), "Condition/1")
    named = [float((item.get("x") or "").removesuffix("%")) for item in marks(made(old), "tick")][1:]
    # On the narrowest picture that names all of them, 11 percent are 51 pixels; the longest name takes 49.
    assert len(named) > 2 and all(right - left >= 11 for right, left in itertools.pairwise(named))


# --- The windows


def test_the_windows_are_those_of_the_rule() -> None:
    timeline = drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)))
    assert (str(timeline.new.first), str(timeline.new.last)) == (day(84), day(0))
    assert (str(timeline.clean.first), str(timeline.clean.last)) == (day(185), day(5))


def test_the_windows_follow_the_settings() -> None:
    timeline = drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), new_window_days=30, clean_days=60)
    assert (str(timeline.new.first), timeline.new.name) == (day(30), "new: last 30 days")
    assert (str(timeline.clean.first), timeline.clean.name) == (day(65), "clean: 60 days before the episode")


def test_without_new_pain_the_clean_days_lie_before_the_window() -> None:
    timeline = drawn(CANCER)
    assert (str(timeline.clean.first), str(timeline.clean.last)) == (day(264), day(84))


def test_both_windows_are_drawn_with_their_names() -> None:
    timeline = drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)))
    assert len(marks(timeline, "band")) == len(marks(timeline, "window")) == 2
    assert {timeline.new.name, timeline.clean.name} <= set(texts(timeline))


# --- What is shown, and what counts


def test_pain_that_is_still_there_lasts_until_today() -> None:
    pain = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5))), "Back pain")
    assert (pain.counts, pain.until, pain.ongoing, pain.remark) == (True, TODAY, True, "new")


def test_pain_that_is_over_ends_and_does_not_count() -> None:
    over = condition(LOW_BACK_PAIN, onset=day(40), clinical="resolved", abatementDateTime=day(10))
    pain = only(drawn(CANCER, over), "Back pain")
    assert (pain.counts, str(pain.until), pain.ongoing) == (False, day(10), False)
    assert pain.remark == "not new, over"


def test_pain_noted_on_one_day_is_not_said_to_begin_there_nor_to_be_worse() -> None:
    visit = condition(text="new low back pain x 2 wks", onset=day(0))
    assert "worse" not in only(drawn(CANCER, visit), "Back pain").remark
    noted = observation("loinc 10154-3", day(0), valueString="new low back pain x 2 wks")
    assert only(drawn(CANCER, noted), "Back pain").remark == "new by its words, noted that day"


def test_pain_that_is_still_there_has_no_end_in_the_table() -> None:
    pain = condition(LOW_BACK_PAIN, onset=day(0))
    call = request(prefetch=supplied(patient(), CANCER, pain))
    shown = workbench_app().test_client().post("/workbench/why", json=call).get_json()["timeline"]
    assert f"{TODAY}, still there" in shown and "until" not in shown
    assert "Everything" not in shown


@pytest.mark.parametrize(("days", "counts"), [(84, True), (85, False)])
def test_pain_counts_up_to_the_edge_of_the_window(days: int, counts: bool) -> None:
    assert only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(days))), "Back pain").counts is counts


def test_cancer_of_a_year_is_shown_as_that_year() -> None:
    assert only(drawn(CANCER), "Breast cancer").when == Span(TODAY.replace(2014, 1, 1), TODAY.replace(2014, 12, 31))


def test_in_situ_disease_is_shown_and_does_not_count() -> None:
    entry = only(drawn(condition(IN_SITU, onset="2014")), "Breast cancer")
    assert (entry.counts, entry.remark) == (False, "in situ disease")


def test_cancer_that_was_refuted_is_named_with_the_reason() -> None:
    timeline = drawn(condition(BREAST_CANCER, verification="refuted"))
    assert row(timeline, "Breast cancer").entries == ()
    assert "verification status is refuted" in timeline.passed_over[0]


@pytest.mark.parametrize(("days", "counts", "remark"), [(2, True, ""), (900, False, "not new")])
def test_a_sign_counts_when_it_is_new(days: int, counts: bool, remark: str) -> None:
    sign = condition(URINARY_RETENTION, onset=day(days))
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), sign), "Red flags")
    assert (entry.counts, entry.remark) == (counts, remark)


@pytest.mark.parametrize(
    ("clinical", "verification", "remark"),
    [("active", "provisional", "only suspected"), ("resolved", "confirmed", "over")],
)
def test_a_sign_that_does_not_hold_says_why(clinical: str, verification: str, remark: str) -> None:
    sign = condition(URINARY_RETENTION, onset=day(1), clinical=clinical, verification=verification)
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), sign), "Red flags")
    assert (entry.counts, entry.remark) == (False, remark)


def test_a_sign_that_is_coded_and_written_is_shown_once() -> None:
    sign = condition(URINARY_RETENTION, onset=day(1), text="Urinary retention")
    assert len(row(drawn(CANCER, sign), "Red flags").entries) == 1


@pytest.mark.parametrize(("days", "counts", "remark"), [(5, True, "done"), (6, False, "before the pain")])
def test_a_study_counts_from_the_first_day_of_the_pain(days: int, counts: bool, remark: str) -> None:
    done = study("DiagnosticReport", LUMBAR_MRI, when=day(days))
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), done), "Imaging")
    assert (entry.counts, entry.remark, entry.is_open) == (counts, remark, False)


def test_a_study_that_was_cancelled_is_shown_with_its_status() -> None:
    cancelled = study("DiagnosticReport", LUMBAR_MRI, when=day(2), status="cancelled")
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), cancelled), "Imaging")
    assert (entry.counts, entry.remark) == (False, "not counted (cancelled)")


def test_a_study_of_a_day_to_come_is_shown_as_such() -> None:
    entry = only(drawn(CANCER, study("DiagnosticReport", LUMBAR_MRI, when=day(-3))), "Imaging")
    assert (entry.counts, entry.remark) == (False, "after this day")


def test_an_order_is_shown_as_still_to_be_done() -> None:
    ordered = study("ServiceRequest", LUMBAR_MRI, when=day(1), status="active")
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), ordered), "Imaging")
    assert (entry.remark, entry.is_open, entry.counts) == ("ordered", True, True)


def test_drafts_are_shown_with_what_is_selected() -> None:
    drafts = (draft(LUMBAR_MRI, text="MRI"), draft(text="Lipid panel"))
    entries = row(drawn(CANCER, hook="order-select", drafts=drafts), "Draft orders").entries
    assert [(item.label, item.remark) for item in entries] == [("MRI", "selected"), ("Lipid panel", "not selected")]


def test_a_result_of_the_kidneys_is_shown_with_its_value() -> None:
    egfr = observation("loinc 98979-8", day(10), valueQuantity={"value": 22, "unit": "mL/min/1.73m2"})
    entry = only(drawn(CANCER, condition(LOW_BACK_PAIN, onset=day(5)), egfr), "Cautions")
    assert (entry.label, str(entry.when), entry.counts) == ("eGFR 22 mL/min/1.73 m2", day(10), True)


def test_what_was_not_sent_is_said_in_its_row() -> None:
    timeline = drawn(without=("conditions",))
    assert row(timeline, "Breast cancer").gap == "conditions: not supplied"
    assert "nothing that counts in what was sent" in texts(timeline)


def test_an_empty_chart_that_is_complete_says_so() -> None:
    timeline = drawn()
    assert [item.title for item in timeline.rows] == ["Breast cancer", "Back pain", "Red flags", "Imaging"]
    assert texts(timeline).count("nothing that counts") == 4


# --- How it is drawn


def test_an_exact_date_is_a_dot_and_a_vague_one_a_bar() -> None:
    exact = Entry("a", Span.day(TODAY), "Condition/1")
    vague = Entry("b", Span(TODAY - timedelta(days=400), TODAY - timedelta(days=370)), "Condition/2")
    assert (len(marks(made(exact, vague), "dot")), len(marks(made(exact, vague), "vague"))) == (1, 1)


def test_what_does_not_count_is_pale() -> None:
    (dot,) = marks(made(Entry("a", Span.day(TODAY), "Condition/1", counts=False)), "dot")
    assert "passed" in dot.get("class", "")


def test_what_is_still_to_be_done_is_hollow() -> None:
    assert len(marks(made(Entry("a", Span.day(TODAY), "ServiceRequest/1", is_open=True)), "open")) == 1


def test_what_has_no_date_is_named_and_not_drawn() -> None:
    timeline = made(Entry("Low back pain", None, "Condition/1"))
    assert "no date" in texts(timeline) and not marks(timeline, "dot")


def test_the_same_thing_at_several_times_stands_on_one_line() -> None:
    timeline = made(*(Entry("a", Span.day(TODAY - timedelta(days=back)), "Condition/1") for back in (0, 9)))
    assert texts(timeline).count(f"2× to {TODAY}") == 1 and len(marks(timeline, "dot")) == 2


def test_courses_that_overlap_are_drawn_once() -> None:
    starts = [Span.day(TODAY - timedelta(days=back)) for back in (30, 20)]
    assert len(marks(made(*(Entry("a", when, "Condition/1", until=TODAY) for when in starts)), "course")) == 1


def test_courses_with_a_gap_between_them_are_drawn_apart() -> None:
    first = Entry("a", Span.day(TODAY - timedelta(days=90)), "Condition/1", until=TODAY - timedelta(days=60))
    last = Entry("a", Span.day(TODAY - timedelta(days=9)), "Condition/2", until=TODAY)
    assert len(marks(made(first, last), "course")) == 2


def test_a_long_label_keeps_its_remark() -> None:
    timeline = made(Entry("Pain " * 40, Span.day(TODAY), "Condition/1", remark="not new"))
    labels = [item.text or "" for item in marks(timeline, "label")]
    assert len(labels) == 2 and all(text.endswith("… · not new") and len(text) <= 70 for text in labels)


def test_every_position_is_on_the_picture() -> None:
    old = Entry("a", Span.day(TODAY - timedelta(days=30_000)), "Condition/1", until=TODAY)
    for item in tree(made(old)).iter():
        for name in ("x", "x1", "x2", "cx", "width"):
            if (value := item.get(name)) is not None:
                assert 0 <= float(value.removesuffix("%")) <= 100


def test_the_picture_says_in_words_what_it_shows() -> None:
    label = tree(drawn(CANCER)).get("aria-label") or ""
    assert "breast cancer: 1" in label and "back pain: nothing that counts" in label


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.add(tag)


def test_words_of_a_chart_are_never_markup() -> None:
    hostile = condition(LOW_BACK_PAIN, onset=day(5), text="<script>alert(1)</script>")
    ordered = draft(text="</svg><img src=x onerror=alert(1)>")
    call = request("order-sign", supplied(patient(), CANCER, hostile), [ordered])
    shown = workbench_app().test_client().post("/workbench/why", json=call).get_json()["timeline"]
    tags = _Tags()
    tags.feed(shown)
    assert "svg" in tags.seen and not {"script", "img"} & tags.seen
    assert "&lt;/svg&gt;&lt;img" in shown
