"""A concept with more codings than any EHR sends: what is beyond a bound is said to be unread, and costs no time."""

from __future__ import annotations

from cds_service.chart.elements import Reading

CODING = {"system": "http://snomed.info/sct", "code": "279039007"}


def test_the_codings_of_a_concept_are_read_up_to_a_bound_and_then_it_says_so() -> None:
    for count, unread in ((500, False), (501, True), (100_000, True)):
        reading = Reading("Condition/1")
        concept = reading.concept({"coding": [CODING] * count}, "code")
        assert len(concept.codings) == 500
        assert bool(reading.unread) is reading.spoiled is unread
    assert reading.unread[0].why == "has more than 500 codings"


def test_too_many_codings_of_what_decides_nothing_spoil_nothing() -> None:
    reading = Reading("Condition/1")
    reading.concept({"coding": [CODING] * 501}, "bodySite")
    assert reading.unread and not reading.spoiled
