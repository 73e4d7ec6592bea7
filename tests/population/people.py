"""The kinds of patients of a made-up population, and what must come of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

from tests.builders import SYSTEMS
from tests.population import resources
from tests.population.expected import Expected, Group

# The last day of the data.
END = datetime(2026, 11, 22, 23, 59, 59, tzinfo=UTC)

CANCER = ("C50.911", "Malignant neoplasm of unspecified site of right female breast")
PAIN = ("M54.50", "Low back pain, unspecified")
METASTASIS = ("C79.51", "Secondary malignant neoplasm of bone")
MRI = ("24967-2", "MR Lumbar spine WO and W contrast IV")
BONE_SCAN = ("39818-0", "NM Bone Views")
CT = ("72254-6", "CT Chest and Abdomen and Pelvis W contrast IV")

# Out of a thousand patients, so many of each kind; the rest have neither cancer nor pain.
CARD, IMAGED, CHRONIC, HISTORY, PAIN_ONLY = 20, 5, 5, 40, 100

# Out of a hundred with a card: days from the card to the code of metastasis, each for so many. In the others it never
# comes. 7 % within a month, 10 % within three and 12 % within a year; one comes later than that.
LATER_CODES = {10: 4, 25: 3, 60: 3, 200: 2, 400: 1}

# The same of those with a history of cancer and no pain: 1 % within a year of their first visit.
LATER_CODES_WITHOUT_PAIN = {150: 1}

# Days from the first record of the pain to the MRI, each for so many out of a hundred; the others had none.
DAYS_TO_MRI = {20: 25, 29: 30, 45: 15}

# A vital sign of long ago that somebody told of, without a date of recording: it begins no observation. For so many out
# of a hundred.
TOLD = 5

# An entry in codes of the site, for so many out of a hundred.
LOCAL_CODES = 2

_DAY = timedelta(days=1)

_LONG_AGO = datetime(1985, 3, 1, 9, tzinfo=UTC)


@dataclass
class Person:
    """One patient that is being made: lines by resource type, and the first visit or own date of recording."""

    number: int
    drawn: Random
    lines: list[tuple[str, str]] = field(default_factory=list)
    first: datetime | None = None
    visits: int = 0
    local_codes: int = 0

    @property
    def identity(self) -> str:
        return f"made-up-{self.number}"

    def add(self, kind: str, line: str, known: datetime | None = None) -> None:
        self.lines.append((kind, line))
        if known is not None and (self.first is None or known < self.first):
            self.first = known

    def name(self, what: str) -> str:
        return f"{what}-{self.number}-{len(self.lines)}"

    def condition(self, coded: tuple[str, str], at: datetime, onset: datetime | None = None, visit: str = "") -> None:
        made = resources.condition(self.name("condition"), self.identity, *coded, at, onset, visit)
        self.add("Condition", made, at)

    def report(self, coded: tuple[str, str], at: datetime) -> None:
        self.add("DiagnosticReport", resources.report(self.name("report"), self.identity, *coded, at), at)

    def visit(self, at: datetime) -> str:
        """A visit with its vital signs, some minutes into it."""
        identity = self.name("visit")
        self.add("Encounter", resources.visit(identity, self.identity, at), at)
        self.visits += 1
        for number in range(self.drawn.randint(2, 5)):
            when = at + timedelta(minutes=3 + number)
            line = resources.vital_sign(self.name("observation"), self.identity, identity, when, self.drawn)
            self.add("Observation", line, when)
        return identity


def person(number: int, seed: int, expected: Expected) -> Iterator[tuple[str, str]]:
    """The lines of one patient, and what they add to what is expected."""
    drawn = Random(seed * 1_000_003 + number)
    made = Person(number, drawn)
    born, gender = drawn.randint(1936, 1986), drawn.choice(("female", "female", "male"))
    made.add("Patient", resources.patient(made.identity, born, gender))
    start = _beside(made)
    place = drawn.randrange(1000)
    limit = CARD
    if place < limit:
        _with_card(made, expected)
    elif place < (limit := limit + IMAGED):
        _imaged(made, start, expected)
    elif place < (limit := limit + CHRONIC):
        _chronic(made, start, expected)
    elif place < (limit := limit + HISTORY):
        _history(made, start, expected)
    elif place < limit + PAIN_ONLY:
        _pain_only(made, start, expected)
    else:
        _silent(made, start, expected, "no-breast-cancer-history")
    assert made.first is not None
    expected.add_patient(made.first, at_risk=place < CARD + IMAGED + CHRONIC + HISTORY)
    expected.openings += made.visits
    expected.unknown_entries += made.local_codes
    expected.unknown_patients += made.local_codes > 0
    return iter(made.lines)


def last_seen(expected: Expected) -> Iterator[tuple[str, str]]:
    """A patient of whom nothing is known but one vital sign on the last day: with it the data end."""
    made = Person(0, Random(0))
    at = _at(END, 9)
    made.add("Patient", resources.patient(made.identity, 1950, "female"))
    made.add("Observation", resources.vital_sign("observation-0", made.identity, "", at, made.drawn), at)
    expected.add_patient(at, at_risk=False)
    expected.outcomes["end", "not-applicable", "no-breast-cancer-history"] += 1
    expected.no_card.add(END, None, END)
    return iter(made.lines)


def _beside(made: Person) -> datetime:
    """Diagnoses and visits that have nothing to do with the question; returns the first visit.

    All lie more than two years back, before anything that matters.
    """
    drawn = made.drawn
    first = _at(END - drawn.randint(1000, 3000) * _DAY, 9)
    for number in range(drawn.randint(2, 6)):
        made.visit(first + number * 30 * _DAY)
    for coded in drawn.sample(resources.OTHER_DIAGNOSES, drawn.randint(1, 4)):
        made.condition(coded, first + timedelta(minutes=20))
    if drawn.randrange(100) < LOCAL_CODES:
        local = resources.condition(
            made.name("condition"), made.identity, "4711", "", first + timedelta(minutes=25),
            system=SYSTEMS["local"],
        )  # fmt: skip
        made.add("Condition", local.replace(',"display":""', "").replace(',"text":""', ""))
        made.local_codes += 1
    if made.number % 100 < TOLD:
        made.add("Observation", resources.told_sign(made.name("observation"), made.identity, _LONG_AGO))
    return first


def _at(day: datetime, hour: int, minute: int = 0) -> datetime:
    return day.replace(hour=hour, minute=minute, second=0)


def _drawn_days(made: Person, shares: dict[int, int]) -> int | None:
    """One of these numbers of days, each for its share out of a hundred; None for the rest."""
    place = made.drawn.randrange(100)
    for days, share in shares.items():
        if place < share:
            return days
        place -= share
    return None


def _quiet(expected: Expected, visits: int, reason: str) -> None:
    """Count visits that were silent, and the silence at the end."""
    expected.outcomes["openings", "not-applicable", reason] += visits
    expected.outcomes["end", "not-applicable", reason] += 1


def _silent(made: Person, start: datetime, expected: Expected, reason: str) -> None:
    _quiet(expected, made.visits, reason)
    expected.no_card.add(start, None, expected.end)


def _pain_only(made: Person, start: datetime, expected: Expected) -> None:
    """Back pain without a history of cancer."""
    day = END - made.drawn.randint(20, 700) * _DAY
    seen = made.visit(_at(day, 9))
    made.condition(PAIN, _at(day, 9, 30), day - 3 * _DAY, seen)
    made.visit(_at(day + 7 * _DAY, 10))
    _silent(made, start, expected, "no-breast-cancer-history")


def _old_cancer(made: Person, days: int = 3500) -> int:
    """Breast cancer from before all visits; returns how many visits there were."""
    made.condition(CANCER, _at(END - days * _DAY, 8))
    return made.visits


def _history(made: Person, start: datetime, expected: Expected) -> None:
    """Breast cancer without pain; in a few, metastases are found all the same."""
    _old_cancer(made)
    days = _drawn_days(made, LATER_CODES_WITHOUT_PAIN)
    disease = _at(start + days * _DAY, 12) if days else None
    if disease:
        made.condition(METASTASIS, disease)
    _quiet(expected, made.visits, "no-back-pain")
    _add(expected.no_card, expected.no_card_at_risk, start, disease, expected)


def _add(every: Group, at_risk: Group, index: datetime, disease: datetime | None, expected: Expected) -> None:
    every.add(index, disease, expected.end)
    at_risk.add(index, disease, expected.end)


def _chronic(made: Person, start: datetime, expected: Expected) -> None:
    """Breast cancer, and back pain that has been there for years."""
    made.condition(PAIN, _at(END - 3400 * _DAY, 9), END - 3410 * _DAY)
    _old_cancer(made)
    for back in (200, 100):
        made.visit(_at(END - back * _DAY, 9))
    _quiet(expected, made.visits, "back-pain-not-new")
    _add(expected.no_card, expected.no_card_at_risk, start, None, expected)


def _imaged(made: Person, start: datetime, expected: Expected) -> None:
    """Breast cancer and new pain, all imaged before the chart was opened again."""
    before = _old_cancer(made)
    day = END - made.drawn.randint(120, 700) * _DAY
    seen = made.visit(_at(day, 9))
    made.condition(PAIN, _at(day, 9, 30), day - 2 * _DAY, seen)
    for coded in (MRI, BONE_SCAN, CT):
        made.report(coded, _at(day + 3 * _DAY, 11))
    made.visit(_at(day + 7 * _DAY, 10))
    expected.outcomes["openings", "not-applicable", "no-back-pain"] += before + 1
    expected.outcomes["openings", "suppressed", "already-imaged-or-ordered"] += 1
    expected.outcomes["end", "not-applicable", "back-pain-not-new"] += 1
    _add(expected.no_card, expected.no_card_at_risk, start, None, expected)


def _with_card(made: Person, expected: Expected) -> None:
    """Breast cancer and new pain: a card at the next visit, and once more at the one after."""
    before = _old_cancer(made)
    day = END - made.drawn.randint(100, 700) * _DAY
    told = _at(day, 9, 30)
    seen = made.visit(_at(day, 9))
    made.condition(PAIN, told, day - 2 * _DAY, seen)
    card = _at(day + 7 * _DAY, 10)
    made.visit(card)
    made.visit(_at(day + 14 * _DAY, 10))
    expected.outcomes["openings", "not-applicable", "no-back-pain"] += before + 1
    expected.outcomes["openings", "fired", "imaging-advised"] += 2
    expected.outcomes["end", "not-applicable", "back-pain-not-new"] += 1
    expected.cards["openings-first"] += 1
    expected.cards["openings-repeated"] += 1
    expected.add_time("complaint-to-card", (card - told).days)
    if days := _drawn_days(made, DAYS_TO_MRI):
        done = _at(day + days * _DAY, 11)
        made.report(MRI, done)
        expected.add_time("complaint-to-imaging", (done - told).days)
        expected.add_time("card-to-imaging", (done - card).days)
    later = _drawn_days(made, LATER_CODES)
    disease = _at(card + later * _DAY, 12) if later else None
    if disease is not None and disease > END:
        disease = None
    if disease is not None:
        made.condition(METASTASIS, disease)
        expected.add_time("complaint-to-disease", (disease - told).days)
        expected.add_time("card-to-disease", (disease - card).days)
    expected.card.add(card, disease, expected.end)
