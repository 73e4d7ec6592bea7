"""What a proposed order says: its label, and the clinical question with the findings behind it (decision 7.11).

For the radiologist, who sees neither the card nor, in most systems, the chart: the question first, then the findings
with their dates, then what changes the protocol. Findings of the chart only; nothing is said to be there or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import ProposedOrder, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import CANCER_HISTORY, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import FRACTURE, PAIN_EQUIVALENT
from cds_service.clinical.rules.breast_cancer_back_pain.order_labels import description_of, label_of
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.breast_cancer_back_pain.studies import is_spine_mri
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.clinical.rules.sentences import (
    EXTRA,
    HELPS,
    MORE,
    NEEDED,
    STAYS,
    Dated,
    Listed,
    OrderText,
    Quote,
    Sentence,
    Value,
    What,
)
from cds_service.content.model import Content

# Of each kind, so many findings are named.
_MOST_FINDINGS = 3


def order_text(assessment: Assessment, order: ProposedOrder, content: Content) -> OrderText:
    """Label, description and clinical question of one proposed order."""
    study, words = content.orders[order.slug].label, content.wording["suggestion"]
    include_sacrum = is_spine_mri(order.slug) and Note.INCLUDE_SACRUM in assessment.notes
    return OrderText(
        label=label_of(order, study, words, include_sacrum),
        description=description_of(order, study, words, include_sacrum),
        question=tuple(_Question(assessment, order.slug, content).sentences()),
    )


class _Question:
    """The clinical question of one order."""

    def __init__(self, assessment: Assessment, slug: str, content: Content) -> None:
        self._assessment = assessment
        self._flags = assessment.flags
        self._slug = slug
        self._order = content.orders[slug]
        self._content = content
        self._words = content.wording["question_on_order"]
        self._is_spine_mri = is_spine_mri(slug)
        self._is_brain_mri = slug.startswith(content.rule.brain)

    def sentences(self) -> Iterator[Sentence]:
        """What is asked, why, and what changes the protocol."""
        for name in self._asked():
            yield Sentence(self._words[name])
        yield from self._findings()
        yield from self._protocol()

    def _asked(self) -> Iterator[str]:
        """The names of the questions."""
        flags = self._flags
        known = bool(flags.bone_metastasis or flags.cord_metastasis)
        if self._is_brain_mri:
            yield "brain"
        elif self._is_spine_mri:
            if flags.infection or flags.possible_infection:
                yield "infection"
            if flags.pathological_fracture or flags.vertebral_compression_fracture or flags.traumatic_fracture:
                yield "fracture"
            yield "spine_known" if known else "spine_emergency" if flags.cord_emergency else "spine"
        elif self._order.modality == "bone scan":
            yield "bone_scan_known" if known else "bone_scan"
        else:
            yield "ct_known" if known or flags.other_metastasis else "ct"

    def _findings(self) -> Iterator[Sentence]:
        """Signs first, then the cancer and the pain, then what else is recorded beside them."""
        flags, found = self._flags, self._assessment
        if self._is_brain_mri:
            yield from self._each("finding", found.brain, STAYS)
        yield from self._each("finding", flags.emergencies if flags.critical else (), STAYS)
        yield from self._each("cancer", self._first_of_cancer(), STAYS)
        yield from self._each("metastasis", (*flags.bone_metastasis, *flags.other_metastasis)[:1], NEEDED)
        yield from self._pain()
        yield from self._each("finding", (*flags.vertebral_compression_fracture, *flags.traumatic_fracture), NEEDED)
        if not flags.nonspecific_is_critical:
            yield from self._each("finding", flags.nonspecific, NEEDED)
        yield from self._each("asked", flags.asked, NEEDED)
        yield from self._each("finding", flags.possible_infection, HELPS)
        yield from self._each("finding", flags.systemic, HELPS)
        yield from self._each("injury", found.injuries[:1], HELPS)
        yield from self._each("known_sign", flags.known, MORE)
        if found.pain_quality:
            yield Sentence(self._words["pain_quality"], {"finding": Quote(found.pain_quality)}, HELPS)
        if self._is_spine_mri:
            for study in found.outdated_mri[:1]:
                yield Sentence(self._words["compare"], {"date": study.when or ""}, MORE)

    def _first_of_cancer(self) -> tuple[Finding, ...]:
        """The earliest record of the cancer; an undated one where none has a date."""
        findings = self._assessment.criterion(CANCER_HISTORY).findings
        dated = [(item.when.earliest, index) for index, item in enumerate(findings) if item.when]
        return (findings[min(dated)[1]],) if dated else findings[:1]

    def _pain(self) -> Iterator[Sentence]:
        """Where it hurts and since when; nothing where a fracture or a sign stands for the pain."""
        region = self._assessment.region
        if not region or region in (FRACTURE, PAIN_EQUIVALENT):
            return
        began = self._assessment.pain_began
        if began.day is None or Note.ONSET_NOT_RECORDED in self._assessment.notes:
            undated = Listed([self._content.wording["pain_undated"][region]], capital=True)
            yield Sentence(self._words["pain_undated"], {"pain": undated})
            return
        pain = Listed([self._content.wording["pain"][region]], capital=True)
        name = "pain_since" if began.is_onset else "pain_recorded"
        yield Sentence(self._words[name], {"pain": pain, "date": began.day.isoformat()})

    def _each(self, name: str, findings: Sequence[Finding], goes: int) -> Iterator[Sentence]:
        """A sentence for each of the first findings; those behind the first go sooner."""
        for index, finding in enumerate(findings[:_MOST_FINDINGS]):
            # At the beginning of a sentence.
            what: Value = Listed([What(finding)], capital=True) if name == "finding" else What(finding)
            values: Mapping[str, Value] = {"finding": what, "when": Dated(finding)}
            yield Sentence(self._words[name], values, goes if index == 0 else max(goes, MORE))

    def _protocol(self) -> Iterator[Sentence]:
        """What changes how the study is done, and when."""
        found = self._assessment
        if self._is_spine_mri and Note.INCLUDE_SACRUM in found.notes:
            yield Sentence(self._words["include_sacrum"])
        cautions = [item for item in found.cautions if self._order.modality in item.caution.concerns]
        for index, item in enumerate(cautions):
            yield self._caution(item, NEEDED if index < _MOST_FINDINGS else HELPS)
        egfr = found.kidneys.egfr
        tells = any(item.caution.found_in == "kidneys" for item in cautions)
        if egfr and egfr.recent and egfr.usable and not tells and "with IV contrast" in self._order.label:
            yield Sentence(self._words["egfr"], {"value": egfr.reported, "when": Dated(egfr.finding)}, MORE)
        if self._is_spine_mri or self._is_brain_mri:
            return
        if Note.CHECK_PREGNANCY in found.notes:
            yield Sentence(self._words["pregnancy"], goes=MORE)
        if not any(is_spine_mri(item.slug) and item.state is State.DONE for item in found.covered):
            name = "after_emergency_mri" if found.critical else "with_or_after_mri"
            yield Sentence(self._words[name], goes=EXTRA)

    def _caution(self, item: RaisedCaution, goes: int) -> Sentence:
        egfr: Value = ""
        if item.egfr:
            shown: Mapping[str, Value] = {"value": item.egfr.reported, "when": Dated(item.egfr.finding)}
            egfr = Sentence(self._content.cautions.kidneys.newest_egfr, shown)
        values: Mapping[str, Value] = {
            "finding": What(item.finding) if item.finding.label or item.finding.quote else "",
            "when": Dated(item.finding),
            "value": item.value,
            "egfr": egfr,
            "contrast": item.contrast,
            "reaction": Quote(item.reaction),
        }
        return Sentence(item.caution.on_order, values, goes)
