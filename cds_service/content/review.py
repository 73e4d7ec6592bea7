"""Whether the content is due for review: a warning, never a reason not to answer."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from cds_service.content.model import Rule


def review_ends(rule: Rule) -> datetime:
    """The moment from which on the review of a rule's content is overdue: the end of its day, in UTC."""
    return datetime.combine(date.fromisoformat(rule.review_by) + timedelta(days=1), time(), UTC)


def review_warnings(rule: Rule, today: date) -> tuple[str, ...]:
    """What the dates of a rule say on this day that somebody should know: one sentence each, none where all is well.

    The day of review itself is still in time.
    """
    warnings = []
    if date.fromisoformat(rule.review_by) < today:
        warnings.append(f"The content of rule '{rule.id}' was to be reviewed by {rule.review_by} ({rule.owner}).")
    if date.fromisoformat(rule.released) > today:
        warnings.append(f"The content of rule '{rule.id}' says that it is released on {rule.released}, in the future.")
    return tuple(warnings)
