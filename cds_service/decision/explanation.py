"""An assessment in plain text, for people who answer for the service."""

from __future__ import annotations

from dataclasses import fields

from cds_service.advice.phrases import joined
from cds_service.clinical.reading.findings import Answer, Answered, Criterion, Finding, Outcome, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.decision.support import Decision

_SIGNS = {Answer.MET: "yes", Answer.NOT_MET: "no", Answer.UNKNOWN: "cannot tell"}


def explain(decision: Decision, rule_version: str) -> str:
    """Every criterion with its answer and evidence, and in one sentence why there is or is no card."""
    assessment = decision.assessment
    lines = [verdict(assessment), ""]
    for criterion in assessment.criteria:
        lines += _criterion(criterion)
    if assessment.studies and assessment.outcome is Outcome.FIRED:
        lines += ["", f"Proposed: {', '.join(assessment.studies)}"]
    if assessment.present:
        there = ", ".join(f"{item.slug} ({item.state})" for item in assessment.present)
        lines.append(f"There already: {there}")
    if assessment.removals:
        lines.append(f"Removal offered: {', '.join(item.reference for item in assessment.removals)}")
    lines += _beside(assessment)
    if decision.gaps:
        lines += ["", "Not wholly known:"]
        lines += [f"  {key}: {why}" for key, why in decision.gaps.items()]
    if assessment.unread:
        lines += ["", f"Not read, wholly or in part ({assessment.unreadable} entries), or refused:"]
        lines += [f"  {place}" for place in assessment.unread]
    lines += ["", f"Outcome {assessment.outcome}, reason {assessment.reason}, rule {rule_version}"]
    return "\n".join(lines)


_FIRED = {
    Reason.IMAGING_ADVISED: "Card: a history of breast cancer and new back pain (or what stands for it) are recorded.",
    Reason.IN_SITU_ONLY: "Card, for information: only in situ disease of the breast, with new back pain.",
    Reason.CHILD: "Card, for information: a breast cancer code and back pain in a child.",
    Reason.NO_SYMPTOMS: "Card, for information: a search for metastases is ordered without any symptom on record.",
}
_SUPPRESSED = {
    Reason.ALREADY_DRAFTED: "No card: the criteria are met, but every study to propose is drafted already.",
    Reason.ALREADY_IMAGED: "No card: the criteria are met, but every study to propose is done, ordered or drafted.",
    Reason.HOSPICE: "No card: the criteria are met, but hospice or comfort care is recorded.",
}


def verdict(assessment: Assessment) -> str:
    """In one sentence, why there is or is no card."""
    if assessment.outcome is Outcome.FIRED:
        return _FIRED[assessment.reason]
    if assessment.answered:
        return _answered(assessment.answered)
    if assessment.outcome is Outcome.SUPPRESSED:
        return _SUPPRESSED[assessment.reason]
    if assessment.outcome is Outcome.UNDETERMINED:
        return f"No answer: it depends on data that is missing ({joined(assessment.missing)})."
    refusal = next(item for item in assessment.criteria if item.answer is Answer.NOT_MET)
    return f"No card: {refusal.because[0].lower()}{refusal.because[1:]}"


def _answered(answered: Answered) -> str:
    until = f"until {answered.until:%Y-%m-%d}, or newer evidence" if answered.until else "until newer evidence"
    return (
        "No card: the criteria are met, but the card was turned down on"
        f" {answered.at:%Y-%m-%d} ({answered.reason}). It stays away {until}; a red flag brings it back at once."
    )


def _beside(assessment: Assessment) -> list[str]:
    """Red flags, metastases, brain symptoms and cautions, with the evidence for each."""
    lines: list[str] = []
    for item in fields(assessment.flags):
        value = getattr(assessment.flags, item.name)
        if isinstance(value, tuple) and value:
            lines += [f"{item.name.replace('_', ' ')}:".capitalize(), *(f"    - {_finding(entry)}" for entry in value)]
    if assessment.brain:
        lines += [f"Brain symptoms (receptors: {assessment.receptors}):"]
        lines += [f"    - {_finding(entry)}" for entry in assessment.brain]
    for raised in assessment.cautions:
        value_shown = f", eGFR {raised.value}" if raised.value else ""
        lines.append(f"Caution {raised.caution.id}: {_finding(raised.finding)}{value_shown}")
    return ["", *lines] if lines else []


def _criterion(criterion: Criterion) -> list[str]:
    lines = [f"[{_SIGNS[criterion.answer]}] {criterion.question}", f"    {criterion.because}"]
    return lines + [f"    - {_finding(finding)}" for finding in criterion.findings]


def _finding(finding: Finding) -> str:
    what = finding.label or (f'"{finding.quote}"' if finding.quote else "result")
    code = f" [{finding.coding.system} {finding.coding.code}]" if finding.coding else " [free text]"
    when = f"{finding.basis} {finding.when}" if finding.when else "no date"
    return f"{what}{code}, {when}, {finding.source}"
