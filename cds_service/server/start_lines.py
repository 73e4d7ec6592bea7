"""What the service says of itself when it starts: where it is, whether tokens are checked, who may call, in which mode.

Whoever starts it must see at once that it stands open. Every word is held against the running service by
`tests/test_start_lines.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from cds_service.decision.mode_changes import Pair, pairs_of
from cds_service.ledger.entries import Mode
from cds_service.ledger.modes import Modes
from cds_service.settings import Settings
from cds_service.trust.clients import TrustedClient
from cds_service.trust.exposure import openness


def start_lines(address: str, url: str, settings: Settings) -> Iterator[str]:
    """Where the service is, and who may call it.

    Args:
        address: the IP address to listen on.
        url: of the service on this machine.
    """
    clients = settings.clients
    yield f"CDS services: {url}/cds-services ({openness(address, clients, settings.development)})"
    if clients:
        discovery = "not at discovery" if settings.open_discovery else "at discovery as well"
        yield f"Tokens:       checked at every call and every feedback, {discovery}"
        yield from (f"Client:       {_told(client)}" for client in clients)
    else:
        yield "Tokens:       not checked, whatever a call brings: no 'clients' are set"
    if settings.development:
        yield f"Workbench:    {url}/ (development)"


def mode_line(modes: Mapping[Pair, Mode], known: bool = True) -> str:
    """The modes in force, by service and client: the one that most have, then each that differs.

    `known`: whether they were read from the ledger; else they are those that were last known.
    """
    usual, _ = Counter(modes.values()).most_common(1)[0]
    services = {service for service, _ in modes}
    others = [
        f"{mode} for {_whom(clients, {client for _, client in modes})} at {_which(asked, services)}"
        for mode, clients, asked in _differing(modes, usual)
    ]
    what = "; ".join([f"{usual} for everything else" if others else str(usual), *others])
    return f"Mode:         {what}{'' if known else ' (as last known: the ledger cannot be read)'}"


def modes_in_force(modes: Modes, settings: Settings) -> dict[Pair, Mode]:
    """The mode of every service for every client that can call."""
    return {pair: modes.mode(*pair) for pair in pairs_of(settings)}


def _told(client: TrustedClient) -> str:
    name = f"{client.issuer} ({client.label})" if client.label else client.issuer
    tenants = f", tenants {', '.join(client.tenants)}" if client.tenants else ""
    services = f", only {', '.join(client.services)}" if client.services else ""
    return f"{name}{tenants}{services}"


def _differing(modes: Mapping[Pair, Mode], usual: Mode) -> Iterator[tuple[Mode, set[str], set[str]]]:
    """Each mode that is not the usual one, with its clients and services; clients of like services together."""
    by_client: dict[tuple[Mode, str], set[str]] = {}
    for (service, client), mode in modes.items():
        if mode is not usual:
            by_client.setdefault((mode, client), set()).add(service)
    groups: dict[tuple[Mode, frozenset[str]], set[str]] = {}
    for (mode, client), asked in by_client.items():
        groups.setdefault((mode, frozenset(asked)), set()).add(client)
    for (mode, services), clients in groups.items():
        yield mode, clients, set(services)


def _whom(clients: set[str], every: set[str]) -> str:
    return "every client" if clients == every else _listed(sorted(clients))


def _which(services: set[str], every: set[str]) -> str:
    return "every service" if services == every else _listed(sorted(services))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)
