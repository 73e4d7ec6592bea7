"""Red flags beside back pain, and known metastases (decisions of chapter 3).

A red flag is a sign of now: recorded in the current visit or in the last days, or lasting since the pain began. One
that was recorded since the pain began, but weeks ago, is asked for; one that was known before the window is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

from cds_service.clinical.reading.asserted_concepts import AssertedConcept
from cds_service.clinical.reading.findings import DateSource, Finding, coded_newest_first
from cds_service.clinical.reading.onset import Calendar
from cds_service.clinical.reading.recognition import Recognizer
from cds_service.clinical.rules.breast_cancer_back_pain.fractures import Cause, Fracture, findings_of
from cds_service.clinical.rules.breast_cancer_back_pain.infection import Infection
from cds_service.clinical.rules.breast_cancer_back_pain.options import RuleOptions
from cds_service.clinical.rules.breast_cancer_back_pain.text_names import WordList
from cds_service.clinical.rules.breast_cancer_back_pain.value_sets import CORD_SIGNS, NONSPECIFIC_SIGNS, RuleValueSet

_UNCLEAR = (*NONSPECIFIC_SIGNS, RuleValueSet.NONSPECIFIC_SIGN_FRACTURE)
_SIGNS = (*CORD_SIGNS, *_UNCLEAR)

# Groups of signs in which one function is told apart from another, and the words that name them.
_SPHINCTER, _MOTOR = "sphincter", "motor"
_FUNCTIONS = (
    WordList.RETENTION,
    WordList.FECES,
    WordList.INCONTINENCE,
    WordList.REFLEX,
    WordList.PARALYSIS,
)

_SIDES = (WordList.LEFT, WordList.RIGHT)

# Numb feet and an unsteady gait together are what a neuropathy explains.
_EXPLAINED_BY_NEUROPATHY = frozenset({"sensory", "gait"})


@dataclass(frozen=True, slots=True)
class RedFlags:
    """What is recorded beside the pain, by what it means.

    Attributes:
        cord: signs of cord or cauda equina compression of now (NICE's list): an emergency.
        nonspecific: signs of now that may be one (weakness, falls ...): look for cord compression today.
        asked: signs recorded since the pain began, but weeks ago: still there?
        known: signs of now that were known before the window, and lasting ones from well before the pain.
        infection: an infection of the spine, or fever of now without another source: an emergency of its own.
        possible_infection: what makes an infection of the spine possible.
        neutropenia: beside fever of now: antibiotics come before imaging.
        explained_fever: fever that has its cause.
        pathological_fracture: new, through a tumor: an emergency of its own.
        cord_metastasis: known metastasis of the spinal cord or its meninges: an emergency with new pain.
        vertebral_compression_fracture: new, without an injury or a stated tumor: the equivalent of pain.
        traumatic_fracture: new, from an injury.
        systemic: weight loss, hypercalcemia.
        neoplasm_related_pain: pain that its code relates to a tumor: quoted.
        bone_metastasis, other_metastasis: known, at any time.
        cord_sign: the value set of the gravest sign among `cord`.
        infection_is_recorded: an infection of the spine itself, not only a fever, is among `infection`.
    """

    cord: tuple[Finding, ...] = ()
    nonspecific: tuple[Finding, ...] = ()
    asked: tuple[Finding, ...] = ()
    known: tuple[Finding, ...] = ()
    infection: tuple[Finding, ...] = ()
    possible_infection: tuple[Finding, ...] = ()
    neutropenia: tuple[Finding, ...] = ()
    explained_fever: tuple[Finding, ...] = ()
    pathological_fracture: tuple[Finding, ...] = ()
    cord_metastasis: tuple[Finding, ...] = ()
    vertebral_compression_fracture: tuple[Finding, ...] = ()
    traumatic_fracture: tuple[Finding, ...] = ()
    systemic: tuple[Finding, ...] = ()
    neoplasm_related_pain: tuple[Finding, ...] = ()
    bone_metastasis: tuple[Finding, ...] = ()
    other_metastasis: tuple[Finding, ...] = ()
    nonspecific_is_critical: bool = False
    cord_sign: str = ""
    infection_is_recorded: bool = False

    @property
    def neurological(self) -> bool:
        """Whether there are signs of cord compression, from one clear or two unclear ones."""
        return bool(self.cord) or self.nonspecific_is_critical

    @property
    def cord_emergency(self) -> bool:
        """Whether the spinal cord is in danger, as far as the chart says."""
        return self.neurological or bool(self.pathological_fracture or self.cord_metastasis)

    @property
    def critical(self) -> bool:
        """Whether the card is an emergency, once there is back pain."""
        return self.cord_emergency or bool(self.infection)

    @property
    def emergencies(self) -> tuple[Finding, ...]:
        unclear = self.nonspecific if self.nonspecific_is_critical else ()
        return (*self.cord, *unclear, *self.pathological_fracture, *self.infection, *self.cord_metastasis)

    @property
    def whole_spine(self) -> bool:
        """Whether the whole spine is imaged, whatever the painful region."""
        return self.critical or bool(self.bone_metastasis or self.asked)

    def named(self) -> Iterator[tuple[str, tuple[Finding, ...]]]:
        """The findings by the names of their fields."""
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, tuple):
                yield item.name, value


@dataclass(frozen=True, slots=True)
class SignTimes:
    """When a sign is one of now.

    Attributes:
        calendar: the day of the call.
        sign_days: for so many days a record is of now, and so long before the pain a lasting sign may begin.
        onset: the first day of the pain, where it is known.
        recognizer: tells which function the words of a sign are about.
    """

    calendar: Calendar
    sign_days: int
    onset: date | None
    recognizer: Recognizer

    def is_now(self, sign: AssertedConcept) -> bool:
        """Recorded in the current visit or the last days, or lasting, and not from well before the pain."""
        if not sign.holds or sign.imported:
            return False
        if sign.current_visit:
            return True
        told = sign.day or sign.finding.when
        if told is None:
            return False
        today = self.calendar.today
        if told.until(today).latest >= today - timedelta(days=self.sign_days):
            return True
        when = sign.finding.when or told
        return not sign.point and when.until(today).latest >= self._first_day

    def is_to_be_asked(self, sign: AssertedConcept) -> bool:
        """A point since the pain began that is too old to be of now."""
        told = sign.day or sign.finding.when
        if not sign.holds or not sign.point or told is None or self.is_now(sign):
            return False
        return told.until(self.calendar.today).latest >= (self.onset or self.calendar.window_start)

    def is_lasting_from_before(self, sign: AssertedConcept) -> bool:
        """A clear sign of the list that holds, and began too long before the pain to be one of now."""
        return sign.holds and not sign.point and bool(sign.value_sets & set(CORD_SIGNS)) and not self.is_now(sign)

    def was_known(self, sign: AssertedConcept, others: Iterable[AssertedConcept]) -> bool:
        """Whether the sign is older than the window, and the record of now says nothing of worse.

        Its own onset says so, or an earlier record of the same kind of sign.
        """
        if sign.worse:
            return False
        if self._began_before(sign):
            return True
        return any(
            (told := other.finding.when or other.day) is not None
            and told.latest < self.calendar.window_start
            and self._may_be_the_same(other, sign)
            for other in others
            if other is not sign
        )

    def _may_be_the_same(self, earlier: AssertedConcept, now: AssertedConcept) -> bool:
        """Whether an earlier sign may be the one of now.

        A clear sign is not known from an unclear one, and not one function from another: incontinence says nothing of
        retention, an abnormal reflex nothing of strength. Weakness is no news after a paralysis, nor what names no
        function of the bladder after any. What was on the left says nothing of the right.
        """
        same = _kinds(earlier) & _kinds(now)
        if not same or (_is_clear(now) and not _is_clear(earlier)) or self._are_on_other_sides(earlier, now):
            return False
        before, after = self._function(earlier), self._function(now)
        if before == after:
            return True
        if _SPHINCTER in same:
            return not (before and after)
        return _MOTOR in same and before == WordList.PARALYSIS and not after

    def _are_on_other_sides(self, earlier: AssertedConcept, now: AssertedConcept) -> bool:
        return {self._side(earlier), self._side(now)} == set(_SIDES)

    def _side(self, sign: AssertedConcept) -> str:
        """The one side that a sign names."""
        named = self._words_in(sign, _SIDES)
        return named[0] if len(named) == 1 else ""

    def _function(self, sign: AssertedConcept) -> str:
        """Which function a sign is about; empty where its words name none."""
        return next(iter(self._words_in(sign, _FUNCTIONS)), "")

    def _words_in(self, sign: AssertedConcept, lists: Sequence[WordList]) -> list[WordList]:
        """The lists of which our own words for a sign, or else those of the chart, hold a word."""
        words = sign.finding.label or sign.finding.quote
        return [name for name in lists if self.recognizer.has_words(name, words)]

    def _began_before(self, sign: AssertedConcept) -> bool:
        """Whether the onset that is recorded for a sign lies before the window."""
        when = sign.finding.when
        of_onset = sign.finding.date_source is DateSource.ONSET
        return of_onset and when is not None and not self.calendar.in_window(when)

    @property
    def _first_day(self) -> date:
        start = self.calendar.window_start
        return max(start, (self.onset or start) - timedelta(days=self.sign_days))


def red_flags(
    statements: Sequence[AssertedConcept],
    infection: Infection,
    fractures: Sequence[Fracture],
    times: SignTimes,
    options: RuleOptions,
    emergency_groups: int,
) -> RedFlags:
    """Sort what a chart states into red flags.

    Args:
        statements: of the chart, at their sites.
        infection: of the spine, as far as the chart tells.
        fractures: the new ones of vertebrae.
        times: when a sign is one of now.
        options: the site's choices.
        emergency_groups: nonspecific signs of so many groups together are an emergency.
    """
    known_for_sure = [item for item in statements if not item.suspected]
    stated = [item for item in known_for_sure if RuleValueSet.RED_FLAG_EXCLUSION not in item.value_sets]
    signs = [item for item in stated if not item.value_sets.isdisjoint(_SIGNS)]
    of_now = [item for item in signs if times.is_now(item)]
    known = [item for item in of_now if times.was_known(item, signs)]
    new = [item for item in of_now if item not in known]
    known += [item for item in signs if times.is_lasting_from_before(item)]
    weeks_old = [item for item in signs if times.is_to_be_asked(item)]
    asked = [item for item in weeks_old if not times.was_known(item, signs)]
    known += [item for item in weeks_old if item not in asked]
    fresh = [item for item in stated if item.is_new(times.calendar)]
    unclear = _in(new, _UNCLEAR)
    return RedFlags(
        cord=_gravest_first(new),
        cord_sign=next((name for name in CORD_SIGNS if _in(new, {name})), ""),
        nonspecific=unclear,
        asked=_gravest_first(asked),
        known=_in(known, _SIGNS),
        infection=infection.certain,
        infection_is_recorded=infection.is_recorded,
        possible_infection=infection.possible,
        neutropenia=infection.neutropenia,
        explained_fever=infection.explained_fever,
        pathological_fracture=findings_of(fractures, Cause.TUMOR),
        cord_metastasis=_in((item for item in stated if item.holds), {RuleValueSet.METASTASIS_SPINAL_CORD}),
        vertebral_compression_fracture=findings_of(fractures, Cause.NOT_STATED),
        traumatic_fracture=findings_of(fractures, Cause.INJURY),
        systemic=_in(fresh, {RuleValueSet.SYSTEMIC_FLAG}),
        neoplasm_related_pain=_in((item for item in stated if item.holds), {RuleValueSet.NEOPLASM_RELATED_PAIN}),
        bone_metastasis=_in(known_for_sure, {RuleValueSet.METASTASIS_BONE}),
        other_metastasis=_in(known_for_sure, {RuleValueSet.METASTASIS_BRAIN, RuleValueSet.METASTASIS_OTHER}),
        nonspecific_is_critical=_are_an_emergency(new, stated, emergency_groups)
        or bool(unclear and options.nonspecific_signs == "critical"),
    )


def _are_an_emergency(new: Sequence[AssertedConcept], stated: Sequence[AssertedConcept], least: int) -> bool:
    """Whether unclear signs of so many kinds stand beside each other, and no neuropathy explains them."""
    groups = {NONSPECIFIC_SIGNS[name] for item in new for name in item.value_sets if name in NONSPECIFIC_SIGNS}
    neuropathy = any(
        RuleValueSet.NEUROPATHY in item.value_sets and item.present and not item.suspected for item in stated
    )
    return len(groups) >= least and not (neuropathy and groups == _EXPLAINED_BY_NEUROPATHY)


def _kinds(sign: AssertedConcept) -> frozenset[str]:
    """What a sign tells of: strength, bladder and bowel, sensation, gait, or the cord itself."""
    return frozenset(name.rpartition("sign-")[2] for name in sign.value_sets if name in _SIGNS)


def _is_clear(sign: AssertedConcept) -> bool:
    return not sign.value_sets.isdisjoint(CORD_SIGNS)


def _gravest_first(signs: Sequence[AssertedConcept]) -> tuple[Finding, ...]:
    """Signs of cord compression, the gravest first, each once."""
    return _each_once([finding for name in CORD_SIGNS for finding in _in(signs, {name})])


def _in(asserted: Iterable[AssertedConcept], value_sets: Iterable[str]) -> tuple[Finding, ...]:
    """The findings in any of the sets, newest first, the same words once."""
    wanted = frozenset(value_sets)
    found = [item.finding for item in asserted if item.value_sets & wanted]
    found.sort(key=coded_newest_first)
    return _each_once(found)


def _each_once(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The same words once, and no words of an entry whose code says it already."""
    coded = {item.source for item in findings if not item.from_text}
    told = [item for item in findings if not (item.from_text and item.source in coded)]
    return tuple({(item.label, item.quote): item for item in reversed(told)}.values())[::-1]
