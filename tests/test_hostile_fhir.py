"""A FHIR server that is slow, broken or hostile: the call ends in time, says what it lacks, and goes nowhere else."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from cds_service import Settings
from cds_service.clinical.rules.breast_cancer_back_pain.reasons import Reason
from cds_service.decision.hook_call import HookCall
from cds_service.decision.support import Decision, DecisionSupport
from cds_service.errors import MissingData
from tests.builders import (
    BREAST_CANCER,
    LOW_BACK_PAIN,
    NOW,
    PATIENT_ID,
    SERVICES,
    Json,
    condition,
    day,
    only_card,
    outcome,
    patient,
    prefetch,
    reference,
    request,
)
from tests.wire_fhir_server import BASE_PATH, Exchange, Handler, WireFhirServer

TOKEN = "token-5f0c7a"
DEADLINE_SECONDS = 0.6

# What the machine that runs the tests may add to the deadline.
GRACE_SECONDS = 1.0

CANCER = condition(BREAST_CANCER, onset=day(4000))
PAIN = condition(LOW_BACK_PAIN, onset=day(5))
KIND = "Condition"

TIMED_OUT = "timed out"
NOT_FHIR = "not a FHIR resource or Bundle of the expected type"
FAILED = "the EHR answered with an error"
UNREACHABLE = "the FHIR server could not be reached"
NOT_ALLOWED = "not allowed"
TOO_MUCH = "more data than is read for one call"
ENDLESS = "the FHIR server's pages lead in a circle"


def decide(
    base: str,
    brought: Mapping[str, Any] | None = None,
    token: str = TOKEN,
    deadline: float = DEADLINE_SECONDS,
    **settings: Any,
) -> Decision:
    """The answer to a call that may read this FHIR server; it must come in time."""
    support = DecisionSupport(Settings(fhir_servers=(base,), fhir_deadline_seconds=deadline, **settings))
    call = request(prefetch=brought) | {"fhirServer": base}
    if token:
        call["fhirAuthorization"] = {"access_token": token}
    began = time.monotonic()
    decision = support.decide(HookCall(SERVICES["breast-cancer-back-pain-patient-view"], NOW), call)
    assert time.monotonic() - began < deadline + GRACE_SECONDS
    return decision


def lacking(key: str, *resources: Json) -> Json:
    """A prefetch in which one key is missing."""
    return {name: value for name, value in prefetch(*resources).items() if name != key}


def why_unknown(decision: Decision) -> str:
    """Why the conditions are not known, in a call that is refused for them."""
    with pytest.raises(MissingData) as raised:
        decision.response_or_error()
    assert raised.value.status == 412
    (why,) = [why for key, why in raised.value.missing if key == "conditions"]
    return why


def page(*resources: Json, after: str | None = None) -> Json:
    """A search page; `after` is the address of the next one."""
    made: Json = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": item} for item in resources]}
    if after is not None:
        made["link"] = [{"relation": "next", "url": after}]
    return made


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


def sends_json(value: object, status: int = 200, **headers: str) -> Handler:
    return lambda exchange: exchange.resource(value, status, **headers)


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

    def answer(exchange: Exchange) -> None:
        first = later and "page=2" not in exchange.target
        exchange.resource(page(after=f"Condition?patient={PATIENT_ID}&page=2") if first else broken)

    with WireFhirServer(handlers={KIND: answer}) as server:
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


# --- Nowhere else


@pytest.fixture
def elsewhere() -> Iterator[WireFhirServer]:
    """Another server, which would give what is asked for; nothing may arrive there."""
    with WireFhirServer(patient(), CANCER, PAIN) as server:
        yield server
        assert server.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 300, 304])
def test_a_redirect_is_not_followed(elsewhere: WireFhirServer, status: int) -> None:
    to = sends_json(page(CANCER, PAIN), status, Location=f"{elsewhere.base}/Condition?patient={PATIENT_ID}")
    with WireFhirServer(handlers={KIND: to}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


@pytest.mark.parametrize(
    "location", ["/fhir/Condition?page=2", "http://[", "//[::", "\u00ff\u00fe", "http://\u00b2", ""]
)
def test_a_redirect_to_anywhere_is_not_followed(location: str) -> None:
    with WireFhirServer(handlers={KIND: sends_json(page(CANCER, PAIN), 302, Location=location)}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


FOREIGN_PAGES = [
    "{elsewhere}/Condition?page=2",
    "//{elsewhere_host}/fhir/Condition?page=2",
    "http://{host}@{elsewhere_host}/fhir/Condition?page=2",
    "http://{elsewhere_host}#@{host}/fhir/Condition?page=2",
    "ht\ntp://{elsewhere_host}/fhir/Condition?page=2",
    "\\\\{elsewhere_host}\\fhir\\Condition?page=2",
    "http://{elsewhere_host}\\@{host}/fhir/Condition?page=2",
    "http://user@{host}/fhir/Condition?page=2",
    "http://user:secret@{host}/fhir/Condition?page=2",
    "http://@{host}/fhir/Condition?page=2",
    "https://{host}/fhir/Condition?page=2",
    "http://localhost:{port}/fhir/Condition?page=2",
    "http://{host}0/fhir/Condition?page=2",
    "{origin}/admin/Condition?page=2",
    "{origin}/fhirs/Condition?page=2",
    "{origin}/FHIR/Condition?page=2",
    "/admin/Condition?page=2",
    "../admin",
    "../../admin",
    "{base}/../admin",
    "{base}/./../admin",
    "{base}/..",
    "{base}/%2e%2e/admin",
    "{base}/%2E%2E/admin",
    "{base}/.%2e/admin",
    "{base}/..%2fadmin",
    "{base}/..%5cadmin",
    "{base}/..\\admin",
    "{base}/..;/admin",
    "file:///etc/passwd",
    "ftp://{host}/fhir/Condition?page=2",
    "data:application/fhir+json,{{}}",
    "http://[",
    "http://[::1/fhir/Condition?page=2",
    "http://{host}99999/fhir/Condition?page=2",
]


@pytest.mark.parametrize("link", FOREIGN_PAGES)
def test_a_next_page_outside_of_the_base_address_is_not_asked_for(elsewhere: WireFhirServer, link: str) -> None:
    def first(exchange: Exchange) -> None:
        host, other = server.origin.removeprefix("http://"), elsewhere.origin.removeprefix("http://")
        places = {"host": host, "port": host.partition(":")[2], "elsewhere": elsewhere.base, "elsewhere_host": other}
        exchange.resource(page(after=link.format(base=server.base, origin=server.origin, **places)))

    with WireFhirServer(CANCER, PAIN, handlers={KIND: first}) as server:
        decision = decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1
    assert why_unknown(decision) == NOT_ALLOWED


@pytest.mark.parametrize("link", ["http://[", "https://ehr.example.org/fhir/Condition?page=2", "../admin"])
def test_a_foreign_next_page_leaves_a_gap_behind_what_was_read(link: str) -> None:
    with WireFhirServer(handlers={KIND: sends_json(page(CANCER, PAIN, after=link))}) as server:
        decision = decide(server.base, lacking("conditions"))
    assert (decision.assessment.reason, decision.gaps) == (Reason.IMAGING_ADVISED, {"conditions": NOT_ALLOWED})


@pytest.mark.parametrize("link", ["{elsewhere}/Condition?page=2", "http://[", "../admin", "file:///etc/passwd"])
def test_a_foreign_next_page_in_the_prefetch_is_not_asked_for(elsewhere: WireFhirServer, link: str) -> None:
    first = page(after=link.format(elsewhere=elsewhere.base))
    with WireFhirServer() as server:
        decide(server.base, prefetch() | {"conditions": first})
        beyond = [query for query in server.asked if f"patient={PATIENT_ID}" not in query]
    assert beyond == []


@pytest.mark.parametrize(
    "visit",
    [
        "Encounter/../../x",
        "Encounter/..",
        "Encounter/.",
        "Encounter/%2e%2e",
        "Encounter/e-1?patient=pt-2",
        "Encounter/e-1#1",
        "Encounter/e 1",
        "Encounter/e-1\n",
        "Encounter/e\\..",
        "Encounter/\u0661",
        "Encounter/" + "e" * 65,
        "Encounter?patient=pt-2",
        "Patient/pt-2",
        "https://ehr.example.org/fhir/Encounter/..",
        "https://ehr.example.org/Encounter/@x",
        "//ehr.example.org/Encounter/x@y",
        "urn:uuid:e-1",
        "#e-1",
    ],
)
def test_a_visit_whose_id_bends_the_address_is_not_read(visit: str) -> None:
    pain = condition(LOW_BACK_PAIN, encounter={"reference": visit})
    with WireFhirServer() as server:
        decision = decide(server.base, prefetch(CANCER, pain))
        assert server.asked == []
    assert decision.assessment.reason is Reason.IMAGING_ADVISED


def test_a_visit_on_another_server_is_looked_for_on_the_server_of_the_call(elsewhere: WireFhirServer) -> None:
    pain = condition(LOW_BACK_PAIN, encounter={"reference": f"{elsewhere.base}/Encounter/e-1"})
    with WireFhirServer() as server:
        decide(server.base, prefetch(CANCER, pain))
        assert server.asked == ["Encounter/e-1"]


@pytest.mark.parametrize("lower", [False, True], ids=["upper case", "lower case"])
def test_a_proxy_of_the_environment_is_not_used(
    elsewhere: WireFhirServer, monkeypatch: pytest.MonkeyPatch, lower: bool
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name.lower() if lower else name, elsewhere.origin)
    with WireFhirServer(CANCER, PAIN) as server:
        decide(server.base, lacking("conditions"))
        assert len(server.requests) == 1


@pytest.mark.parametrize("token", ["", TOKEN], ids=["without a token", "with a token"])
def test_passwords_of_the_machine_are_not_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    for name in (".netrc", "_netrc"):
        (tmp_path / name).write_text("machine 127.0.0.1 login somebody password secret\ndefault login a password b\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with WireFhirServer(CANCER, PAIN) as server:
        decide(server.base, lacking("conditions"), token=token)
        (asked,) = server.requests
    assert asked.headers.get("authorization") == (f"Bearer {token}" if token else None)


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
