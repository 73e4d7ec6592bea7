"""Does the patient have a history of breast cancer? (chapter 1 of docs/clinical-decisions.md)

Any breast cancer counts, active or past, without limit of time and for every sex (decisions 1.1 and 1.2). Codes of in
situ disease, family history, screening, benign disease and metastasis *to* the breast do not (decisions 1.3 and 1.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from cds_service.chart.records import Chart, Coding, Condition
from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.reading.onset import Calendar, start_of
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.assessment import Answer, Criterion
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BREAST_CANCER
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet


@dataclass(frozen=True, slots=True)
class CancerHistory:
    """The conditions that prove breast cancer, those that show in situ disease only, and those passed over."""

    proven: tuple[Finding, ...]
    in_situ: tuple[Finding, ...]
    passed_over: tuple[str, ...]


def cancer_history(chart: Chart, recognizer: Recognizer, options: RuleOptions, calendar: Calendar) -> CancerHistory:
    """Read the conditions of the chart for breast cancer."""
    proven: list[Finding] = []
    in_situ: list[Finding] = []
    passed_over: list[str] = []
    for condition in chart.conditions.items:
        value_sets = recognizer.value_sets(condition.concept)
        if RuleValueSet.BREAST_CANCER in value_sets:
            coding = value_sets[RuleValueSet.BREAST_CANCER]
            if why := _why_not(condition, coding, RuleValueSet.BREAST_CANCER_TRAP in value_sets, recognizer, options):
                passed_over.append(f"{condition.reference}: {why}")
            else:
                proven.append(recognizer.coded(_finding(condition, calendar), coding, condition.concept))
        elif RuleValueSet.BREAST_CANCER_IN_SITU in value_sets:
            if not condition.is_refuted and not condition.is_suspected:
                finding = _finding(condition, calendar)
                in_situ.append(
                    recognizer.coded(finding, value_sets[RuleValueSet.BREAST_CANCER_IN_SITU], condition.concept)
                )
        elif IS_BREAST_CANCER.isdisjoint(value_sets):
            quote = recognizer.stated_in_words(condition.concept, RuleValueSet.BREAST_CANCER)
            if quote and not _why_not(condition, None, False, recognizer, options):
                proven.append(_finding(condition, calendar, quote))
    return CancerHistory(_earliest_first(proven), _earliest_first(in_situ), tuple(passed_over))


def _why_not(
    condition: Condition, coding: Coding | None, trap: bool, recognizer: Recognizer, options: RuleOptions
) -> str:
    """Why a condition that says breast cancer is no proof, or an empty string where it is."""
    status = condition.verification_status
    if condition.is_refuted:
        return f"verification status is {status}"
    if condition.is_suspected:
        return f"suspected only ({status})"
    if status == "unconfirmed" and options.unconfirmed_cancer == "ignore":
        return "unconfirmed"
    if trap:
        return "another code of the same entry contradicts it"
    if coding and recognizer.contradicts_itself(condition.concept, coding, RuleValueSet.BREAST_CANCER):
        return "its text speaks of family history or of a suspicion"
    return ""


def _finding(condition: Condition, calendar: Calendar, quote: str = "") -> Finding:
    start = start_of(condition, None, calendar)
    return Finding(
        source=condition.reference,
        kind="Condition",
        quote=quote,
        when=start.when,
        date_source=start.date_source,
        from_text=bool(quote),
    )


def _earliest_first(findings: list[Finding]) -> tuple[Finding, ...]:
    """Coded before text, dated before undated, early before late; duplicates of one code only once."""
    ordered = sorted(
        findings,
        key=lambda item: (item.from_text, item.when is None, str(item.when), item.source, item.label, item.quote),
    )
    unique: dict[tuple[str, str], Finding] = {}
    for finding in ordered:
        unique.setdefault((finding.label, finding.quote), finding)
    return tuple(unique.values())


def cancer_criterion(chart: Chart, history: CancerHistory) -> Criterion:
    """The criterion; unknown only where the conditions at hand show no breast cancer and may not be all."""
    if history.proven:
        because = "Breast cancer is recorded."
        return Criterion("breast-cancer-history", Answer.MET, because, history.proven)
    aside = f" Passed over: {'; '.join(history.passed_over)}." if history.passed_over else ""
    if not chart.conditions.complete:
        because = f"No breast cancer in the conditions at hand, but they are not all: {chart.conditions.gap}.{aside}"
        return Criterion("breast-cancer-history", Answer.UNKNOWN, because, missing=("conditions",))
    because = f"No breast cancer among the patient's conditions.{aside}"
    return Criterion("breast-cancer-history", Answer.NOT_MET, because, reason=Reason.NO_CANCER_HISTORY)
