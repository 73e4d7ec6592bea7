"""How much of a chart was understood: what a silence is worth.

Every entry is understood (a value set or the words tell what it is), irrelevant by a code that is known, or not
understood. What is not understood is counted by prefetch key and code system, never by code or patient.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from cds_service.chart.records import Chart, Concept, Condition, Observation, PrefetchResult
from cds_service.clinical.reading.observations import component_observations, kinds_of
from cds_service.clinical.reading.recognition import Question, Recognizer, words_of
from cds_service.clinical.reading.value_sets import SharedValueSet

# In place of a code system: an entry with words only that stated nothing, one with neither code nor words, and a
# system whose name could hold anything.
WORDS, EMPTY, UNNAMED = "words", "empty", "unnamed"

# In place of it where the code is known, and in no value set of the rule; and where it is in one.
IRRELEVANT, UNDERSTOOD = "", "understood"
_NONE: Mapping[str, int] = {}

# What else makes a silence worth less, counted beside the code systems: entries that hint at the disease, statuses that
# mean nothing, entries of an unknown or of another patient, an incomplete key that the site accepts, selections that
# lead to no draft order, and entries that are dated only by the day on which a whole list was recorded.
HINTS, STATUSES, UNKNOWN_SUBJECTS, OTHER_PATIENTS = "hints", "statuses", "unknown-subjects", "other-patients"
ACCEPTED_GAPS, SELECTIONS, IMPORTED = "accepted-gaps", "selections", "imported"

# The draft orders of an order hook stand in the call itself, under this name.
DRAFT_ORDERS = "draftOrders"

# An address or an object identifier, as code systems are named; whatever else stands there may be text of any kind.
_OBJECT_IDENTIFIER = re.compile(r"urn:oid:[0-9.]{3,60}")
_ADDRESS = re.compile(
    r"(https?://(?:[A-Za-z0-9\-]{1,60}\.){0,6}[A-Za-z]{2,30}(?::\d{1,5})?|urn:[a-z][a-z\-]{1,30})"
    r"([/:][A-Za-z0-9._:/\-]{0,160})?"
)

# A word of such a name, at most two digits in it (`icd-10-cm`, `v2`): longer numbers may be ids, dates or codes. What
# stands behind the name of a resource is a resource.
_NAME_PART = re.compile(r"(?!(?:patient|person|relatedperson|practitioner|condition|observation|encounter)$)"
                        r"[a-z][a-z._\-]{0,39}(?:\d{1,2}[a-z._\-]{0,39})?", re.IGNORECASE)  # fmt: skip

# What a symptom or a complaint is, stands in the value of the Observation.
_VALUE_SAYS = frozenset({SharedValueSet.SYMPTOM_OBSERVATION, SharedValueSet.COMPLAINT_OBSERVATION})


@dataclass(frozen=True, slots=True)
class Understanding:
    """The entries of one prefetch key.

    Attributes:
        key: the prefetch key.
        understood: entries whose code or words told something.
        irrelevant: entries with a code that is known and in no value set of the rule.
        not_understood: the number of the others by the code system as it was sent, or `words`, `empty`, `unnamed`.
        besides: what else makes a silence worth less, by `hints`, `statuses`, `unknown-subjects`, `other-patients`,
            `accepted-gaps`, `selections` or `imported`; none of it is zero.
    """

    key: str
    understood: int = 0
    irrelevant: int = 0
    not_understood: Mapping[str, int] = field(default_factory=dict)
    besides: Mapping[str, int] = field(default_factory=dict)

    @property
    def gaps(self) -> Mapping[str, int]:
        """All that was not understood and what stands beside it, under one set of names."""
        return {**self.not_understood, **self.besides}

    @property
    def entries(self) -> int:
        """All entries of the key."""
        return self.known + sum(self.not_understood.values())

    @property
    def known(self) -> int:
        """Entries that were understood, or are known to be irrelevant."""
        return self.understood + self.irrelevant


def understanding(
    chart: Chart,
    reader: Recognizer,
    hints: Question = frozenset(),
    halves: Question = frozenset(),
    needs_site: Question = frozenset(),
    imported: int = 0,
) -> tuple[Understanding, ...]:
    """How the entries of a chart and the draft orders were understood; keys without any are left out.

    Args:
        chart: what is known of the patient.
        reader: of the rule.
        hints: value sets whose codes hint at what the rule looks for, and state it by none.
        halves: value sets of which one alone, in a condition without a site, only hints at what the rule looks for.
        needs_site: value sets whose codes tell something only together with a body site.
        imported: how many conditions of interest are dated only by the day on which a whole list was recorded.
    """
    keys: dict[str, Iterable[tuple[Concept, ...]]] = {
        "conditions": (
            _unread_sites(item.concept, item.sites, reader, needs_site) or (item.concept,)
            for item in chart.conditions.items
        ),
        "observations": (
            _unread_sites(item.concept, item.sites, reader, needs_site) or _said_by(item, reader)
            for item in chart.observations.items
        ),
        "encounters": (item.reasons for item in chart.encounters.items if item.reasons),
        "serviceRequests": (item.concepts for item in chart.service_requests.items),
        "diagnosticReports": (item.concepts for item in chart.diagnostic_reports.items),
        "procedures": (item.concepts for item in chart.procedures.items),
        "allergies": (item.concepts for item in chart.allergies.items),
    }
    results = chart.by_prefetch_key()
    beside = {key: _of_result(results[key]) for key in keys}
    half = sum(_is_half(item, reader, halves) for item in chart.conditions.items)
    beside["conditions"] |= {HINTS: half, IMPORTED: imported}
    counted = (
        _counted(key, entries, reader, hints, beside[key], results[key].passed_over.counts)
        for key, entries in keys.items()
    )
    return (*(item for item in counted if item.entries or item.besides), *drafts_understanding(chart, reader))


def _unread_sites(
    concept: Concept, sites: tuple[Concept, ...], reader: Recognizer, needs_site: Question
) -> tuple[Concept, ...]:
    """The sites of an entry that only its site makes what it is, where all are in codes of unknown systems alone."""
    if (
        not sites
        or needs_site.isdisjoint(value_sets := reader.value_sets(concept))
        or not value_sets.keys() <= needs_site
    ):
        return ()
    codings = [coding for site in sites for coding in site.codings]
    is_read = any(map(words_of, sites)) or any(map(reader.knows_system, codings))
    return sites if codings and not is_read else ()


def _is_half(condition: Condition, reader: Recognizer, halves: Question) -> bool:
    value_sets = reader.value_sets(condition.concept)
    return len(value_sets) == 1 and not condition.sites and not halves.isdisjoint(value_sets)


def drafts_understanding(chart: Chart, reader: Recognizer) -> tuple[Understanding, ...]:
    """How the draft orders that the user selected were understood; nothing where there are none."""
    if chart.drafts is None:
        return ()
    beside = {SELECTIONS: chart.drafts.unmatched_selections, OTHER_PATIENTS: chart.drafts.of_others}
    # An entry that holds no draft says nothing: neither code nor words.
    entries = [order.concepts for order in chart.drafts.selected] + [()] * chart.drafts.unreadable
    found = _counted(DRAFT_ORDERS, entries, reader, frozenset(), beside)
    return (found,) if found.entries or found.besides else ()


def _of_result(result: PrefetchResult[object]) -> dict[str, int]:
    return {
        STATUSES: result.unknown_statuses,
        UNKNOWN_SUBJECTS: result.of_nobody,
        OTHER_PATIENTS: result.of_others,
        ACCEPTED_GAPS: int(result.accepted_gap is not None),
    }


def _said_by(observation: Observation, reader: Recognizer) -> tuple[Concept, ...]:
    """What an Observation says: its code or, where that only announces, its value or those of its components."""
    value = observation.value
    if _VALUE_SAYS.isdisjoint(kinds_of(observation, reader)) or value.absent or value.boolean is False:
        return (observation.concept,)
    if value.is_empty and observation.components:
        parts = component_observations(observation, reader)
        return tuple(concept for part in parts for concept in _said_by(part, reader))
    return (value.concept or Concept(text=value.text),)


def _counted(
    key: str,
    entries: Iterable[tuple[Concept, ...]],
    reader: Recognizer,
    hints: Question,
    beside: Mapping[str, int],
    passed_over: Mapping[str, int] = _NONE,
) -> Understanding:
    """How the entries of a key were understood, those that were passed over (see `CodeScreen`) among them."""
    hinted = beside.get(HINTS, 0)
    unknown: Counter[str] = Counter(passed_over)
    understood, irrelevant = unknown.pop(UNDERSTOOD, 0), unknown.pop(IRRELEVANT, 0)
    for concepts in entries:
        value_sets = frozenset().union(*(reader.value_sets(concept) for concept in concepts))
        if value_sets:
            understood += 1
            hinted += value_sets <= hints
            continue
        name = not_understood_as(concepts, reader)
        if name == IRRELEVANT and _is_standard(concepts, reader):
            irrelevant += 1
        elif any(reader.says_something(concept) for concept in concepts):
            understood += 1
        elif name == IRRELEVANT:
            irrelevant += 1
        else:
            unknown[name] += 1
    besides = {name: count for name, count in (dict(beside) | {HINTS: hinted}).items() if count}
    return Understanding(key, understood, irrelevant, dict(unknown), besides)


def not_understood_as(concepts: Collection[Concept], reader: Recognizer) -> str:
    """The name under which an entry in no value set counts as not understood; `IRRELEVANT` where its code is known."""
    if _is_known(concepts, reader):
        return IRRELEVANT
    return next(_systems(tuple(_unread(concepts, reader))), EMPTY)


def _is_known(concepts: Iterable[Concept], reader: Recognizer) -> bool:
    """Whether a code tells what an entry is; one that only fills a place does not, beside one of an unknown system."""
    codings = [coding for concept in concepts for coding in concept.codings]
    known = [coding for coding in codings if reader.is_known_code(coding)]
    return bool(known) and (all(map(reader.knows_system, codings)) or not all(map(reader.is_filler, known)))


def _is_standard(concepts: Iterable[Concept], reader: Recognizer) -> bool:
    """Whether a code of a standard system is among those that are known; before one of the site its words count."""
    codings = [coding for concept in concepts for coding in concept.codings]
    return any(reader.is_known_code(coding) and reader.is_standard(coding) for coding in codings)


def _unread(concepts: Iterable[Concept], reader: Recognizer) -> Iterator[Concept]:
    """The concepts of an entry without the codes that only fill a place."""
    for concept in concepts:
        yield replace(concept, codings=tuple(item for item in concept.codings if not reader.is_filler(item)))


def _systems(concepts: Iterable[Concept]) -> Iterator[str]:
    """The code systems of an entry, as far as their names can be told; words, where there is no code."""
    for concept in concepts:
        for coding in concept.codings:
            if coding.code:
                yield named_system(coding.system)
    if any(concept.text or any(coding.display for coding in concept.codings) for concept in concepts):
        yield WORDS


def named_system(system: str) -> str:
    """A code system as it was sent; only its host where the path may hold an id, a date or a code."""
    if _OBJECT_IDENTIFIER.fullmatch(system):
        return system
    if (address := _ADDRESS.fullmatch(system)) is None:
        return UNNAMED
    parts = [part for part in re.split("[/:]", address[2] or "") if part]
    if all(map(_NAME_PART.fullmatch, parts)):
        return system
    return address[1] if address[1].startswith("http") else UNNAMED
