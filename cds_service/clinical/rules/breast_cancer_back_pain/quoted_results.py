"""The studies done since the pain began, as the card quotes them: name, date, status, conclusion as written.

Nothing is concluded from a conclusion (decision 5.11).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cds_service.clinical.rules.imaging_history import PriorStudy
from cds_service.clinical.rules.sentences import EXTRA, Listed, Passage, Quote, Sentence, Value, What
from cds_service.content.model import Content

# A card has room for so many; who had more of them reads the chart.
_MOST_RESULTS = 4
_MOST_CODES = 3


def quoted_results(results: Sequence[PriorStudy], content: Content) -> Iterator[Sentence]:
    """A sentence for each study; of a restricted one name and date only."""
    for study in results[:_MOST_RESULTS]:
        yield _quoted(study, content)
    if len(results) > _MOST_RESULTS:
        yield Sentence(content.wording["results"]["more"], {"count": len(results) - _MOST_RESULTS}, EXTRA)


def _quoted(study: PriorStudy, content: Content) -> Sentence:
    words, concluded = content.wording["results"], study.record.conclusion
    values: Mapping[str, Value] = {"study": _name(study, content), "date": study.finding.when or ""}
    if concluded.is_restricted:
        return Sentence(words["restricted"], values, quotes_a_study=True)
    values = {**values, "status": content.wording["report_status"][study.record.status]}
    if concluded.text:
        values = {**values, "conclusion": Passage(concluded.text, words["shortened"])}
        return Sentence(words["conclusion"], values, quotes_a_study=True)
    if concluded.codes:
        codes = Listed([Quote(code) for code in concluded.codes[:_MOST_CODES]])
        return Sentence(words["codes"], {**values, "codes": codes}, quotes_a_study=True)
    return Sentence(words["no_conclusion"], values, quotes_a_study=True)


def _name(study: PriorStudy, content: Content) -> Value:
    """Our own words for the code of a study, else the chart's; of a bare code what an order of the study is called."""
    finding = study.finding
    if finding.coding is None or finding.quote != finding.coding.code:
        return What(finding)
    orders = content.orders.values()
    names = (order.name for order in orders if any(parts <= study.value_sets for parts in order.answered_by))
    return next(names, What(finding))
