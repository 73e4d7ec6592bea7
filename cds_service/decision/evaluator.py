"""What one client is answered with: its settings, the content they name, and the rules with both.

Clients whose settings come to the same share one. All are made at the start, so that a call costs one look-up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cds_service.advice.call import OrderOptions
from cds_service.clinical import registry
from cds_service.clinical.rules.rule import Rule
from cds_service.content.model import Content
from cds_service.decision.content_in_use import ContentInUse, ContentPlace, content_place
from cds_service.decision.fit import misfits
from cds_service.decision.settings_digest import settings_digest
from cds_service.protocol.services import Service
from cds_service.reporting.summary import shown_digest
from cds_service.settings import Client, Settings, SettingsError


@dataclass(frozen=True, eq=False)
class Evaluator:
    """The rules as one client, or several alike, are answered by them.

    Attributes:
        settings: as they are in force for the client.
        rules: with the content and the choices of these settings.
        content: the content that they have.
        orders: what is added to orders.
        digests: by rule id, of all settings that can change its answers.
    """

    settings: Settings
    rules: tuple[Rule, ...]
    content: ContentInUse
    orders: OrderOptions
    digests: Mapping[str, str]

    @cached_property
    def answered_by(self) -> Mapping[str, tuple[Service, Rule]]:
        """The services of all rules by id, each with its rule."""
        return {service.id: (service, rule) for rule in self.rules for service in rule.services}

    def rule_of(self, service: Service) -> Rule:
        """The rule that answers a service."""
        return self.answered_by[service.id][1]

    def settings_digest(self, rule: Rule) -> str:
        """The digest of all settings that can change the answers of a rule."""
        return self.digests[rule.content.rule.id]

    def identity(self, rule: Rule) -> str:
        """The rule with its content and these settings: `2.0.0+3f2a9c1b.5d41402a`."""
        return f"{rule.content.version}.{shown_digest(self.settings_digest(rule))}"


class Evaluators:
    """Those of all clients; `site` is that of everyone whom the settings do not name."""

    def __init__(self, settings: Settings, contents: Sequence[Content] | None = None) -> None:
        """Make them.

        Args:
            settings: all settings.
            contents: of all rules, in place of the content that the settings name.

        Raises:
            ContentError: a content cannot be used.
            SettingsError: settings do not fit the content; the error names all of them.
        """
        self._contents = contents
        self._made: dict[tuple[ContentPlace, tuple[str, ...]], Evaluator] = {}
        self._problems: list[str] = []
        self.site = self._of_site(settings)
        self._by_client = {
            client.issuer: self._of_client(settings, number, client) for number, client in enumerate(settings.clients)
        }
        if self._problems:
            raise SettingsError(*self._problems)

    def of(self, client: str) -> Evaluator:
        """The one of a client, by its issuer."""
        return self._by_client.get(client, self.site)

    def __iter__(self) -> Iterator[Evaluator]:
        """Each once, that of the site first."""
        return iter(dict.fromkeys([self.site, *self._by_client.values()]))

    def _of_site(self, settings: Settings) -> Evaluator:
        made = self._evaluator(settings, content_place(settings))
        self._problems += misfits(settings, made.rules)
        return made

    def _of_client(self, settings: Settings, number: int, client: Client) -> Evaluator:
        own = settings.for_client(client)
        made = self._evaluator(own, content_place(settings, client))
        found = [problem for problem in misfits(own, made.rules) if problem not in self._problems]
        self._problems += (problem.replace("setting '", f"setting 'clients.{number}.", 1) for problem in found)
        return made

    def _evaluator(self, settings: Settings, place: ContentPlace) -> Evaluator:
        contents = self._contents
        if contents is None:
            contents = registry.contents(place.folder, place.overlays)
        choices = {name: getattr(settings, name) for name in Settings.model_fields}
        rules = registry.rules(contents, choices)
        digests = {rule.content.rule.id: settings_digest(settings, rule) for rule in rules}
        key = (place, tuple(digests.values()))
        if (known := self._made.get(key)) is not None:
            return known
        codings = {slug: [item.model_dump() for item in own] for slug, own in settings.order_codings.items()}
        orders = OrderOptions(codings, settings.order_intent)
        self._made[key] = Evaluator(settings, rules, ContentInUse(place, contents), orders, digests)
        return self._made[key]
