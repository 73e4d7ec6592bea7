"""The card's detail in Markdown: why this patient, what is proposed, what was not checked, what the evidence is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from cds_service.advice.markdown import quoted
from cds_service.advice.phrases import finding_words, joined, when_words
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.cautions import RaisedCaution
from cds_service.clinical.findings import Finding, Note, Present, Reason, State
from cds_service.clinical.work_up import is_spine_mri
from cds_service.content.model import Content

# A card is read in seconds: so many findings and cautions are spelled out, the rest is counted or named.
_MOST_FINDINGS = 2
_MOST_CAUTIONS = 3

_NO_IMAGING = {Reason.IN_SITU_ONLY: "in_situ", Reason.CHILD: "child", Reason.NO_SYMPTOMS: "surveillance"}


def detail(assessment: Assessment, content: Content, today: date) -> str:
    """The Markdown text; sections in the order in which a physician needs them."""
    text = _Detail(assessment, content, today)
    sections = [text.why(), text.proposed()]
    if assessment.reason is Reason.IMAGING_ADVISED:
        sections += [text.unchecked(), text.evidence()]
    return "\n\n".join("\n".join(lines) for lines in sections)


class _Detail:
    """The sections of one card's detail."""

    def __init__(self, assessment: Assessment, content: Content, today: date) -> None:
        self._assessment = assessment
        self._content = content
        self._words = content.wording
        self._today = today

    def why(self) -> list[str]:
        """Each finding with its date and source; emergencies first."""
        found, words = self._assessment, self._words["why"]
        cancer = "in_situ" if found.reason is Reason.IN_SITU_ONLY else "cancer"
        metastases = (*found.flags.bone_metastasis, *found.flags.other_metastasis)
        emergencies = found.flags.emergencies if found.flags.critical else ()
        lines = [words["heading"]]
        lines += self._listed("emergency", emergencies)
        lines += self._listed(cancer, found.criterion("breast-cancer-history").findings)
        lines += self._listed("metastasis", metastases, most=1)
        lines += self._listed("pain", self._pain(), most=3)
        lines += self._listed("collapse", found.flags.collapse, most=1)
        if not found.flags.nonspecific_is_critical:
            lines += self._listed("nonspecific", found.flags.nonspecific)
        lines += self._listed("systemic", found.flags.systemic)
        lines += self._listed("brain", found.brain, most=1)
        lines += self._listed("recent_injury", found.injuries[:1])
        return lines + list(self._provisos())

    def _pain(self) -> tuple[Finding, ...]:
        collapse = {item.source for item in self._assessment.flags.collapse}
        findings = self._assessment.criterion("new-back-pain").findings
        return tuple(item for item in findings if item.source not in collapse)

    def _provisos(self) -> Iterator[str]:
        notes, words = self._assessment.notes, self._words["why"]
        if self._assessment.pain_quality:
            yield words["pain_quality"].format(finding=quoted(self._assessment.pain_quality))
        if Note.PAIN_CHANGED in notes:
            yield words["changed"]
        if Note.TEXT_ONLY in notes:
            yield words["text_only"]
        if Note.ONSET_IMPRECISE in notes:
            yield words["onset_imprecise"].format(onset=self._assessment.vague_onset)
        elif Note.ONSET_NOT_RECORDED in notes:
            yield words["onset_not_recorded"]

    def _listed(self, name: str, findings: Sequence[Finding], most: int = _MOST_FINDINGS) -> Iterator[str]:
        for finding in findings[:most]:
            yield self._words["why"][name].format(
                finding=finding_words(finding, self._words),
                when=when_words(finding, self._today, self._words),
                source=self._words["source"].get(finding.kind, finding.kind),
            )
        if len(findings) > most:
            yield self._words["why"]["more"].format(count=len(findings) - most)

    def proposed(self) -> list[str]:
        """The orders, the most important first, each caution beside what it concerns."""
        found, words = self._assessment, self._words["proposed"]
        if found.reason in _NO_IMAGING:
            return [words["heading"], words[_NO_IMAGING[found.reason]]]
        spine = [slug for slug in found.studies if is_spine_mri(slug)]
        brain = [slug for slug in found.studies if slug.startswith(self._content.rule.brain)]
        staging = [slug for slug in found.studies if slug not in spine and slug not in brain]
        first = "mri_critical" if found.critical else "mri"
        lines = [words["heading"]]
        lines += [words[first].format(study=self._label(slug)) for slug in spine]
        lines += self._already_there()
        if staging:
            lines.append(words[self._staging_sentence()].format(studies=self._labels(staging)))
        lines += self._brain(brain)
        lines += self._cautions()
        return lines + list(self._limits_of_done_studies())

    def _staging_sentence(self) -> str:
        if self._assessment.critical and any(map(is_spine_mri, self._assessment.studies)):
            return "staging_critical"
        return "staging_known" if self._assessment.flags.bone_metastasis else "staging"

    def _brain(self, slugs: Sequence[str]) -> Iterator[str]:
        status = self._assessment.receptors
        sure = status.value in ("HER2-positive", "triple-negative")
        for slug in slugs:
            yield self._words["proposed"]["brain" if sure else "brain_consider"].format(
                study=self._label(slug), receptors=self._words["receptors"][status.value]
            )

    def _already_there(self) -> Iterator[str]:
        words = self._words["proposed"]
        for item in self._assessment.present:
            if is_spine_mri(item.slug):
                plain = Note.MRI_WITHOUT_CONTRAST in self._assessment.notes
                yield words["without_contrast_present" if plain else "mri_present"].format(state=self._state(item))
        rest = [item for item in self._assessment.present if not is_spine_mri(item.slug)]
        for state in dict.fromkeys(self._state(item) for item in rest):
            slugs = [item.slug for item in rest if self._state(item) == state]
            yield words["present"].format(studies=self._labels(slugs), state=state)

    def _state(self, item: Present) -> str:
        words = self._words["state"]
        if item.state is State.DONE:
            return words["done"].format(date=item.when or "")
        return words[item.state.value]

    def _cautions(self) -> Iterator[str]:
        words = self._words["proposed"]
        raised = self._assessment.cautions
        for item in raised[:_MOST_CAUTIONS]:
            modalities = joined(list(item.caution.concerns))
            yield words["caution"].format(modalities=modalities, sentence=self._caution(item))
        if rest := raised[_MOST_CAUTIONS:]:
            yield words["more_cautions"].format(names=joined([_name(item) for item in rest]))

    def _caution(self, item: RaisedCaution) -> str:
        return item.caution.sentence.format(
            finding=finding_words(item.finding, self._words) if item.finding.label or item.finding.quote else "",
            when=when_words(item.finding, self._today, self._words),
            value=item.value,
        )

    def _limits_of_done_studies(self) -> Iterator[str]:
        words = self._words["proposed"]
        if Note.BONE_SCAN_DONE in self._assessment.notes:
            yield words["bone_scan_negative"]
        for radiograph in self._assessment.radiographs[:1]:
            yield words["radiograph"].format(when=when_words(radiograph, self._today, self._words))

    def unchecked(self) -> list[str]:
        """What could not be checked, in one line."""
        words = self._words["unchecked"]
        gaps = list(self._gaps(words))
        what = "; ".join(gaps)
        line = words["line"].format(what=what[0].upper() + what[1:]) if gaps else words["nothing"]
        return [words["heading"], line]

    def _gaps(self, words: Mapping[str, str]) -> Iterator[str]:
        found = self._assessment
        if keys := [self._words["key"][key] for key in found.unchecked]:
            yield words["missing"].format(keys=joined(keys))
        if self._uses_contrast() and (found.egfr is None or not found.egfr.recent):
            yield self._no_recent_egfr(words)
        if Note.CHECK_PREGNANCY in found.notes:
            yield words["pregnancy"]
        if found.unreadable:
            yield words["unread"].format(count=found.unreadable)

    def _uses_contrast(self) -> bool:
        return any("with IV contrast" in self._label(slug) for slug in self._assessment.studies)

    def _no_recent_egfr(self, words: Mapping[str, str]) -> str:
        egfr = self._assessment.egfr
        if egfr is None:
            return words["no_egfr"].format(days=self._content.cautions.egfr_recent_days)
        when = when_words(egfr.finding, self._today, self._words)
        return words["old_egfr"].format(value=egfr.reported, when=when)

    def evidence(self) -> list[str]:
        """The statements that belong on the card, each with its citation."""
        words = self._words["evidence"]
        stated = [item for item in self._content.evidence if item.on_card]
        return [words["heading"], *(words["statement"].format(text=item.text, cite=item.cite) for item in stated)]

    def _label(self, slug: str) -> str:
        return self._content.orders[slug].label

    def _labels(self, slugs: Sequence[str]) -> str:
        return joined([self._label(slug) for slug in slugs])


def _name(item: RaisedCaution) -> str:
    """A caution by its id, in words."""
    return item.caution.id.replace("-", " ")
