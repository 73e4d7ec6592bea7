"""Statuses as charts really write them, read as the codes of FHIR R4 (decision 11.8).

A status may come as an HL7 code, a SNOMED CT code, a letter of an HL7 v2 table, a local code with a display, or in
words. It is read by code, then display, then text; where they contradict each other, refuted and entered in error
win. A word that nobody knows is no status: the entry counts as if the element were missing, and that is counted.

Sources of the codes: SNOMED CT clinical statuses from the map `CF-ProblemStatus` of C-CDA on FHIR 2.0, SNOMED CT
certainties from the value sets `qicore-condition-certainty` of QI-Core and `PresenceContextVS` of HL7's breast cancer
guide; letters from the HL7 v2 tables 0438 (allergies), 0085 (observations) and 0123 (reports) and the maps of HL7's
"Version 2 to FHIR".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

NOT_TRUE = frozenset({"refuted", "entered-in-error"})
CLINICAL = frozenset({"active", "recurrence", "relapse", "inactive", "remission", "resolved"})
VERIFICATION = frozenset({"unconfirmed", "provisional", "differential", "confirmed", *NOT_TRUE})

# What says that there is no status: the same as none, but understood.
NO_STATUS = ""
_SAYS_NOTHING = ("unknown", "not known", "not available", "not recorded", "not applicable", "unspecified", "none")

# A status is a word or two; what is longer is prose, and not looked up.
_LONGEST = 80

_IN_ERROR = "entered-in-error"
_IN_ERROR_KEY = "entered error"
_DENIALS = frozenset({"not", "never", "no"})
_MOST_REMEMBERED = 4096

# Words that add nothing to a status: "Problem resolved", "in remission", "Suspected (qualifier value)".
_FILLER_TEXT = """
    as clinical condition clinically code diagnosis disorder encounter finding has been in is it lab now of on
    order patient phase problem procedure qualifier report result since status study the to today value verification
    visit was
"""
_FILLERS = frozenset(_FILLER_TEXT.split())
_WORD = re.compile(r"[^\W\d_]+")
# `enteredInError` is written in words, too.
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z][a-z])")
# "Refuted by biopsy": what stands behind a status and gives its reason.
_REASON = re.compile(r"\s(?:by|on|per|after|following|based on|at|via)\s|\s?[(,;:]", re.IGNORECASE)
_V2_SYSTEM = re.compile(r"/v2[-/]|^urn:oid:2\.16\.840\.1\.113883\.(12|18)\.")


def key_of(text: str) -> str:
    """The words of a status as they are compared: lower case, without figures, signs and words that add nothing."""
    words: list[str] = _WORD.findall(_HUMP.sub(" ", text).lower())
    return " ".join([word for word in words if word not in _FILLERS] or words)


def _says_in_error(text: str) -> bool:
    """Whether a text begins by saying that an entry was made in error, whatever reason it adds."""
    before, found, _ = key_of(text[:_LONGEST]).partition(_IN_ERROR_KEY)
    return bool(found) and _DENIALS.isdisjoint(before.split())


class StatusCodes:
    """The statuses that one element may have, and the other ways in which they are written."""

    def __init__(
        self,
        known: Iterable[str],
        words: Mapping[str, str] | None = None,
        codes: Mapping[str, str] | None = None,
        letters: Mapping[str, str] | None = None,
    ) -> None:
        """
        Args:
            known: the codes of R4, which need no closer look.
            words: by code, other ways to say it, with commas between them.
            codes: the status that a code of SNOMED CT stands for.
            letters: the status that a letter of an HL7 v2 table stands for.
        """
        self.known = frozenset(known)
        self._words = {key_of(word): NO_STATUS for word in _SAYS_NOTHING}
        self._words |= {key_of(way): code for code, ways in (words or {}).items() for way in ways.split(",")}
        self._words |= {key_of(code): code for code in self.known}
        if _IN_ERROR in self.known:
            self._words |= {"eie": _IN_ERROR, "enteredinerror": _IN_ERROR}
        self._codes = dict(codes or {})
        self._letters = dict(letters or {})
        self._meaning_once = lru_cache(_MOST_REMEMBERED)(self._meaning)

    def meaning(self, said: str, system: str = "") -> str | None:
        """The status that a code, display or text stands for; `NO_STATUS` where it says so, None if nobody knows it."""
        # Prose is not remembered.
        return self._meaning_once(said, system) if len(said) <= _LONGEST else self._meaning(said, system)

    def _meaning(self, said: str, system: str) -> str | None:
        plain = said.strip()
        if not plain:
            return NO_STATUS
        if _IN_ERROR in self.known and _says_in_error(plain):
            return _IN_ERROR
        if len(plain) > _LONGEST:
            return None
        if plain in self._codes:
            return self._codes[plain]
        if plain.upper() in self._letters and (not system or _V2_SYSTEM.search(system)):
            return self._letters[plain.upper()]
        key = key_of(plain)
        if len(key) <= 1:
            # A letter, with or without figures, is a code of somebody's, and no word.
            return None
        if key in self._words:
            return self._words[key]
        return self._words.get(key_of(_REASON.split(plain, maxsplit=1)[0]))


_CLINICAL_WORDS = {
    "active": "current,currently active,ongoing,open,present,persistent,persisting,continuing,continued,existing,"
    "still present,still active,not resolved,unresolved,chronic,acute,intermittent,improving,worsening,stable,new,"
    "aktiv",
    "inactive": "not active,no longer active,dormant,quiescent,inaktiv,suspended",
    "resolved": "closed,cured,healed,completed,complete,ended,finished,over,past,historical,history,former,previous,"
    "no longer present,no longer a problem,not current,recovered,gone,abated,zustand nach",
    "remission": "full remission,complete remission,partial remission,remitted",
    "recurrence": "recurrent,recurring,recurred",
    "relapse": "relapsed,relapsing",
}
_CERTAINTY_WORDS = {
    "confirmed": "verified,definite,definitive,established,proven,certain,final,known present,definitely present,"
    "confirmed present,confirmed or verified,confirmed but inactive,gesichert",
    "refuted": "ruled out,excluded,disproved,disproven,absent,known absent,confirmed absent,definitely absent,"
    "definitely not present,not present,negative,ausgeschlossen",
    "entered-in-error": "error,erroneous,mistake,by mistake,entered by mistake,entered erroneously,created in error,"
    "recorded in error,documented in error,wrong,wrong patient,invalid,void,voided,nullified,retracted,deleted",
    "provisional": "suspected,suspect,suspicion,suspicion of,possible,possibly present,probable,probably present,"
    "probably not present,likely,presumptive,presumed,working,tentative,preliminary,known possible,rule out,r o,query,"
    "pending,under investigation,to be confirmed,doubt raised,verdacht,verdacht auf,v a",
    "differential": "differential diagnosis",
    "unconfirmed": "not confirmed,unverified,not verified,uncertain",
}

# One table for both: charts put a refutation into the clinical status, and a cure into the verification status.
CONDITION = StatusCodes(
    CLINICAL | VERIFICATION,
    _CLINICAL_WORDS | _CERTAINTY_WORDS,
    codes={
        "55561003": "active",
        "73425007": "inactive",
        "413322009": "resolved",
        "277022003": "remission",
        "246455001": "recurrence",
        "263855007": "relapse",
        "410515003": "confirmed",
        "410591008": "confirmed",
        "410605003": "confirmed",
        "410516002": "refuted",
        "410594000": "refuted",
        "410590009": "provisional",
        "410592001": "provisional",
        "410593006": "provisional",
        "415684004": "provisional",
        "261665006": NO_STATUS,
    },
    letters={
        "C": "confirmed",
        "D": "provisional",
        "E": "entered-in-error",
        "I": "confirmed",
        "P": "provisional",
        "S": "provisional",
        "U": "unconfirmed",
    },
)

_RESULT_WORDS = {
    "final": "complete,completed,finished,released,verified,signed,authenticated,resulted,final result,final report",
    "preliminary": "prelim,interim,unverified,not verified",
    "corrected": "correction,revised",
    "amended": "amendment,modified",
    "registered": "in process,in progress,received,pending,scheduled,ordered",
    "cancelled": "canceled,cannot be obtained,aborted,not done,not performed,rejected",
    "entered-in-error": "error,erroneous,wrong,invalid,void,voided,nullified,retracted,deleted",
}
OBSERVATION = StatusCodes(
    {"registered", "preliminary", "final", "amended", "corrected", "cancelled", "entered-in-error", "unknown"},
    _RESULT_WORDS | {"amended": "amendment,modified,appended", "preliminary": "prelim,interim,partial,not verified"},
    letters={
        "A": "amended",
        "B": "amended",
        "C": "corrected",
        "D": "entered-in-error",
        "F": "final",
        "I": "registered",
        "P": "preliminary",
        "R": "preliminary",
        "S": "preliminary",
        "W": "entered-in-error",
        "X": "cancelled",
    },
)
REPORT = StatusCodes(
    OBSERVATION.known | {"partial", "appended"},
    _RESULT_WORDS | {"appended": "addendum"},
    letters={
        "O": "registered",
        "I": "registered",
        "S": "registered",
        "A": "partial",
        "P": "preliminary",
        "C": "corrected",
        "F": "final",
        "X": "cancelled",
    },
)
ENCOUNTER = StatusCodes(
    {"planned", "arrived", "triaged", "in-progress", "onleave", "finished", "cancelled", "entered-in-error", "unknown"},
    {
        "planned": "scheduled,booked,future,preadmit,pre admission",
        "arrived": "checked in,admitted,registered,waiting",
        "in-progress": "active,current,ongoing,open,started,inprogress",
        "onleave": "on hold,on leave",
        "finished": "completed,complete,closed,discharged,done,ended,departed,checked out,discontinued,signed",
        "cancelled": "canceled,no show,noshow,missed,not attended,did not attend,rescheduled,aborted",
        "entered-in-error": "error,erroneous,invalid,void,voided,nullified,deleted",
    },
)
_ORDER_WORDS = {
    "active": "ordered,open,new,signed,sent,placed,pending,scheduled,requested,in progress",
    "on-hold": "held,on hold,suspended",
    "completed": "complete,done,performed,resulted,finished,fulfilled",
    "cancelled": "canceled,aborted,rejected,declined",
    "revoked": "withdrawn,discontinued",
    "stopped": "ended",
    "draft": "proposed,unsigned",
    "entered-in-error": "error,erroneous,invalid,void,voided,nullified,deleted",
}
ORDER = StatusCodes(
    {"draft", "active", "on-hold", "revoked", "completed", "entered-in-error", "unknown", "cancelled", "stopped"},
    _ORDER_WORDS,
)
PROCEDURE = StatusCodes(
    {"preparation", "in-progress", "not-done", "on-hold", "stopped", "completed", "entered-in-error", "unknown"},
    {
        "preparation": "planned,scheduled,ordered,pending,booked",
        "in-progress": "active,started,ongoing",
        "not-done": "cancelled,canceled,aborted,not performed,not carried out,declined,refused",
        "on-hold": "suspended",
        "stopped": "terminated,discontinued",
        "completed": "complete,done,performed,finished,final",
        "entered-in-error": "error,erroneous,invalid,void,voided,nullified,deleted",
    },
)
IMAGING_STUDY = StatusCodes(
    {"registered", "available", "inactive", "cancelled", "entered-in-error", "unknown"},
    {
        "available": "active,complete,completed,done,final,performed",
        "registered": "scheduled,ordered,in progress,pending",
        "cancelled": "canceled,aborted,not done",
        "entered-in-error": "error,erroneous,invalid,void,voided,nullified,deleted",
    },
)
DEVICE = StatusCodes(
    {"active", "inactive", "entered-in-error", "unknown"},
    {
        "active": "in place,implanted,in use,present,current",
        "inactive": "removed,explanted,retired,not in use",
        "entered-in-error": "error,erroneous,invalid,void,voided,nullified,deleted",
    },
)
STUDIES: Mapping[str, StatusCodes] = {
    "DiagnosticReport": REPORT,
    "ImagingStudy": IMAGING_STUDY,
    "Procedure": PROCEDURE,
    "Device": DEVICE,
    "ServiceRequest": ORDER,
}
