"""A FHIR server that is slow, broken or hostile: the call ends in time, and says what it lacks."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable

import pytest

from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from tests.builders import (
    BREAST_CANCER,
    PATIENT_ID,
    condition,
    day,
    only_card,
    outcome,
    patient,
    reference,
)
from tests.hostile_fhir import (
    CANCER,
    GRACE_SECONDS,
    KIND,
    NOT_ALLOWED,
    PAIN,
    decide,
    lacking,
    page,
    sends_json,
    why_unknown,
)
from tests.wire_fhir_server import BASE_PATH, Exchange, Handler, WireFhirServer

TIMED_OUT = "timed out"
NOT_FHIR = "not a FHIR resource or Bundle of the expected type"
FAILED = "the EHR answered with an error"
UNREACHABLE = "the FHIR server could not be reached"
TOO_MUCH = "more data than is read for one call"
ENDLESS = "the FHIR server's pages lead in a circle"


def nested(depth: int) -> bytes:
    return b'{"resourceType": "Bundle", "entry": ' + b"[" * depth + b"]" * depth + b"}"


# --- Answers that are no answer


def never_answers(exchange: Exchange) -> None:
    exchange.be_silent()


def stops_after_the_headers(exchange: Exchange) -> None:
    exchange.head(Content_Length="1000")
    exchange.be_silent()


def stops_in_the_body(exchange: Exchange) -> None:
    exchange.head(Content_Length="1000")
    exchange.write(b'{"resourceType": "Bundle", ')
    exchange.be_silent()


def drips_the_body(exchange: Exchange) -> None:
    exchange.head(Content_Length="1000")
    exchange.drip(b" " * 1000)


def drips_the_headers(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: slow\r\n" * 100)


def drips_the_status(exchange: Exchange) -> None:
    exchange.drip(b"HTTP/1.1 200 " + b"O" * 1000)


def continues_for_ever(exchange: Exchange) -> None:
    while not exchange.server.stopped.wait(0.01):
        exchange.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def breaks_off_in_the_body(exchange: Exchange) -> None:
    exchange.head(Content_Length="1000")
    exchange.write(b'{"resourceType": "Bundle"}')
    exchange.request.close_connection = True


def breaks_off_in_a_chunk(exchange: Exchange) -> None:
    exchange.head(Transfer_Encoding="chunked")
    exchange.write(b'1a\r\n{"resourceType": "Bundle"}\r\n40\r\n ')
    exchange.request.close_connection = True


def speaks_no_http(exchange: Exchange) -> None:
    exchange.write(b"\x16\x03\x01\x02\x00\x01\x00")
    exchange.request.close_connection = True


def sends(body: bytes, **headers: str) -> Handler:
    return lambda exchange: exchange.body(body, 200, **headers)


BUNDLE = b'{"resourceType": "Bundle", "entry": []}'

ANSWERS: list[tuple[str, Handler, str]] = [
    ("never answers", never_answers, TIMED_OUT),
    ("stops after the headers", stops_after_the_headers, TIMED_OUT),
    ("stops in the body", stops_in_the_body, TIMED_OUT),
    ("drips the body", drips_the_body, TIMED_OUT),
    ("drips the headers", drips_the_headers, TIMED_OUT),
    ("drips the status", drips_the_status, TIMED_OUT),
    ("continues for ever", continues_for_ever, TIMED_OUT),
    ("a reset", Exchange.reset, UNREACHABLE),
    ("broken off in the body", breaks_off_in_the_body, UNREACHABLE),
    ("broken off in a chunk", breaks_off_in_a_chunk, UNREACHABLE),
    ("no HTTP", speaks_no_http, UNREACHABLE),
    ("HTML", sends(b"<html><body>Log in</body></html>", Content_Type="text/html"), NOT_FHIR),
    ("nothing", sends(b""), NOT_FHIR),
    ("invalid UTF-8", sends(b'{"resourceType": "Bundle", "id": "\xff\xfe"}'), NOT_FHIR),
    ("UTF-16", sends('{"resourceType": "Bundle"}'.encode("utf-16")), NOT_FHIR),
    ("two documents", sends(BUNDLE * 2), NOT_FHIR),
    ("deep nesting", sends(nested(200_000)), NOT_FHIR),
    ("a list", sends_json([page(CANCER, PAIN)]), NOT_FHIR),
    ("null", sends_json(None), NOT_FHIR),
    ("JSON that is no FHIR", sends_json({"entry": []}), NOT_FHIR),
    ("a type that is no text", sends_json({"resourceType": ["Bundle"]}), NOT_FHIR),
    ("another type", sends_json(page(patient())), NOT_FHIR),
    ("compressed all the same", sends(gzip.compress(BUNDLE), Content_Encoding="gzip"), NOT_FHIR),
    ("a gzip bomb", sends(gzip.compress(b" " * 20_000_000), Content_Encoding="gzip"), NOT_FHIR),
    ("nesting within the bounds", sends(nested(900)), "holds an entry that could not be read"),
    ("the data of another patient", sends_json(page(condition(BREAST_CANCER, subject=reference("Patient", "pt-2")))),
     "holds data of another patient"),
    ("500", sends_json(outcome(), 500), FAILED),
    ("204", lambda exchange: exchange.head(204), FAILED),
    ("429 for ever", sends_json(outcome(), 429), FAILED),
    ("503 for ever", sends_json(outcome(), 503), FAILED),
    ("503 for an hour", sends_json(outcome(), 503, Retry_After="3600"), FAILED),
    ("503 until a date", sends_json(outcome(), 503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT"), FAILED),
    ("503 until no number", sends_json(outcome(), 503, Retry_After="\u00b2"), FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("handler", "why"), [row[1:] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_that_is_none_leaves_what_decides_unknown_and_says_why(handler: Handler, why: str) -> None:
    with WireFhirServer(handlers={KIND: handler}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) <= 2
    assert why_unknown(decision) == why


@pytest.mark.parametrize("handler", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_an_answer_that_is_none_to_what_refines_leaves_a_card_that_says_so(handler: Handler) -> None:
    with WireFhirServer(handlers={"Procedure": handler}) as server:
        decision = decide(server.base, lacking("procedures", CANCER, PAIN))
    assert set(decision.gaps) == {"procedures"}
    assert "procedures, implants" in only_card(decision)["detail"]


@pytest.mark.parametrize("entry", ["x", 7, {}, {"resource": CANCER}], ids=["text", "number", "object", "one entry"])
@pytest.mark.parametrize("later", [False, True], ids=["on the first page", "on a later page"])
def test_entries_that_cannot_be_read_are_no_empty_list(entry: object, later: bool) -> None:
    broken = {"resourceType": "Bundle", "entry": entry}

    def response(exchange: Exchange) -> None:
        first = later and "page=2" not in exchange.target
        exchange.resource(page(after=f"Condition?patient={PATIENT_ID}&page=2") if first else broken)

    with WireFhirServer(handlers={KIND: response}) as server:
        decision = decide(server.base, lacking("conditions"))
    # One entry in the place of the list may be read or not; nobody says that there is no cancer.
    assert decision.assessment.reason is not Reason.NO_CANCER_HISTORY


def test_what_came_in_time_decides_where_the_rest_did_not() -> None:
    slow = dict.fromkeys(["Observation", "ServiceRequest", "Procedure"], never_answers)
    with WireFhirServer(patient(), CANCER, PAIN, handlers=slow) as server:
        decision = decide(server.base)
    assert decision.assessment.reason is Reason.IMAGING_ADVISED
    assert {"observations", "serviceRequests", "procedures"} <= set(decision.gaps)


@pytest.mark.parametrize("handler", [never_answers, drips_the_body, drips_the_headers], ids=lambda item: item.__name__)
def test_no_reading_goes_on_after_the_call(handler: Handler) -> None:
    with WireFhirServer(handlers={KIND: handler}) as server:
        decide(server.base, lacking("conditions"))
        left = [thread for thread in threading.enumerate() if thread.name == "fhir-read"]
        for thread in left:
            thread.join(GRACE_SECONDS)
        assert [thread for thread in left if thread.is_alive()] == []


# --- One more attempt


@pytest.mark.parametrize(
    "failure",
    [
        sends_json(outcome(), 429),
        sends_json(outcome(), 503),
        sends_json(outcome(), 503, Retry_After="0"),
        Exchange.reset,
    ],
    ids=["429", "503", "503 with Retry-After 0", "a reset"],
)
def test_a_passing_failure_is_tried_once_more(failure: Handler) -> None:
    failures = [failure]

    def fails_once(exchange: Exchange) -> None:
        failures.pop()(exchange) if failures else exchange.serve()

    with WireFhirServer(CANCER, PAIN, handlers={KIND: fails_once}) as server:
        decision = decide(server.base, lacking("conditions"), deadline=3.0)
        assert len(server.requests) == 2
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {})


def test_a_server_that_asks_to_wait_longer_than_the_call_lasts_is_left_alone() -> None:
    with WireFhirServer(handlers={KIND: sends_json(outcome(), 503, Retry_After="3600")}) as server:
        decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1


def test_a_port_that_refuses_connections_is_said() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        decision = decide(f"http://127.0.0.1:{unused.getsockname()[1]}{BASE_PATH}", lacking("conditions"))
    assert why_unknown(decision) == UNREACHABLE


# --- Too much


@pytest.mark.parametrize("circle", [["1"], ["1", "2"], ["1", "2", "3", "2"]], ids=len)
def test_pages_that_lead_in_a_circle_are_left(circle: list[str]) -> None:
    def turn(exchange: Exchange) -> None:
        here = exchange.target.partition("page=")[2] or circle[0]
        after = circle[(circle.index(here) + 1) % len(circle)]
        exchange.resource(page(after=f"{server.base}/Condition?patient={PATIENT_ID}&page={after}"))

    with WireFhirServer(handlers={KIND: turn}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) <= len(circle) + 1
    assert why_unknown(decision) == ENDLESS


@pytest.mark.parametrize("most", [1, 3, 20])
def test_endless_pages_are_read_up_to_the_limit(most: int) -> None:
    def another(exchange: Exchange) -> None:
        exchange.resource(page(after=f"Condition?patient={PATIENT_ID}&page={len(server.requests)}"))

    with WireFhirServer(handlers={KIND: another}) as server:
        decision = decide(server.base, lacking("conditions"), deadline=10.0, fhir_max_pages=most)
        assert len(server.requests) == most
    assert why_unknown(decision) == TOO_MUCH


def test_what_the_read_pages_hold_decides_where_pages_never_end() -> None:
    def another(exchange: Exchange) -> None:
        exchange.resource(page(CANCER, PAIN, after=f"Condition?patient={PATIENT_ID}&page={len(server.requests)}"))

    with WireFhirServer(handlers={KIND: another}) as server:
        decision = decide(server.base, lacking("conditions"), deadline=10.0)
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {"conditions": TOO_MUCH})


MEGABYTE = 1_000_000


def floods(head: Callable[[Exchange], None], sent: list[int]) -> Handler:
    """A handler that sends this head and then blanks, until the client leaves; `sent` holds the number of bytes."""

    def flood(exchange: Exchange) -> None:
        head(exchange)
        for _ in range(100):
            exchange.write(b" " * MEGABYTE)
            sent.append(MEGABYTE)

    return flood


FLOODS: list[tuple[str, Callable[[Exchange], None], str]] = [
    ("200", lambda exchange: exchange.head(Content_Length=str(100 * MEGABYTE)), TOO_MUCH),
    ("200 without length", lambda exchange: exchange.head(Connection="close"), TOO_MUCH),
    ("302", lambda exchange: exchange.head(302, Content_Length=str(100 * MEGABYTE), Location="/x"), NOT_ALLOWED),
    ("500", lambda exchange: exchange.head(500, Content_Length=str(100 * MEGABYTE)), FAILED),
]


@pytest.mark.parametrize(("head", "why"), [row[1:] for row in FLOODS], ids=[row[0] for row in FLOODS])
def test_no_more_than_the_limit_is_taken_of_a_body(head: Callable[[Exchange], None], why: str) -> None:
    sent: list[int] = []
    with WireFhirServer(handlers={KIND: floods(head, sent)}) as server:
        decision = decide(server.base, lacking("conditions"), deadline=5.0, fhir_max_bytes=10_000)
    assert why_unknown(decision) == why
    # What the sockets of the machine hold besides is not taken.
    assert sum(sent) < 20 * MEGABYTE


def test_the_limit_is_for_all_answers_together() -> None:
    long = dict.fromkeys(["Condition", "Observation"], sends(b" " * 6_000 + BUNDLE))
    with WireFhirServer(patient(), handlers=long) as server:
        decision = decide(server.base, fhir_max_bytes=10_000)
    assert sorted(set(decision.gaps) & {"conditions", "observations"}) in (["conditions"], ["observations"])


def test_five_thousand_conditions_are_all_read() -> None:
    others = [condition("icd10cm I10", onset=day(900)) for _ in range(5_000)]
    with WireFhirServer(*others, CANCER, PAIN, page=500) as server:
        decision = decide(server.base, lacking("conditions"), deadline=30.0)
        assert len(server.requests) == 11
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {})
