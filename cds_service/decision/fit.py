"""Whether the settings fit the content: a name that no content knows would do nothing, and nobody would see it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cds_service.clinical.rules.rule import Rule
from cds_service.did_you_mean import did_you_mean
from cds_service.settings import Settings


def misfits(settings: Settings, rules: Sequence[Rule]) -> Iterator[str]:
    """Each setting that names what the rules and their content do not have, with what was probably meant."""
    keys = {key for rule in rules for key in rule.prefetch}
    if unknown := sorted(set(settings.accepted_gaps) - keys):
        meant = did_you_mean(unknown[0], keys)
        yield f"setting 'accepted_gaps': there is no prefetch key {', '.join(unknown)}{meant}"
    slugs = {slug for rule in rules for slug in rule.content.orders}
    for slug in settings.order_codings:
        if slug not in slugs:
            yield f"setting 'order_codings.{slug}': there is no such order{did_you_mean(slug, slugs)}"
    reasons = {reason.code for rule in rules for reason in rule.content.override_reasons}
    for own, code in settings.override_reason_codes.items():
        if code not in reasons:
            meant = did_you_mean(code, reasons)
            yield f"setting 'override_reason_codes.{own}': there is no override reason '{code}' in the content{meant}"
