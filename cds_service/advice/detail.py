"""The card's detail in Markdown: why this patient, what is proposed, what was not checked, what the evidence is.

The detail stays short whatever fires: lines that matter less go first when it would grow too long. Emergencies, the
first finding of cancer and pain, the orders and the cautions stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from cds_service.advice.markdown import quoted
from cds_service.advice.phrases import finding_words, joined, when_words
from cds_service.clinical.reading.findings import Finding, Note, Present, Reason, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.pain import INSTEAD_OF_PAIN
from cds_service.clinical.rules.breast_cancer_back_pain.work_up import is_spine_mri
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.content.model import Content

# About what a side panel shows without scrolling far; the issue of every card is in its first lines.
LONGEST_DETAIL = 1500

_NO_IMAGING = {Reason.IN_SITU_ONLY: "in_situ", Reason.CHILD: "child", Reason.NO_SYMPTOMS: "surveillance"}

# How soon a line goes when the detail is too long: 0 stays, the highest goes first.
_STAYS, _NEEDED, _HELPS, _MORE, _EXTRA, _EVIDENCE = 0, 1, 2, 3, 4, 5


@dataclass(frozen=True, slots=True)
class _Line:
    text: str
    goes: int = _STAYS


_Section = list[_Line]


def detail(assessment: Assessment, content: Content, today: date) -> str:
    """The Markdown text, at most about 1,500 characters; sections in the order in which a physician needs them."""
    text = ""
    for most_cautions in (3, 2, 1):
        sections = _Detail(assessment, content, today, most_cautions).sections()
        for limit in range(_EVIDENCE, _STAYS - 1, -1):
            text = _rendered(sections, limit)
            if len(text) <= LONGEST_DETAIL:
                return text
    return text


def _rendered(sections: Iterable[_Section], limit: int) -> str:
    """The sections with the lines that stay at `limit`; a section that is only its heading is left out."""
    kept = [[line.text for line in section if line.goes <= limit] for section in sections]
    return "\n\n".join("\n".join(lines) for lines in kept if len(lines) > 1)


class _Detail:
    """The sections of one card's detail."""

    def __init__(self, assessment: Assessment, content: Content, today: date, most_cautions: int) -> None:
        self._assessment = assessment
        self._content = content
        self._words = content.wording
        self._today = today
        self._most_cautions = most_cautions

    def sections(self) -> list[_Section]:
        built: list[tuple[str, Callable[[], Iterator[_Line]]]] = [("why", self._why), ("proposed", self._proposed)]
        if self._assessment.reason is Reason.IMAGING_ADVISED:
            built += [("unchecked", self._unchecked), ("evidence", self._evidence)]
        return [[_Line(self._words[name]["heading"]), *lines()] for name, lines in built]

    def _why(self) -> Iterator[_Line]:
        """Each finding with its date and source; emergencies first."""
        found = self._assessment
        flags = found.flags
        cancer = "in_situ" if found.reason is Reason.IN_SITU_ONLY else "cancer"
        yield from self._listed("emergency", flags.emergencies if flags.critical else (), 2, _STAYS)
        yield from self._listed(cancer, found.criterion("breast-cancer-history").findings, 2, _STAYS)
        yield from self._listed("metastasis", (*flags.bone_metastasis, *flags.other_metastasis), 1, _NEEDED)
        yield from self._listed("pain", self._pain(), 3, _STAYS)
        yield from self._listed("collapse", flags.collapse, 1, _NEEDED)
        if not flags.nonspecific_is_critical:
            yield from self._listed("nonspecific", flags.nonspecific, 2, _NEEDED)
        yield from self._listed("systemic", flags.systemic, 2, _HELPS)
        yield from self._listed("brain", found.brain, 1, _NEEDED)
        yield from self._listed("recent_injury", found.injuries[:1], 1, _MORE)
        yield from self._provisos()

    def _pain(self) -> tuple[Finding, ...]:
        """The findings of pain, without those that stand for it and are named as what they are."""
        flags = self._assessment.flags
        others = {item.source for item in (*flags.collapse, *flags.emergencies, *flags.nonspecific)}
        findings = self._assessment.criterion("new-back-pain").findings
        if self._assessment.region != INSTEAD_OF_PAIN:
            return findings
        return tuple(item for item in findings if item.source not in others)

    def _provisos(self) -> Iterator[_Line]:
        notes, words = self._assessment.notes, self._words["why"]
        if self._assessment.pain_quality:
            yield _Line(words["pain_quality"].format(finding=quoted(self._assessment.pain_quality)), _MORE)
        if Note.PAIN_CHANGED in notes:
            yield _Line(words["changed"], _MORE)
        if Note.TEXT_ONLY in notes:
            yield _Line(words["text_only"], _NEEDED)
        if Note.ONSET_IMPRECISE in notes:
            yield _Line(words["onset_imprecise"].format(onset=self._assessment.vague_onset), _NEEDED)
        elif Note.ONSET_NOT_RECORDED in notes:
            yield _Line(words["onset_not_recorded"], _NEEDED)

    def _listed(self, name: str, findings: Sequence[Finding], most: int, goes: int) -> Iterator[_Line]:
        """The first findings as lines; those behind the first one go sooner, the rest is counted."""
        for index, finding in enumerate(findings[:most]):
            text = self._words["why"][name].format(
                finding=finding_words(finding, self._words),
                when=when_words(finding, self._today, self._words),
                source=self._words["source"].get(finding.kind, finding.kind),
            )
            yield _Line(text, goes if index == 0 else max(goes, _MORE))
        if len(findings) > most:
            yield _Line(self._words["why"]["more"].format(count=len(findings) - most), _EXTRA)

    def _proposed(self) -> Iterator[_Line]:
        """The orders, the most important first, each caution beside what it concerns."""
        found, words = self._assessment, self._words["proposed"]
        if found.reason in _NO_IMAGING:
            yield _Line(words[_NO_IMAGING[found.reason]])
            return
        spine = [slug for slug in found.studies if is_spine_mri(slug)]
        brain = [slug for slug in found.studies if slug.startswith(self._content.rule.brain)]
        staging = [slug for slug in found.studies if slug not in spine and slug not in brain]
        for slug in spine:
            yield _Line(words["mri_critical" if found.critical else "mri"].format(study=self._label(slug)))
        yield from self._already_there()
        if staging:
            yield _Line(words[self._staging_sentence()].format(studies=joined([self._label(s) for s in staging])))
        for slug in brain:
            yield _Line(self._brain(slug))
        yield from self._cautions()
        if Note.BONE_SCAN_DONE in found.notes:
            yield _Line(words["bone_scan_negative"], _HELPS)
        for radiograph in found.radiographs[:1]:
            when = when_words(radiograph, self._today, self._words)
            yield _Line(words["radiograph"].format(when=when), _MORE)

    def _staging_sentence(self) -> str:
        if self._assessment.critical and not self._mri_is_done():
            return "staging_critical"
        return "staging_known" if self._assessment.flags.bone_metastasis else "staging"

    def _mri_is_done(self) -> bool:
        return any(is_spine_mri(item.slug) and item.state is State.DONE for item in self._assessment.present)

    def _brain(self, slug: str) -> str:
        status = self._assessment.receptors.value
        sentence = "brain" if status in ("HER2-positive", "triple-negative") else "brain_consider"
        receptors = self._words["receptors"][status]
        return self._words["proposed"][sentence].format(study=self._label(slug), receptors=receptors)

    def _already_there(self) -> Iterator[_Line]:
        words = self._words["proposed"]
        for item in self._assessment.present:
            if is_spine_mri(item.slug):
                yield _Line(words[self._mri_sentence()].format(state=self._state(item)))
        rest = [item for item in self._assessment.present if not is_spine_mri(item.slug)]
        for state in dict.fromkeys(self._state(item) for item in rest):
            names = [self._content.orders[item.slug].name for item in rest if self._state(item) == state]
            yield _Line(words["present"].format(studies=joined(names), state=state), _NEEDED)

    def _mri_sentence(self) -> str:
        if self._assessment.critical and not self._mri_is_done():
            return "mri_present_at_once" if Note.MRI_AT_ONCE in self._assessment.notes else "mri_present_critical"
        return "without_contrast_present" if Note.MRI_WITHOUT_CONTRAST in self._assessment.notes else "mri_present"

    def _state(self, item: Present) -> str:
        if item.state is State.DONE:
            return self._words["state"]["done"].format(date=item.when or "")
        when = f" ({item.when})" if item.when else ""
        return self._words["state"][item.state.value].format(date=when)

    def _cautions(self) -> Iterator[_Line]:
        words = self._words["proposed"]
        raised = self._assessment.cautions
        for item in raised[: self._most_cautions]:
            modalities = joined(list(item.caution.concerns))
            yield _Line(words["caution"].format(modalities=modalities, sentence=self._caution(item)))
        if rest := raised[self._most_cautions :]:
            yield _Line(words["more_cautions"].format(names=joined([item.caution.name for item in rest])))

    def _caution(self, item: RaisedCaution) -> str:
        return item.caution.sentence.format(
            finding=finding_words(item.finding, self._words) if item.finding.label or item.finding.quote else "",
            when=when_words(item.finding, self._today, self._words),
            value=item.value,
        )

    def _unchecked(self) -> Iterator[_Line]:
        """What could not be checked, in one line."""
        words = self._words["unchecked"]
        gaps = list(self._gaps(words))
        what = "; ".join(gaps)
        yield _Line(words["line"].format(what=what[0].upper() + what[1:]) if gaps else words["nothing"], _NEEDED)

    def _gaps(self, words: Mapping[str, str]) -> Iterator[str]:
        found = self._assessment
        if found.unchecked:
            yield words["missing"].format(keys=joined([self._words["key"][key] for key in found.unchecked]))
        if found.partly:
            yield words["partly"].format(keys=joined([self._words["key"][key] for key in found.partly]))
        if self._uses_contrast() and "observations" not in found.unchecked:
            yield from self._no_recent_egfr(words)
        if Note.CHECK_PREGNANCY in found.notes:
            yield words["pregnancy"]
        if found.unreadable:
            yield words["unread"].format(count=found.unreadable)

    def _uses_contrast(self) -> bool:
        return any("with IV contrast" in self._label(slug) for slug in self._assessment.studies)

    def _no_recent_egfr(self, words: Mapping[str, str]) -> Iterator[str]:
        egfr = self._assessment.egfr
        if egfr is None:
            yield words["no_egfr"].format(days=self._assessment.egfr_recent_days)
        elif not egfr.usable:
            yield words["odd_egfr"]
        elif not egfr.recent:
            when = when_words(egfr.finding, self._today, self._words)
            yield words["old_egfr"].format(value=egfr.reported, when=when)

    def _evidence(self) -> Iterator[_Line]:
        """The statements that belong on the card, each with its citation."""
        words = self._words["evidence"]
        for item in self._content.evidence:
            if item.on_card:
                yield _Line(words["statement"].format(text=item.text, cite=item.cite), _EVIDENCE)

    def _label(self, slug: str) -> str:
        return self._content.orders[slug].label
