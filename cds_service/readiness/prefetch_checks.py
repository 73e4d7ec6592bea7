"""Checks of the prefetch queries, from what their answers told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cds_service.chart.records import Gap
from cds_service.ehr.limits import FhirLimits
from cds_service.readiness.checks import Check, Finding, failed, passed, warned
from cds_service.readiness.prefetch_probe import ProbedQuery
from cds_service.readiness.server_checks import problem_text

# The specification asks for an answer of a service within half a second; the EHR's own queries come before it.
_SLOW_SECONDS = 0.5

# Servers and proxies often bound an address at 8 kB, some at 2 kB.
_LONG_QUERY = 2_000

_SCOPES = "grant the scope of this type to the token (such as patient/{kind}.read, or patient/{kind}.rs)"


# What to do where the answer was none of a FHIR server, or none came.
_WAYS: Mapping[Gap | None, str] = {
    Gap.UNREACHABLE: "see that the address is right, and that the server runs and can be reached from this machine",
    Gap.NOT_FHIR: "see the address: what answers there sends no FHIR resource (a page to sign in at, or a proxy's?)",
}
_NO_TOKEN = "give an access token for the FHIR server: none was given (--token-file, or FHIR_TOKEN)"


def prefetch_check(key: str, found: Sequence[ProbedQuery], limits: FhirLimits, has_token: bool = True) -> Check:
    """Whether one prefetch query brings what it asks for, for every patient.

    Args:
        key: the prefetch key.
        found: the query of each patient.
        limits: of reading in one call.
        has_token: whether the queries were sent with an access token.
    """
    findings = [finding for item in found for finding in _query(item, limits, has_token)]
    if found and all(item.answer.is_good and not item.entries for item in found):
        text = "None of the patients has an entry: it was not seen that the query brings any."
        findings.append(warned(text, "name a test patient who has some (--patient)"))
    return Check(f"prefetch-{key}", f"Prefetch {key}", tuple(findings))


def _query(item: ProbedQuery, limits: FhirLimits, has_token: bool) -> Iterator[Finding]:
    who = f"patient {item.patient}"
    if not item.answer.is_good:
        yield _failure(item, who, has_token)
        return
    slow = item.answer.seconds > _SLOW_SECONDS
    text = f"{who}: {_numbers(item)} in {item.answer.seconds * 1000:,.0f} ms."
    to_do = f"a query that takes longer than {_SLOW_SECONDS:g} s makes the physician wait; have the server tuned"
    yield warned(text, to_do) if slow else passed(text)
    yield from _completeness(item, who, limits)
    if item.foreign:
        text = f"{who}: {item.foreign:,} entries are of another patient."
        yield failed(text, "the server passes over `patient`: such entries are refused, and the rest is not known")
    if item.unasked:
        text = f"{who}: {item.unasked:,} entries are of another type than was asked for."
        yield warned(text, "see what stands between: they are passed over, and where they are all, the key is unknown")
    if item.outside:
        text = f"{who}: {item.outside:,} entries have none of the codes that were asked for."
        yield warned(text, "the server passes over `code`: pages are full of what nobody asked for")
    if item.issues:
        text = f"{who}: an OperationOutcome stands among the entries ({', '.join(dict.fromkeys(item.issues))})."
        yield warned(text, "see that it does not say that something was left out; `accepted_gaps` if it always does")


def _numbers(item: ProbedQuery) -> str:
    if not item.is_search:
        return "read"
    total = "" if item.known_total is None else f" of {item.known_total:,}"
    return f"{item.entries:,}{total} entries{', and a next page' if item.has_next else ''}"


def _failure(item: ProbedQuery, who: str, has_token: bool) -> Finding:
    kind = item.query.partition("?")[0].partition("/")[0]
    text = f"{who}: the query {problem_text(item.answer)}."
    if item.answer.status == 401 and not has_token:
        return failed(text, _NO_TOKEN)
    if item.answer.problem is Gap.REFUSED:
        return failed(text, _SCOPES.format(kind=kind))
    if item.simpler is not None and item.simpler.is_good:
        to_do = (
            "the service asks again with the patient alone; an EHR does not: give it the query without what is refused"
        )
        return warned(f"{text} With the patient alone it works.", to_do)
    if item.answer.status == 414:
        return failed(text, f"the query has {len(item.query):,} characters: let server and proxies accept that")
    if item.answer.status in (404, 410) and not item.is_search:
        return failed(text, "the server does not know this patient: see --patient and --fhir-server")
    return failed(
        text, _WAYS.get(item.answer.problem, "without it the key is unknown: see the server's log at this time")
    )


def _completeness(item: ProbedQuery, who: str, limits: FhirLimits) -> Iterator[Finding]:
    """Whether all that there is can be had."""
    if item.is_cut:
        known = max(item.total or 0, item.counted or 0)
        yield failed(
            f"{who}: there are {known:,}, {item.entries:,} came, and the page has no next link: the rest is cut off.",
            "let the server page its results, or raise its limit: what is cut off cannot be known or fetched",
        )
    if not item.has_next:
        return
    if item.asked and item.entries < item.asked:
        yield warned(
            f"{who}: a page has {item.entries:,} entries where {item.asked:,} were asked for (`_count`).",
            "raise the server's limit: what an EHR sends is one page, and the rest has to be fetched in the call",
        )
    elif item.asked:
        text = f"{who}: there are more than the {item.asked:,} entries of a page."
        yield warned(text, "see that the service may read the rest from the FHIR server (fhir_servers)")
    if item.follows is not None and not item.follows.is_good:
        where = (
            "leads out of the base address" if item.follows.problem is Gap.NOT_ALLOWED else problem_text(item.follows)
        )
        yield failed(f"{who}: the next page {where}.", "the service follows next links within the base address only")
    if item.entries and item.known_total and item.known_total > item.entries * limits.pages:
        text = f"{who}: {item.known_total:,} entries are more than fhir_max_pages = {limits.pages} pages hold."
        yield warned(text, "raise the server's page, or fhir_max_pages")


def post_check(found: Sequence[ProbedQuery]) -> Check:
    """Whether searches can be made by POST, as some clients do, and how long the longest query is."""
    searches = [item for item in found if item.by_post is not None]
    refused = sorted({item.key for item in searches if not _same(item)})
    longest = max((len(item.query) for item in found), default=0)
    if not searches:
        finding = warned("No search worked, by which to compare.", "see the checks of the prefetch queries")
    elif not refused:
        finding = passed(f"Every search gives the same by POST. The longest query has {longest:,} characters.")
    elif longest > _LONG_QUERY:
        finding = warned(
            f"By POST {', '.join(refused)} give no search result; the longest query has {longest:,} characters.",
            "see that no proxy in between cuts long addresses; EHRs that search by POST need it allowed",
        )
    else:
        finding = warned(
            f"By POST {', '.join(refused)} give no search result; the service itself searches by GET.",
            "nothing, unless the EHR's CDS client searches by POST",
        )
    return Check("post-search", "Search by POST", (finding,))


def _same(item: ProbedQuery) -> bool:
    posted = item.by_post
    return (
        posted is not None
        and posted.is_good
        and posted.document is not None
        and (len(posted.document.get("entry") or ()) == len((item.answer.document or {}).get("entry") or ()))
    )


def reading_time_check(found: Sequence[ProbedQuery], limits: FhirLimits) -> Check:
    """Whether everything could be read within the time of one call."""
    slowest = max((item.answer.seconds for item in found), default=0.0)
    text = f"The slowest query took {slowest * 1000:,.0f} ms; a call reads for {limits.deadline_seconds:g} s at most."
    if slowest > limits.deadline_seconds / 2:
        to_do = "let the EHR send all prefetch keys, or have the server tuned; fhir_deadline_seconds is the last resort"
        finding = (failed if slowest > limits.deadline_seconds else warned)(text, to_do)
    else:
        finding = passed(text)
    return Check("reading-time", "Time to read", (finding,))
