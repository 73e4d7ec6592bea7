"""Read `wording.toml`: the sentences of a rule's cards, with names in braces for what differs by patient."""

from __future__ import annotations

import string
from collections.abc import Mapping

from cds_service.content.files import ContentFiles
from cds_service.content.model import OrderDefinition
from cds_service.content.rule_source import RuleSource, Wording

# CDS Hooks: a card's summary has fewer than 140 characters.
LONGEST_SUMMARY = 139

# So many words a physician reads in twenty seconds, beside the findings (decision 7.14).
MOST_WORDS = 75

# The text of a button, as clients show it: one line of a side panel.
LONGEST_LABEL = 80


def read_wording(files: ContentFiles, rule: RuleSource, orders: Mapping[str, OrderDefinition]) -> Wording:
    """The sentences by section and name.

    Raises:
        ContentError: the file cannot be used. Collected in `files`: a sentence that is missing, names something that is
            not known there, or is a summary that can grow beyond what CDS Hooks allows, or the label of a suggestion
            beyond one line; a kind of card with more words than a physician reads.
    """
    wording: Wording = files.read_own("wording")
    if _are_sentences(files, rule, wording):
        _check_lengths(files, rule, wording, orders)
    return wording


def _are_sentences(files: ContentFiles, rule: RuleSource, wording: Wording) -> bool:
    """Whether every sentence is there and names only what it may."""
    file, before = files.own("wording"), len(files.problems.found)
    for section, sentences in rule.sentences.items():
        for name, allowed in sentences.items():
            sentence = wording.get(section, {}).get(name)
            if sentence is None:
                files.refuse(file, f"{section}.{name}", "is missing")
            else:
                check_placeholders(files, file, f"{section}.{name}", sentence, allowed)
    return len(files.problems.found) == before


def _check_lengths(
    files: ContentFiles, rule: RuleSource, wording: Wording, orders: Mapping[str, OrderDefinition]
) -> None:
    file = files.own("wording")
    longest_names = rule.longest_names(wording, orders)
    for name, sentence in wording.get("summary", {}).items():
        longest = len(sentence.format(**longest_names))
        if longest > LONGEST_SUMMARY:
            problem = f"can grow to {longest} characters with its names filled in; {LONGEST_SUMMARY} are allowed"
            files.refuse(file, f"summary.{name}", problem)
    for kind, text in rule.frames(wording, orders).items():
        # Bullets are no words.
        words = sum(any(map(str.isalnum, word)) for word in text.split())
        if words > MOST_WORDS:
            problem = f"the card '{kind}' has {words} words beside its findings; {MOST_WORDS} are allowed"
            files.refuse(file, "", problem)
    for name, label in rule.labels(wording, orders) if rule.labels else ():
        if len(label) > LONGEST_LABEL:
            problem = f"can grow to {len(label)} characters ('{label}'); {LONGEST_LABEL} are allowed"
            files.refuse(file, f"suggestion.{name}", problem)


def check_placeholders(files: ContentFiles, file: str, field: str, sentence: str, allowed: frozenset[str]) -> None:
    """Refuse a name in braces that is not one of `allowed`, or that takes a format."""
    try:
        parsed = [item for item in string.Formatter().parse(sentence) if item[1] is not None]
    except ValueError as error:
        files.refuse(file, field, f"braces do not match: {error}")
        return
    for _, name, specification, conversion in parsed:
        if specification or conversion:
            files.refuse(file, field, f"a name in braces takes no format: write {{{name}}}")
        if specification or conversion or name in allowed:
            continue
        known = ", ".join(sorted(f"{{{item}}}" for item in allowed)) or "no names in braces"
        files.refuse(file, field, f"{{{name}}} is not known here; it may use {known}")
