"""The rule: breast cancer history and new back pain, from a chart to an assessment.

Answers have three values; what is unknown is never read as "no", and data that cannot change the answer is never
missed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cache, cached_property

from cds_service.chart.records import Chart, Gap, Observation
from cds_service.chart.screening import BareNumber
from cds_service.clinical.reading.irrelevant_codes import IrrelevantCodes
from cds_service.clinical.reading.recognition import MOST_TEXT, Recognizer
from cds_service.clinical.reading.understanding import (
    UNDERSTOOD,
    Understanding,
    drafts_understanding,
    understanding,
)
from cds_service.clinical.rules import assessment as every_rule
from cds_service.clinical.rules.assessment import Answer, Criterion, Outcome, ProposedOrder
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import PATIENT, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.cancer import cancer_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.card import card_text
from cds_service.clinical.rules.breast_cancer_back_pain.conclusion import completed, decided, searched_in_vain
from cds_service.clinical.rules.breast_cancer_back_pain.evidence import Evidence, calendar_of, read_evidence
from cds_service.clinical.rules.breast_cancer_back_pain.followed import followed
from cds_service.clinical.rules.breast_cancer_back_pain.imaging_plan import plan_imaging
from cds_service.clinical.rules.breast_cancer_back_pain.infection import unread_temperature_unit
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.order_text import order_text
from cds_service.clinical.rules.breast_cancer_back_pain.orders import order_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.pain_criterion import pain_criterion
from cds_service.clinical.rules.breast_cancer_back_pain.questions import what_is_ordered
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.clinical.rules.breast_cancer_back_pain.services import SERVICES, prefetch_templates
from cds_service.clinical.rules.breast_cancer_back_pain.surveillance import routine_searches
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import Threshold
from cds_service.clinical.rules.breast_cancer_back_pain.timeline import timeline
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import (
    BREAST_CANCER_HALVES,
    BREAST_CANCER_HINTS,
    NARROWED,
    NEEDS_SITE,
    RuleValueSet,
)
from cds_service.clinical.rules.followed import Followed
from cds_service.clinical.rules.laboratory_units import unread_laboratory_unit
from cds_service.clinical.rules.sentences import CardText, OrderText
from cds_service.clinical.rules.timeline import Timeline
from cds_service.content.model import Content
from cds_service.protocol.services import Service


@dataclass(frozen=True)
class BreastCancerBackPain:
    """The rule with its content and a site's choices (see `cds_service.clinical.rules.rule`)."""

    content: Content
    options: RuleOptions

    @property
    def services(self) -> tuple[Service, ...]:
        """One for each hook."""
        return SERVICES

    @cached_property
    def prefetch(self) -> Mapping[str, str]:
        """The prefetch templates by key."""
        return prefetch_templates(self.content)

    @property
    def choices(self) -> Mapping[str, object]:
        """The site's choices by the names of their settings."""
        return {item.name: getattr(self.options, item.name) for item in fields(self.options)}

    def reader(self) -> Recognizer:
        """What codes and words are read with."""
        return Recognizer(self.content, self.options.text_match, what_is_ordered(self.content), NARROWED)

    def codes(self) -> IrrelevantCodes:
        """Which codes cannot matter: names of reactions to contrast are read beside the text patterns."""
        words = (self.content.cautions.allergies.reaction,)
        return IrrelevantCodes(self.content, self.reader(), words, self._bare_numbers)

    @cached_property
    def _bare_numbers(self) -> Mapping[str, BareNumber]:
        """A pain score without a site locates no pain (decision 2.13); a temperature below fever is none."""
        fever_from = self.content.rule.thresholds[Threshold.FEVER_FROM_CELSIUS]
        return {
            RuleValueSet.PAIN_SEVERITY_OBSERVATION: BareNumber(UNDERSTOOD, math.inf),
            RuleValueSet.BODY_TEMPERATURE: BareNumber(UNDERSTOOD, fever_from, frozenset({"Cel"})),
        }

    def assess(self, chart: Chart, reader: Recognizer, now: datetime) -> Assessment:
        """Answer the rule for one patient; days are counted in UTC."""
        calendar = calendar_of(self.options, now)
        # Read where the first criterion leaves it open, or where someone wants to see why.
        read = cache(lambda: read_evidence(chart, self.content, self.options, reader, calendar))
        assessment = replace(self._assess(chart, reader, read), read=read)
        if reader.has_read_all:
            return assessment
        return replace(assessment, unread=(*assessment.unread, f"free text: the rest beyond {MOST_TEXT:,} characters"))

    def _assess(self, chart: Chart, reader: Recognizer, read: Callable[[], Evidence]) -> Assessment:
        criteria: list[Criterion] = []
        if chart.drafts is not None:
            criteria.append(order_criterion(chart, self.content.rule, reader))
            if criteria[0].answer is Answer.NOT_MET:
                unrelated = decided(Outcome.NOT_APPLICABLE, Reason.UNRELATED_ORDER, criteria, chart)
                return replace(unrelated, understanding=drafts_understanding(chart, reader))
        evidence = read()
        imported = len(evidence.imported)
        understood = understanding(chart, reader, BREAST_CANCER_HINTS, BREAST_CANCER_HALVES, NEEDS_SITE, imported)
        return replace(completed(_assess_patient(evidence, criteria, understood), chart), understanding=understood)

    def understanding(self, chart: Chart, reader: Recognizer) -> tuple[Understanding, ...]:
        """How the entries of a chart are understood; without the count of `imported`, which needs an assessment."""
        return understanding(chart, reader, BREAST_CANCER_HINTS, BREAST_CANCER_HALVES, NEEDS_SITE)

    def unread_unit(self, observation: Observation, reader: Recognizer) -> tuple[str, str] | None:
        """The unit of a temperature, eGFR, creatinine or hCG that cannot be read."""
        if unit := unread_temperature_unit(observation, reader):
            return RuleValueSet.BODY_TEMPERATURE, unit
        return unread_laboratory_unit(observation, reader, self.content.cautions.tests)

    def card(self, assessment: every_rule.Assessment, brevity: int) -> CardText:
        """What the card of a fired assessment says."""
        return card_text(_of_this_rule(assessment), self.content, brevity)

    def order_text(self, assessment: every_rule.Assessment, order: ProposedOrder) -> OrderText:
        """What a proposed order of a fired assessment says."""
        return order_text(_of_this_rule(assessment), order, self.content)

    def timeline(self, assessment: every_rule.Assessment) -> Timeline:
        """What the rule read in the chart of an assessment."""
        ours = _of_this_rule(assessment)
        if ours.read is None:
            raise ValueError("the assessment was not made from a chart")
        return timeline(ours.read(), ours)

    def followed(self, assessment: every_rule.Assessment) -> Followed:
        """What a replay follows in the chart of an assessment."""
        return followed(_of_this_rule(assessment))


def _of_this_rule(assessment: every_rule.Assessment) -> Assessment:
    if not isinstance(assessment, Assessment):
        raise TypeError("an assessment of another rule")
    return assessment


def _assess_patient(evidence: Evidence, criteria: list[Criterion], understood: Sequence[Understanding]) -> Assessment:
    """The three criteria about the patient, and what they come to."""
    chart = evidence.chart
    cancer = _cancer(evidence, next((item for item in understood if item.key == "conditions"), None))
    patient = patient_criterion(chart)
    pain = pain_criterion(chart, list(evidence.records), evidence.pain, understood)
    criteria += [patient, cancer, pain]
    # Of a patient whom the FHIR server does not know, every search finds nothing.
    is_stranger = chart.patient.gap is Gap.PATIENT_UNKNOWN and searched_in_vain(criteria)
    if any(item.answer is Answer.NOT_MET for item in criteria) and not is_stranger:
        return _not_applicable(evidence, criteria)
    if any(item.answer is Answer.UNKNOWN for item in criteria):
        return decided(Outcome.UNDETERMINED, Reason.DATA_MISSING, criteria, chart)
    return plan_imaging(evidence, decided(Outcome.FIRED, Reason.IMAGING_ADVISED, criteria, chart))


def patient_criterion(chart: Chart) -> Criterion:
    """Deceased patients and records that were merged away get no card."""
    patients = chart.patient.items
    if not patients or chart.patient.gap is Gap.PATIENT_UNKNOWN:
        gap = chart.patient.gap or "it was supplied, but is empty"
        because = f"The patient record is not at hand: {gap}."
        return Criterion(PATIENT, Answer.UNKNOWN, because, missing=("patient",))
    if any(patient.deceased for patient in patients):
        because = "The patient is recorded as deceased."
        return Criterion(PATIENT, Answer.NOT_MET, because, reason=Reason.DECEASED)
    if any(patient.replaced or not patient.active for patient in patients):
        because = "The record is inactive or was merged into another."
        return Criterion(PATIENT, Answer.NOT_MET, because, reason=Reason.RECORD_NOT_CURRENT)
    return Criterion(PATIENT, Answer.MET, "Nothing says otherwise.")


def _cancer(evidence: Evidence, conditions: Understanding | None) -> Criterion:
    """The cancer criterion; in situ disease alone meets it where the site wants to hear of it."""
    cancer = cancer_criterion(evidence.chart, evidence.history, evidence.recognizer, conditions)
    in_situ = evidence.history.in_situ
    if evidence.options.dcis_mode == "off" or cancer.answer is not Answer.NOT_MET or not in_situ:
        return cancer
    because = "Only in situ disease of the breast is recorded."
    return Criterion(cancer.id, Answer.MET, because, in_situ)


def _not_applicable(evidence: Evidence, criteria: Sequence[Criterion]) -> Assessment:
    """A criterion is not met: silence, but for routine imaging without symptoms that is just being ordered."""
    refusals = [item for item in criteria if item.answer is Answer.NOT_MET]
    reason = refusals[0].reason
    # Of pain that is not new, the advice itself tells what lies too long ago to matter.
    no_pain = [item.reason for item in refusals] in ([Reason.NO_BACK_PAIN], [Reason.PAIN_NOT_NEW])
    met = all(item.answer is Answer.MET for item in criteria if item not in refusals)
    if no_pain and met and (searches := routine_searches(evidence)):
        against_imaging = decided(Outcome.FIRED, Reason.NO_SYMPTOMS, criteria, evidence.chart)
        return replace(against_imaging, removals=searches)
    return decided(Outcome.NOT_APPLICABLE, Reason(reason), criteria, evidence.chart)
