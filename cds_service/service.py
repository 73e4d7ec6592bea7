"""One hook call from body to answer: the controller.

1. protocol: is it a valid call of this service?
2. chart: what is known of the patient?
3. clinical: what does it mean?
4. advice: which card?

Nothing flows back. The clock is an argument, so that the same call at the same moment gives the same answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from cds_service.advice.call import Call, OrderOptions
from cds_service.advice.card import cards, proposed
from cds_service.chart.build import build_chart
from cds_service.clinical.assessment import Assessment
from cds_service.clinical.findings import Outcome
from cds_service.clinical.records import Chart
from cds_service.clinical.rule import assess
from cds_service.content.load import load_content
from cds_service.content.model import Content
from cds_service.errors import MissingData
from cds_service.protocol.hook_request import HookRequest, read_hook_request
from cds_service.protocol.services import SERVICES, Service
from cds_service.settings import Settings, SettingsError

ANONYMOUS = "anonymous"

# A key that was supplied and held nothing, where something is needed: the patient record.
_EMPTY = "supplied, but empty"


@dataclass(frozen=True, slots=True)
class Decision:
    """One call, answered: the assessment, the response body, and the id under which it is spoken of."""

    id: UUID
    assessment: Assessment
    gaps: Mapping[str, str]
    response: Mapping[str, Any]

    def response_or_error(self) -> Mapping[str, Any]:
        """The response body.

        Raises:
            MissingData: nothing could be concluded; the error names each missing prefetch key and why.
        """
        if self.assessment.outcome is Outcome.UNDETERMINED:
            raise MissingData([(key, self.gaps.get(key, _EMPTY)) for key in self.assessment.missing])
        return self.response


class DecisionSupport:
    """The service without its web server: settings and content, read once, and calls answered one by one."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Raises ContentError where the content cannot be used, SettingsError where the settings do not fit it."""
        self.settings = settings or Settings()
        self.content: Content = load_content(self.settings.content_folder)
        for slug in self.settings.order_codings:
            if slug not in self.content.orders:
                raise SettingsError(f"setting 'order_codings.{slug}': there is no such order")
        self._options = self.settings.rule_options(self.content)
        self._orders = OrderOptions(
            {slug: [item.model_dump() for item in own] for slug, own in self.settings.order_codings.items()},
            self.settings.order_intent,
        )

    def decide(self, service: Service, document: object, now: datetime, client: str = ANONYMOUS) -> Decision:
        """Answer one hook call.

        Args:
            service: the service that was called.
            document: the decoded body.
            now: the moment of the call, with a time zone.
            client: who calls, as far as it is known.

        Raises:
            InvalidRequest: the body is not a valid call of this service.
        """
        request = read_hook_request(document, service.hook)
        chart = _chart(request, service)
        assessment = assess(chart, self.content, self._options, now)
        call = Call(
            service_id=service.id,
            client=client,
            now=now,
            hook_instance=request.hook_instance,
            patient_id=request.patient_id,
            user_id=request.user_id,
            encounter_id=request.encounter_id,
        )
        source_url = str(self.settings.source_url) if self.settings.source_url else None
        gaps = {key: str(listing.gap) for key, listing in chart.listings().items() if listing.gap}
        return Decision(
            id=call.decision_id(self.content.version, proposed(assessment)),
            assessment=assessment,
            gaps=gaps,
            response={"cards": cards(assessment, call, self.content, self._orders, source_url)},
        )


def _chart(request: HookRequest, service: Service) -> Chart:
    return build_chart(
        patient_id=request.patient_id,
        prefetch=request.prefetch,
        encounter_id=request.encounter_id,
        drafts=request.drafts if service.has_orders else None,
        selections=request.selections if service.hook == "order-select" else None,
    )


def service_for(document: object) -> Service | None:
    """The service that answers the hook named in a document, for callers without an address."""
    hook = document.get("hook") if isinstance(document, dict) else None
    return next((service for service in SERVICES.values() if service.hook == hook), None)
