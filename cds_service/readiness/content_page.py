"""What a change of content does to the synthetic patients, as one self-contained HTML page without script."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby

from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service.content.difference import Difference
from cds_service.readiness.content_text import NOTHING, summary_of
from cds_service.readiness.content_trial import ContentTrial

_TEMPLATES = Environment(
    loader=PackageLoader("cds_service.readiness"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    lstrip_blocks=True,
)  # fmt: skip


def trial_page(
    trial: ContentTrial, differences: Sequence[Difference], before: str, after: str, made_at: datetime
) -> str:
    """The page.

    Args:
        trial: what changes for the patients.
        differences: what the two bodies of content differ in.
        before, after: their versions.
        made_at: when it is made, with a time zone.
    """
    return _TEMPLATES.get_template("content_trial.html.jinja").render(
        before=before,
        after=after,
        made_at=made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        summary=summary_of(trial),
        outcomes=[(*pair, count) for pair, count in trial.outcomes.items()],
        kinds=[(kind, list(listed)) for kind, listed in groupby(differences, key=lambda item: item.kind)],
        wording=list(trial.wording.items()),
        changed=trial.changed,
        nothing=NOTHING,
    )
