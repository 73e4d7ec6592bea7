"""Counts and times of this service for Prometheus, summed over all worker processes.

Every label value is one of a closed set: those below, or those of the `Vocabulary`. Whatever else comes is counted as
`other`, so that nothing of a request can become a label (patients, users and codes stay out, and the number of series
stays bounded).

Workers count in files of one folder, named by `PROMETHEUS_MULTIPROC_DIR`, and any of them answers for all (multiprocess
mode of prometheus-client, see `metrics_folder`). The library decides on that mode when it is imported; it is therefore
imported no earlier than a `Metrics` is made, and the folder must be there before. Without the variable, one process
counts for itself.
"""

from __future__ import annotations

import builtins
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

from cds_service.chart.records import Gap
from cds_service.ledger.entries import UNANSWERED, UNLISTED, AnswerChange, DecisionEntry, Mode
from cds_service.reporting.metrics_folder import FOLDER_VARIABLE, take_room
from cds_service.reporting.report_text import IN_PLACE_OF_A_SYSTEM, UNNAMED

OTHER = "other"
NONE = "none"

OUTCOMES = frozenset({"fired", "suppressed", "not-applicable", "undetermined", "failed", "off"})
INDICATORS = frozenset({"info", "warning", "critical"})
FEEDBACK_OUTCOMES = frozenset({"accepted", "overridden"})

# A read from the EHR's FHIR server gave all that was asked for, or left a gap.
FHIR_ANSWERED = "answered"
FHIR_RESULTS = frozenset({FHIR_ANSWERED, *(gap.code for gap in Gap)})

# What the service was doing when the ledger failed (a command reports to its user instead). All are exposed as zero
# from the start: `increase()` does not see the first failure of a series that appears with it.
LEDGER_OPERATIONS = frozenset({"decision", "feedback", "answers", "modes", "token"})

# Prefetch keys, and the draft orders of the call itself.
KEYS = frozenset(
    {
        "conditions", "observations", "encounters", "serviceRequests", "diagnosticReports", "procedures", "allergies",
        "devices", "draftOrders",
    }
)  # fmt: skip

# So many code systems become labels; a hospital sends a dozen.
MOST_SYSTEMS = 20

# Seconds. A call takes about a millisecond, 0.5 s is the guidance of CDS Hooks, and reading from an EHR may take 4 s.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# A call that failed has the name of its error for a reason.
_ERRORS = frozenset(
    name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)
)

_STATUSES = frozenset(str(status.value) for status in HTTPStatus if status >= 400)


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The closed sets of label values that come from other packages.

    Attributes:
        hooks: the hook of each service, by the service's id.
        reasons: reason codes of assessments, and what else may stand for one; Python's own errors are known.
        override_reasons: codes that a user may answer.
        refusals: why a caller may be refused.
    """

    hooks: Mapping[str, str]
    reasons: Collection[str] = ()
    override_reasons: Collection[str] = ()
    refusals: Collection[str] = ()


class Metrics:
    """The metrics of one process; made once in each, in tests as often as wanted."""

    def __init__(self, rule_version: str, vocabulary: Vocabulary) -> None:
        """`rule_version` names the rule and its content in `cds_rule_info`.

        Raises:
            RuntimeError: `PROMETHEUS_MULTIPROC_DIR` was set too late, and workers would each count for themselves.
        """
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, values

        self._vocabulary = vocabulary
        self._reasons = _ERRORS.union(vocabulary.reasons)
        self._folder = os.environ.get(FOLDER_VARIABLE)
        if self._folder:
            if not values.ValueClass._multiprocess:
                raise RuntimeError(f"{FOLDER_VARIABLE} must be set before prometheus_client is imported")
            take_room(Path(self._folder))
        self._registry = own = CollectorRegistry()
        self._calls = Counter(
            "cds_calls_total",
            "Hook calls by outcome, reason code and mode.",
            ("service", "hook", "outcome", "reason", "mode"),
            registry=own,
        )
        self._cards = Counter("cds_cards_shown_total", "Cards that were sent.", ("service", "indicator"), registry=own)
        self._seconds = Histogram(
            "cds_call_seconds", "From the body of a call to its answer.", ("service",), buckets=BUCKETS, registry=own
        )
        self._reads = Counter("cds_fhir_reads_total", "Reads from EHRs' FHIR servers.", ("result",), registry=own)
        self._feedback = Counter(
            "cds_feedback_total",
            "Feedback entries that came; known: whether the ledger has the card.",
            ("service", "outcome", "reason", "known"),
            registry=own,
        )
        self._answers = Counter(
            "cds_card_answers_total",
            "Cards whose answer became `after`, and was `before`: cards accepted are those after, less those before.",
            ("service", "before", "after"),
            registry=own,
        )
        self._failures = Counter(
            "cds_ledger_failures_total", "What the ledger could not do.", ("operation",), registry=own
        )
        self._refused = Counter("cds_refused_total", "Callers that were refused, by why.", ("reason",), registry=own)
        self._errors = Counter("cds_http_errors_total", "Answers from 400 up.", ("status",), registry=own)
        self._unread = Counter(
            "cds_unread_entries_total",
            "Entries of charts that were not understood, by prefetch key and code system.",
            ("key", "system"),
            registry=own,
        )
        self._systems: set[str] = set()
        rule = Gauge(
            "cds_rule_info",
            "1 for the version of the rule and its content that is in use.",
            ("version",),
            registry=own,
            multiprocess_mode="max",
        )
        rule.labels(rule_version).set(1)
        self._settings = Gauge(
            "cds_settings_info",
            "1 for each digest of the settings that can change an answer, with the rule and content that they go with.",
            ("version", "settings"),
            registry=own,
            multiprocess_mode="max",
        )
        self._review = Gauge(
            "cds_content_review_due_seconds",
            "When the review of a rule's content falls due, in seconds since 1970.",
            ("rule",),
            registry=own,
            multiprocess_mode="max",
        )
        self._approved = Gauge(
            "cds_content_approved",
            "0 where the content in use needs an approval and has none, else 1.",
            registry=own,
            # An approval counts at once, whichever worker heard of it.
            multiprocess_mode="mostrecent",
        )
        for operation in LEDGER_OPERATIONS:
            self._failures.labels(operation)
        for service in vocabulary.hooks:
            self._seconds.labels(service)

    def call(self, entry: DecisionEntry) -> None:
        """Count one call, its time, and its card if one was sent."""
        service = self._service(entry.service)
        hook = self._vocabulary.hooks.get(entry.service, OTHER)
        outcome, reason = _known(entry.outcome, OUTCOMES), _known(entry.reason, self._reasons)
        self._calls.labels(service, hook, outcome, reason, _known(entry.mode, list(Mode))).inc()
        self._seconds.labels(service).observe(entry.milliseconds / 1000)
        if entry.shown:
            self._cards.labels(service, _known(entry.indicator, INDICATORS)).inc()
        for key, systems in entry.not_understood.items():
            for system, count in systems.items():
                self._unread.labels(_known(key, KEYS), self._system(system)).inc(count)

    def _system(self, system: str) -> str:
        """A code system as a label; those beyond the first ones that came are `other`, which no fixed name is."""
        if system == UNNAMED or system in IN_PLACE_OF_A_SYSTEM:
            return system
        if system not in self._systems and len(self._systems) < MOST_SYSTEMS:
            self._systems.add(system)
        return system if system in self._systems else OTHER

    def fhir_read(self, result: str) -> None:
        """Count one read from a FHIR server; `result` is one of `FHIR_RESULTS`."""
        self._reads.labels(_known(result, FHIR_RESULTS)).inc()

    def feedback(self, service: str, outcome: str, reason: str, known: bool | None = None) -> None:
        """Count one entry of feedback; `known` says whether the ledger has its card, None that it did not say."""
        reasons = {*self._vocabulary.override_reasons, UNLISTED}
        card = "unsaid" if known is None else str(known).lower()
        self._feedback.labels(
            self._service(service), _known(outcome, FEEDBACK_OUTCOMES), _known(reason, reasons), card
        ).inc()

    def card_answered(self, change: AnswerChange) -> None:
        """Count a known card whose answer changed. Several messages of one acceptance are one change."""
        states = {*FEEDBACK_OUTCOMES, UNANSWERED}
        before, after = _known(change.before, states), _known(change.after, states)
        self._answers.labels(self._service(change.service), before, after).inc()

    def ledger_failed(self, operation: str) -> None:
        """Count a failure of the ledger; `operation` is one of `LEDGER_OPERATIONS`."""
        self._failures.labels(_known(operation, LEDGER_OPERATIONS)).inc()

    def refused(self, reason: str) -> None:
        """Count a refused caller; `reason` is one of the vocabulary's refusals."""
        self._refused.labels(_known(reason, self._vocabulary.refusals)).inc()

    def http_error(self, status: int) -> None:
        """Count an answer with a status from 400 up."""
        self._errors.labels(_known(str(status), _STATUSES)).inc()

    def settings_in_use(self, version: str, digest: str) -> None:
        """Name settings that some clients are answered with: the rule with its content, and the settings' digest."""
        self._settings.labels(version, digest).set(1)

    def review_due(self, rule: str, moment: datetime) -> None:
        """Say from which moment on the review of a rule's content is overdue."""
        self._review.labels(rule).set(moment.timestamp())

    def content_approved(self, approved: bool) -> None:
        """Say whether the content in use is approved, or needs no approval."""
        self._approved.set(int(approved))

    def exposition(self) -> tuple[bytes, str]:
        """The metrics of all workers as Prometheus reads them, and their media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if self._folder:
            registry = CollectorRegistry()
            # The library leaves this method without types.
            MultiProcessCollector(registry, self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST

    def _service(self, service: str) -> str:
        return _known(service, self._vocabulary.hooks)


def _known(value: str, values: Collection[str]) -> str:
    """`value` if it is one of the closed set; `none` if there is none."""
    if not value:
        return NONE
    return str(value) if value in values else OTHER
