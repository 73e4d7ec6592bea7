"""What a card says of the eGFR and of what could not be checked: keys not supplied, tests that are missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cds_service.clinical.rules.breast_cancer_back_pain.assessment import Assessment
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Note
from cds_service.clinical.rules.sentences import NEEDED, Listed, Sentence, When
from cds_service.content.model import Content

Words = Mapping[str, str]


def unchecked(assessment: Assessment, content: Content) -> Iterator[Sentence]:
    """The eGFR that decided, and in one line what could not be checked. An emergency waits for no laboratory result."""
    words, egfr = content.wording["unchecked"], assessment.kidneys.egfr
    told = any(item.egfr or item.value for item in assessment.cautions)
    if egfr and egfr.usable and egfr.recent and _uses_contrast(assessment, content) and not told:
        yield Sentence(words["egfr"], {"value": egfr.reported, "when": When(egfr.finding)}, NEEDED)
    if gaps := tuple(_gaps(assessment, content)):
        line = words["line_critical" if assessment.critical else "line"]
        yield Sentence(line, {"what": Listed(gaps, separator="; ")}, NEEDED)


def key_names(keys: Sequence[str], content: Content) -> Listed:
    """Prefetch keys in the words of a physician."""
    return Listed([content.wording["key"][key] for key in keys])


def _gaps(assessment: Assessment, content: Content) -> Iterator[Sentence]:
    words = content.wording["unchecked"]
    if assessment.unchecked:
        yield Sentence(words["missing"], {"keys": key_names(assessment.unchecked, content)})
    if assessment.partly:
        yield Sentence(words["partly"], {"keys": key_names(assessment.partly, content)})
    asks_for_egfr = not assessment.critical and "observations" not in assessment.unchecked
    if asks_for_egfr and _uses_contrast(assessment, content):
        yield from _no_recent_egfr(assessment, words)
    if Note.CHECK_PREGNANCY in assessment.notes:
        yield Sentence(words["pregnancy"])
    if assessment.unreadable:
        yield Sentence(words["unread"], {"count": assessment.unreadable})


def _uses_contrast(assessment: Assessment, content: Content) -> bool:
    return any("with IV contrast" in content.orders[slug].label for slug in assessment.studies)


def _no_recent_egfr(assessment: Assessment, words: Words) -> Iterator[Sentence]:
    egfr = assessment.kidneys.egfr
    if egfr is None:
        yield Sentence(words["no_egfr"], {"days": assessment.egfr_recent_days})
    elif not egfr.usable:
        yield Sentence(words["odd_egfr"])
    elif not egfr.recent:
        yield Sentence(words["old_egfr"], {"value": egfr.reported, "when": When(egfr.finding)})
    if creatinine := assessment.kidneys.creatinine:
        yield Sentence(words["creatinine"], {"value": creatinine.reported, "when": When(creatinine.finding)})
