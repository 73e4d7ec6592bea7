"""Does the patient have a history of breast cancer? (chapter 1 of docs/clinical-decisions.md)

Any breast cancer counts, active or past, without limit of time and for every sex (decisions 1.1 and 1.2). Codes of in
situ disease, family history, screening, benign disease and metastasis *to* the breast do not (decisions 1.3 and 1.4).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from cds_service.chart.records import Chart, Coding, Condition
from cds_service.clinical.reading.findings import DateSource, Finding
from cds_service.clinical.reading.onset import Calendar, start_of
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.reading.understanding import EMPTY, WORDS, Understanding
from cds_service.clinical.rules.assessment import Answer, Criterion
from cds_service.clinical.rules.breast_cancer_back_pain.cancer_at_site import cancer_at_breast, is_elsewhere
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.questions import IS_BREAST_CANCER
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import RuleValueSet


@dataclass(frozen=True, slots=True)
class CancerHistory:
    """The entries that prove breast cancer, those that show in situ disease only, and those passed over."""

    proven: tuple[Finding, ...]
    in_situ: tuple[Finding, ...]
    passed_over: tuple[str, ...]


def cancer_history(chart: Chart, recognizer: Recognizer, options: RuleOptions, calendar: Calendar) -> CancerHistory:
    """Read the conditions of the chart, and the coded reasons of its visits, for breast cancer."""
    proven: list[Finding] = []
    in_situ: list[Finding] = []
    passed_over: list[str] = []
    for condition in chart.conditions.items:
        value_sets = recognizer.value_sets(condition.concept)
        if RuleValueSet.BREAST_CANCER in value_sets:
            coding = value_sets[RuleValueSet.BREAST_CANCER]
            if why := _why_not(condition, coding, value_sets, recognizer, options):
                passed_over.append(f"{condition.reference}: {why}")
            else:
                finding = recognizer.coded(_finding(condition, calendar), coding, condition.concept)
                proven.append(replace(finding, as_written=_own_words(condition, recognizer)))
        elif RuleValueSet.BREAST_CANCER_IN_SITU in value_sets:
            if not condition.is_refuted and not condition.is_suspected:
                finding = _finding(condition, calendar)
                in_situ.append(
                    recognizer.coded(finding, value_sets[RuleValueSet.BREAST_CANCER_IN_SITU], condition.concept)
                )
        elif IS_BREAST_CANCER.isdisjoint(value_sets) or _is_spread_alone(value_sets):
            quote = recognizer.stated_in_words(condition.concept, RuleValueSet.BREAST_CANCER)
            # The site says more than words that name the cancer only.
            if sited := cancer_at_breast(condition, value_sets, recognizer):
                if why := _why_not(condition, sited.coding, value_sets, recognizer, options):
                    passed_over.append(f"{condition.reference}: {why}")
                else:
                    found = replace(
                        _finding(condition, calendar, sited.quote),
                        label=sited.label,
                        coding=sited.coding,
                        from_text=sited.coding is None,
                    )
                    (in_situ if sited.in_situ else proven).append(found)
            elif quote and is_elsewhere(condition, quote, recognizer):
                passed_over.append(f"{condition.reference}: its body site is not the breast")
            elif quote and not _why_not(condition, None, value_sets, recognizer, options):
                proven.append(_finding(condition, calendar, quote))
    for finding, why in _visit_reasons(chart, recognizer, options, calendar):
        if why:
            passed_over.append(f"{finding.source}: {why}")
        else:
            proven.append(finding)
    return CancerHistory(_earliest_first(proven), _earliest_first(in_situ), tuple(passed_over))


def _own_words(condition: Condition, recognizer: Recognizer) -> str:
    """What the chart calls the cancer, where that says more than its code: the side, the kind, the receptors."""
    words = recognizer.own_words(condition.concept)
    if words and not recognizer.has_words(WordList.PLAIN_CANCER, words):
        return words
    # Our own words for a code are those of its category: "malignant neoplasm of breast" for each side.
    names = (coding.display for coding in condition.concept.codings if coding.display)
    return next((name for name in names if _is_in_more_detail(name, condition, recognizer)), "")


def _is_in_more_detail(name: str, condition: Condition, recognizer: Recognizer) -> bool:
    """Whether the EHR's name of a code tells side, sex or receptors, and our own names of its codes do not."""
    ours = recognizer.labels(condition.concept)
    detail = WordList.CANCER_IN_DETAIL
    return recognizer.has_words(detail, name) and not recognizer.has_words(detail, *ours)


def _visit_reasons(
    chart: Chart, recognizer: Recognizer, options: RuleOptions, calendar: Calendar
) -> Iterator[tuple[Finding, str]]:
    """Reasons of visits that are coded as breast cancer, each with why it is no proof.

    In words alone a reason is too often a worry, or the visit in which the cancer was looked for.
    """
    for encounter in chart.encounters.items:
        if encounter.did_not_take_place:
            continue
        when = calendar.past(encounter.period)
        where = Finding(encounter.reference, "Encounter", when=when, date_source=DateSource.ENCOUNTER)
        for reason in encounter.reasons:
            value_sets = recognizer.value_sets(reason)
            if coding := value_sets.get(RuleValueSet.BREAST_CANCER):
                stated = Condition(encounter.reference, reason)
                yield (
                    recognizer.coded(where, coding, reason),
                    _why_not(stated, coding, value_sets, recognizer, options),
                )


def _is_spread_alone(value_sets: Collection[str]) -> bool:
    """Whether the codes tell of spread to the breast and of no primary; the words may ("metastatic breast cancer")."""
    settled = (IS_BREAST_CANCER | {RuleValueSet.OTHER_CANCER}).intersection(value_sets)
    return settled == {RuleValueSet.METASTASIS_TO_BREAST}


def _why_not(
    condition: Condition,
    coding: Coding | None,
    value_sets: Collection[str],
    recognizer: Recognizer,
    options: RuleOptions,
) -> str:
    """Why a condition that says breast cancer is no proof, or an empty string where it is.

    A code of breast cancer stands beside one of a gene, of screening or of spread; family history takes it back, and so
    do words that speak of nothing but a relative, a suspicion or, beside such a code, screening (decision 1.7).
    """
    status = condition.verification_status
    if condition.is_refuted:
        return f"verification status is {status}"
    if condition.is_suspected:
        return f"suspected only ({status})"
    if status == "unconfirmed" and options.unconfirmed_cancer == "ignore":
        return "unconfirmed"
    if RuleValueSet.BREAST_CANCER_FAMILY_HISTORY in value_sets:
        return "another code of the same entry says that it is of a relative"
    if coding is None:
        return ""
    if recognizer.contradicts_itself(condition.concept, coding, RuleValueSet.BREAST_CANCER):
        return "its text speaks of family history or of a suspicion"
    beside = RuleValueSet.BREAST_CANCER_EXCLUSION in value_sets
    if beside and recognizer.contradicts_itself(condition.concept, coding, RuleValueSet.BREAST_CANCER, "screening"):
        return "its text speaks of screening"
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


def cancer_criterion(
    chart: Chart, history: CancerHistory, recognizer: Recognizer, conditions: Understanding | None = None
) -> Criterion:
    """The criterion; unknown only where the conditions at hand show no breast cancer and may not be all.

    Args:
        chart: what is known.
        history: what the conditions say.
        recognizer: names the code systems that are known.
        conditions: how many of them were understood, for the reason that is given.
    """
    if history.proven:
        because = "Breast cancer is recorded."
        return Criterion("breast-cancer-history", Answer.MET, because, history.proven)
    aside = f" Passed over: {'; '.join(history.passed_over)}." if history.passed_over else ""
    if not chart.conditions.complete:
        because = f"No breast cancer in the conditions at hand, but they are not all: {chart.conditions.gap}.{aside}"
        return Criterion("breast-cancer-history", Answer.UNKNOWN, because, missing=("conditions",))
    because = f"No breast cancer among {_how_many(conditions, recognizer)}.{aside}"
    return Criterion("breast-cancer-history", Answer.NOT_MET, because, reason=Reason.NO_CANCER_HISTORY)


def _how_many(conditions: Understanding | None, recognizer: Recognizer) -> str:
    """`the 14 conditions that were understood; 3 had only codes of unknown systems`.

    A code that was not understood though its system is known has not the shape of a code of it.
    """
    if conditions is None or not conditions.not_understood:
        return "the patient's conditions"
    one = conditions.known == 1
    known = f"the {conditions.known} condition{'' if one else 's'} that {'was' if one else 'were'} understood"
    by_name: Counter[str] = Counter()
    for system, count in conditions.not_understood.items():
        if system not in (WORDS, EMPTY):
            by_name[recognizer.system_name(system)] += count
    rest = sum(conditions.not_understood.values()) - by_name.total()
    told = [
        f"{count} had only codes {f'that cannot be {name}' if name else 'of unknown systems'}"
        for name, count in sorted(by_name.items())
    ]
    told += [f"{rest} said nothing that is known"] if rest else []
    return f"{known}; {' and '.join(told)}"
