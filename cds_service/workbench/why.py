"""Why there is a card, or none, as data for the workbench: every criterion, its answer, the evidence, and the timeline.

The same assessment that a client is answered with, so that the page can show nothing that the service did not decide.
The sentence of the verdict is that of `cds-service explain`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from cds_service.advice.phrases import when_words
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import Assessment, Criterion, Outcome
from cds_service.clinical.rules.timeline import Timeline
from cds_service.content.model import Content
from cds_service.decision.explanation import not_understood_lines, verdict
from cds_service.decision.hook_call import HookCall
from cds_service.decision.memory import NO_HISTORY, OverrideHistory
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.workbench.patients import OUTCOME_TAGS

Json = dict[str, Any]

# What an outcome means, before the reason in words.
_OUTCOME_WORDS = {
    Outcome.FIRED: "There is a card",
    Outcome.SUPPRESSED: "The criteria are met and the card is kept back",
    Outcome.NOT_APPLICABLE: "There is no card",
    Outcome.UNDETERMINED: "It cannot be told",
}


@dataclass(frozen=True, slots=True)
class Explained:
    """An answer explained: `facts` as JSON, and the timeline of the chart."""

    facts: Json
    timeline: Timeline


def explained(
    support: DecisionSupport, call: HookCall, document: object, history: OverrideHistory = NO_HISTORY
) -> Explained:
    """Answer a hook call once more and say why.

    Args:
        history: the feedback on earlier cards, as for the call itself.

    Raises:
        InvalidRequest: the body is not a valid call of this service.
    """
    decision = support.decide(call, document, history)
    today = call.at.astimezone(UTC).date()
    return Explained(
        facts=_facts(decision, decision.rule.content, today), timeline=decision.rule.timeline(decision.assessment)
    )


def _facts(decision: Decision, content: Content, today: date) -> Json:
    assessment = decision.assessment
    return {
        "outcome": assessment.outcome,
        "tag": OUTCOME_TAGS.get(assessment.outcome, assessment.indicator),
        "reason": assessment.reason,
        "verdict": _verdict(assessment, content),
        "in_words": in_words(assessment.outcome, assessment.reason),
        "criteria": [_criterion(item, content, today) for item in assessment.criteria],
        "beside": _additional_findings(assessment, content, today),
        "orders": _orders(assessment, content),
        "notes": [content.wording["note"][note] for note in sorted(assessment.notes)],
        "gaps": [{"key": key, "why": why} for key, why in decision.gaps.items()],
        "missing": list(assessment.missing),
        "not_understood": not_understood_lines(assessment, content.terminology),
        "unread": list(assessment.unread),
        "fetched": len(decision.fetched),
        "rule": content.version,
    }


def in_words(outcome: Outcome, reason: str) -> str:
    """Outcome and reason as a clause. The codes of reasons are made of plain words, so that logs can be read."""
    return f"{_OUTCOME_WORDS[outcome]}: {reason.replace('-', ' ')}"


def _verdict(assessment: Assessment, content: Content) -> str:
    """The sentence of `explain`, with the words of an override reason in place of its code."""
    sentence = verdict(assessment, content.wording)
    if not assessment.active_override:
        return sentence
    code = assessment.active_override.reason
    words = next((reason.display for reason in content.override_reasons if reason.code == code), code)
    return sentence.replace(f"({code})", f"(“{words}”)")


def _criterion(criterion: Criterion, content: Content, today: date) -> Json:
    return {
        "id": criterion.id,
        "question": content.wording["question"][criterion.id],
        "answer": criterion.answer,
        "because": criterion.because,
        "findings": [_finding(finding, content, today) for finding in criterion.findings],
        "missing": list(criterion.missing),
        "steps": list(criterion.steps),
    }


def _finding(finding: Finding, content: Content, today: date) -> Json:
    """A finding in words; `quote` holds words of the EHR, which the page shows as text and marks as such."""
    return {
        "label": finding.label,
        "quote": finding.quote,
        "code": finding.coding.code if finding.coding else "",
        "system": finding.coding.system if finding.coding else "",
        "when": when_words(finding, today, content.wording),
        "source": finding.source,
        "from_text": finding.from_text,
    }


def _additional_findings(assessment: Assessment, content: Content, today: date) -> list[Json]:
    """What stands beside the criteria: the rule's groups, and cautions."""
    groups = [(content.wording["group"][group.id], group.findings) for group in assessment.groups]
    groups += [(_caution_title(raised.caution.name, raised.value), (raised.finding,)) for raised in assessment.cautions]
    return [{"title": title, "findings": [_finding(item, content, today) for item in found]} for title, found in groups]


def _caution_title(name: str, value: str) -> str:
    return f"Caution: {name} ({value})" if value else f"Caution: {name}"


def _orders(assessment: Assessment, content: Content) -> list[str]:
    """What is proposed, what is there already, and what may be removed, each in a sentence."""
    has_card = assessment.outcome is Outcome.FIRED
    proposed = [f"Proposed: {content.orders[slug].label}" for slug in assessment.studies if has_card]
    present = [
        f"There already: {content.orders[item.slug].name}, {item.state}{f' {item.when}' if item.when else ''}"
        for item in assessment.covered
    ]
    return proposed + present + [f"May be removed: {item.reference}" for item in assessment.removals if has_card]
