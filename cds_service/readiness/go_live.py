"""The check-list before going live: everything that can be seen from here, in the order in which it is put right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cds_service.addresses import base_of, server_problem
from cds_service.clock import Clock
from cds_service.decision.support import DecisionSupport
from cds_service.ehr.probe import FhirProbe
from cds_service.readiness.checks import Check, Result, counts, worst
from cds_service.readiness.patient_checks import Bench, coverage_check, coverage_of, outcomes_check
from cds_service.readiness.prefetch_checks import post_check, prefetch_check, reading_time_check
from cds_service.readiness.prefetch_probe import ProbedQuery, probe_patient
from cds_service.readiness.server_checks import capability_check, clock_check
from cds_service.readiness.site_checks import content_check, ledger_check, orders_check, reasons_check, server_check
from cds_service.readiness.trust_checks import (
    base_url_check,
    clients_check,
    keys_check,
    keys_of,
    read_token,
    token_check,
)
from cds_service.readiness.vendors import NO_VENDOR, Vendor
from cds_service.trust.clients import TrustedClient


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be checked.

    Attributes:
        server: the base address of the FHIR server.
        patients: ids of test patients there.
        token: the access token for that server, or empty.
        client: the issuer of the client that is to go live; empty for all of the settings.
        call_token: a token as the EHR sends it with a call, or empty.
        vendor: of the EHR.
    """

    server: str
    patients: tuple[str, ...]
    token: str = field(default="", repr=False)
    client: str = ""
    call_token: str = field(default="", repr=False)
    vendor: Vendor = NO_VENDOR


@dataclass(frozen=True, slots=True)
class CheckList:
    """All checks, and what is publicly known of the vendor."""

    checks: tuple[Check, ...]
    vendor: Vendor = NO_VENDOR

    @property
    def result(self) -> Result:
        """The worst of all."""
        return worst(check.result for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The list with stable names."""
        known = [{"text": fact.text, "source": fact.source} for fact in self.vendor.facts]
        return {
            "result": self.result.value,
            "counts": counts(self.checks),
            "checks": [check.to_json() for check in self.checks],
            "vendor": {"id": self.vendor.id, "name": self.vendor.name, "known": known} if self.vendor.id else None,
        }


Told = Callable[[Check], None]


def go_live(asked: Asked, support: DecisionSupport, clock: Clock, told: Told = lambda check: None) -> CheckList:
    """Go through the list.

    Args:
        asked: what is to be checked.
        support: the service with its settings and content.
        clock: the time.
        told: hears of each check as soon as it is done.
    """
    checks: list[Check] = []

    def add(*done: Check) -> None:
        checks.extend(done)
        for check in done:
            told(check)

    clients = _clients(support, asked.client)
    now = clock()
    add(content_check(support, now), ledger_check(support.settings, now))
    add(*_trust(asked, support, clients, now))
    add(orders_check(support, clients, asked.vendor), reasons_check(support, clients, asked.vendor))
    add(server_check(support.settings, clients, asked.server))
    if not server_problem(asked.server):
        _check_server(asked, support, clock, add)
    return CheckList(tuple(checks), asked.vendor)


def _clients(support: DecisionSupport, issuer: str) -> tuple[TrustedClient, ...]:
    return tuple(client for client in support.settings.clients if issuer in ("", client.issuer))


def _trust(
    asked: Asked, support: DecisionSupport, clients: Sequence[TrustedClient], now: datetime
) -> tuple[Check, ...]:
    keys = [keys_of(client, support.settings, now) for client in clients]
    bearer = read_token(asked.call_token) if asked.call_token else _call_token_in(asked.token, support)
    return (
        clients_check(support.settings, asked.client, clients, asked.vendor),
        base_url_check(support.settings),
        keys_check(keys),
        token_check(bearer, bool(asked.call_token), support, keys, now),
    )


def _call_token_in(token: str, support: DecisionSupport) -> Any:
    """The token for the FHIR server, where it is one of a trusted client's calls: some EHRs sign both alike."""
    bearer = read_token(token) if token else None
    issuers = {client.issuer for client in support.settings.clients}
    return bearer if bearer is not None and bearer.claims.get("iss") in issuers else None


def _check_server(asked: Asked, support: DecisionSupport, clock: Clock, add: Callable[..., None]) -> None:
    base, limits = base_of(asked.server), support.settings.fhir_limits()
    probe = FhirProbe(base, asked.token, limits)
    templates = {key: template for rule in support.rules for key, template in rule.prefetch.items()}
    began = clock()
    metadata = probe.get("metadata")
    add(
        capability_check(metadata, templates),
        clock_check(metadata, began, support.settings.token_leeway_seconds),
    )
    queries: list[ProbedQuery] = []
    for patient in asked.patients:
        queries += probe_patient(probe, templates, patient)
    for key in templates:
        add(prefetch_check(key, [item for item in queries if item.key == key], limits, bool(asked.token)))
    add(post_check(queries), reading_time_check(queries, limits))
    bench = Bench(support, base, asked.token, asked.client, clock())
    add(outcomes_check(bench, asked.patients, queries))
    add(coverage_check(coverage_of(bench, queries)))
