"""An assessment in plain text, for people who answer for the service."""

from __future__ import annotations

from cds_service.advice.phrases import Wording, joined
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.understanding import (
    ACCEPTED_GAPS,
    EMPTY,
    HINTS,
    IMPORTED,
    OTHER_PATIENTS,
    SELECTIONS,
    STATUSES,
    UNKNOWN_SUBJECTS,
    UNNAMED,
    WORDS,
    Understanding,
)
from cds_service.clinical.rules.assessment import ActiveOverride, Answer, Assessment, Criterion, Outcome
from cds_service.content.terminology import Terminology
from cds_service.decision.support import Decision
from cds_service.reporting.summary import shown_digest

_ANSWER_WORDS = {Answer.MET: "yes", Answer.NOT_MET: "no", Answer.UNKNOWN: "cannot tell"}


def explain(decision: Decision) -> str:
    """Every criterion with its answer and evidence, and in one sentence why there is or is no card."""
    assessment, content = decision.assessment, decision.rule.content
    lines = [verdict(assessment, content.wording), ""]
    for criterion in assessment.criteria:
        lines += _criterion(criterion, content.wording)
    if assessment.studies and assessment.outcome is Outcome.FIRED:
        lines += ["", f"Proposed: {', '.join(assessment.studies)}"]
    if assessment.covered:
        there = ", ".join(f"{item.slug} ({item.state})" for item in assessment.covered)
        lines.append(f"There already: {there}")
    if assessment.removals:
        lines.append(f"Removal offered: {', '.join(item.reference for item in assessment.removals)}")
    lines += _additional_findings(assessment, content.wording)
    if decision.gaps:
        lines += ["", "Not wholly known:"]
        lines += [f"  {key}: {why}" for key, why in decision.gaps.items()]
    if not_understood := not_understood_lines(assessment, content.terminology):
        lines += ["", "Not understood:", *(f"  {line}" for line in not_understood)]
    if assessment.unread:
        lines += ["", f"Not read, wholly or in part ({assessment.unreadable} entries), or refused:"]
        lines += [f"  {place}" for place in assessment.unread]
    settings = shown_digest(decision.settings_digest)
    version = f"rule {content.version}, settings {settings}"
    lines += ["", f"Outcome {assessment.outcome}, reason {assessment.reason}, {version}"]
    return "\n".join(lines)


def verdict(assessment: Assessment, wording: Wording) -> str:
    """In one sentence, why there is or is no card."""
    if assessment.active_override:
        return _active_override(assessment.active_override)
    if assessment.outcome in (Outcome.FIRED, Outcome.SUPPRESSED):
        return wording["verdict"][assessment.reason]
    if assessment.outcome is Outcome.UNDETERMINED:
        return f"No answer: it depends on data that is missing ({joined(assessment.missing)})."
    refusal = next(item for item in assessment.criteria if item.answer is Answer.NOT_MET)
    return f"No card: {refusal.because[0].lower()}{refusal.because[1:]}"


def _active_override(override: ActiveOverride) -> str:
    until = f"until {override.until:%Y-%m-%d}, or newer evidence" if override.until else "until newer evidence"
    return (
        "No card: the criteria are met, but the card was turned down on"
        f" {override.at:%Y-%m-%d} ({override.reason}). It stays away {until}; a red flag brings it back at once."
    )


# What `Understanding.gaps` counts besides code systems, in words behind the number.
_NO_SYSTEM = {
    WORDS: "with words that say nothing known",
    EMPTY: "with neither code nor words",
    UNNAMED: "of an unnamed code system",
    HINTS: "hinting at the disease without a diagnosis",
    STATUSES: "with a status that means nothing",
    UNKNOWN_SUBJECTS: "of which nobody knows whose they are",
    OTHER_PATIENTS: "of another patient",
    ACCEPTED_GAPS: "gap that the site accepts",
    IMPORTED: "dated only by the day on which a whole list was recorded",
    SELECTIONS: "selected, but not among the draft orders",
}


def not_understood_lines(assessment: Assessment, terminology: Terminology) -> list[str]:
    """How much of each prefetch key was understood, where it was not all."""
    return [_understood(item, terminology) for item in assessment.understanding if item.gaps]


def _named(system: str, terminology: Terminology) -> str:
    """A code system that is unknown, or what a code is not whose system is known."""
    name = terminology.known_system_name(system)
    return f"that cannot be {name}" if name else f"of {system}"


def _understood(item: Understanding, terminology: Terminology) -> str:
    told = [f"{item.known} of {item.entries} understood"] if item.entries else []
    told += [f"{count} {_NO_SYSTEM.get(name) or _named(name, terminology)}" for name, count in item.gaps.items()]
    return f"{item.key}: {', '.join(told)}"


def _additional_findings(assessment: Assessment, wording: Wording) -> list[str]:
    """What stands beside the criteria, and the cautions, with the evidence for each."""
    lines: list[str] = []
    for group in assessment.groups:
        lines += [f"{wording['group'][group.id]}:", *(f"    - {_finding(entry)}" for entry in group.findings)]
    for raised in assessment.cautions:
        value_shown = f", {raised.value}" if raised.value else ""
        lines.append(f"Caution {raised.caution.id}: {_finding(raised.finding)}{value_shown}")
    return ["", *lines] if lines else []


def _criterion(criterion: Criterion, wording: Wording) -> list[str]:
    lines = [f"[{_ANSWER_WORDS[criterion.answer]}] {wording['question'][criterion.id]}", f"    {criterion.because}"]
    lines += [f"    {step}" for step in criterion.steps]
    return lines + [f"    - {_finding(finding)}" for finding in criterion.findings]


def _finding(finding: Finding) -> str:
    what = finding.label or (f'"{finding.quote}"' if finding.quote else "result")
    code = f" [{finding.coding.system} {finding.coding.code}]" if finding.coding else " [free text]"
    when = f"{finding.date_source} {finding.when}" if finding.when else "no date"
    return f"{what}{code}, {when}, {finding.source}"
