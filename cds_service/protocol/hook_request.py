"""Read a hook call: from the bytes of the body to a HookRequest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cds_service.errors import InvalidRequest
from cds_service.protocol.validation import checked


@dataclass(frozen=True)
class HookRequest:
    """A call that follows the specification as far as the service depends on it.

    Where a client left something out or sent null, the value is None or empty. drafts are the resources
    of the draftOrders Bundle, not checked any further; skipped_drafts counts its entries that hold none.
    The values of prefetch are as they came. The repr shows nothing that could identify a patient and no
    token, so that a request may appear in a traceback or a log.
    """

    hook: str
    hook_instance: str
    patient_id: str = field(repr=False)
    user_id: str = field(repr=False)
    encounter_id: str | None = field(repr=False, default=None)
    selections: tuple[str, ...] = field(repr=False, default=())
    drafts: tuple[dict[str, Any], ...] = field(repr=False, default=())
    skipped_drafts: int = 0
    prefetch: Mapping[str, Any] = field(repr=False, default_factory=dict)
    fhir_server: str | None = field(repr=False, default=None)
    fhir_authorization: Mapping[str, Any] | None = field(repr=False, default=None)


def decode(body: bytes) -> object:
    """Return the JSON value of the body; raise InvalidRequest, without any of the content, if it is none.

    NaN, comments, invalid UTF-8 and nesting beyond what the parser bears (about 1000 levels) are refused.
    """
    if not body.strip():
        raise InvalidRequest("body", "must be a JSON object, but is empty")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        place = f"Reading stopped at line {error.lineno}, column {error.colno}."
    # Raised outside of the except block: the parser's error carries the whole body, and as the context of
    # this one it would travel into every report that follows the chain.
    raise InvalidRequest("body", "must be valid JSON in UTF-8, nested less than 1000 levels deep", place)


def read_hook_request(document: object, hook: str) -> HookRequest:
    """Return the call in a decoded body, or raise InvalidRequest naming the field that is wrong.

    hook is the hook that the called service answers, one of those that have a request schema.
    """
    call = checked(f"request-{hook}", document)
    context = call["context"]
    drafts, skipped = _drafts(context.get("draftOrders"))
    return HookRequest(
        hook=hook,
        hook_instance=call["hookInstance"],
        patient_id=context["patientId"],
        user_id=context["userId"],
        encounter_id=context.get("encounterId"),
        selections=_selections(context.get("selections")),
        drafts=drafts,
        skipped_drafts=skipped,
        prefetch=call.get("prefetch") or {},
        fhir_server=call.get("fhirServer"),
        fhir_authorization=call.get("fhirAuthorization"),
    )


# The two below accept anything, because not every hook has these members and a client may add them to
# the context of another hook, where no schema has looked at them.


def _selections(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _drafts(bundle: object) -> tuple[tuple[dict[str, Any], ...], int]:
    """Return the resources of a Bundle and how many of its entries hold none."""
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    if not isinstance(entries, list):
        return (), 0 if entries is None else 1
    resources = (entry.get("resource") for entry in entries if isinstance(entry, dict))
    drafts = tuple(item for item in resources if isinstance(item, dict) and _is_typed(item))
    return drafts, len(entries) - len(drafts)


def _is_typed(resource: dict[str, Any]) -> bool:
    return isinstance(resource.get("resourceType"), str)
