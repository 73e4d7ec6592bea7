"""The table of trusted clients, as it stands in the settings (CDS Hooks 2.0.1, Trusting CDS Clients).

A mistake in it is named when the service starts. Error messages name fields and never repeat an address as a whole,
which may hold a password.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from cds_service.addresses import LOOPBACK_NAMES, base_of, server_problem
from cds_service.trust.jwks import BadKeySet, read_key_file

# Its private key is published with the program: a token that it signed proves nothing about who sent it.
SANDBOX_ISSUER = "https://sandbox.cds-hooks.org"

# Asymmetric algorithms only: with a symmetric one, whoever can verify can also sign.
Algorithm = Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]

Origin = Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+$")]

# Issuers and tenants stand in logs and in the ledger: visible characters without spaces.
_Name = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,255}$")]
_Text = Annotated[str, StringConstraints(min_length=1, max_length=2048)]

# What the ledger calls a client without a name, and every client.
_RESERVED = frozenset({"anonymous", "*"})


class TrustedClient(BaseModel):
    """One client that may call: who it is, how it proves it, and what it may do."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    issuer: _Name = Field(description="`iss` of the client's tokens, exact")
    label: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = Field(
        None, description="A name for people"
    )
    jwks_url: _Text | None = Field(None, description="Where the client publishes its keys; https, or loopback")
    jwks_file: Path | None = Field(
        None, strict=False, description="The client's key set in a file, instead of `jwks_url`; read again when changed"
    )
    jku: _Text | None = Field(
        None,
        description="`jku` of the client's tokens, where it is not `jwks_url`; a token with any other is refused",
    )
    algorithms: tuple[Algorithm, ...] = Field(
        ("ES384", "RS384"), strict=False, min_length=1, description="Signature algorithms that the client may use"
    )
    audiences: tuple[_Text, ...] = Field(
        (), strict=False, description="`aud` values accepted beside the address called, at every address"
    )
    tenants: tuple[_Name, ...] = Field(
        (), strict=False, description="`tenant` must be one of these; without any, every tenant and none is accepted"
    )
    services: tuple[_Name, ...] = Field(
        (), strict=False, description="Ids of the services that the client may call; all of them without any"
    )
    fhir_servers: tuple[str, ...] = Field(
        (),
        strict=False,
        description="FHIR servers that the client may name, exact base addresses; in place of the general list",
    )
    cors_origins: tuple[Origin, ...] = Field(
        (), strict=False, description="Web origins from which the client calls in a browser, exact"
    )
    calls_per_minute: int | None = Field(
        None, ge=1, le=1_000_000, description="Calls per minute and worker, instead of the general limit"
    )

    @field_validator("issuer")
    @classmethod
    def _not_reserved(cls, issuer: str) -> str:
        if issuer in _RESERVED:
            raise ValueError(f"'{issuer}' has another meaning in the ledger")
        return issuer

    @field_validator("jwks_url")
    @classmethod
    def _address_of_keys(cls, url: str | None) -> str | None:
        if url is not None and (problem := _address_problem(url)):
            raise ValueError(problem)
        return url

    @field_validator("fhir_servers")
    @classmethod
    def _base_addresses(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for place, server in enumerate(servers, 1):
            if problem := server_problem(server):
                raise ValueError(f"address {place} {problem}")
        return tuple(base_of(server) for server in servers)

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if (self.jwks_url is None) == (self.jwks_file is None):
            raise ValueError("either 'jwks_url' or 'jwks_file' must be set, and not both")
        return self

    @property
    def expected_jku(self) -> str | None:
        """The only `jku` that a token of this client may carry; None where it may carry none."""
        return self.jku or self.jwks_url


def check_clients(clients: Sequence[TrustedClient], development: bool) -> None:
    """Check what no client shows on its own; called once, at the start.

    Args:
        clients: the table.
        development: whether the service runs for its developers, who may trust the public sandbox.

    Raises:
        ValueError: an issuer occurs twice, a key file cannot be used, or a client of a service in real use signs
            with the published key of the public sandbox. The message has a line for each.
    """
    if problems := list(_table_problems(clients, development)):
        raise ValueError("\n".join(problems))


def _table_problems(clients: Sequence[TrustedClient], development: bool) -> Iterator[str]:
    for issuer, times in Counter(client.issuer for client in clients).items():
        if times > 1:
            yield f"clients: the issuer '{issuer}' occurs {times} times; each client needs its own"
    for client in clients:
        if not development and _is_sandbox(client):
            yield (
                f"clients: '{client.issuer}' uses the keys of the public CDS Hooks Sandbox. Its private key is public:"
                " anyone can sign tokens with it. It is accepted in development only."
            )
        if client.jwks_file and (problem := _file_problem(client.jwks_file)):
            yield f"clients: the 'jwks_file' of '{client.issuer}' {problem}"


def _is_sandbox(client: TrustedClient) -> bool:
    """Whether a client is the public sandbox, or takes its keys from there under another name."""
    host = urlsplit(SANDBOX_ISSUER).hostname
    named = (client.issuer, client.jwks_url, client.jku)
    return any(_hostname(address) == host for address in named if address)


def _hostname(address: str) -> str | None:
    try:
        # A host may be written with a dot at its end.
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return None


def _file_problem(path: Path) -> str:
    try:
        read_key_file(path.read_bytes())
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    except BadKeySet as error:
        return str(error)
    return ""


def _address_problem(url: str) -> str:
    """Why keys cannot be fetched from an address, or an empty string. The text does not repeat the address."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if parts.scheme not in ("https", "http") or not parts.hostname or port == 0:
        return "is not an https URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or password"
    if parts.scheme == "http" and parts.hostname not in LOOPBACK_NAMES:
        return "must use https (http is for loopback only)"
    if "#" in url or re.search(r"[^\x21-\x7e]|\\", url):
        return "must be a plain address without fragment, spaces and the like"
    return ""
