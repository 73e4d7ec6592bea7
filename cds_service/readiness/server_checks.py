"""Checks of the EHR's FHIR server as such: what it says it can, and its clock."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from cds_service.ehr.probe import Answer
from cds_service.readiness.checks import Check, Finding, failed, passed, warned

# A clock that is further off than this makes tokens invalid, and days wrong around midnight.
_MOST_SKEW_SECONDS = 300

_SEARCH_TYPE = "search-type"

# Parameters of every search (FHIR R4, search), which a statement need not list.
_OF_EVERY_SEARCH = frozenset({"_count", "_sort", "_id", "_summary"})


def capability_check(answer: Answer, templates: Mapping[str, str]) -> Check:
    """Whether the capability statement names what the service asks for."""
    return Check("capability-statement", "Capability statement", tuple(_capability(answer, templates)))


def _capability(answer: Answer, templates: Mapping[str, str]) -> Iterator[Finding]:
    statement = answer.document
    if (
        not answer.is_good
        or statement is None
        or statement["resourceType"] not in ("CapabilityStatement", "Conformance")
    ):
        why = problem_text(answer) if not answer.is_good else "is none"
        yield failed(f"/metadata {why}.", "see the address of the FHIR server and the way to it")
        return
    version = str(statement.get("fhirVersion", ""))
    if version.startswith("4."):
        yield passed(f"FHIR {_short(version)}{_software(statement)}.")
    elif version.startswith("3."):
        yield warned(f"FHIR {_short(version)}, where R4 is expected.", "use the R4 address of the server")
    else:
        yield failed(f"FHIR {_short(version) or 'of an unknown version'}.", "use the R4 address of the server")
    can = dict(_searches(statement))
    for key, template in templates.items():
        if missing := _missing(template, can):
            yield warned(f"{key}: it does not name {missing}.", "see below whether the query works all the same")


def _software(statement: Mapping[str, Any]) -> str:
    software = statement.get("software")
    named = software if isinstance(software, dict) else {}
    words = [_short(named[name]) for name in ("name", "version") if isinstance(named.get(name), str)]
    return f", {' '.join(words)}" if words else ""


def _short(text: str) -> str:
    return "".join(sign for sign in text[:40] if sign.isprintable())


def _searches(statement: Mapping[str, Any]) -> Iterator[tuple[str, frozenset[str]]]:
    """By type, the parameters by which it can be searched; `search-type` among them where it can at all."""
    for rest in _objects(statement.get("rest")):
        for resource in _objects(rest.get("resource")):
            codes = {str(item.get("code")) for item in _objects(resource.get("interaction"))}
            names = {str(item.get("name")) for item in _objects(resource.get("searchParam"))}
            yield str(resource.get("type")), frozenset(codes | names)


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _missing(template: str, can: Mapping[str, frozenset[str]]) -> str:
    """What a template needs and a statement does not name, in words; empty where it names all."""
    path, _, query = template.partition("?")
    kind = path.partition("/")[0]
    if kind not in can:
        return f"the type {kind}"
    if not query:
        return "" if "read" in can[kind] else f"the reading of {kind}"
    sorts = [value.lstrip("-") for name, value in parse_qsl(query) if name == "_sort"]
    wanted = [name for name, _ in parse_qsl(query) if name not in _OF_EVERY_SEARCH] + sorts
    missing = [name for name in wanted if name not in can[kind]]
    if _SEARCH_TYPE not in can[kind]:
        missing.append("the search itself")
    return f"{', '.join(missing)} of {kind}" if missing else ""


def clock_check(answer: Answer, asked: datetime, leeway_seconds: float) -> Check:
    """Whether the server's clock (header `Date`, whole seconds) is ours.

    Args:
        answer: to a request that was made at the moment `asked`.
        leeway_seconds: the setting `token_leeway_seconds`.
    """
    if answer.date is None:
        finding = warned("The server sends no Date header.", "compare the clocks by other means; tokens depend on them")
    else:
        off = (answer.date - asked).total_seconds()
        # The answer was made between the request and its end, and its date is cut to the second.
        skew = max(0.0, -1 - off, off - answer.seconds)
        text = f"The server's clock is {skew:.0f} s {'behind' if off < 0 else 'ahead of'} ours."
        to_do = "set both clocks by NTP: tokens are checked against ours"
        if skew <= leeway_seconds:
            finding = passed("The server's clock is ours, within a second." if skew <= 1 else text)
        else:
            finding = (warned if skew <= _MOST_SKEW_SECONDS else failed)(text, to_do)
    return Check("clock", "Clocks", (finding,))


def problem_text(answer: Answer) -> str:
    """Why an answer is of no use, as the rest of a sentence."""
    if answer.status is not None and answer.status != 200:
        return f"is answered {answer.status}{_issue(answer)}"
    return f"gives nothing ({answer.problem})" if answer.problem else "is answered"


def _issue(answer: Answer) -> str:
    """The code of an OperationOutcome's first issue, which is a word of FHIR; its text may hold anything."""
    issues = issue_codes([answer.document] if answer.document else [])
    return f" ({issues[0]})" if issues else ""


def issue_codes(resources: Sequence[Mapping[str, Any]]) -> list[str]:
    """Severity and code of every issue of the OperationOutcomes among some resources."""
    return [
        f"{_word(issue.get('severity'))} {_word(issue.get('code'))}"
        for resource in resources
        if resource.get("resourceType") == "OperationOutcome"
        for issue in _objects(resource.get("issue"))
    ]


def _word(value: object) -> str:
    return value[:40] if isinstance(value, str) and value.replace("-", "").isalpha() else "?"
