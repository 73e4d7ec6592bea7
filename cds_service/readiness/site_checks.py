"""Checks of the service's own side: content, ledger, settings, order and reason codes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from uuid import uuid4

from cds_service.addresses import base_of, server_problem
from cds_service.decision.evaluator import Evaluator
from cds_service.decision.open_ledger import open_ledger
from cds_service.decision.support import DecisionSupport
from cds_service.ledger.entries import ANONYMOUS
from cds_service.ledger.store import LedgerDown
from cds_service.readiness.checks import Check, Finding, failed, passed, warned
from cds_service.readiness.vendors import Vendor, VendorCode
from cds_service.settings import Settings
from cds_service.trust.clients import TrustedClient

# A review takes weeks to arrange: so long before its day it is named.
_REVIEW_NOTICE = timedelta(days=30)

# The row of the trial entry: a used token of nobody, which `prune` removes.
_TRIAL, _TRIAL_LASTS = "go-live", timedelta(minutes=1)


def content_check(support: DecisionSupport, now: datetime) -> Check:
    """Whether the content was reviewed in time."""
    return Check("content-review", "Clinical content in date", tuple(_review(support, now)))


def _review(support: DecisionSupport, now: datetime) -> Iterator[Finding]:
    for sentence in support.warnings(now):
        yield failed(sentence, "have the content owner review and approve it before anybody is shown a card")
    for rule in support.rules:
        due = date.fromisoformat(rule.content.rule.review_by)
        named = f"{rule.content.rule.id} {rule.content.version}"
        if now.date() <= due <= now.date() + _REVIEW_NOTICE:
            yield warned(f"{named} is due for review by {due}.", "have the content owner review it, and set review_by")
        elif due > now.date():
            yield passed(f"{named}, to be reviewed by {due}.")


def ledger_check(settings: Settings, now: datetime) -> Check:
    """Whether the ledger can be written: its tables are made, as the start does, and a trial row."""
    return Check("ledger", "Ledger writable", tuple(_ledger(settings, now)))


def _ledger(settings: Settings, now: datetime) -> Iterator[Finding]:
    kind = "database of ledger_url" if settings.ledger_url is not None else "SQLite file in data_folder"
    to_do = "see that the database runs and that the service's user may write there (ledger_url, data_folder)"
    ledger = None
    try:
        ledger = open_ledger(settings)
        ledger.prepare()
        ledger.take_token(_TRIAL, str(uuid4()), now + _TRIAL_LASTS)
        yield passed(f"A trial row was written to the {kind}.")
    except LedgerDown as error:
        yield failed(f"{kind}: {error}.", to_do)
    except (OSError, ValueError) as error:
        yield failed(f"{kind}: cannot be opened ({type(error).__name__}).", to_do)
    finally:
        if ledger is not None:
            ledger.close()
    if settings.pseudonym_key is None:
        yield warned(
            "Without pseudonym_key no answer is remembered: a card that was turned down comes again at once.",
            "set pseudonym_key from the secret store (openssl rand -hex 32)",
        )


def server_check(settings: Settings, clients: Sequence[TrustedClient], server: str) -> Check:
    """Whether the service would read from the FHIR server for each client, or for whoever calls."""
    return Check("fhir-server-allowed", "FHIR server allowed", tuple(_server(settings, clients, server)))


def _server(settings: Settings, clients: Sequence[TrustedClient], server: str) -> Iterator[Finding]:
    if problem := server_problem(server):
        yield failed(f"The address {problem}.", "give the base address of the FHIR server, as calls name it")
        return
    base = base_of(server)
    lists = [(f"client {client.issuer}", client.fhir_servers) for client in clients]
    for who, own in lists or [("calls without a token", ())]:
        if base in (own or settings.fhir_servers):
            yield passed(f"Allowed for {who}.")
        elif own:
            yield failed(
                f"Not allowed for {who}: whatever a call does not bring stays unknown.",
                "add the address to fhir_servers of this client, whose own list holds instead of the general setting",
            )
        else:
            yield failed(
                f"Not allowed for {who}: whatever a call does not bring stays unknown.",
                "add the address to the general setting fhir_servers; a list of the client's own holds instead of it",
            )


def orders_check(support: DecisionSupport, clients: Sequence[TrustedClient], vendor: Vendor) -> Check:
    """Whether every study that can be proposed has a code of the site."""
    findings = [_orders(evaluator, issuer, vendor) for issuer, evaluator in _evaluators(support, clients)]
    return Check("order-codings", "Order codes of the site", tuple(findings))


def _evaluators(support: DecisionSupport, clients: Sequence[TrustedClient]) -> list[tuple[str, Evaluator]]:
    """What each client is answered with, by its issuer; without clients, what everyone is."""
    issuers = [client.issuer for client in clients] or [ANONYMOUS]
    return [(issuer, support.evaluators.of(issuer)) for issuer in issuers]


def _orders(evaluator: Evaluator, issuer: str, vendor: Vendor) -> Finding:
    coded = {slug for slug, codings in evaluator.settings.order_codings.items() if codings}
    slugs = [slug for rule in evaluator.rules for slug in rule.content.orders]
    missing = [slug for slug in slugs if slug not in coded]
    if not missing:
        return passed(f"{issuer}: all {len(slugs)} studies have a code of the site.")
    listed = f"{issuer}: {len(missing)} of {len(slugs)} studies have no code of the site: {', '.join(missing)}."
    to_do = "set order_codings for them, as agreed with the people who keep the order catalog"
    if VendorCode.ORDER_CODES_NEEDED in vendor.codes:
        return failed(f"{listed} {vendor.name} places an order by the site's code only.", to_do)
    return warned(listed, f"{to_do}; or see in the EHR that it takes LOINC codes")


def reasons_check(support: DecisionSupport, clients: Sequence[TrustedClient], vendor: Vendor) -> Check:
    """Whether the answers of physicians can be told apart."""
    findings = [_reasons(evaluator, issuer, vendor) for issuer, evaluator in _evaluators(support, clients)]
    return Check("override-reasons", "Override reasons mapped", tuple(findings))


def _reasons(evaluator: Evaluator, issuer: str, vendor: Vendor) -> Finding:
    own = {reason.code for rule in evaluator.rules for reason in rule.content.override_reasons}
    mapped = evaluator.settings.override_reason_codes
    missing = ", ".join(sorted(own - set(mapped.values())))
    if not missing:
        return passed(f"{issuer}: all {len(own)} reasons have a code of the site.")
    if VendorCode.REASON_CODES_MAPPED in vendor.codes:
        return failed(
            f"{issuer}: no code of the site stands for {missing}; {vendor.name} answers with codes of the site,"
            " and such answers would be counted as unlisted and forgotten.",
            "set override_reason_codes",
        )
    if mapped:
        return warned(f"{issuer}: no code of the site stands for {missing}.", "complete override_reason_codes")
    return passed(f"{issuer}: none is mapped; the EHR is taken to send back the codes of the card.")
