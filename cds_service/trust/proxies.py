"""The address of a client behind proxies: what a trusted proxy says of it, and never what the client says of itself.

Each proxy adds the address of whoever called it at the end of a header: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
What stands before that it has from its caller, who may have made it up. The header is therefore read from its end, and
only as long as trusted proxies speak.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# As PEP 3333 names the headers, by their names in the settings.
HEADERS = {"X-Forwarded-For": "HTTP_X_FORWARDED_FOR", "Forwarded": "HTTP_FORWARDED"}

# Proxies in a row; of a longer header the rest is not looked at.
_MOST_PROXIES = 16

# An address with a port: 192.0.2.1:4711, [2001:db8::1]:4711. Without one, brackets may stand too.
_WITH_PORT = re.compile(r"\[([0-9a-fA-F:.]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")

# The parameter `for` of an element of `Forwarded`, as a token or in quotes; no address has a quote or a backslash.
_FOR = re.compile(r'(?:^|;)[ \t]*for=(?:"([^"\\]*)"|([^";,\s]*))[ \t]*(?=;|$)', re.IGNORECASE)


def client_address(peer: str, header: str | None, trusted: Sequence[Network], forwarded: bool = False) -> str:
    """The address of the client that made a request.

    Args:
        peer: the address that the connection comes from.
        header: what the proxies say, several headers of the name joined by commas in their order; None without any.
        trusted: networks of proxies whose word counts.
        forwarded: whether the header is `Forwarded`, and not `X-Forwarded-For`.

    Returns:
        The last address that is none of a trusted proxy. Where a proxy names none that can be read (`unknown`, a
        pseudonym), that of the proxy; `peer` as it is where it is no address.
    """
    found = _address(peer)
    if found is None:
        return peer
    told = _from_the_end(header or "")
    for element in told:
        if not _is_in(found, trusted):
            break
        named = _address(_for_of(element) if forwarded else element.strip())
        if named is None:
            break
        found = named
    return str(found)


def network_of(address: str) -> str:
    """Whom an address is counted with: a client of IPv6 has a whole /64 network to choose its addresses from."""
    found = _address(address)
    return str(IPv6Network((found, 64), strict=False)) if isinstance(found, IPv6Address) else address


def _from_the_end(header: str) -> Iterator[str]:
    """The elements of a header, the last one first. Quotes that whoever wrote its beginning left open hide nothing."""
    elements = header.rsplit(",", _MOST_PROXIES) if header else []
    yield from reversed(elements[-_MOST_PROXIES:])


def _for_of(element: str) -> str:
    found = _FOR.findall(element)
    return "".join(found[0]) if len(found) == 1 else ""


def _address(text: str) -> Address | None:
    """An address with or without port; one of IPv4 that is written as IPv6 as what it is."""
    if with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1] or with_port[2]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        # A zone (`%eth0`) means something on one machine only.
        return None if found.scope_id else found.ipv4_mapped or found
    return found


def _is_in(address: Address, networks: Sequence[Network]) -> bool:
    return any(address in network for network in networks)
