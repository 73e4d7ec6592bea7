"""An assessment in plain text, for people who answer for the service."""

from __future__ import annotations

from cds_service.advice.phrases import joined
from cds_service.clinical.findings import Answer, Assessment, Criterion, Finding, Outcome, Reason
from cds_service.service import Decision

_SIGNS = {Answer.MET: "yes", Answer.NOT_MET: "no", Answer.UNKNOWN: "cannot tell"}


def explain(decision: Decision, rule_version: str) -> str:
    """Every criterion with its answer and evidence, and in one sentence why there is or is no card."""
    assessment = decision.assessment
    lines = [f"{_verdict(assessment)}", ""]
    for criterion in assessment.criteria:
        lines += _criterion(criterion)
    if assessment.studies:
        lines += ["", f"Proposed: {', '.join(assessment.studies)}"]
    if assessment.drafted:
        lines.append(f"Already drafted: {', '.join(assessment.drafted)}")
    if decision.gaps:
        lines += ["", "Not wholly known:"]
        lines += [f"  {key}: {why}" for key, why in decision.gaps.items()]
    if assessment.unread:
        lines += ["", f"Could not be read ({len(assessment.unread)}):"]
        lines += [f"  {place}" for place in assessment.unread]
    lines += ["", f"Outcome {assessment.outcome}, reason {assessment.reason}, rule {rule_version}"]
    return "\n".join(lines)


def _verdict(assessment: Assessment) -> str:
    if assessment.outcome is Outcome.FIRED:
        if assessment.reason is Reason.IN_SITU_ONLY:
            return "Card, for information: only in situ disease of the breast, with new back pain."
        return "Card: a history of breast cancer and new back pain are both recorded."
    if assessment.outcome is Outcome.SUPPRESSED:
        return "No card: the criteria are met, but every study to propose is drafted already."
    if assessment.outcome is Outcome.UNDETERMINED:
        return f"No answer: it depends on data that is missing ({joined(assessment.missing)})."
    refusal = next(item for item in assessment.criteria if item.answer is Answer.NOT_MET)
    return f"No card: {refusal.because[0].lower()}{refusal.because[1:]}"


def _criterion(criterion: Criterion) -> list[str]:
    lines = [f"[{_SIGNS[criterion.answer]}] {criterion.question}", f"    {criterion.because}"]
    return lines + [f"    - {_finding(finding)}" for finding in criterion.findings]


def _finding(finding: Finding) -> str:
    what = finding.label or f'"{finding.quote}"'
    code = f" [{finding.coding.system} {finding.coding.code}]" if finding.coding else " [free text]"
    when = f"{finding.basis} {finding.when}" if finding.when else "no date"
    return f"{what}{code}, {when}, {finding.source}"
