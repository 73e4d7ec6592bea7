"""The page of all code sets, at `/evidence/codes`: every code that the service knows, and what each set is for.

Everything is listed in the HTML; the search is a script that narrows what is there. CPT codes stand as numbers only:
their descriptors belong to the American Medical Association, whatever a site may have added to its ValueSets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from cds_service.content.model import Content
from cds_service.content.terminology import Terminology, ValueSet
from cds_service.web.pages import capital, page

CPT = "http://www.ama-assn.org/go/cpt"

# A ValueSet's purpose begins with its role; its copyright names the licenses first and the confirmations after this.
ROLES = {
    "match": ("Sets that answer a question", "A code of these sets counts as what the set is called."),
    "supporting": ("Sets that support", "These never decide anything alone."),
    "ambiguous": ("Ambiguous sets", "These codes may mean something else, and do not count by themselves."),
    "passed over": ("Known and passed over", "No question of the rule reads these codes; each set says why."),
    "exclusion": ("Exclusions", "These codes look like evidence and are none; they never count."),
}
_OTHER_ROLE = ("Other sets", "")
_CONFIRMED = "Codes confirmed in:"


@dataclass(frozen=True, slots=True)
class ListedCode:
    """One code as it is shown: where it was confirmed if not where its set was, or why nobody has confirmed it."""

    code: str
    display: str
    source: str = ""
    unconfirmed: str = ""


@dataclass(frozen=True, slots=True)
class CodeGroup:
    """The codes of one set in one code system; `categories` stand for all that they contain.

    `patterns` are regular expressions that stand for every code that matches them.
    """

    system: str
    categories: tuple[ListedCode, ...]
    codes: tuple[ListedCode, ...]
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CodeSet:
    """One set as it is shown; `notice` is the number of its license notice, from 1."""

    id: str
    title: str
    purpose: str
    groups: tuple[CodeGroup, ...]
    notice: int
    confirmed: str


@dataclass(frozen=True, slots=True)
class Role:
    """The sets of one role, by title."""

    title: str
    meaning: str
    value_sets: tuple[CodeSet, ...]


# Made once for each content, not for each application.
@lru_cache(maxsize=4)
def codes_html(content: Content) -> str:
    """The page at `/evidence/codes`."""
    roles, notices = code_sets(content.terminology)
    listed = content.terminology.value_sets.values()
    return page(
        "codes.html.jinja",
        current="/evidence/codes",
        rule=content.rule,
        version=content.version,
        roles=roles,
        notices=notices,
        sets=len(listed),
        codes=sum(len(value_set.concepts) for value_set in listed),
        unconfirmed=sum(len(value_set.unconfirmed) for value_set in listed),
    )


def code_sets(terminology: Terminology) -> tuple[tuple[Role, ...], tuple[str, ...]]:
    """All sets by role, and each license notice once, in the order of their numbers."""
    notices: dict[str, int] = {}
    by_role: dict[tuple[str, str], list[CodeSet]] = {role: [] for role in (*ROLES.values(), _OTHER_ROLE)}
    for value_set in sorted(terminology.value_sets.values(), key=lambda item: item.title.casefold()):
        name, separator, purpose = value_set.purpose.partition(":")
        role = ROLES.get(name) if separator else None
        shown = _code_set(value_set, purpose if role else value_set.purpose, notices, terminology)
        by_role[role or _OTHER_ROLE].append(shown)
    roles = tuple(Role(*role, tuple(sets)) for role, sets in by_role.items() if sets)
    return roles, tuple(notices)


def _code_set(value_set: ValueSet, purpose: str, notices: dict[str, int], terminology: Terminology) -> CodeSet:
    notice, _, confirmed = value_set.copyright.partition(_CONFIRMED)
    return CodeSet(
        id=value_set.id,
        title=value_set.title,
        purpose=capital(purpose.strip()),
        groups=tuple(_groups(value_set, terminology)),
        notice=notices.setdefault(notice.strip(), len(notices) + 1),
        confirmed=confirmed.strip(),
    )


def _groups(value_set: ValueSet, terminology: Terminology) -> Iterable[CodeGroup]:
    """One group per code system, in the order of the file."""
    displays = {(system, code): display for system, code, display in value_set.concepts}
    categories = set(value_set.categories)

    def listed(key: tuple[str, str]) -> ListedCode:
        display = "" if key[0] == CPT else displays.get(key, "")
        return ListedCode(key[1], display, value_set.sources.get(key, ""), value_set.unconfirmed.get(key, ""))

    listed_in = [system for system, *_ in (*value_set.concepts, *value_set.categories, *value_set.patterns)]
    for system in dict.fromkeys(listed_in):
        yield CodeGroup(
            system=terminology.system_name(system),
            categories=tuple(listed(key) for key in dict.fromkeys(value_set.categories) if key[0] == system),
            codes=tuple(
                listed((uri, code))
                for uri, code, _ in value_set.concepts
                if uri == system and (uri, code) not in categories
            ),
            patterns=tuple(pattern for uri, pattern in value_set.patterns if uri == system),
        )
