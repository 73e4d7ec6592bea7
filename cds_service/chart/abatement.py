"""Whether an `abatement[x]` of a Condition says that it is over (decision 11.8).

A date says so, an age or a range of ages, a boolean, or words of ending. What is there and says neither that the
condition is over nor that it goes on is no abatement, and counts as a status that nobody understands: an unreadable
end must not end the pain.
"""

from __future__ import annotations

import re

from cds_service.chart.elements import EARLIEST_YEAR, TRUTHS, Json, Reading
from cds_service.chart.span import Span, read_date
from cds_service.chart.statuses import CONDITION, NO_STATUS

_OVER = frozenset({"resolved", "remission", "inactive", "refuted"})
_GOES_ON = frozenset({"active", "recurrence", "relapse", NO_STATUS})

# "Not resolved yet", "without end": before a word of ending they deny it.
_NOT = re.compile(r"\b(not|never|no|without|none|nor|cannot|\w+n't|nicht|nie|kein\w*|ohne)\b", re.IGNORECASE)
# "Still there since 2024", "expected to resolve in May": whatever end is named has not come.
_NOT_YET = re.compile(
    r"\b(still|yet|continu\w*|persist\w*|remain\w*|ongoing|present|pending|unknown|unclear|uncertain|will|would|should|"
    r"could|may be|might|expected|planned|likely|if|unless|noch|weiter\w*|anhaltend|besteht|unbekannt|unklar)\b|\?",
    re.IGNORECASE,
)
_ENDED = re.compile(
    r"\b(no (longer|more|further|pain|symptoms|complaints)|not any ?more|nicht mehr|keine? (schmerz|beschwerde)\w*|"
    r"(pain|symptom)[ -]?free|free of (pain|symptoms)|asymptomatic|resolved|resolution|ended|end|over|remission|"
    r"remitted|gone|stopped|ceased|healed|cured|recovered|abated|subsided|settled|finished|completed?|disappeared|vanished|"
    r"cleared|inactive|past|former|formerly|history|closed|schmerzfrei|beschwerdefrei|abgeklungen|verschwunden|geheilt|"
    r"ausgeheilt|abgeheilt|beendet|vorbei|sistiert|remittiert)\b",
    re.IGNORECASE,
)
_BEGINS = re.compile(r"\b(since|from|started|began|begun|onset|seit|ab)\b", re.IGNORECASE)
_MONTHS = "jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez"
_MONTH_NAMES = (
    "january|february|march|april|june|july|august|september|october|november|december|"
    "januar|februar|märz|juni|juli|oktober|dezember"
)
_DATE = re.compile(
    r"\b(19|20)\d\d\b|\b\d{1,2}[./-]\d{1,2}\b|\b(19|20)\d{6}\b|"
    rf"\b({_MONTHS}|{_MONTH_NAMES})\b|"
    r"\b(ago|yesterday|last|today|earlier|later|after|before|this (morning|week|month|year)|gestern|heute|"
    r"vor|letzte\w*|nach)\b|\bage \d",
    re.IGNORECASE,
)


def is_abated(resource: Json, reading: Reading) -> bool:
    """Whether any `abatement[x]` says that the condition is over.

    One that is empty, false or says that the condition goes on does not; one that says nothing known is counted in
    `reading.unknown_statuses`.
    """
    stated = [
        _says_over(value)
        for key, value in resource.items()
        if key.startswith("abatement") and value not in (None, "", [], {})
    ]
    if True in stated:
        return True
    reading.unknown_statuses += stated.count(None)
    return False


def date_in_text(value: object) -> Span | None:
    """The day of an abatement that stands as a FHIR date in an element for words."""
    return _fhir_date(value.strip()) if isinstance(value, str) else None


def _says_over(value: object) -> bool | None:
    """Whether one value says that the condition is over; None where it says nothing known."""
    if isinstance(value, str):
        return _words_say_over(value.strip())
    if isinstance(value, bool | int | float):
        return TRUTHS.get(str(value).lower())
    return True if _names_a_time(value) else None


def _words_say_over(text: str) -> bool | None:
    if not text:
        return False
    if (truth := TRUTHS.get(text.lower())) is not None:
        return truth
    if _is_fhir_date(text):
        return True if _fhir_date(text) else None
    meaning = CONDITION.meaning(text)
    if meaning in _OVER:
        return True
    if meaning in _GOES_ON:
        return False
    ended = _ENDED.search(text)
    before = text[: ended.start()] if ended else text
    if _NOT.search(before) or _NOT_YET.search(_ENDED.sub("", text)):
        return None
    return True if ended or (_DATE.search(text) and not _BEGINS.search(text)) else None


def _names_a_time(value: object) -> bool:
    """Whether a Period, an Age or a Range holds a figure or a date that can be read."""
    if isinstance(value, dict):
        return any(_names_a_time(item) for name, item in value.items() if name not in ("id", "extension"))
    if isinstance(value, list):
        return any(_names_a_time(item) for item in value)
    if isinstance(value, str):
        text = value.strip()
        return text.isdecimal() or (_fhir_date(text) is not None if _is_fhir_date(text) else bool(_DATE.search(text)))
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_fhir_date(text: str) -> bool:
    try:
        read_date(text)
    except ValueError:
        return False
    return True


def _fhir_date(text: str) -> Span | None:
    """A FHIR date, unless programs write it where they mean none (0001-01-01)."""
    if not text or not _is_fhir_date(text):
        return None
    found = read_date(text)
    return found if found.latest.year >= EARLIEST_YEAR else None
