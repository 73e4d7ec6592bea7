"""Whether the server may start, and who can then call it: closed by default, open only by an explicit option."""

from __future__ import annotations

from collections.abc import Sized
from ipaddress import ip_address

from cds_service.addresses import server_problem


def start_problem(host: str, clients: Sized, insecure: bool, base_url: str | None, development: bool) -> str | None:
    """Why the server may not start, as a sentence for whoever starts it; None where it may.

    Args:
        host: the address to listen on.
        clients: the trusted clients.
        insecure: whether `--insecure` was given.
        base_url: the public address of the service, if it is set.
        development: whether the workbench is served, which asks no token.
    """
    if clients:
        if not base_url:
            return (
                "'clients' are set, but 'base_url' is not. Their tokens name the address that they call, and it cannot"
                " be taken from the call itself: set 'base_url' to the public address of this service."
            )
        if problem := server_problem(base_url):
            return f"The setting 'base_url' {problem}."
    if is_loopback(host) or insecure:
        return None
    where = host or "every address"
    if development:
        return (
            f"'development' is set: on {where} anyone who reaches this machine could use the workbench, which asks no"
            " token. Set 'development' to false, listen on 127.0.0.1, or say --insecure if something in front of it"
            " keeps strangers out."
        )
    if clients:
        return None
    return (
        f"No 'clients' are set: on {where} anyone who reaches this machine could call the service."
        " Set 'clients', listen on 127.0.0.1, or say --insecure if something in front of it keeps strangers out."
    )


def openness(host: str, clients: Sized, development: bool) -> str:
    """Who may call, as a sentence to print at the start."""
    if clients:
        count = len(clients)
        known = f"{count} trusted client{'s' if count > 1 else ''} may call, with a token"
        if not development:
            return f"closed: {known}"
        workbench = f"open: {_anyone(host)} may use the workbench, without a token{_insecure(host)}"
        # It has no token of its own, so that the public endpoints refuse what it sends there.
        return f"{known}; {workbench}: it explains, and its calls are refused"
    return f"open: {_anyone(host)} may call, without a token{_insecure(host)}"


def _anyone(host: str) -> str:
    return "anyone on this machine" if is_loopback(host) else "anyone who reaches this machine"


def _insecure(host: str) -> str:
    return "" if is_loopback(host) else " (--insecure)"


def is_loopback(host: str) -> bool:
    """Whether an address to listen on is reached from this machine only. A name other than `localhost` is not."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
