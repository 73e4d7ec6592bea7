"""What a report concludes, and whether its security labels allow to quote it (decisions 5.11 and 5.12).

The conclusion is read to be shown and for nothing else: no pattern, no value set and no criterion sees it. Of a
restricted report it is not even read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cds_service.chart.elements import Json, Reading
from cds_service.chart.records import Concept, Conclusion

_REPORT = "DiagnosticReport"

# HL7 v3 Confidentiality: restricted, very restricted. Such a code counts in whatever system it is written.
_RESTRICTED_CODES = frozenset({"R", "V"})
_RESTRICTED_WORDS = re.compile(r"(?<!not )(?<!non-)\brestricted\b", re.IGNORECASE)

# HL7 v3 ActCode, under each of its names: in a security label its codes name what is sensitive (sexual and reproductive
# health, HIV, mental health and others), or what must not be done with it.
_SENSITIVE = re.compile(r"v3[-/]ActCode\b|2\.16\.840\.1\.113883\.5\.4$", re.IGNORECASE)


def read_conclusion(resource: Json, reading: Reading) -> Conclusion:
    """What a DiagnosticReport concludes; nothing of any other resource, nor of a restricted one.

    `presentedForm` is not read. A conclusion in no readable form is none: it decides nothing, and costs no answer.
    """
    if is_restricted(resource):
        return Conclusion(is_restricted=True)
    if resource.get("resourceType") != _REPORT:
        return Conclusion()
    words = resource.get("conclusion")
    # STU3 and DSTU2 call the codes `codedDiagnosis`. What cannot be read of them is not noted.
    coded = resource.get("conclusionCode") or resource.get("codedDiagnosis")
    codes = Reading(reading.where).concepts(coded, "conclusionCode")
    return Conclusion(
        text=words if isinstance(words, str) and any(map(str.isalnum, words)) else "",
        codes=tuple(words for concept in codes if (words := _in_words(concept))),
    )


def _in_words(concept: Concept) -> str:
    """A code as its author words it: its text, else a display."""
    displays = (coding.display for coding in concept.codings)
    return next((words for words in (concept.text, *displays) if any(map(str.isalnum, words))), "")


def is_restricted(resource: Json) -> bool:
    """Whether `meta.security` restricts a resource: by its confidentiality, in words, or as sensitive."""
    return "meta" in resource and any(_restricts(*label) for label in _labels(resource))


def _restricts(system: str, code: str, display: str) -> bool:
    if code.strip().upper() in _RESTRICTED_CODES or _SENSITIVE.search(system.strip()):
        return True
    return any(_RESTRICTED_WORDS.search(words) for words in (code, display))


def _labels(resource: Json) -> Iterator[tuple[str, str, str]]:
    """System, code and display of each security label; a bare string is a code."""
    meta = resource.get("meta")
    labels = meta.get("security") if isinstance(meta, dict) else None
    for label in labels if isinstance(labels, list) else [labels]:
        if isinstance(label, str):
            yield "", label, ""
        elif isinstance(label, dict):
            system, code, display = (
                value if isinstance(value := label.get(name), str) else "" for name in ("system", "code", "display")
            )
            yield system, code, display


# Where a resource names others of the same study: reports their images, procedures their report.
_SAME_STUDY = ("imagingStudy", "study", "procedure", "report", "procedureReference", "partOf")


def same_study(resource: Json, reading: Reading) -> tuple[str, ...]:
    """References of the reports, images and procedures that a resource says to be of the same study."""
    if resource.keys().isdisjoint(_SAME_STUDY):
        return ()
    quiet = Reading(reading.where, reading.resolve)
    named = (quiet.reference(item, name) for name in _SAME_STUDY for item in quiet.items(resource.get(name), name))
    return tuple(dict.fromkeys(reference for reference in named if reference))
