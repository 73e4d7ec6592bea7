"""Read a hook call: from the decoded body to a HookRequest."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.protocol.leniency import (
    authorization_in,
    encounter_in,
    patient_id_in,
    selections_in,
    server_in,
    user_in,
)
from cds_service.protocol.validation import checked


@dataclass(frozen=True)
class HookRequest:
    """A call that follows the specification as far as the service depends on it.

    Where a client left something out, sent null or sent something of no use, the value is None or empty.
    encounter is the id of the encounter, or its "urn:uuid:". drafts are the resources of the draftOrders
    Bundle, not checked any further, draft_urls their fullUrls; skipped_drafts counts its entries that hold none.
    The values of prefetch are as they came. The repr shows nothing that could identify a patient and no
    token, so that a request may appear in a traceback or a log.
    """

    hook: str
    hook_instance: str
    patient_id: str = field(repr=False)
    user_id: str = field(repr=False)
    encounter: str | None = field(repr=False, default=None)
    selections: tuple[str, ...] = field(repr=False, default=())
    drafts: tuple[dict[str, Any], ...] = field(repr=False, default=())
    draft_urls: tuple[str, ...] = field(repr=False, default=())
    skipped_drafts: int = 0
    prefetch: Mapping[str, Any] = field(repr=False, default_factory=dict)
    fhir_server: str | None = field(repr=False, default=None)
    fhir_authorization: Mapping[str, Any] | None = field(repr=False, default=None)

    @property
    def encounter_id(self) -> str | None:
        """The id of the encounter at the EHR; None where it is only known by a "urn:uuid:"."""
        return None if self.encounter is None or self.encounter.startswith("urn:") else self.encounter


def read_hook_request(document: object, hook: str) -> HookRequest:
    """Return the call in a decoded body, or raise InvalidRequest naming the field that is wrong.

    hook is the hook that the called service answers, one of those that have a request schema.
    """
    call = checked(f"request-{hook}", document)
    context = call["context"]
    drafts, urls, skipped = _drafts(context.get("draftOrders"))
    return HookRequest(
        hook=hook,
        hook_instance=call["hookInstance"],
        patient_id=patient_id_in(context["patientId"]),
        user_id=user_in(context["userId"]),
        encounter=encounter_in(context.get("encounterId")),
        selections=selections_in(context.get("selections")),
        drafts=drafts,
        draft_urls=urls,
        skipped_drafts=skipped,
        prefetch=call.get("prefetch") or {},
        fhir_server=server_in(call.get("fhirServer")),
        fhir_authorization=authorization_in(call.get("fhirAuthorization")),
    )


def _drafts(bundle: object) -> tuple[tuple[dict[str, Any], ...], tuple[str, ...], int]:
    """Return the resources of a Bundle, their fullUrls, and how many of its entries hold none.

    It accepts anything, because not every hook has drafts and a client may add them to the context of another
    hook, where no schema has looked at them. One entry in place of the list is read as a list of one.
    """
    entries = bundle.get("entry") if isinstance(bundle, dict) else None
    if isinstance(entries, dict):
        entries = [entries]
    if not isinstance(entries, list):
        return (), (), 0 if entries is None else 1
    found = [entry for entry in entries if isinstance(entry, dict) and _is_typed(entry.get("resource"))]
    urls = (entry.get("fullUrl") for entry in found)
    return (
        tuple(entry["resource"] for entry in found),
        tuple(url if isinstance(url, str) else "" for url in urls),
        len(entries) - len(found),
    )


def _is_typed(resource: object) -> bool:
    return isinstance(resource, dict) and isinstance(resource.get("resourceType"), str)
