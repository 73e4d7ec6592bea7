"""Content that is due for review is served, and says so at the start and to those who watch."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime

import pytest

from cds_service.app import make_app
from cds_service.clinical.rules.breast_cancer_back_pain.content import load_content
from cds_service.content.review import review_warnings
from cds_service.settings import Settings

RULE = load_content().rule
REVIEW_BY = date.fromisoformat(RULE.review_by)
RELEASED = date.fromisoformat(RULE.released)


@pytest.mark.parametrize("day", [RELEASED, REVIEW_BY], ids=["release", "review"])
def test_between_release_and_review_nothing_is_said(day: date) -> None:
    assert review_warnings(RULE, day) == ()


def test_after_the_day_of_review_a_warning_names_it_and_who_owns_the_content() -> None:
    (warning,) = review_warnings(RULE, REVIEW_BY.replace(year=REVIEW_BY.year + 1))
    assert RULE.review_by in warning
    assert RULE.owner in warning


def test_a_release_in_the_future_is_a_warning() -> None:
    (warning,) = review_warnings(RULE, RELEASED.replace(year=RELEASED.year - 1))
    assert RULE.released in warning


def noon(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, 12, tzinfo=UTC)


def test_overdue_content_is_ready_with_a_warning_and_logged_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    late = noon(REVIEW_BY.replace(year=REVIEW_BY.year + 1))
    with caplog.at_level(logging.WARNING):
        ready = make_app(Settings(), lambda: late).test_client().get("/health/ready")
    assert (ready.status_code, ready.get_json()["status"]) == (200, "ready")
    (warning,) = ready.get_json()["warnings"]
    assert RULE.review_by in warning
    assert warning in [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


def test_content_that_becomes_overdue_while_it_is_served_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    days = [noon(RELEASED)]
    client = make_app(Settings(), lambda: days[-1]).test_client()
    assert client.get("/health/ready").get_json()["warnings"] == []
    days.append(noon(REVIEW_BY.replace(year=REVIEW_BY.year + 1)))
    assert len(client.get("/health/ready").get_json()["warnings"]) == 1
