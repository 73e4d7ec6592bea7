"""Each prefetch query, sent as an EHR would send it, and what its answer tells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin

from cds_service.chart.pages import next_page, total_of
from cds_service.ehr.probe import Answer, FhirProbe
from cds_service.ehr.query import simpler
from cds_service.ehr.reader import queries_for
from cds_service.readiness.resources import Json, patient_of, resources_in
from cds_service.readiness.server_checks import issue_codes

_NO_COUNT = "_count"


@dataclass(frozen=True, slots=True)
class ProbedQuery:
    """One prefetch query of one patient.

    Attributes:
        patient, key: whose, and of which prefetch key.
        query: as it was sent.
        answer: its first page.
        entries: resources of that page that are no OperationOutcome.
        asked: how many entries of a page it asks for; None for a read.
        total: how many there are by the Bundle's own word; None where it says none.
        counted: how many there are by a search that only counts; None where the server does not count.
        has_next: whether the page says that there are more.
        follows: the next page, where there is one.
        simpler: the same with nothing but the patient, where the query was answered 400.
        foreign: entries that name another patient.
        unasked: entries of another type than was asked for.
        outside: entries with none of the codes that were asked for.
        issues: of OperationOutcomes beside the entries.
        by_post: the same search by POST, where it works by GET.
    """

    patient: str
    key: str
    query: str = field(repr=False)
    answer: Answer
    entries: int = 0
    asked: int | None = None
    total: int | None = None
    counted: int | None = None
    has_next: bool = False
    follows: Answer | None = None
    simpler: Answer | None = None
    foreign: int = 0
    unasked: int = 0
    outside: int = 0
    issues: tuple[str, ...] = ()
    by_post: Answer | None = None

    @property
    def is_search(self) -> bool:
        return "?" in self.query

    @property
    def known_total(self) -> int | None:
        """How many there are, as far as anything says it."""
        return self.total if self.total is not None else self.counted

    @property
    def is_cut(self) -> bool:
        """Whether there are more than came, and the page does not say so."""
        known = max(self.total or 0, self.counted or 0)
        return self.is_search and self.answer.is_good and not self.has_next and known > self.entries


def probe_patient(probe: FhirProbe, templates: Mapping[str, str], patient: str) -> list[ProbedQuery]:
    """Send every prefetch query for one patient, one after the other.

    Raises:
        ValueError: the id would change the path of an address.
    """
    return [_probed(probe, patient, key, query) for key, query in queries_for(templates, templates, patient).items()]


def _probed(probe: FhirProbe, patient: str, key: str, query: str) -> ProbedQuery:
    answer = probe.get(query)
    if "?" not in query:
        return ProbedQuery(patient, key, query, answer, entries=int(answer.is_good))
    if not answer.is_good or answer.document is None:
        plain = probe.get(simpler(query)) if answer.status == 400 else None
        return ProbedQuery(patient, key, query, answer, simpler=plain)
    resources = [found for _, found in resources_in(answer.document) if found]
    link = next_page(answer.document)
    return ProbedQuery(
        patient,
        key,
        query,
        answer,
        entries=len(resources),
        asked=_asked(query),
        total=total_of(answer.document) if answer.document.get("total") is not None else None,
        counted=_counted(probe, query),
        has_next=bool(link),
        follows=probe.get(_absolute(probe, query, link)) if link else None,
        foreign=sum(_names_another(found, patient) for found in resources),
        unasked=sum(found["resourceType"] != query.partition("?")[0] for found in resources),
        outside=sum(not _has_code(found, codes) for found in resources) if (codes := _codes(query)) else 0,
        issues=tuple(issue_codes(_outcomes(answer.document))),
        by_post=probe.search_by_post(query),
    )


def _absolute(probe: FhirProbe, query: str, link: str) -> str:
    """The address of a next page, which may be relative to that of its page."""
    return urljoin(urljoin(f"{probe.base}/", query), link)


def _asked(query: str) -> int | None:
    value = dict(parse_qsl(query.partition("?")[2])).get(_NO_COUNT, "")
    return int(value) if value.isdigit() else None


def _counted(probe: FhirProbe, query: str) -> int | None:
    """The number of all hits, by a search that gives nothing else (FHIR R4, search, `_summary=count`)."""
    kind, _, parameters = query.partition("?")
    kept = "&".join(part for part in parameters.split("&") if not part.startswith((f"{_NO_COUNT}=", "_sort=")))
    answer = probe.get(f"{kind}?{kept}&_summary=count")
    if not answer.is_good or answer.document is None or answer.document.get("total") is None:
        return None
    return total_of(answer.document)


def _outcomes(bundle: Json) -> Sequence[Mapping[str, Any]]:
    entries = bundle.get("entry")
    found = [entry.get("resource") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return [item for item in found if isinstance(item, dict)]


def _names_another(resource: Json, patient: str) -> bool:
    """Whether an entry names a patient, and another one; what names none is the coverage's business."""
    named = patient_of(resource)
    return bool(named) and "Patient/" in named and named.split("/_history/")[0].rpartition("Patient/")[2] != patient


def _codes(query: str) -> frozenset[str]:
    return frozenset(filter(None, dict(parse_qsl(query.partition("?")[2])).get("code", "").split(",")))


def _has_code(resource: Json, codes: frozenset[str]) -> bool:
    code = resource.get("code")
    codings = code.get("coding") if isinstance(code, dict) else None
    found = {item.get("code") for item in codings if isinstance(item, dict)} if isinstance(codings, list) else set()
    return not codes.isdisjoint(item for item in found if isinstance(item, str))
