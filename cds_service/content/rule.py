"""Read `rule.toml`: what a rule is, who answers for it, its numbers, and which sets and orders mean what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from cds_service.content.bounds import Bounds
from cds_service.content.cross_checks import check_known
from cds_service.content.files import ContentFiles
from cds_service.content.model import OrderDefinition, Rule, ThresholdReason
from cds_service.content.rule_source import RuleSource
from cds_service.content.terminology import Terminology
from cds_service.did_you_mean import did_you_mean


def read_rule(
    files: ContentFiles, source: RuleSource, terminology: Terminology, orders: Mapping[str, OrderDefinition]
) -> Rule:
    """Identity, owner, dates and numbers of the rule, and the value sets and orders that it names.

    Raises:
        ContentError: the file cannot be used. Collected in `files`: a table or threshold that the rule reads and that
            is missing, a number out of bounds, a day, a value set or an order that does not exist.
    """
    file = files.own("rule")
    data = files.read_own("rule")
    for table in sorted(source.tables - data.keys()):
        files.refuse(file, table, "is missing; the rule reads it")
    _check_thresholds(files, source.thresholds, data["threshold"])
    for field in ("released", "review_by"):
        _check_day(files, file, field, data[field])
    studies = data.get("studies", {})
    suffix = studies.get("without_contrast_suffix", "")
    for slug in _slugs(data):
        _check_order(files, slug, suffix, orders)
    observations, relevant = data["prefetch"]["observations"], data["orders"]["relevant"]
    check_known(files, file, "prefetch.observations", observations, terminology)
    check_known(files, file, "orders.relevant", relevant, terminology)
    passed_over = {name: item["why"] for item in data.get("passed_over", ()) for name in item["sets"]}
    check_known(files, file, "passed_over", passed_over, terminology)
    return Rule(
        id=data["id"],
        version=data["version"],
        title=data["title"],
        owner=data["owner"],
        released=data["released"],
        review_by=data["review_by"],
        source=data["source"],
        thresholds={name: item["value"] for name, item in data["threshold"].items()},
        prefetch_observations=tuple(observations),
        mri_of_region=data.get("mri_of_region", {}),
        staging=tuple(studies.get("staging", ())),
        brain=studies.get("brain", ""),
        without_contrast_suffix=suffix,
        relevant_orders=frozenset(relevant),
        purpose=data["purpose"],
        threshold_reasons={
            name: ThresholdReason(item["why"], item["source"]) for name, item in data["threshold"].items()
        },
        passed_over=passed_over,
        order_category=studies.get("category"),
    )


def _check_thresholds(files: ContentFiles, read: Mapping[str, Bounds], written: Mapping[str, Any]) -> None:
    file = files.own("rule")
    for name in sorted(read.keys() - written.keys()):
        files.refuse(file, f"threshold.{name}", "is missing; the rule reads it")
    for name in sorted(written.keys() - read.keys()):
        files.refuse(file, f"threshold.{name}", f"the rule reads no such number{did_you_mean(name, read)}")
    for name, bounds in read.items():
        if name in written and (problem := bounds.problem(written[name]["value"])):
            files.refuse(file, f"threshold.{name}.value", problem)


def _check_day(files: ContentFiles, file: str, field: str, text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        files.refuse(file, field, f"'{text}' is not a date of the calendar, YYYY-MM-DD")


def _slugs(data: Mapping[str, Any]) -> Iterator[str]:
    """Every order that the file names."""
    for value in data.get("mri_of_region", {}).values():
        yield from [value] if isinstance(value, str) else value.values()
    if "studies" in data:
        yield from data["studies"]["staging"]
        yield data["studies"]["brain"]


def _check_order(files: ContentFiles, slug: str, suffix: str, orders: Mapping[str, OrderDefinition]) -> None:
    plain = orders[slug].without_contrast or slug + suffix if slug in orders else ""
    if slug.startswith("mri-") and slug in orders and plain not in orders:
        files.refuse(files.own("orders"), plain, "is missing; a caution may ask for it")
    if slug not in orders:
        like = did_you_mean(slug, orders)
        files.refuse(files.own("rule"), "mri_of_region, studies.staging", f"there is no order '{slug}'{like}")
