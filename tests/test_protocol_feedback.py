"""Feedback as CDS Hooks demands it: what is read, and what is refused."""

from datetime import UTC, datetime

import pytest

from cds_service.errors import InvalidRequest
from cds_service.protocol.feedback import read_feedback
from tests.protocol_calls import (
    MARKER,
    UUID,
    Json,
)

REASON = {"code": "r-1", "system": "http://example.org/r"}


def an_entry(**members: object) -> Json:
    return {"card": UUID, "outcome": "overridden"} | members


def test_an_accepted_suggestion_is_read() -> None:
    body = an_entry(
        outcome="accepted",
        acceptedSuggestions=[{"id": "s-1"}, {"id": "s-2"}],
        outcomeTimestamp="2026-11-22T16:18:37.108Z",
    )
    (feedback,) = read_feedback({"feedback": [body]})
    assert (feedback.card, feedback.outcome, feedback.accepted) == (UUID, "accepted", ("s-1", "s-2"))
    assert feedback.timestamp == datetime(2026, 11, 22, 16, 18, 37, 108000, tzinfo=UTC)


@pytest.mark.parametrize(
    "overridden",
    [
        {"overrideReason": {"reason": REASON, "userComment": "why"}},
        {"overrideReasons": {"reason": REASON, "userComment": "why"}},
        {"overrideReasons": [{"reason": REASON, "userComment": "why"}]},
        {"overrideReasons": [{"extension": {}, "userComment": "why"}, {"reason": REASON}]},
    ],
    ids=["singular", "plural object", "plural list", "comment and reason apart"],
)
def test_the_reason_of_an_override_is_read_under_its_singular_and_plural_name(overridden: Json) -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(**overridden)]})
    assert (feedback.reason_code, feedback.reason_system) == ("r-1", "http://example.org/r")
    assert feedback.comment == "why"


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"overrideReason": None, "acceptedSuggestions": None, "outcomeTimestamp": None},
        {"overrideReason": "text", "acceptedSuggestions": "text", "outcomeTimestamp": 5},
        {"overrideReasons": [None, 5, []], "acceptedSuggestions": [None, "s-1", {"id": 5}, {}]},
        {"overrideReason": {"extension": {"a": "b"}}, "outcomeTimestamp": "yesterday"},
        {"overrideReason": {"reason": {"code": 5, "system": "x"}, "userComment": " "}},
        {"extension": {"com.example": 1}, "unknown": None},
    ],
    ids=repr,
)
def test_what_is_optional_in_feedback_and_not_well_formed_counts_as_not_sent(members: Json) -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(**members)]})
    assert (feedback.card, feedback.outcome, feedback.accepted) == (UUID, "overridden", ())
    assert (feedback.reason_code, feedback.reason_system, feedback.comment) == (None, None, None)
    assert feedback.timestamp is None


def test_a_reason_without_a_system_is_kept() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(overrideReason={"reason": {"code": "r-1"}})]})
    assert (feedback.reason_code, feedback.reason_system) == ("r-1", None)


def test_a_time_without_a_zone_is_utc() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(outcomeTimestamp="2026-11-22T16:18:37")]})
    assert feedback.timestamp == datetime(2026, 11, 22, 16, 18, 37, tzinfo=UTC)


def test_a_batch_keeps_order_repetitions_contradictions_and_unknown_cards() -> None:
    batch = [an_entry(outcome="accepted"), an_entry(), an_entry(), an_entry(card="../123456")]
    read = read_feedback({"feedback": batch})
    assert [entry.outcome for entry in read] == ["accepted", "overridden", "overridden", "overridden"]
    assert [entry.card for entry in read] == [UUID, UUID, UUID, "../123456"]


def test_the_comment_of_a_person_stays_out_of_the_repr() -> None:
    (feedback,) = read_feedback({"feedback": [an_entry(overrideReason={"userComment": MARKER})]})
    assert feedback.comment == MARKER
    assert MARKER not in repr(feedback)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (None, "body: must be a JSON object with feedback"),
        ([an_entry(card=MARKER)], "body: must be a JSON object with feedback"),
        (an_entry(card=MARKER), "feedback: is missing; it must be a list of 1 to 1000 entries"),
        ({"feedback": []}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": an_entry(card=MARKER)}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": [an_entry()] * 1001}, "feedback: must be a list of 1 to 1000 entries"),
        ({"feedback": [MARKER]}, "feedback[0]: must be an object with card and outcome"),
        ({"feedback": [{"outcome": "accepted"}]}, "feedback[0].card: is missing; it must be the uuid"),
        ({"feedback": [an_entry(card=7351)]}, "feedback[0].card: must be the uuid of a card"),
        ({"feedback": [an_entry(card=MARKER * 30)]}, "feedback[0].card: must be the uuid of a card"),
        ({"feedback": [an_entry(), {"card": MARKER}]}, "feedback[1].outcome: is missing"),
        ({"feedback": [an_entry(outcome=MARKER)]}, "feedback[0].outcome: must be 'accepted' or 'overridden'"),
    ],
)
def test_feedback_without_list_card_or_outcome_is_refused(body: object, text: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read_feedback(body)
    assert caught.value.text.startswith(text)
    assert "7351" not in caught.value.text
