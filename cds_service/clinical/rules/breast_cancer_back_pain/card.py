"""What the card says beside its one line: what to do now, cautions, why this patient, what is proposed and not read.

Sentences that matter less go first where the card would grow too long (`goes`). Emergencies, the first finding of
cancer and pain, the orders and the cautions stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cds_service.clinical.reading.findings import Finding
from cds_service.clinical.rules.assessment import CoveredStudy, Outcome, State
from cds_service.clinical.rules.breast_cancer_back_pain.assessment import CANCER_HISTORY, NEW_PAIN, Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.episodes import FRACTURE, PAIN_EQUIVALENT
from cds_service.clinical.rules.breast_cancer_back_pain.quoted_results import quoted_results
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import WITHOUT_IMAGING, Note, Reason
from cds_service.clinical.rules.breast_cancer_back_pain.studies import is_spine_mri
from cds_service.clinical.rules.breast_cancer_back_pain.summary import summary
from cds_service.clinical.rules.breast_cancer_back_pain.unchecked import key_names, unchecked
from cds_service.clinical.rules.cautions import RaisedCaution
from cds_service.clinical.rules.sentences import (
    EVIDENCE,
    EXTRA,
    HELPS,
    MORE,
    NEEDED,
    STAYS,
    CardText,
    Listed,
    Quote,
    Sentence,
    Value,
    What,
    When,
)
from cds_service.content.model import Content

# So many cautions stand there in full at each brevity; the rest is named.
_MOST_CAUTIONS = (3, 2, 1)
_BRIEFEST = len(_MOST_CAUTIONS) - 1

# Nobody is told beside a caution that the MRI is right, nor to search in his own time in an emergency.
_ONLY_WHERE_NOTHING_ELSE = frozenset({"mri", "treatment"})


def card_text(assessment: Assessment, content: Content, brevity: int) -> CardText:
    """The card in sentences; `brevity` (0 to 2) says how many cautions are only named.

    At the last, lines on studies beside the MRI of the spine may go: their buttons and orders say the same.
    """
    detail = _Detail(assessment, content, brevity)
    return CardText(summary(assessment, content), detail.sections())


class _Detail:
    """The sections of one card's detail, in the order in which a physician needs them."""

    def __init__(self, assessment: Assessment, content: Content, brevity: int) -> None:
        self._assessment = assessment
        self._content = content
        self._words = content.wording
        self._most_cautions = _MOST_CAUTIONS[brevity]
        self._other_studies_go = NEEDED if brevity == _BRIEFEST else STAYS

    def sections(self) -> tuple[tuple[Sentence, ...], ...]:
        if self._assessment.outcome is Outcome.UNDETERMINED:
            missing = Sentence(
                self._words["proposed"]["undetermined"], {"keys": key_names(self._assessment.missing, self._content)}
            )
            return ((Sentence(self._words["proposed"]["heading"]), missing),)
        built: list[tuple[str, Callable[[], Iterator[Sentence]]]] = [
            ("first", self._first),
            ("now", self._now),
            ("cautions", self._cautions),
            ("why", self._why),
            ("results", lambda: quoted_results(self._assessment.results, self._content)),
            ("proposed", self._proposed),
        ]
        if self._assessment.reason == Reason.IMAGING_ADVISED:
            built += [("unchecked", lambda: unchecked(self._assessment, self._content)), ("evidence", self._evidence)]
        return tuple((Sentence(self._words[name].get("heading", "")), *sentences()) for name, sentences in built)

    def _first(self) -> Iterator[Sentence]:
        """What comes before all imaging, and the order that was chosen."""
        yield from self._named("first", "aorta", self._assessment.beside.aorta, STAYS)
        if self._assessment.flags.neutropenia:
            yield Sentence(self._words["first"]["febrile_neutropenia"])
        if conflict := self._assessment.conflict:
            yield Sentence(self._words["chosen"]["mri-conflict"], {"sentence": self._caution(conflict)})
        elif (chosen := self._assessment.chosen) and not (chosen in _ONLY_WHERE_NOTHING_ELSE and self._more_is_said()):
            yield Sentence(self._words["chosen"][chosen])

    def _more_is_said(self) -> bool:
        """Whether the order that was chosen is no matter of routine: an emergency, or a caution on MRI."""
        return self._assessment.critical or any("MRI" in item.caution.concerns for item in self._assessment.cautions)

    def _now(self) -> Iterator[Sentence]:
        """What to do at once in an emergency; the MRI first."""
        flags, words = self._assessment.flags, self._words["now"]
        if not self._assessment.critical:
            return
        for slug in self._assessment.studies:
            if is_spine_mri(slug):
                yield Sentence(words["mri"], {"study": self._label(slug)})
        yield from self._spine_mri_there()
        if flags.cord_emergency and self._assessment.reason == Reason.CHILD:
            # Whom to call for a metastasis is not for a child whose breast cancer is in doubt; the sign itself is.
            yield Sentence(words["examine"])
            return
        if flags.cord_emergency:
            yield Sentence(words["call"])
            yield Sentence(words["examine"])
        if flags.infection:
            yield Sentence(words["infection"])
        elif flags.cord_emergency:
            yield Sentence(words["protocol"])

    def _why(self) -> Iterator[Sentence]:
        """Each finding with its date and source; emergencies first."""
        found = self._assessment
        flags = found.flags
        cancer = "in_situ" if found.reason == Reason.IN_SITU_ONLY else "cancer"
        yield from self._listed("emergency", flags.emergencies if flags.critical else (), 2, STAYS)
        yield from self._listed(cancer, found.criterion(CANCER_HISTORY).findings, 2, STAYS)
        yield from self._listed("metastasis", (*flags.bone_metastasis, *flags.other_metastasis), 1, NEEDED)
        yield from self._listed("pain", self._pain(), 3, STAYS)
        yield from self._listed("vertebral_fracture", flags.vertebral_compression_fracture, 1, NEEDED)
        yield from self._listed("traumatic_fracture", flags.traumatic_fracture, 1, NEEDED)
        if not flags.nonspecific_is_critical:
            yield from self._listed("nonspecific", flags.nonspecific, 2, NEEDED)
        yield from self._listed("asked", flags.asked, 2, STAYS)
        yield from self._listed("known_sign", flags.known, 1, NEEDED)
        yield from self._listed("fever_with_a_cause", flags.explained_fever, 1, HELPS)
        yield from self._listed("neutropenia", flags.neutropenia, 1, NEEDED)
        yield from self._listed("systemic", flags.systemic, 2, HELPS)
        yield from self._listed("neoplasm_related_pain", flags.neoplasm_related_pain, 1, HELPS)
        yield from self._listed("brain", found.brain, 1, NEEDED)
        yield from self._listed("recent_injury", found.injuries[:1], 1, MORE)
        yield from self._beside_the_pain()
        yield from self._provisos()

    def _beside_the_pain(self) -> Iterator[Sentence]:
        """What is named in a line each and silences nothing; nothing that a line on infection names already."""
        found = self._assessment
        told = {item.source for item in found.flags.possible_infection[:1] if not found.flags.infection}
        procedures = [item for item in found.beside.spinal_procedures if item.source not in told]
        yield from self._named("why", "anticoagulants", found.beside.anticoagulants, NEEDED)
        yield from self._named("why", "other_cause", found.beside.other_causes, NEEDED)
        yield from self._named("why", "spinal_procedure", procedures, NEEDED)
        yield from self._named("why", "radiotherapy", found.beside.radiotherapy, NEEDED)

    def _named(self, section: str, name: str, findings: Sequence[Finding], goes: int) -> Iterator[Sentence]:
        """The first of the findings as a sentence."""
        for finding in findings[:1]:
            yield Sentence(self._words[section][name], {"finding": What(finding), "when": When(finding)}, goes)

    def _pain(self) -> tuple[Finding, ...]:
        """The findings of pain, without those that stand for it and are named as what they are."""
        flags = self._assessment.flags
        fractures = (*flags.vertebral_compression_fracture, *flags.traumatic_fracture)
        others = {item.source for item in (*fractures, *flags.emergencies, *flags.nonspecific)}
        findings = self._assessment.criterion(NEW_PAIN).findings
        if self._assessment.region not in (PAIN_EQUIVALENT, FRACTURE):
            return findings
        return tuple(item for item in findings if item.source not in others)

    def _provisos(self) -> Iterator[Sentence]:
        notes, words = self._assessment.notes, self._words["why"]
        if quality := self._assessment.pain_quality:
            yield Sentence(words["pain_quality"], {"finding": Quote(quality)}, MORE)
        if Note.PAIN_CHANGED in notes:
            yield Sentence(words["changed"], goes=MORE)
        if (said := self._assessment.course_words) and said != quality:
            yield Sentence(words["course_words"], {"finding": Quote(said)}, MORE)
        for listed in self._assessment.listed[:1]:
            yield Sentence(words["listed"], {"finding": What(listed), "date": listed.when or ""}, NEEDED)
        if Note.TEXT_ONLY in notes:
            yield Sentence(words["text_only"], goes=NEEDED)
        if Note.ONSET_IMPRECISE in notes:
            yield Sentence(words["onset_imprecise"], {"onset": self._assessment.vague_onset}, NEEDED)
        elif Note.ONSET_NOT_RECORDED in notes:
            yield Sentence(words["onset_not_recorded"], goes=NEEDED)

    def _listed(self, name: str, findings: Sequence[Finding], most: int, goes: int) -> Iterator[Sentence]:
        """The first findings as sentences; those behind the first one go sooner, the rest is counted."""
        distinct = _distinct(findings)
        for index, finding in enumerate(distinct[:most]):
            source = self._words["source"].get(finding.kind, finding.kind)
            values: Mapping[str, Value] = {
                "finding": What(finding),
                "words": Sentence(", {quote}", {"quote": Quote(finding.as_written)}) if finding.as_written else "",
                "when": When(finding),
                "source": source,
            }
            yield Sentence(self._words["why"][name], values, goes if index == 0 else max(goes, MORE))
        if len(distinct) > most:
            yield Sentence(self._words["why"]["more"], {"count": len(distinct) - most}, EXTRA)

    def _proposed(self) -> Iterator[Sentence]:
        """The orders, the most important first, each caution beside what it concerns."""
        found, words = self._assessment, self._words["proposed"]
        if name := WITHOUT_IMAGING.get(Reason(found.reason)):
            yield Sentence(words[name])
            return
        spine = [slug for slug in found.studies if is_spine_mri(slug)]
        brain = [slug for slug in found.studies if slug.startswith(self._content.rule.brain)]
        staging = [slug for slug in found.studies if slug not in spine and slug not in brain]
        for slug in () if found.critical else spine:
            spoken_of = found.chosen == "radiograph" or found.radiographs
            radiographs = "" if spoken_of else words["no_radiograph"]
            yield Sentence(words["mri"], {"study": self._label(slug), "radiographs": radiographs})
        for possible in found.flags.possible_infection[:1] if not found.flags.infection else ():
            values: Mapping[str, Value] = {"finding": What(possible), "when": When(possible)}
            yield Sentence(words["possible_infection"], values)
        if not found.critical:
            yield from self._spine_mri_there()
        yield from self._already_there()
        if Note.INCLUDE_SACRUM in found.notes:
            yield Sentence(words["include_sacrum"])
        if staging:
            studies = Listed([self._short(slug) for slug in staging], capital=True)
            yield Sentence(words[self._staging_sentence()], {"studies": studies}, self._other_studies_go)
        for slug in brain:
            yield self._brain(slug)
        if Note.BONE_SCAN_DONE in found.notes:
            yield Sentence(words["bone_scan_negative"], goes=HELPS)
        for radiograph in found.radiographs[:1]:
            yield Sentence(words["radiograph"], {"when": When(radiograph)}, MORE)

    def _staging_sentence(self) -> str:
        if self._assessment.critical and not self._mri_is_done():
            return "staging_critical"
        if self._assessment.flags.bone_metastasis or self._assessment.flags.other_metastasis:
            return "staging_known"
        return "staging_after_mri" if self._mri_is_done() else "staging"

    def _mri_is_done(self) -> bool:
        return any(is_spine_mri(item.slug) and item.state is State.DONE for item in self._assessment.covered)

    def _brain(self, slug: str) -> Sentence:
        status = self._assessment.receptors.value
        name = "brain" if status in ("HER2-positive", "triple-negative") else "brain_consider"
        values = {"study": self._label(slug), "receptors": self._words["receptors"][status]}
        return Sentence(self._words["proposed"][name], values, self._other_studies_go)

    def _spine_mri_there(self) -> Iterator[Sentence]:
        """The MRI of the spine that is there, and orders and studies of it that do not answer."""
        found, words = self._assessment, self._words["proposed"]
        for item in found.covered:
            if is_spine_mri(item.slug) and not self._is_quoted(item):
                values: dict[str, Value] = {"state": self._state(item)}
                if Note.SIGN_AFTER_ORDER in found.notes:
                    values["finding"] = What(found.flags.emergencies[0])
                yield Sentence(words[self._mri_sentence()], values)
        for finding in () if found.outdated_orders else found.open_orders[:1]:
            name = "partial_order" if finding in found.partial_orders else "bring_forward"
            yield Sentence(words[name], {"date": finding.when or ""}, NEEDED)
        for name, outdated in (("repeat_mri", found.outdated_mri), ("upgrade_order", found.outdated_orders)):
            for finding in outdated[:1]:
                sign = What(found.flags.emergencies[0])
                yield Sentence(words[name], {"date": finding.when or "", "finding": sign})

    def _is_quoted(self, item: CoveredStudy) -> bool:
        """Whether the study that was done stands above with its result, and nothing more is to be said of it."""
        if item.state is not State.DONE or Note.MRI_WITHOUT_CONTRAST in self._assessment.notes:
            return False
        answering = self._content.orders[item.slug].known_by
        return any(answering & result.value_sets for result in self._assessment.results)

    def _already_there(self) -> Iterator[Sentence]:
        """The other studies that are there."""
        rest = [item for item in self._assessment.covered if not is_spine_mri(item.slug)]
        for state in dict.fromkeys((item.state, item.when, item.by_another) for item in rest):
            same = [item for item in rest if (item.state, item.when, item.by_another) == state]
            names = Listed([self._content.orders[item.slug].name for item in same])
            sentence = self._words["proposed"]["present_as_pet_ct" if same[0].by_another else "present"]
            yield Sentence(sentence, {"studies": names, "state": self._state(same[0])}, NEEDED)

    def _mri_sentence(self) -> str:
        if Note.SIGN_AFTER_ORDER in self._assessment.notes:
            return "mri_present_upgrade"
        if self._assessment.critical and not self._mri_is_done():
            return "mri_present_at_once" if Note.MRI_AT_ONCE in self._assessment.notes else "mri_present_critical"
        said = self._assessment.chosen == "mri-without-contrast"
        if Note.MRI_WITHOUT_CONTRAST in self._assessment.notes and not said:
            return "without_contrast_present"
        return "mri_present"

    def _state(self, item: CoveredStudy) -> str:
        if item.state is State.DONE:
            return self._words["state"]["done"].format(date=item.when or "")
        when = f" ({item.when})" if item.when else ""
        return self._words["state"][item.state.value].format(date=when)

    def _cautions(self) -> Iterator[Sentence]:
        words = self._words["cautions"]
        raised = [item for item in self._assessment.cautions if item is not self._assessment.conflict]
        for item in raised[: self._most_cautions]:
            modalities = Listed(item.caution.concerns)
            yield Sentence(words["caution"], {"modalities": modalities, "sentence": self._caution(item)})
        if rest := raised[self._most_cautions :]:
            yield Sentence(words["more"], {"names": Listed([item.caution.name for item in rest])})

    def _caution(self, item: RaisedCaution) -> Sentence:
        named = item.finding.label or item.finding.quote
        egfr: Value = ""
        if item.egfr:
            shown: Mapping[str, Value] = {"value": item.egfr.reported, "when": When(item.egfr.finding)}
            egfr = Sentence(self._content.cautions.kidneys.newest_egfr, shown)
        values: Mapping[str, Value] = {
            "finding": What(item.finding) if named else "",
            "when": When(item.finding),
            "value": item.value,
            "egfr": egfr,
            "contrast": item.contrast,
            "reaction": Quote(item.reaction),
        }
        added = item.caution.in_emergency if self._assessment.critical else ""
        return Sentence(f"{item.caution.sentence} {added}".rstrip(), values)

    def _evidence(self) -> Iterator[Sentence]:
        """One line: on what the first proposal rests."""
        if not self._assessment.studies:
            return
        yield Sentence(self._words["evidence"][self._evidence_line()], goes=EVIDENCE)

    def _evidence_line(self) -> str:
        found = self._assessment
        if found.flags.infection and not found.flags.cord_emergency:
            return "infection"
        if found.critical and not self._mri_is_done():
            return "emergency"
        spine = next((slug for slug in found.studies if is_spine_mri(slug)), "")
        if not spine:
            return "staging"
        if found.region == FRACTURE:
            return "fracture"
        return next((region for region in ("lumbar", "thoracic") if f"-{region}-" in f"{spine}-"), "spine")

    def _label(self, slug: str) -> str:
        return self._content.orders[slug].label

    def _short(self, slug: str) -> str:
        """A study without its words on contrast that goes without saying: the order's own label says it."""
        order = self._content.orders[slug]
        return order.label if "without" in order.label else order.name


def _distinct(findings: Iterable[Finding]) -> list[Finding]:
    """The findings without those that would read as one before them: the same, of the same day, from another entry."""
    read_as = {
        (item.label or item.quote, item.as_written, str(item.when), item.date_source, item.kind): item
        for item in reversed(tuple(findings))
    }
    return [item for item in findings if item in read_as.values()]
