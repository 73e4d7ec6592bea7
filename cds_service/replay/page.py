"""The summary of a replay as one self-contained HTML page: no script, no other host; in dark and in print as well."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cds_service.content.model import Content
from cds_service.content.replay import ReplayWords
from cds_service.plots.svg import (
    PLOT_STYLE,
    Figures,
    Range,
    Value,
    bar_chart,
    figure,
    for_each_width,
    stacked_bar_chart,
)
from cds_service.replay.course import YIELD_DAYS
from cds_service.replay.options import PATIENT_VIEW
from cds_service.replay.record import types_read
from cds_service.replay.summary import MOSTLY
from cds_service.reporting.report_text import Words, not_understood_words

_TEMPLATES = Environment(
    loader=ChoiceLoader([PackageLoader("cds_service.replay"), PackageLoader("cds_service.reporting")]),
    autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip

Json = Mapping[str, Any]

_NONE = "none"

# A rate per 1,000 patients and year from fewer years than these would make a hundred cards and more of a single one.
_FEWEST_YEARS = 10

# So many files that are not read are named; all of them stand in the summary.
_NAMED = 20

# The groups of the yield, in the words of the page.
_GROUPS = {
    "card": "With a card",
    "no-card-at-risk": "Without a card, with {history}",
    "no-card": "Without a card, all",
}

_TIMES = {
    "complaint-to-card": "From the first record of {complaint} to the card",
    "complaint-to-imaging": "From the first record of {complaint} to {imaging}",
    "complaint-to-disease": "From the first record of {complaint} to the code of {disease}",
    "card-to-imaging": "From the card to {imaging}",
    "card-to-disease": "From the card to the code of {disease}",
}
_QUANTILES = {"median": "median", "mean": "mean", "p10": "10 %", "p25": "25 %", "p75": "75 %", "p90": "90 %"}

# What says when an entry was on record, in words.
_SOURCES = {
    "recorded": "its own date of recording",
    "performed": "the day of the examination",
    "visit": "the start of its visit",
    "updated": "its last change",
    "onset": "the onset alone",
    "nothing": "nothing",
}


_DOUBTS = {
    "recorded_imprecisely": "a month or year that may lie after the end; seen there only",
    "recorded_after_end": "after the end of the data; another date took its place",
}

# Outcomes as a committee reads them.
_OUTCOMES = {"not-applicable": "Not found", "suppressed": "Suppressed", "undetermined": "Undetermined"}


def replay_page(summary: Json, content: Content) -> str:
    """The page: a pure function of the summary, and of the words of the content."""
    words = Words(
        orders={slug: order.title for slug, order in content.orders.items()},
        system_name=content.terminology.known_system_name,
    )
    named = asdict(content.replay.words)
    groups = {name: text.format(**named) for name, text in _GROUPS.items()}
    spans = {name: text.format(**named) for name, text in _TIMES.items()}
    return _TEMPLATES.get_template("replay.html.jinja").render(
        summary=summary,
        words=content.replay.words,
        style=Markup(PLOT_STYLE),
        tiles=list(_tiles(summary, content.replay.words)),
        often=list(_how_often(summary, content, words)),
        outcomes=list(_outcomes(summary)),
        yields=_yield_plot(summary, groups, content.replay.words),
        yield_rows=list(_yield_rows(summary, groups)),
        yield_heads=["patients", "known before", *(f"within {days} days" for days in YIELD_DAYS)],
        times=_time_plot(summary, spans),
        time_rows=list(_time_rows(summary, spans)),
        time_heads=["patients", *_QUANTILES.values()],
        published=[_published(item) for item in content.replay.figures],
        compared=[_compared(item, summary) for item in summary["compared"]],
        compared_heads=["patients with a card", "gained", "lost", "cards at openings", "code within 365 days"],
        not_understood=[
            (
                not_understood_words(item["key"], item["system"], words),
                [_count(item["patients"]), _count(item["entries"])],
            )
            for item in summary["not_understood"]["by_system"]
        ],
        known_heads=list(_SOURCES.values()),
        known=[
            (kind, [_count(found.get(source, 0)) for source in _SOURCES])
            for kind, found in summary["knowledge"]["known_by"].items()
        ],
        untold=[(element, [_count(count)]) for element, count in summary["knowledge"]["could_not_be_told"].items()],
        mostly=MOSTLY,
        doubts=[
            (f"{kind}: {said}", [_count(count)])
            for doubt, said in _DOUBTS.items()
            for kind, count in summary["knowledge"][doubt].items()
        ],
        damage=list(_damage(summary["export"], types_read(has_orders=summary["hook"] != PATIENT_VIEW))),
    )


def _count(value: int) -> str:
    return f"{value:,}"


def _number(value: float | None) -> str:
    """A rate as it is read: three digits, or more where it is large."""
    if value is None:
        return _NONE
    return f"{value:,.0f}" if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def _share(found: Json | None, of: float = 100) -> str:
    """A share with its interval, in percent: `7.1 % (3.0 to 15.9)`."""
    if found is None:
        return _NONE
    value, low, high = (found[name] * of for name in ("value", "low", "high"))
    return f"{value:.1f} % ({low:.1f} to {high:.1f})"


def _range(found: Json | None, of: float = 1) -> Value:
    return None if found is None else Range(found["value"] * of, found["low"] * of, found["high"] * of)


def _tiles(summary: Json, words: ReplayWords) -> Iterator[tuple[str, str, str]]:
    """Name, number, and what stands below it."""
    patients, rates = summary["patients"], summary["rates"]
    yield "Patients", _count(patients["all"]), f"{_count(patients['at_risk'])} with {words.history}"
    yield "With a card", _count(patients["with_card"]), f"at any of the moments, of {_count(patients['asked'])} asked"
    if rates["openings"]:
        few = patients["years_observed"] < _FEWEST_YEARS
        yield (
            "First cards",
            _number(None if few else rates["first_per_1000_patient_years"]),
            "per 1,000 patients and year",
        )
        per = rates["all_per_100_openings"]
        yield "Cards", _number(per and per["value"]), f"per 100 of {_count(rates['openings'])} openings of a chart"
    else:
        standing = rates["standing_at_end_per_1000_patients"]
        yield "Standing at the end", _number(standing and standing["value"]), "cards per 1,000 patients"
    year = summary["yield"]["card"]["within_365_days"]
    share = year["share"]
    beside = f"of {_count(year['followed'])} followed for a year have a code of {words.disease} within it"
    yield "Yield", f"{100 * share['value']:.1f} %" if share else _NONE, beside
    # Of the same patients: two medians of different ones would not tell which came first.
    gained = summary["time"]["card-to-imaging"]
    beside = f"from the card to {words.imaging}, median of {_count(gained['patients'])} who had both"
    if gained["median"] is not None and gained["median"] < 0:
        beside += ": it came before the card"
    yield "Days", _days(gained["median"]), beside


def _how_often(summary: Json, content: Content, words: Words) -> Iterator[Markup]:
    """Cards by kind: of the openings, or of the end of the data where nothing else was asked."""
    scope = "openings" if summary["rates"]["openings"] else "end"
    cards = summary["cards"][scope]
    where = "at openings of a chart" if scope == "openings" else "at the end of the data"
    if scope == "openings":
        rates = Figures(
            "rates", "Cards per 100 openings of a chart, with 95 % intervals", "Cards", ("Per 100 openings",),
            [
                (kind.capitalize(), (_range(summary["rates"][f"{kind}_per_100_openings"]),))
                for kind in ("first", "repeated")
            ],
            decimals=2,
        )  # fmt: skip
        yield figure(rates, for_each_width(bar_chart, rates))
    named = {
        "indicator": ("Indicator", str.capitalize),
        "age": ("Age", str.capitalize),
        "place": (content.replay.words.place, str.capitalize),
        "reason": ("Kind of card", _plain),
        "order": ("Order", words.order),
        "caution": ("Caution", _plain),
    }
    for name, (of, wording) in named.items():
        every, first = cards[f"by_{name}"], cards[f"first_by_{name}"]
        rows = [(wording(key), (first.get(key, 0), count - first.get(key, 0))) for key, count in _ordered(name, every)]
        if not rows:
            continue
        drawn = Figures(f"by-{name}", f"Cards {where}, by {of.lower()}", of, ("first", "repeated"), rows)
        yield figure(drawn, for_each_width(stacked_bar_chart, drawn))


def _plain(code: str) -> str:
    return code.replace("-", " ").capitalize()


def _ordered(name: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The most frequent first; ages in their order."""
    if name == "age":
        return sorted(counts.items(), key=lambda item: (not item[0].startswith("under"), item[0]))
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _outcomes(summary: Json) -> Iterator[Markup]:
    """The answers without a card: what suppressed it, and what the rule did not find."""
    for scope, when in (("openings", "at openings of a chart"), ("end", "at the end of the data")):
        found = summary["outcomes"][scope]["by_outcome"]
        rows = [
            (f"{_OUTCOMES.get(outcome, _plain(outcome))}: {_plain(reason).lower()}", (count,))
            for outcome, reasons in sorted(found.items())
            if outcome != "fired"
            for reason, count in _ordered("reason", reasons)
        ]
        if rows:
            drawn = Figures(
                f"outcomes-{scope}", f"Answers without a card {when}", "Outcome and reason", ("Answers",), rows
            )
            yield figure(drawn, for_each_width(bar_chart, drawn))


def _yield_plot(summary: Json, groups: Mapping[str, str], words: ReplayWords) -> Markup:
    rows = [
        (f"Within {days} days", tuple(_range(_within(summary, group, days)["share"], 100) for group in groups))
        for days in YIELD_DAYS
    ]
    title = f"Patients with a new code of {words.disease}, with 95 % intervals"
    drawn = Figures("yield", title, "Time from the card", tuple(groups.values()), rows, "%", decimals=1)
    return figure(drawn, for_each_width(bar_chart, drawn))


def _within(summary: Json, group: str, days: int) -> Json:
    found: Json = summary["yield"][group][f"within_{days}_days"]
    return found


def _yield_rows(summary: Json, groups: Mapping[str, str]) -> Iterator[tuple[str, Sequence[str]]]:
    for group, title in groups.items():
        found = summary["yield"][group]
        cells = [_count(found["patients"]), _count(found["known_before"])]
        for days in YIELD_DAYS:
            within = found[f"within_{days}_days"]
            cells.append(f"{_count(within['found'])} of {_count(within['followed'])}: {_share(within['share'])}")
        yield title, cells


def _time_plot(summary: Json, spans: Mapping[str, str]) -> Markup:
    rows = [
        (title, (summary["time"][name]["median"],))
        for name, title in spans.items()
        if summary["time"][name]["median"] is not None and summary["time"][name]["median"] >= 0
    ]
    drawn = Figures("times", "Median days", "From and to", ("Days",), rows, "days")
    return figure(drawn, for_each_width(bar_chart, drawn))


def _time_rows(summary: Json, spans: Mapping[str, str]) -> Iterator[tuple[str, Sequence[str]]]:
    for name, title in spans.items():
        found = summary["time"][name]
        yield title, [_count(found["patients"]), *(_days(found[key]) for key in _QUANTILES)]


def _days(value: float | None) -> str:
    return _NONE if value is None else f"{value:g}" if isinstance(value, int) else f"{value:.1f}"


def _published(item: Any) -> tuple[str, str, str, str]:
    value = f"{item.value:g} {item.unit}"
    if item.low is not None:
        value += f" ({item.low:g} to {item.high:g})"
    return item.text, value, item.source, item.url


def _compared(item: Json, summary: Json) -> tuple[str, Sequence[str]]:
    year = item["yield"]["within_365_days"]
    return item["name"], [
        _count(item["patients_with_card"]),
        _count(item["patients_gained"]),
        _count(item["patients_lost"]),
        _count(sum(item["cards"]["openings"].values())),
        f"{_count(year['found'])} of {_count(year['followed'])}: {_share(year['share'])}",
    ]


def _damage(export: Json, read: AbstractSet[str]) -> Iterator[tuple[str, Sequence[str]]]:
    """What of the export was not used, and why."""
    for why, count in export["bad_lines"].items():
        yield f"Lines: {why}", [_count(count)]
    for kind, count in export["without_patient"].items():
        yield f"{kind}: names no patient by an id", [_count(count)]
    if export["of_another_server"]:
        yield "Resources of patients of another server", [_count(export["of_another_server"])]
    for kind, count in export["resources"].items():
        if kind not in read:
            yield f"{kind}: a type that is not read", [_count(count)]
    for name in export["passed_over"][:_NAMED]:
        yield f"{name}: no NDJSON file", ["not read"]
    if (more := len(export["passed_over"]) - _NAMED) > 0:
        yield "Others that are no NDJSON files", [_count(more)]
    for file in export["broken_files"]:
        yield f"{file['file']}: {file['why']}", ["the rest of the file"]
