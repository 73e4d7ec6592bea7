"""Every setting of the service: its name, type, default and meaning.

Settings come from the TOML file that `CDS_CONFIG` names, then from `CDS_*` environment variables, whose values
are read as JSON where they parse and as text otherwise. A setting that is unknown, or has another type, stops
the start with its name and what was expected.
"""

from __future__ import annotations

import os
import ssl
import textwrap
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, get_args, get_origin

import orjson
from platformdirs import user_state_path
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    IPvAnyNetwork,
    SecretStr,
    StringConstraints,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from cds_service.addresses import base_of, server_problem
from cds_service.clinical.registry import service_ids
from cds_service.clinical.rules.breast_cancer_back_pain.thresholds import THRESHOLDS, Threshold
from cds_service.content.bounds import EGFR_RECENT_DAYS
from cds_service.did_you_mean import did_you_mean
from cds_service.ehr.limits import FhirLimits, ReadAhead
from cds_service.json_values import MOST_VALUES
from cds_service.ledger.database import check_url
from cds_service.ledger.entries import ANONYMOUS, EVERY, Mode
from cds_service.protocol.limits import BodyLimits
from cds_service.trust.clients import Origin, TrustedClient, check_clients

_PREFIX = "CDS_"
_FILE_VARIABLE = "CDS_CONFIG"

# Of a line of a long list, in a terminal.
_WIDTH = 100


class LocalCoding(BaseModel):
    """A site's own code for an order."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    system: Annotated[str, StringConstraints(min_length=1)]
    code: Annotated[str, StringConstraints(min_length=1)]
    display: Annotated[str, StringConstraints(min_length=1)]


class ModeRule(BaseModel):
    """The mode from which a service starts for a client; `*` stands for every one."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    service: Annotated[str, StringConstraints(min_length=1)] = EVERY
    client: Annotated[str, StringConstraints(min_length=1)] = EVERY
    mode: Annotated[Mode, Field(strict=False)]


# A key that is shorter could be found by trying (HMAC-SHA256, RFC 2104: at least the length of the hash, 32 bytes).
_SHORTEST_KEY = 32

# Hexadecimal digits of a random key hold nearly all sixteen; a text that was typed to fill the length does not.
_FEWEST_CHARACTERS = 6


class Settings(BaseModel):
    """All settings. The descriptions are those of docs/settings.md."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    content_folder: Path | None = Field(
        None, strict=False, description="Folder with the clinical content instead of the installed one"
    )
    content_overlay: Path | None = Field(
        None, strict=False, description="Folder with only what differs, laid over the content; an upgrade keeps it"
    )
    base_url: HttpUrl | None = Field(
        None, strict=False, description="Public address of this service, as clients write it; needed for `clients`"
    )
    clients: tuple[Client, ...] = Field(
        (), strict=False, description="Trusted CDS clients, see Security; without any, the service is open"
    )
    open_discovery: bool = Field(True, description="Whether discovery is answered without a token")
    token_leeway_seconds: int = Field(
        30, ge=0, le=300, description="How far the clocks of a client and of the service may differ"
    )
    token_lifetime_seconds: int = Field(
        3600, ge=30, le=86400, description="Longest lifetime of a client's token, from issue to expiry"
    )
    ca_bundle: Path | None = Field(
        None, strict=False, description="PEM file of authorities to trust for FHIR and key servers, not the public ones"
    )
    cors_origins: tuple[Origin, ...] = Field(
        (), strict=False, description="Web origins that may call from a browser, exact, beside those of `clients`"
    )
    development: bool = Field(
        False, description="Serve the workbench, answer as of another day, trust the public sandbox; not for patients"
    )
    max_body_bytes: int = Field(10_000_000, ge=1_000, description="Largest body of a call, in bytes")
    max_json_depth: int = Field(1000, ge=20, le=1000, description="Deepest nesting of a body; FHIR needs about 20")
    max_json_values: int = Field(
        MOST_VALUES,
        ge=10_000,
        description="Most JSON values of a body, an object counted twice, and a member twice more where objects have"
        " more than 8; a chart of 10 MB has 700,000 at most",
    )
    max_bundle_entries: int = Field(20_000, ge=10, description="Most entries of one Bundle in a call")
    call_seconds: float = Field(
        10.0, gt=0, le=60, strict=False, description="Time for one call; what is not ready by then is answered 503"
    )
    calls_per_minute: int = Field(6000, ge=1, description="Calls per minute, client and worker; beyond it 429")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (),
        strict=False,
        description="Networks of proxies that are believed who calls, for the log and for the limit of calls",
    )
    proxy_header: Literal["X-Forwarded-For", "Forwarded"] = Field(
        "X-Forwarded-For", description="The header in which these proxies name the client; the other one is not read"
    )
    fhir_servers: tuple[str, ...] = Field(
        (), strict=False, description="FHIR servers that may be read where a call lacks data, exact base addresses"
    )
    accepted_gaps: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Prefetch keys of which the EHR never grants all; what it says that it withholds is no gap there",
    )
    fhir_deadline_seconds: float = Field(
        4.0, gt=0, le=30, strict=False, description="Wall time for all reading from the FHIR server in one call"
    )
    fhir_connect_seconds: float = Field(
        1.0, gt=0, le=30, strict=False, description="Time for one connection to the FHIR server"
    )
    fhir_max_pages: int = Field(20, ge=1, le=1000, description="Search pages read for one prefetch key")
    fhir_max_bytes: int = Field(20_000_000, ge=10_000, description="Bytes read from the FHIR server in one call")
    fhir_parallel: int = Field(9, ge=1, le=32, description="Requests to the FHIR server at the same time in one call")
    fhir_read_ahead: ReadAhead = Field(
        "slow",
        description="Servers from which what refines a card is read together with what decides,"
        " before it is known whether one fires",
    )
    order_codings: Mapping[str, Annotated[tuple[LocalCoding, ...], Field(strict=False)]] = Field(
        default_factory=dict,
        strict=False,
        description="The site's own codes by order slug, added to each proposed order",
    )
    order_intent: Literal["proposal", "plan", "order"] = Field(
        "proposal", description="`intent` of the proposed orders"
    )
    source_url: HttpUrl | None = Field(
        None,
        strict=False,
        description="Address behind the card's source; else `/evidence` below `base_url`, else that of the content",
    )
    new_window_days: int | None = Field(
        None,
        ge=THRESHOLDS[Threshold.NEW_WINDOW_DAYS].least,
        le=THRESHOLDS[Threshold.NEW_WINDOW_DAYS].most,
        description="Back pain that began within so many days is new (content: 84)",
    )
    clean_days: int | None = Field(
        None,
        ge=THRESHOLDS[Threshold.CLEAN_DAYS].least,
        le=THRESHOLDS[Threshold.CLEAN_DAYS].most,
        description="Days without back pain before a new episode (content: 180)",
    )
    egfr_recent_days: int | None = Field(
        None,
        ge=EGFR_RECENT_DAYS.least,
        le=EGFR_RECENT_DAYS.most,
        description="An older eGFR counts as none (content: 90)",
    )
    text_match: bool = Field(True, description="Whether free text counts where no code does; the card quotes it")
    unconfirmed_cancer: Literal["ignore", "count"] = Field(
        "ignore", description="Whether breast cancer with verification status `unconfirmed` counts"
    )
    undated_pain: Literal["card", "silent"] = Field(
        "card", description="Active back pain without any date: a card that says so, or silence"
    )
    dcis_mode: Literal["off", "info"] = Field(
        "off", description="In situ disease alone with new back pain: silence, or an `info` card without orders"
    )
    region_unspecified: Literal["whole-spine", "spine"] = Field(
        "whole-spine", description="MRI for back pain of no named region: whole spine, or spine without a region"
    )
    mri_extent: Literal["region", "whole-spine"] = Field(
        "region", description="What the MRI images: the painful region, or the whole spine (NICE NG234)"
    )
    undetermined_card: Literal["off", "info"] = Field(
        "off", description="Where the chart leaves the answer open: status 412, or a card that says what was missing"
    )
    nonspecific_signs: Literal["text", "critical"] = Field(
        "text", description="New weakness, falls and the like beside the pain: a line on the card, or an emergency"
    )
    pain_required_for_cord_signs: bool = Field(
        True, description="Whether new signs of cord compression without back pain on record stay silent"
    )
    renal_gadolinium: Literal["without", "group2"] = Field(
        "without",
        description="MRI with an eGFR below 30, kidney injury or dialysis: without contrast, or with a group II agent",
    )
    hospice_suppress: bool = Field(True, description="Whether active hospice or comfort care silences the card")
    brain_any_subtype: Literal["consider", "her2-or-triple-negative"] = Field(
        "consider",
        description="Brain MRI for new brain symptoms: for any subtype, or only HER2-positive and triple-negative;"
        " `seed-strict` is the deprecated name of the latter",
    )
    surveillance_advice: Literal["info", "off"] = Field(
        "info", description="Advice against routine imaging when it is ordered without any symptom on record"
    )

    data_folder: Path | None = Field(
        None, strict=False, description="Folder of the SQLite ledger; by default the user's state folder"
    )
    ledger_url: SecretStr | None = Field(
        None, description="Database of the ledger instead, such as `postgresql://user:password@host/name`"
    )
    ledger_strict: bool = Field(
        False, description="Whether a call that cannot be recorded is answered 503, without a card"
    )
    ledger_retention_days: int = Field(
        2190, ge=1, le=36500, description="Decisions and feedback older than this are removed by `prune` (six years)"
    )
    pseudonym_key: SecretStr | None = Field(
        None,
        min_length=_SHORTEST_KEY,
        description="Secret of at least 32 characters; without it no patient is remembered, and no answer",
    )
    feedback_comments: bool = Field(False, description="Whether the free text of feedback is kept")
    override_reason_codes: Mapping[str, str] = Field(
        default_factory=dict,
        strict=False,
        description="The site's own codes for override reasons, each with that of the content",
    )
    modes: tuple[ModeRule, ...] = Field(
        (),
        strict=False,
        description="`live`, `silent` or `off` by `service` and `client`, until changed by `cds-service mode`",
    )

    @field_validator("ca_bundle")
    @classmethod
    def _authorities(cls, path: Path | None) -> Path | None:
        if path is not None:
            try:
                ssl.create_default_context(cafile=path)
            except OSError as error:
                raise ValueError(f"the file cannot be used ({error.strerror or 'no certificates'})") from error
        return path

    @field_validator("fhir_servers")
    @classmethod
    def _allowed_servers(cls, servers: tuple[str, ...]) -> tuple[str, ...]:
        for server in servers:
            if problem := server_problem(server):
                # An address may hold a password or a token, which must not reach a log.
                raise ValueError(f"'{server.rpartition('@')[2].partition('?')[0]}' {problem}")
        return tuple(base_of(server) for server in servers)

    @field_validator("base_url")
    @classmethod
    def _public_address(cls, url: HttpUrl | None) -> HttpUrl | None:
        if url is not None and (url.username or url.password or url.query or url.fragment):
            # It stands in cards and pages.
            raise ValueError("must have no user, password, query or fragment")
        return url

    @field_validator("ledger_url")
    @classmethod
    def _database(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            check_url(url.get_secret_value())
        return url

    @field_validator("pseudonym_key")
    @classmethod
    def _not_guessable(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(set(key.get_secret_value())) < _FEWEST_CHARACTERS:
            raise ValueError("repeats a few characters; take one from a random source, such as `openssl rand -hex 32`")
        return key

    @field_validator("brain_any_subtype", mode="before")
    @classmethod
    def _present_name(cls, value: object) -> object:
        """The value in place of its name in release 1.0.0."""
        return "her2-or-triple-negative" if value == "seed-strict" else value

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        """Names that are misspelled would be accepted and do nothing. The error has a line for each problem."""
        problems = [*self._unknown_names()]
        try:
            check_clients(self.clients, self.development)
        except ValueError as error:
            problems += str(error).splitlines()
        if self.clients and self.base_url is None:
            problems.append("clients: their tokens name the address that they call; 'base_url' must be set")
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _unknown_names(self) -> Iterator[str]:
        issuers = {EVERY, ANONYMOUS, *(client.issuer for client in self.clients)}
        for rule in self.modes:
            if rule.service not in (EVERY, *service_ids()):
                yield f"modes: there is no service '{rule.service}'; there are {', '.join(service_ids())}"
            if rule.client not in issuers:
                yield f"modes: there is no client '{rule.client}'; there are {', '.join(sorted(issuers))}"
        if len({(rule.service, rule.client) for rule in self.modes}) < len(self.modes):
            yield "modes: the same service and client stand there twice"
        for name in sorted({name for client in self.clients for name in client.services} - set(service_ids())):
            yield f"clients.services: there is no service '{name}'; there are {', '.join(service_ids())}"

    @model_validator(mode="before")
    @classmethod
    def _modes_of_clients(cls, values: Any) -> Any:
        """The mode of a client is one of `modes`, for every service."""
        if not isinstance(values, dict):
            return values
        clients, modes = values.get("clients", ()), values.get("modes", ())
        if not (isinstance(clients, list | tuple) and isinstance(modes, list | tuple)):
            return values
        own = [
            {"service": EVERY, "client": client.get("issuer", ""), "mode": client["mode"]}
            for client in clients
            if isinstance(client, dict) and client.get("mode") in list(Mode)
        ]
        return {**values, "modes": [*modes, *own]} if own else values

    def for_client(self, client: Client) -> Settings:
        """The settings as they are in force for a client: its own in place of those of the site.

        Of maps (`order_codings`, `override_reason_codes`) the client's entries take the place of those of one name.
        """
        own: dict[str, Any] = {}
        for name in PER_CLIENT:
            if (value := getattr(client, name)) is not None:
                own[name] = {**getattr(self, name), **value} if isinstance(value, Mapping) else value
        return self.model_copy(update=own)

    def body_limits(self) -> BodyLimits:
        """The bounds of a body, once it is decoded."""
        return BodyLimits(self.max_json_depth, self.max_bundle_entries, self.max_json_values)

    def all_origins(self) -> tuple[str, ...]:
        """The web origins that may call from a browser, of the settings and of every client."""
        listed = [*self.cors_origins, *(origin for client in self.clients for origin in client.cors_origins)]
        return tuple(dict.fromkeys(listed))

    def evidence_url(self) -> str | None:
        """The public address of the evidence page, if the service knows its own."""
        return f"{str(self.base_url).rstrip('/')}/evidence" if self.base_url else None

    def ledger_folder(self) -> Path:
        """Where the SQLite ledger is kept."""
        return self.data_folder or user_state_path("cds-service")

    def fhir_limits(self) -> FhirLimits:
        """The bounds of reading from a FHIR server."""
        return FhirLimits(
            deadline_seconds=self.fhir_deadline_seconds,
            connect_seconds=self.fhir_connect_seconds,
            pages=self.fhir_max_pages,
            bytes=self.fhir_max_bytes,
            parallel=self.fhir_parallel,
            ca_bundle=str(self.ca_bundle) if self.ca_bundle else None,
            read_ahead=self.fhir_read_ahead,
        )


# What a client may have of its own, instead of the setting of the same name.
PER_CLIENT = (
    "content_overlay", "new_window_days", "clean_days", "egfr_recent_days", "text_match", "unconfirmed_cancer",
    "undated_pain", "dcis_mode", "region_unspecified", "mri_extent", "undetermined_card", "nonspecific_signs",
    "pain_required_for_cord_signs", "renal_gadolinium", "hospice_suppress", "brain_any_subtype", "surveillance_advice",
    "accepted_gaps", "order_codings", "order_intent", "override_reason_codes",
)  # fmt: skip


def _per_client(name: str) -> Any:
    """The field of a client for a setting: the same values, and none for that of the site."""
    field = Settings.model_fields[name]
    what = "Laid over the content of the site" if name == "content_overlay" else "Instead of the setting of this name"
    values: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    return values | None, Field(None, description=what)


if TYPE_CHECKING:

    class Client(TrustedClient):
        """A trusted client with settings of its own; see `PER_CLIENT`."""

        content_overlay: Path | None
        mode: Mode | None

        def __getattr__(self, name: str) -> Any: ...

else:
    Client = create_model(
        "Client",
        __base__=TrustedClient,
        mode=(
            Annotated[Mode, Field(strict=False)] | None,
            Field(None, description="The mode from which every service starts for the client, see `modes`"),
        ),
        **{name: _per_client(name) for name in PER_CLIENT},
    )
    Settings.model_rebuild()


class SettingsError(Exception):
    """Settings are unknown or cannot be used; the message names each and says what was expected.

    `settings` are the names of those at fault, where they are known.
    """

    def __init__(self, *problems: str, settings: Collection[str] = ()) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.settings = frozenset(settings)


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from the file named by `CDS_CONFIG` and from `CDS_*` variables, which win.

    Raises:
        SettingsError: see there.
    """
    return make_settings(values_of(os.environ if environment is None else environment))


def values_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """The values by setting name, as file and variables have them; see `read_settings`.

    Raises:
        SettingsError: the file cannot be read.
    """
    values = _from_file(environment.get(_FILE_VARIABLE))
    for name, text in environment.items():
        if name.startswith(_PREFIX) and name != _FILE_VARIABLE:
            setting = name.removeprefix(_PREFIX).lower()
            # An empty path would be the current folder; who sets the variable to nothing means to have none.
            if text.strip() or not _is_path(setting):
                values[setting] = _json_or_text(text)
    return values


def _is_path(setting: str) -> bool:
    field = Settings.model_fields.get(setting)
    return field is not None and Path in get_args(field.annotation)


def make_settings(values: Mapping[str, Any]) -> Settings:
    """Check values by setting name; see `read_settings`."""
    try:
        return Settings.model_validate(dict(values))
    except ValidationError as error:
        problems: list[str] = []
        at_fault: set[str] = set()
        for item in error.errors():
            location = item["loc"]
            explained = _explain(location, item["type"], item["msg"])
            problems += [f"{text}{_broken_json(location, item['input'])}" for text in explained]
            at_fault |= {str(location[0])} if location else {_named_first(text) for text in explained}
        raise SettingsError(*problems, settings=at_fault) from error


def _named_first(problem: str) -> str:
    """The setting that a problem of several settings names first."""
    return problem.removeprefix("settings: ").partition(":")[0].partition(".")[0]


def _broken_json(location: tuple[int | str, ...], value: object) -> str:
    """Where a variable was to be JSON and is not, since it was then read as text; the text itself is not shown."""
    if len(location) != 1 or not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return ""
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError as error:
        return f"; what is given is not well-formed JSON ({error})"
    return ""


def _explain(location: tuple[int | str, ...], kind: str, message: str) -> list[str]:
    if location:
        return [_explain_one(location, kind, message)]
    # A rule about several settings names them itself, each problem in a line of its own.
    return [f"settings: {line}" for line in message.removeprefix("Value error, ").splitlines()]


def _explain_one(location: tuple[int | str, ...], kind: str, message: str) -> str:
    name = ".".join(map(str, location))
    if name == "pseudonym_key" and kind == "too_short":
        return f"setting 'pseudonym_key': must have at least {_SHORTEST_KEY} characters"
    if kind == "extra_forbidden":
        names = _names_beside(location)
        meant = did_you_mean(str(location[-1]), names) or _all_names(names)
        return f"setting '{name}': there is no such setting{meant}"
    expected = message.replace("a valid tuple", "a list").removeprefix("Value error, ")
    return f"setting '{name}': {expected[0].lower()}{expected[1:]}"


def _all_names(names: Sequence[str]) -> str:
    """All that there are; a long list in lines that can be read."""
    listed = ", ".join(names)
    if len(listed) <= _WIDTH:
        return f"; there are {listed}"
    return f"; there are\n{textwrap.fill(listed, _WIDTH, initial_indent='  ', subsequent_indent='  ')}"


def _names_beside(location: tuple[int | str, ...]) -> Sequence[str]:
    """The names that may stand where a setting stands, or a part of one."""
    parts: Mapping[str, type[BaseModel]] = {"clients": Client, "modes": ModeRule, "order_codings": LocalCoding}
    model = parts.get(str(location[0]), Settings) if len(location) > 1 else Settings
    return list(model.model_fields)


def _from_file(name: str | None) -> dict[str, Any]:
    if not name:
        return {}
    try:
        return tomllib.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{_FILE_VARIABLE}: the file {name} cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{_FILE_VARIABLE}: the file {name} is not well-formed TOML ({error})") from error


def _json_or_text(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def settings_table() -> str:
    """All settings as a Markdown table, for docs/settings.md."""
    rows = ["| Setting | Default | Meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if default is None else f"`{orjson.dumps(default).decode()}`"
        rows.append(f"| `{name}` | {shown} | {_meaning(field)} |")
    return "\n".join(rows)


def _meaning(field: FieldInfo) -> str:
    """The description, and the choices where there are some."""
    choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    listed = f" ({', '.join(f'`{choice}`' for choice in choices)})" if choices else ""
    return f"{field.description}{listed}"
