"""Refuse a code that stands in value sets that exclude each other (`value-set-exclusions.toml`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cds_service.content.cross_checks import check_known
from cds_service.content.files import ContentFiles
from cds_service.content.terminology import Terminology

_NAME = "value-set-exclusions"


def check_exclusions(files: ContentFiles, terminology: Terminology) -> None:
    """Refuse a code in two sets that exclude each other, by the exclusions that rules share and by the rule's own.

    Codes compare as in a chart: spelling aside, and a code below an ICD category that a set lists is one of the set.

    An exclusion that names a set that does not exist, or names it twice, is refused too.

    Raises:
        ContentError: the file cannot be used.
    """
    told: set[tuple[str, frozenset[str]]] = set()
    overlaps = {set_id: tuple(_overlaps(set_id, terminology)) for set_id in terminology.value_sets}
    for file, data in files.read_shared_and_own(_NAME):
        for index, exclusion in enumerate(data["exclusion"]):
            field = f"exclusion.{index}.groups"
            check_known(files, file, field, (name for group in exclusion["groups"] for name in group), terminology)
            group_of: dict[str, int] = {}
            for number, group in enumerate(exclusion["groups"]):
                for name in group:
                    if group_of.setdefault(name, number) != number:
                        files.refuse(file, field, f"'{name}' stands in two groups")
            _check(group_of, exclusion["why"], overlaps, files, told)


def _overlaps(set_id: str, terminology: Terminology) -> Iterator[tuple[str, frozenset[str]]]:
    """The codes and categories of a set that other sets hold too, and those sets."""
    value_set = terminology.value_sets[set_id]
    listed = [(system, code) for system, code, _ in value_set.concepts]
    for system, code in (*listed, *value_set.categories):
        if others := terminology.value_sets_with(system, code) - {set_id}:
            yield f"{terminology.system_name(system)} {code}", others


def _check(
    group_of: Mapping[str, int],
    why: str,
    overlaps: Mapping[str, tuple[tuple[str, frozenset[str]], ...]],
    files: ContentFiles,
    told: set[tuple[str, frozenset[str]]],
) -> None:
    """Refuse a code in two groups; `told` are the codes and pairs of sets of which it was said already."""
    for name, group in group_of.items():
        for code, others in overlaps.get(name, ()):
            for other in sorted(others & group_of.keys()):
                pair = code, frozenset((name, other))
                if group_of[other] != group and pair not in told:
                    told.add(pair)
                    problem = f"{code} is in '{other}' ({files.value_set(other)}) too; these exclude each other: {why}"
                    files.refuse(files.value_set(name), "compose", problem)
