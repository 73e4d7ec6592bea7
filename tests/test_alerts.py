"""The alert rules: Prometheus can read them, they name what exists, and their words say what their numbers do."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from cds_service.ledger.entries import AnswerChange
from cds_service.reporting.control_chart import TAIL
from cds_service.reporting.metrics import BUCKETS, OUTCOMES, Metrics
from cds_service.reporting.summary import EVALUATED
from tests.promql import Expression, NotPromql, Selector
from tests.test_metrics import NOON, VOCABULARY, decision

ALERTS = yaml.safe_load(files("cds_service.reporting").joinpath("alerts.yml").read_text(encoding="utf-8"))
RULES: list[dict[str, Any]] = [rule for group in ALERTS["groups"] for rule in group["rules"]]
BY_NAME = {rule["alert"]: rule for rule in RULES}

_MINUTES = {"m": 1, "h": 60, "d": 60 * 24, "w": 60 * 24 * 7}
_WORDS = {
    "5m": "5 minutes",
    "10m": "10 minutes",
    "15m": "15 minutes",
    "1h": "an hour",
    "1d": "a day",
    "7d": "a week",
    "1w": "a week ago",
}
_SHARES = ("CdsCallsFail", "CdsServerErrors", "CdsSlow")

every_rule = pytest.mark.parametrize("rule", RULES, ids=[rule["alert"] for rule in RULES])


def minutes(duration: str) -> int:
    return int(duration[:-1]) * _MINUTES[duration[-1]]


def outcomes(selector: Selector) -> set[str]:
    """The outcomes that a selector of calls takes."""
    taken = set(OUTCOMES)
    for label, operator, value in selector.matchers:
        assert label == "outcome"
        matched = {outcome for outcome in OUTCOMES if re.fullmatch(value, outcome)}
        assert matched, f"no outcome is {value}"
        taken &= matched if operator in ("=", "=~") else OUTCOMES - matched
    return taken


@cache
def labels_of_each_series() -> dict[str, set[str]]:
    """The labels of each series by its name, of metrics that have counted something."""
    metrics = Metrics("1.0.0+abc", VOCABULARY)
    metrics.call(decision(not_understood={"conditions": {"urn:oid:1.2.3": 1}}))
    metrics.refused("expired")
    metrics.http_error(500)
    metrics.feedback("the-service", "overridden", "pain-not-new", True)
    metrics.card_answered(AnswerChange("the-service", "", "accepted"))
    metrics.fhir_read("timed-out")
    metrics.settings_in_use("1.0.0+abc", "0123")
    metrics.content_approved(True)
    metrics.review_due("a-rule", NOON)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics.exposition()[0].decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


@every_rule
def test_an_alert_names_series_and_labels_that_exist(rule: dict[str, Any]) -> None:
    labels = labels_of_each_series()
    expression = Expression(rule["expr"])
    assert expression.selectors
    for selector in expression.selectors:
        assert selector.name in labels
        assert {label for label, _, _ in selector.matchers} <= labels[selector.name]
        # Only what counts upwards has an increase.
        assert not selector.window or selector.name.endswith(("_total", "_bucket"))
    grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", rule["expr"]))))
    assert grouped <= set().union(*(labels[selector.name] for selector in expression.selectors))


@every_rule
def test_a_summary_and_a_description_name_labels_that_the_alert_has(rule: dict[str, Any]) -> None:
    left = re.findall(r"by \(([^)]*)\)", rule["expr"])
    named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    assert named <= {label.strip() for group in left for label in group.split(",")} - {"le"}


@every_rule
def test_an_alert_says_what_is_wrong_since_when_and_how_badly(rule: dict[str, Any]) -> None:
    assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert re.fullmatch(r"\d+[mh]", rule["for"])
    assert rule["annotations"]["summary"] and rule["annotations"]["description"]


@every_rule
def test_an_alert_holds_no_longer_than_what_it_looks_at(rule: dict[str, Any]) -> None:
    # What lasts shorter than `for` is never told: a burst leaves its window before.
    windows = [minutes(selector.window) for selector in Expression(rule["expr"]).selectors if selector.window]
    assert all(minutes(rule["for"]) <= window for window in windows)


@every_rule
def test_no_alert_looks_back_further_than_prometheus_keeps_by_default(rule: dict[str, Any]) -> None:
    for selector in Expression(rule["expr"]).selectors:
        back = sum(minutes(duration) for duration in (selector.window, selector.offset) if duration)
        assert back + minutes(rule["for"]) < minutes("15d")


# The others tell a share or a time, and no count.
@pytest.mark.parametrize("name", [name for name in BY_NAME if name not in _SHARES])
def test_a_description_names_the_time_that_its_alert_looks_at(name: str) -> None:
    rule = BY_NAME[name]
    words = re.sub(r"\bof a\b", "a", rule["annotations"]["description"])
    first = next((selector.window for selector in Expression(rule["expr"]).selectors if selector.window), rule["for"])
    assert _WORDS[first] in words


@pytest.mark.parametrize(
    ("name", "comparisons", "lasting", "severity"),
    [
        ("CdsServiceNotSeen", [], "10m", "critical"),
        ("CdsStoppedBeingCalled", [(">", 20), (">", 0)], "30m", "critical"),
        ("CdsStoppedFiring", [(">", 7), (">", 0)], "1h", "critical"),
        ("CdsStoppedFiringForAWeek", [(">", 10), (">", 0)], "1h", "critical"),
        ("CdsUndetermined", [(">", 0.2), (">", 20)], "30m", "warning"),
        ("CdsCallsFail", [(">", 0.01)], "10m", "critical"),
        ("CdsServerErrors", [(">", 0.01)], "10m", "critical"),
        ("CdsSlow", [(">", 0.5)], "15m", "warning"),
        ("CdsLedgerFails", [(">", 0)], "5m", "critical"),
        ("CdsCallersRefused", [(">", 50)], "15m", "warning"),
        ("CdsNewCodeSystem", [(">", 20), (">", 0)], "1h", "warning"),
        ("CdsMoreNotUnderstood", [(">", 2), (">", 100)], "1h", "warning"),
        ("CdsContentReviewOverdue", [(">", 0)], "1h", "warning"),
        ("CdsContentNotApproved", [("<", 1)], "1h", "warning"),
        ("CdsSettingsChanged", [], "5m", "warning"),
    ],
)
def test_an_alert_has_its_thresholds(
    name: str, comparisons: list[tuple[str, float]], lasting: str, severity: str
) -> None:
    rule = BY_NAME[name]
    assert Expression(rule["expr"]).comparisons == comparisons
    assert (rule["for"], rule["labels"]["severity"]) == (lasting, severity)
    assert len(RULES) == 15


@pytest.mark.parametrize(("name", "cards", "longer"), [("CdsStoppedFiring", 7, 7), ("CdsStoppedFiringForAWeek", 10, 1)])
def test_a_stop_is_told_by_the_cards_to_be_expected_whatever_the_size_of_the_site(
    name: str, cards: int, longer: int
) -> None:
    expression = Expression(BY_NAME[name]["expr"])
    now, fired, before, none = expression.selectors
    assert outcomes(now) == outcomes(before) == EVALUATED
    assert outcomes(fired) == outcomes(none) == {"fired"}
    assert (now.window, now.offset) == (none.window, none.offset)
    assert (fired.window, fired.offset) == (before.window, before.offset) == ("7d", now.window)
    assert expression.comparisons[0][1] == cards
    # With as many calls a day all the time, each earlier card had a chance of 1 to `longer` to come in the last days
    # instead; that all came before must be about as unlikely as what lies beyond 3 sigma.
    assert (longer / (longer + 1)) ** (cards * longer) < TAIL * 1.1


def test_an_undetermined_share_is_that_of_the_evaluated_calls() -> None:
    lacking, *whole = Expression(BY_NAME["CdsUndetermined"]["expr"]).selectors
    assert outcomes(lacking) == {"undetermined"}
    assert [outcomes(selector) for selector in whole] == [EVALUATED, EVALUATED]


def test_a_slow_call_is_told_at_the_bound_of_a_bucket() -> None:
    # Between two bounds a quantile is guessed.
    _, bound = Expression(BY_NAME["CdsSlow"]["expr"]).comparisons[0]
    assert bound in BUCKETS


@pytest.mark.parametrize(
    "text",
    [
        "sum(increase(cds_calls_total[1h]) > 1", "sum(increase(cds_calls_total)) > 1", "sum(cds_calls_total[1h]) > 1",
        "summ(cds_calls_total) > 1", "sum by (service) (a) / sum(b) > 1", "sum by (a) (x) unless sum by (b) (x)",
        "histogram_quantile(sum by (le) (rate(x[5m])), 0.9)", "histogram_quantile(0.9, sum by (service) (rate(x[5m])))",
        "x{a=b}", "x{a==\"b\"}", "x[5 minutes]", "increase(x offset 1d [5m])", "x > ", "x and 1", "1", "x y",
    ],
)  # fmt: skip
def test_what_prometheus_refuses_or_could_never_match_is_not_read(text: str) -> None:
    with pytest.raises(NotPromql):
        Expression(text)
