"""So much free text is read in one call, wherever it stands, and what was left out is said."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from cds_service.clinical.reading.free_text import LONGEST_TEXT
from cds_service.clinical.reading.recognition import MOST_TEXT
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.settings import Settings
from tests.http_calls import CANCER, PAIN, PATIENT_VIEW, Json, a_call, bundle, condition

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
SUPPORT = DecisionSupport(Settings())
SAID = f"free text: the rest beyond {MOST_TEXT:,} characters"

# A text of the longest length that is read, and so many of them that the bound is passed.
LONG = ("Low back pain, better since physical therapy. " * 50)[: LONGEST_TEXT - 10]
TOO_MANY = MOST_TEXT // len(LONG) + 2


def decided(*conditions: Json) -> Decision:
    service = SUPPORT.services[PATIENT_VIEW]
    return SUPPORT.decide(HookCall(service, NOW), a_call(conditions=bundle(*conditions)))


def said_of(*conditions: Json) -> tuple[str, ...]:
    return decided(*conditions).assessment.unread


def texts(count: int, code: str, with_code: bool) -> Iterator[Json]:
    for number in range(count):
        coded = condition(code)["code"] if with_code else {}
        yield condition(code, id=f"c-{number}", code=coded | {"text": f"{number}: {LONG}"})


@pytest.mark.parametrize("code", ["M54.50", "C50.911", "E11.9", ""])
def test_text_beyond_the_bound_is_said_to_be_unread_whatever_code_stands_beside_it(code: str) -> None:
    assert SAID in said_of(CANCER, PAIN, *texts(TOO_MANY, code, with_code=bool(code)))


def test_the_same_text_counts_once() -> None:
    one = next(texts(1, "M54.50", with_code=True))
    assert SAID not in said_of(CANCER, PAIN, *({**one, "id": f"c-{number}"} for number in range(TOO_MANY)))


def test_an_ordinary_chart_is_read_whole() -> None:
    assert SAID not in said_of(CANCER, PAIN, *texts(20, "M54.50", with_code=True))


def test_a_code_still_speaks_where_its_text_is_beyond_the_bound() -> None:
    found = decided(*texts(TOO_MANY, "", with_code=False), CANCER, PAIN)
    assert SAID in found.assessment.unread
    assert [card["indicator"] for card in found.response["cards"]] == ["warning"]
