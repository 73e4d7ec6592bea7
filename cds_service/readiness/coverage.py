"""What of a hospital's data the rules do not understand, counted while it streams by.

Memory is bounded whatever comes: only the most frequent codes, statuses and units are kept (`frequent`). Of a patient
nothing is kept but, for each display, a hash of the one patient for whom it was seen.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import orjson

from cds_service.chart.pages import gap_of
from cds_service.chart.records import Gap
from cds_service.clinical.reading.understanding import DRAFT_ORDERS, UNKNOWN_SUBJECTS, Understanding
from cds_service.decision.support import DecisionSupport, chart_of
from cds_service.errors import InvalidRequest
from cds_service.ledger.entries import ANONYMOUS
from cds_service.protocol.hook_request import HookRequest, read_hook_request
from cds_service.protocol.services import Service
from cds_service.readiness.documents import Damage
from cds_service.readiness.entry_reading import EntryReader, EntryReading, UnreadCode
from cds_service.readiness.frequent import FrequentThings
from cds_service.readiness.resources import Json, patient_of, resources_in

# A hospital uses some ten thousand codes. What is kept of one takes some 600 bytes.
MOST_CODES = 20_000
MOST_WORDS = 1_000

# An EHR shows one code under a few names.
_MOST_DISPLAYS = 3

_LONGEST_WORDS = 80
# One sign more than a code may have that is shown.
_LONGEST_CODE = 65

# The keys whose codes are orders of the site.
ORDER_KEYS = frozenset({"serviceRequests", DRAFT_ORDERS})


@dataclass(slots=True)
class SeenFor:
    """Whether something was seen for one patient only; the patient as a hash that nobody can compute again."""

    patient: int | None = None
    is_shared: bool = False

    def add(self, patient: int) -> None:
        if self.patient is None:
            self.patient = patient
        elif self.patient != patient:
            self.is_shared = True


@dataclass(slots=True)
class CodeNotes:
    """What is noted of a code that is not read.

    Attributes:
        seen: for how many patients.
        not_understood: in how many entries nothing else said what they are.
        displays: its names, each with the patients for whom it was seen.
    """

    seen: SeenFor = field(default_factory=SeenFor)
    not_understood: int = 0
    displays: dict[str, SeenFor] = field(default_factory=dict)


@dataclass(slots=True)
class KeyCounts:
    """Entries of one prefetch key; `by_words` are those of the understood whose own codes are not read."""

    understood: int = 0
    irrelevant: int = 0
    not_understood: int = 0
    by_words: int = 0

    @property
    def entries(self) -> int:
        return self.understood + self.irrelevant + self.not_understood


class Coverage:
    """Counts resources and hook calls.

    Args:
        support: rules, content and settings, as the service has them.
        now: the moment of the hook calls that are read.
        most_codes: how many codes are kept.
        client: with whose content and settings; those of the site for any other than a trusted one.
    """

    def __init__(
        self, support: DecisionSupport, now: datetime, most_codes: int = MOST_CODES, client: str = ANONYMOUS
    ) -> None:
        self.support = support
        self.evaluator = support.evaluators.of(client)
        self.damage = Damage()
        self.calls = 0
        self.resources = 0
        self.of_other_types = 0
        self.keys: dict[str, KeyCounts] = {}
        self.systems: FrequentThings[tuple[str, str], None] = FrequentThings(MOST_WORDS, lambda: None)
        self.besides: Counter[tuple[str, str]] = Counter()
        self.codes: FrequentThings[tuple[str, UnreadCode], CodeNotes] = FrequentThings(most_codes, CodeNotes)
        self.statuses: FrequentThings[tuple[str, str, str], SeenFor] = FrequentThings(MOST_WORDS, SeenFor)
        self.units: FrequentThings[tuple[str, str, str], SeenFor] = FrequentThings(MOST_WORDS, SeenFor)
        self.gaps: Counter[tuple[str, str]] = Counter()
        self.results: Counter[str] = Counter()
        self._now = now
        self._readers = [EntryReader(rule) for rule in self.evaluator.rules]
        self._salt = os.urandom(16)

    def add(self, where: str, document: Any) -> None:
        """Count a hook call, a Bundle or a resource.

        Args:
            where: the file and line, to name what is damaged.
            document: decoded JSON.
        """
        service = self.support.service_for(document) if isinstance(document, dict) and "hook" in document else None
        if service is not None:
            self._try_call(where, document, service)
            return
        if isinstance(document, dict) and document.get("type") == "searchset":
            self._add_search(document)
        for place, resource in resources_in(document):
            if resource is None:
                self.damage.add(f"{where}{place}", "holds no FHIR resource")
                continue
            try:
                self._add_resource(resource)
            except (orjson.JSONEncodeError, RecursionError):
                self.damage.add(f"{where}{place}", "is nested too deeply")

    def _try_call(self, where: str, document: Any, service: Service) -> None:
        try:
            self._add_call(read_hook_request(document, service.hook), service)
        except InvalidRequest as error:
            self.damage.add(where, f"is no valid call of {service.hook} ({error.text})")
        except (orjson.JSONEncodeError, RecursionError):
            self.damage.add(where, "is nested too deeply")

    def _add_resource(self, resource: Json) -> None:
        key = self._key_of(resource)
        self.resources += 1
        if not key or resource["resourceType"] == "Patient":
            self.of_other_types += not key
            return
        patient = patient_of(resource)
        if not patient:
            self.besides[key, UNKNOWN_SUBJECTS] += 1
            return
        reading = self._read(key, resource)
        counts = self.keys.setdefault(key, KeyCounts())
        counts.understood += reading.understood
        counts.irrelevant += reading.irrelevant
        counts.not_understood += bool(reading.not_understood)
        if reading.not_understood:
            self.systems.add((key, reading.not_understood))
        for name, count in reading.besides.items():
            self.besides[key, name] += count
        self._note(reading, patient)

    def _add_search(self, bundle: Json) -> None:
        """Whether a search result is all that there is."""
        key = next((key for _, item in resources_in(bundle) if item and (key := self._key_of(item))), "")
        if key:
            self._add_result(key, gap_of(bundle))

    def _add_result(self, key: str, gap: Gap | None) -> None:
        self.results[key] += 1
        if gap is not None:
            self.gaps[key, gap.code] += 1

    def _add_call(self, request: HookRequest, service: Service) -> None:
        """A hook call counts as the service itself counts it."""
        rule = self.evaluator.rule_of(service)
        chart = chart_of(request, service, request.prefetch, self.evaluator.settings.accepted_gaps)
        self.calls += 1
        for key, result in chart.by_prefetch_key().items():
            self._add_result(key, result.gap)
        for item in rule.assess(chart, rule.reader(), self._now).understanding:
            self._add_understanding(item)
        sent = [found for value in request.prefetch.values() if value for _, found in resources_in(value) if found]
        entries = [(self._key_of(found), found) for found in sent if found["resourceType"] != "Patient"]
        entries += [(DRAFT_ORDERS, draft) for draft in request.drafts] if service.has_orders else []
        for key, resource in entries:
            if key:
                self._note(self._read(key, resource), request.patient_id)

    def _add_understanding(self, item: Understanding) -> None:
        counts = self.keys.setdefault(item.key, KeyCounts())
        counts.understood += item.understood
        counts.irrelevant += item.irrelevant
        counts.not_understood += sum(item.not_understood.values())
        for system, count in item.not_understood.items():
            self.systems.add((item.key, system), count)
        for name, count in item.besides.items():
            self.besides[item.key, name] += count

    def _key_of(self, resource: Json) -> str:
        return next((key for reader in self._readers if (key := reader.key_of(resource))), "")

    def _read(self, key: str, resource: Json) -> EntryReading:
        """How the rule that understands most of an entry reads it."""
        readings = (reader.read(key, resource) for reader in self._readers)
        return max(readings, key=lambda found: (found.understood, found.irrelevant))

    def _note(self, reading: EntryReading, patient: str) -> None:
        """Note the codes, statuses and units of an entry that are not read."""
        if not (reading.codes or reading.statuses or reading.unit):
            return
        who = hash((self._salt, patient))
        # Of the drafts of a call only the selected ones are entries.
        if reading.understood and reading.codes and reading.key != DRAFT_ORDERS:
            self.keys.setdefault(reading.key, KeyCounts()).by_words += 1
        for code in reading.codes:
            notes = self.codes.add((reading.key, replace(code, code=code.code[:_LONGEST_CODE], display=""))).notes
            notes.seen.add(who)
            notes.not_understood += bool(reading.not_understood)
            display = plain_words(code.display)
            if display in notes.displays or (display and len(notes.displays) < _MOST_DISPLAYS):
                notes.displays.setdefault(display, SeenFor()).add(who)
        for element, word in reading.statuses:
            self.statuses.add((reading.key, element, plain_words(word))).notes.add(who)
        if reading.unit:
            test, unit = reading.unit
            self.units.add((reading.key, test, plain_words(unit))).notes.add(who)


def plain_words(text: str) -> str:
    """Words of a chart for a table: one line, of bounded length."""
    words = " ".join(text.split())[:_LONGEST_WORDS]
    return words if words.isprintable() else "".join(sign if sign.isprintable() else " " for sign in words)
