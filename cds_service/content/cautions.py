"""Read `cautions.toml`: what must stand beside an order before it is signed, and what it changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cds_service.content.bounds import EGFR_RECENT_DAYS
from cds_service.content.caution_model import (
    AllergyWords,
    Caution,
    Cautions,
    KidneyContent,
    KidneyState,
    PregnancyContent,
    PregnancyState,
    ResultTest,
)
from cds_service.content.cross_checks import check_known
from cds_service.content.files import ContentFiles
from cds_service.content.result_words import any_of
from cds_service.content.terminology import Terminology
from cds_service.content.wording import check_placeholders

# What a sentence on a caution may name.
CAUTION_NAMES = frozenset({"finding", "when", "value", "egfr", "contrast", "reaction"})
_EGFR_NAMES = frozenset({"value", "when"})

_STATES = {"kidneys": frozenset(KidneyState), "pregnancy": frozenset(PregnancyState)}

_SETS = ("sets", "unless_later", "taken_back")


def read_cautions(files: ContentFiles, terminology: Terminology) -> Cautions:
    """The cautions in the order in which they stand on a card, and what is read to find them.

    Raises:
        ContentError: the file cannot be used. Collected in `files`: a number out of bounds, a state that is none, words
            that are no regular expression, a name that is neither a value set nor a text concept.
    """
    file = files.own("cautions")
    data = files.read_own("cautions")
    patterns = files.problems.attempt(files.read_own, "text-patterns") or {"concept": ()}
    text_only = {item["id"] for item in patterns["concept"] if item.get("text_only")}
    for item in data["caution"]:
        field = f"caution.{item['id']}"
        for key in _SETS:
            check_known(
                files, file, f"{field}.{key}", (n for n in item.get(key, ()) if n not in text_only), terminology
            )
        if item["found_in"] in _STATES and item["state"] not in _STATES[item["found_in"]]:
            files.refuse(file, f"{field}.state", f"must be one of {', '.join(sorted(_STATES[item['found_in']]))}")
        check_placeholders(files, file, f"{field}.sentence", item["sentence"], CAUTION_NAMES)
        check_placeholders(files, file, f"{field}.on_order", item["on_order"], CAUTION_NAMES)
    tests = {item["observation"]: _test(files, file, item) for item in data["test"]}
    for name, test in tests.items():
        check_known(files, file, f"test.{name}", (name, test.positive, test.negative), terminology)
    check_known(files, file, "pregnancy.shown_by", data["pregnancy"]["shown_by"], terminology)
    return Cautions(
        cautions=tuple(_caution(item) for item in data["caution"]),
        tests=tests,
        kidneys=_kidneys(files, file, data["kidneys"]),
        pregnancy=PregnancyContent(**data["pregnancy"] | {"shown_by": frozenset(data["pregnancy"]["shown_by"])}),
        allergies=AllergyWords(
            **{name: any_of(files, file, f"allergies.{name}", words) for name, words in data["allergies"].items()}
        ),
    )


def _kidneys(files: ContentFiles, file: str, data: Mapping[str, Any]) -> KidneyContent:
    if problem := EGFR_RECENT_DAYS.problem(data["recent_days"]):
        files.refuse(file, "kidneys.recent_days", problem)
    if data["contrast_from"] >= data["weigh_below"]:
        files.refuse(file, "kidneys.contrast_from", "must be below weigh_below")
    check_placeholders(files, file, "kidneys.newest_egfr", data["newest_egfr"], _EGFR_NAMES)
    return KidneyContent(**data)


def _test(files: ContentFiles, file: str, item: Mapping[str, Any]) -> ResultTest:
    numbers = item.get("unclear_from"), item.get("positive_from")
    if numbers[0] is not None and numbers[1] is not None and numbers[0] > numbers[1]:
        files.refuse(file, f"test.{item['observation']}.unclear_from", "must not be above positive_from")
    return ResultTest(
        positive=item["positive"],
        negative=item["negative"],
        is_question=item.get("question", False),
        unclear=item.get("unclear", ""),
        unclear_from=numbers[0],
        positive_from=numbers[1],
        units=frozenset(item.get("units", ())),
    )


def _caution(item: Mapping[str, Any]) -> Caution:
    return Caution(
        id=item["id"],
        name=item["name"],
        found_in=item["found_in"],
        sentence=item["sentence"],
        concerns=tuple(item["concerns"]),
        state=item.get("state", ""),
        value_sets=frozenset(item.get("sets", ())),
        without_contrast=frozenset(item.get("without_contrast", ())),
        withdraws=frozenset(item.get("withdraws", ())),
        unless_later=frozenset(item.get("unless_later", ())),
        taken_back=frozenset(item.get("taken_back", item.get("sets", ()))),
        in_emergency=item.get("in_emergency", ""),
        on_order=item["on_order"],
    )
