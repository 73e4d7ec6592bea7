"""The card's detail in Markdown: why this patient, what is proposed, what was not checked, what the evidence is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from cds_service.advice.phrases import finding_words, joined, when_words
from cds_service.clinical.findings import Assessment, Finding, Note, Reason
from cds_service.content.model import Content

# A card is read in seconds: so many findings of a kind are named, the rest counted.
_MOST_FINDINGS = 3


def detail(assessment: Assessment, content: Content, today: date) -> str:
    """The Markdown text; sections in the order in which a physician needs them."""
    sections = [
        _why(assessment, content, today),
        _proposed(assessment, content),
        _unchecked(assessment, content),
    ]
    if assessment.reason is Reason.IMAGING_ADVISED:
        sections.append(_evidence(content))
    return "\n\n".join("\n".join(lines) for lines in sections)


def _why(assessment: Assessment, content: Content, today: date) -> list[str]:
    words = content.wording["why"]
    cancer = "in_situ" if assessment.reason is Reason.IN_SITU_ONLY else "cancer"
    lines = [words["heading"]]
    history = assessment.criterion("breast-cancer-history").findings
    pain = assessment.criterion("new-back-pain").findings
    lines += _listed(words[cancer], history, content, today)
    lines += _listed(words["pain"], pain, content, today)
    if assessment.injuries:
        lines += _listed(words["recent_injury"], assessment.injuries[:1], content, today)
    if Note.PAIN_CHANGED in assessment.notes:
        lines.append(words["changed"])
    if Note.TEXT_ONLY in assessment.notes:
        lines.append(words["text_only"])
    if Note.ONSET_IMPRECISE in assessment.notes:
        lines.append(words["onset_imprecise"].format(onset=assessment.vague_onset))
    elif Note.ONSET_NOT_RECORDED in assessment.notes:
        lines.append(words["onset_not_recorded"])
    return lines


def _listed(sentence: str, findings: Sequence[Finding], content: Content, today: date) -> Iterable[str]:
    for finding in findings[:_MOST_FINDINGS]:
        yield sentence.format(
            finding=finding_words(finding, content.wording),
            when=when_words(finding, today, content.wording),
            source=content.wording["source"][finding.kind],
        )
    if more := len(findings) - _MOST_FINDINGS:
        if more > 0:
            yield content.wording["why"]["more"].format(count=more)


def _proposed(assessment: Assessment, content: Content) -> list[str]:
    words = content.wording["proposed"]
    if assessment.reason is Reason.IN_SITU_ONLY:
        return [words["heading"], words["in_situ"]]
    lines = [words["heading"]]
    mri = [slug for slug in assessment.studies if _is_mri(slug)]
    staging = [slug for slug in assessment.studies if not _is_mri(slug)]
    lines += [words["mri"].format(study=content.orders[slug].label, modality_note=words["radiograph"]) for slug in mri]
    if Note.MRI_WITHOUT_CONTRAST_DRAFTED in assessment.notes:
        lines.append(words["without_contrast_drafted"])
    elif Note.MRI_DRAFTED in assessment.notes:
        lines.append(words["mri_drafted"])
    if staging:
        lines.append(words["staging"].format(studies=_labels(staging, content)))
    if drafted := [slug for slug in assessment.drafted if not _is_mri(slug)]:
        lines.append(words["drafted"].format(studies=_labels(drafted, content)))
    if Note.PREGNANT in assessment.notes:
        lines.append(words["pregnancy"])
    return lines


def _is_mri(slug: str) -> bool:
    return slug.startswith("mri-")


def _labels(slugs: Sequence[str], content: Content) -> str:
    return joined([content.orders[slug].label for slug in slugs])


def _unchecked(assessment: Assessment, content: Content) -> list[str]:
    words = content.wording["unchecked"]
    lines = [words["heading"], words["always"]]
    if keys := [content.wording["key"][key] for key in assessment.unchecked]:
        lines.append(words["missing"].format(keys=joined(keys)))
    if assessment.unread:
        lines.append(words["unread"].format(count=len(assessment.unread)))
    return lines


def _evidence(content: Content) -> list[str]:
    words = content.wording["evidence"]
    stated = [words["statement"].format(text=item.text, cite=item.cite) for item in content.evidence if item.on_card]
    return [words["heading"], *stated]
