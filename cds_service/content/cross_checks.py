"""What one file of content may say of another, and what code may read of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cds_service.content.files import ContentFiles
from cds_service.content.model import Content
from cds_service.content.rule_source import RuleSource
from cds_service.content.terminology import Terminology
from cds_service.did_you_mean import did_you_mean

# How the purpose of a set begins that no rule reads: its codes are known, and known to be of no interest.
PASSED_OVER = "passed over: "


def check_known(files: ContentFiles, file: str, field: str, names: Iterable[str], terminology: Terminology) -> None:
    """Refuse a name that is no value set; one whose own file is refused is not told of again."""
    for name in names:
        if name not in terminology.value_sets and name not in files.problems.unusable_sets:
            like = did_you_mean(name, terminology.value_sets)
            files.refuse(file, field, f"there is no value set '{name}' (value-sets/{name}.json){like}")


def check_read_by_name(files: ContentFiles, source: RuleSource, terminology: Terminology) -> None:
    """Refuse content without a value set that the rule's code reads."""
    for name in sorted(source.read_by_name - terminology.value_sets.keys() - files.problems.unusable_sets):
        files.refuse(files.value_set(name), "", f"the file is missing; code reads the value set '{name}'")
        files.problems.unusable_sets.add(name)


def check_every_set_is_named(rules: Sequence[tuple[ContentFiles, Content]]) -> None:
    """Refuse a value set that nothing names, and one whose purpose says that it is read where it is not, or not.

    A rule that reads a set and says that it passes it over is refused too.

    Args:
        rules: all rules that share a folder, each with its files and its content.
    """
    read: set[str] = set()
    passed_over: set[str] = set()
    for files, content in rules:
        reads = content.value_sets_read
        for name in sorted(reads & content.rule.passed_over.keys()):
            files.refuse(files.own("rule"), "passed_over", f"'{name}' is read by this rule")
        read |= reads
        passed_over |= content.rule.passed_over.keys()
    for files, content in rules:
        for name, value_set in content.terminology.value_sets.items():
            if name not in read | passed_over:
                problem = "no rule reads this value set, and no file of a rule names it; see `passed_over` in rule.toml"
                files.refuse(files.value_set(name), "id", problem)
            elif (name not in read) != value_set.purpose.startswith(PASSED_OVER):
                meaning = "says that the set is passed over, but a rule reads it"
                if name not in read:
                    meaning = f"promises what no rule keeps: none reads this set, so it must begin with '{PASSED_OVER}'"
                files.refuse(files.value_set(name), "purpose", meaning)
