"""Completes what a call brought with what the FHIR server has: the missing keys, and the rest of truncated pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from cds_service.addresses import is_within
from cds_service.chart.pages import labels_of, next_page, total_of
from cds_service.chart.prefetch import FetchedPrefetch
from cds_service.chart.undecoded import decoded
from cds_service.ehr.query import Fetched
from cds_service.ehr.reader import FhirReader, queries_for

# Visits that are read one by one because a pain without a date belongs to them: more than a few would cost more time
# than the date is worth; the card then says that the onset is not recorded.
_MOST_VISITS = 5


def complete(
    prefetch: Mapping[str, Any],
    keys: Iterable[str],
    visits: Iterable[str],
    templates: Mapping[str, str],
    patient_id: str,
    reader: FhirReader,
    ahead: Iterable[str] = (),
) -> dict[str, Any]:
    """The prefetch with `keys` read from the FHIR server, in parallel.

    Args:
        prefetch: the values at hand.
        keys: the keys to complete; of a page with a `next` link only the rest is read.
        visits: references of Encounters to read besides (`Encounter/9`).
        templates: the query of each key.
        patient_id: the patient of the call.
        reader: reads, within its bounds.
        ahead: the keys that may have to be completed next; none of them is completed here.
    """
    keys, ahead = list(keys), list(ahead)
    queries = queries_for([*keys, *ahead], templates, patient_id)
    prefetch = {**prefetch, **{key: decoded(prefetch[key]) for key in (*queries, "encounters") if key in prefetch}}
    next_pages = {key: _next_page_of(prefetch.get(key), reader.base, templates[key]) for key in queries}
    queries = {key: next_pages[key] or query for key, query in queries.items()}
    wanted = {visit: visit for visit in list(visits)[:_MOST_VISITS]}
    fetched = reader.fetch({key: queries[key] for key in keys} | wanted, [queries[key] for key in ahead])
    completed = dict(prefetch)
    for key in keys:
        completed[key] = _joined(prefetch.get(key), fetched[key], is_rest=bool(next_pages[key]))
    for visit in wanted:
        completed["encounters"] = _with_resources(completed.get("encounters"), fetched[visit])
    return completed


def _next_page_of(value: object, base: str, template: str) -> str:
    """The address of the next page of a Bundle at hand, or an empty string where the whole query is asked anew.

    The client chose that address: it counts only at the server's base or at the type that the key asks for.
    """
    link = next_page(value) if isinstance(value, dict) and value.get("resourceType") == "Bundle" else ""
    if link in ("", "?"):
        return ""
    try:
        url = urljoin(f"{base}/", link)
        inside = is_within(url, base) and urlsplit(url).path.rstrip("/") in _search_paths(base, template)
    except ValueError:
        return ""
    return url if inside else ""


def _search_paths(base: str, template: str) -> tuple[str, str]:
    """The paths under which a server may serve the pages of a search."""
    path = urlsplit(base).path.rstrip("/")
    return path, f"{path}/{template.partition('?')[0]}"


def _joined(value: Any, fetched: Fetched, is_rest: bool) -> FetchedPrefetch:
    """What was at hand and what was read, as one value."""
    if not fetched.resources and isinstance(value, dict):
        # Nothing came: what was at hand stays.
        return FetchedPrefetch(value, fetched.gap)
    pages = [value, *fetched.resources] if is_rest else list(fetched.resources)
    if len(pages) == 1 and pages[0].get("resourceType") != "Bundle":
        return FetchedPrefetch(pages[0], fetched.gap)
    return FetchedPrefetch(_bundle(pages) if pages else None, fetched.gap)


def _with_resources(value: Any, fetched: Fetched) -> FetchedPrefetch:
    """A value with single resources added; what they leave open does not make the rest less complete."""
    gap = value.gap if isinstance(value, FetchedPrefetch) else None
    inner = value.value if isinstance(value, FetchedPrefetch) else value
    return FetchedPrefetch(_bundle([*([inner] if isinstance(inner, dict) else []), *fetched.resources]), gap)


def _bundle(pages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The entries of all pages in one Bundle; a page that is a lone resource is an entry."""
    entries: list[Any] = []
    totals: list[int | None] = []
    labels: list[Any] = []
    issues: list[Any] = []
    for page in pages:
        if page.get("resourceType") != "Bundle":
            entries.append({"resource": page})
            continue
        found = page.get("entry")
        # What is no list stays what it is: an entry that cannot be read.
        entries += found if isinstance(found, list) else [] if found is None else [found]
        totals.append(total_of(page))
        labels += labels_of(page)
        # R5's remarks on a search say the same as an OperationOutcome among its entries.
        issues += [{"resource": page["issues"]}] if page.get("issues") is not None else []
    # A total that cannot be read stays one.
    total = "?" if None in totals else max((number for number in totals if number), default=0)
    joined = {"resourceType": "Bundle", "type": "searchset", "total": total, "entry": [*entries, *issues]}
    return joined | ({"meta": {"security": labels}} if labels else {})
