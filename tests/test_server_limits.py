"""Limits of the real server on what it receives, and what its answers and log reveal: no patient, no software."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.server_calls import FEEDBACK, MOST_BYTES, PATH, a_call, comes_true, feedback, post, times_of_now
from tests.token_maker import BASE_URL, ISSUER, key, key_set, token
from tests.wire_fhir_server import Exchange, WireFhirServer

if TYPE_CHECKING:
    from tests.real_server import RealServer, StartService

pytest_plugins = ("tests.real_server",)

GET = "GET /health/live HTTP/1.1\r\nHost: cds\r\nConnection: close\r\n"


# Stands for everything that could identify a patient, and for tokens. No UUID can hold it by chance.
MARK = "Zq7351Zq"


def get(path: str, method: str = "GET", *headers: str) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: cds", "Connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1")


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    """A call whose length is not announced."""
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    head = f"POST {PATH} HTTP/1.1\r\nHost: cds\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return head.encode() + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(parts) + end


def whole_call() -> bytes:
    return json.dumps(a_call()).encode()


def padded(size: int) -> bytes:
    """A call of so many bytes."""
    call = whole_call()
    return call + b" " * (size - len(call))


def status_of(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


# --- Bodies


def test_a_body_of_unannounced_length_is_a_call_like_any_other(standing_service: RealServer) -> None:
    call = whole_call()
    assert b'"uuid"' in standing_service.says(chunked(call[:100], call[100:]))


@pytest.mark.parametrize(("size", "status"), [(MOST_BYTES, 200), (MOST_BYTES + 1, 413)])
def test_the_largest_body_is_answered_and_one_byte_more_is_refused(
    standing_service: RealServer, size: int, status: int
) -> None:
    assert status_of(standing_service.says(post(padded(size)))) == status


@pytest.mark.parametrize(("size", "status"), [(MOST_BYTES, 200), (MOST_BYTES + 1, 413), (50 * MOST_BYTES, 413)])
def test_a_body_of_unannounced_length_is_bounded_too(standing_service: RealServer, size: int, status: int) -> None:
    body = padded(size)
    with standing_service.connection() as connection:
        # It need not listen to the end.
        with contextlib.suppress(ConnectionError):
            connection.sendall(chunked(*(body[start : start + 4096] for start in range(0, size, 4096))))
        assert status_of(connection.recv(4096)) == status


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(standing_service: RealServer) -> None:
    assert status_of(standing_service.says(post(b"", length=10**12))) == 413


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(post(b"{}", length=1), 400, id="longer than announced"),
        pytest.param(post(b"{}", length=-1), 400, id="negative length"),
        pytest.param(post(b"{}", PATH, "Content-Length: 3"), 400, id="two lengths"),
        pytest.param(chunked(b"{}").replace(b"2\r\n", b"zz\r\n"), 400, id="a chunk of no size"),
        pytest.param(chunked(end=b"zz\r\n\r\n"), 400, id="no chunk but a broken one"),
        pytest.param(post(b""), 400, id="no body"),
        pytest.param(post(b"\x00" * 100), 400, id="null bytes"),
        pytest.param(post(b"[" * 10_000), 400, id="brackets"),
        pytest.param(post(b"{}").replace(b"application/json", b"text/plain"), 415, id="another media type"),
        pytest.param(post(b"{}", f"{PATH}/nothing"), 404, id="another address"),
    ],
)  # fmt: skip
def test_a_body_that_is_wrong_is_refused(standing_service: RealServer, sent: bytes, status: int) -> None:
    assert status_of(standing_service.says(sent)) == status


def test_a_client_that_leaves_in_the_middle_of_its_body_harms_nobody(standing_service: RealServer) -> None:
    for _ in range(50):
        with standing_service.connection() as connection:
            connection.sendall(post(b"{", length=1000))
    assert standing_service.call().status_code == 200


# --- Requests


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        pytest.param(b"GET /health/live HTTP/1.0\r\n\r\n", 200, id="HTTP/1.0"),
        pytest.param(get("/cds-services", "HEAD"), 200, id="HEAD"),
        pytest.param(get("/cds-services", "TRACE"), 405, id="TRACE"),
        pytest.param(get("/cds-services", "BREW"), 405, id="unknown method"),
        pytest.param(get("elsewhere.example.org:443", "CONNECT"), 405, id="CONNECT"),
        pytest.param(get("*", "OPTIONS"), 404, id="OPTIONS *"),
        pytest.param(get("/a%00b"), 404, id="null byte in the path"),
        pytest.param(get("/a\0b"), 400, id="bare null byte in the path"),
        pytest.param(get("/static/%2e%2e%2f%2e%2e%2fsettings.py"), 404, id="out of the folder of files"),
        pytest.param(get("/static/..%5c..%5csettings.py"), 404, id="out of it by backslashes"),
        pytest.param(get("/a%ff%fe"), 404, id="no UTF-8 in the path"),
        pytest.param(get("/%E2%82%AC"), 404, id="a euro sign in the path"),
        pytest.param(get("/a%zz"), 404, id="no hexadecimal number in the path"),
        pytest.param(get(f"/{'a' * 70_000}"), 431, id="long path"),
        pytest.param(get("/health/live", "GET", f"X-Long: {'a' * 20_000}"), 200, id="long header"),
        pytest.param(get("/health/live", "GET", f"X-Long: {'a' * 1_000_000}"), 431, id="huge header"),
        pytest.param(get("/health/live", "GET", *(f"X-{n}: a" for n in range(500))), 431, id="many headers"),
        pytest.param(get("/health/live", "GET", "X-Name: Zo\xeb"), 200, id="header beyond ASCII"),
        pytest.param(get("/health/live", "GET", "X Name: a"), 400, id="a blank in the name of a header"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", 400, id="TLS"),
    ],
)  # fmt: skip
def test_an_odd_request_is_answered_sensibly(standing_service: RealServer, sent: bytes, status: int) -> None:
    assert status_of(standing_service.says(sent)) == status
    assert standing_service.get("/health/live").status_code == 200


def test_an_encoded_slash_is_a_slash(standing_service: RealServer) -> None:
    path = PATH.replace("/", "%2F")
    assert status_of(standing_service.says(post(whole_call(), f"/{path}"))) == 200


def test_pipelined_requests_are_answered_in_their_order(standing_service: RealServer) -> None:
    call = post(whole_call()).replace(b"Connection: close\r\n", b"")
    responses = standing_service.says(
        call + get("/nothing").replace(b"Connection: close\r\n", b"") + get("/health/live")
    )
    statuses = re.findall(rb"HTTP/1.1 (\d+)", responses)
    assert statuses == [b"200", b"404", b"200"]


def test_a_client_that_waits_to_be_told_to_go_on_is_told(standing_service: RealServer) -> None:
    call = whole_call()
    with standing_service.connection() as connection:
        connection.sendall(post(b"", PATH, "Expect: 100-continue", length=len(call)))
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(call)
        assert status_of(connection.recv(65_536)) == 200


def test_a_header_cannot_pass_for_another(start_service: StartService) -> None:
    service = start_service(development=True)
    future = post(whole_call(), PATH, "X_As_Of: nonsense")
    assert status_of(service.says(future)) == 200
    assert status_of(service.says(future.replace(b"X_As_Of", b"X-As-Of"))) == 400


# --- Slow clients

CLIENTS_OF_A_KIND = 50


def slow_clients(service: RealServer) -> list[socket.socket]:
    """200 connections: a part of the headers, headers only, half a body, and an answer that is never read."""
    call = whole_call()
    half = post(call)[: -len(call) // 2]
    unread = post(call).replace(b"Connection: close\r\n", b"") * 20
    opened = []
    for sent in (GET.encode(), post(b"", length=len(call)), half, unread):
        for _ in range(CLIENTS_OF_A_KIND):
            opened.append(service.connection())
            opened[-1].sendall(sent)
    return opened


def test_slow_clients_do_not_stop_others(start_service: StartService) -> None:
    service = start_service(workers=1)
    with ExitStack() as open_connections:
        slow = [open_connections.enter_context(connection) for connection in slow_clients(service)]
        for _ in range(20):
            assert service.call().status_code == 200
            for connection in slow[: 2 * CLIENTS_OF_A_KIND]:
                # One byte at a time: of a header, or of a body.
                connection.sendall(b" ")
        assert service.metric("cds_http_errors_total") == 0


def test_a_slow_client_is_answered_when_it_has_sent_everything(start_service: StartService) -> None:
    service = start_service()
    sent = post(whole_call())
    with service.connection() as connection:
        for start in range(0, len(sent), 100):
            connection.sendall(sent[start : start + 100])
            service.get("/health/live")
        assert status_of(connection.recv(65_536)) == 200


def test_a_stranger_is_refused_without_waiting_for_its_body(start_service: StartService, tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    file.write_bytes(key_set(key()))
    service = start_service(base_url=BASE_URL, clients=[{"issuer": ISSUER, "jwks_file": str(file)}])
    for path in (PATH, FEEDBACK):
        assert status_of(service.says(post(b"{", path, length=1_000_000))) == 401


def test_calls_that_wait_for_a_slow_fhir_server_do_not_stop_others(start_service: StartService) -> None:
    with WireFhirServer(handlers={"Condition": Exchange.be_silent}) as fhir:
        service = start_service(fhir_servers=[fhir.base], fhir_deadline_seconds=20)
        waiting = post(json.dumps(a_call(fhirServer=fhir.base, prefetch={"patient": None})).encode())
        with ExitStack() as open_connections:
            for _ in range(48):
                open_connections.enter_context(service.connection()).sendall(waiting)
            assert comes_true(lambda: len(fhir.requests) >= 48)
            assert service.call().status_code == 200


# --- What it says of itself and of patients


@pytest.mark.parametrize("path", ["/cds-services", "/", "/evidence", "/metrics", "/health/ready", "/nothing", PATH])
def test_no_answer_names_the_program_that_sent_it_and_each_has_an_id(standing_service: RealServer, path: str) -> None:
    response = standing_service.get(path)
    assert response.headers["Server"] == "cds"
    assert re.fullmatch(r"[0-9a-f-]{36}", response.headers["X-Decision-Id"])
    assert "Via" not in response.headers and "X-Powered-By" not in response.headers


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", get("/a\0b"), get(f"/{'a' * 70_000}")])
def test_what_is_no_request_is_refused_without_a_word(standing_service: RealServer, sent: bytes) -> None:
    head, _, body = standing_service.says(sent).partition(b"\r\n\r\n")
    assert body == b"" and b"server:" not in head.lower() and b"granian" not in head.lower()


def test_every_request_is_one_line_of_json_under_the_id_of_its_answer(start_service: StartService) -> None:
    service = start_service(workers=2)
    responses = [
        (service.call(), service.call({}), service.get("/nothing"), service.get("/evidence")) for _ in range(5)
    ]
    ids = [response.headers["X-Decision-Id"] for four in responses for response in four]
    assert sorted(line["decision_id"] for line in service.lines()) == sorted(ids)


def marked_calls(fhir_server: str) -> list[bytes]:
    """Calls full of marks, for every way in which a call can end but a crash."""
    known = a_call()["prefetch"]
    patient = {"resourceType": "Patient", "id": MARK, "name": [{"family": MARK}], "identifier": [{"value": MARK}]}
    for item in known["conditions"]["entry"]:
        item["resource"] |= {"id": MARK, "subject": {"reference": f"Patient/{MARK}"}, "note": [{"text": MARK}]}
    context = {"userId": f"Practitioner/{MARK}", "patientId": MARK, "encounterId": MARK}
    call = a_call(context=context, prefetch=known | {"patient": patient})
    reading = call | {"prefetch": {"patient": patient}, "fhirServer": fhir_server}
    reading["fhirAuthorization"] = {"access_token": MARK, "token_type": "Bearer", "expires_in": 300, "scope": MARK}
    bodies = [
        call,
        call | {"hookInstance": MARK},
        call | {"prefetch": {"conditions": MARK}},
        call | {"hook": MARK, MARK: MARK},
        call | {"context": {"patientId": [MARK]}},
        reading,
        reading | {"fhirServer": f"https://{MARK}.example.org"},
        call | {"extension": {"padding": MARK * MOST_BYTES}},
    ]
    headers = (f"Authorization: Bearer {MARK}", f"X-Request-Id: {MARK}", f"Cookie: {MARK}={MARK}")
    told = feedback(MARK, "overridden", overrideReason={"reason": {"code": MARK}, "userComment": MARK})
    return [
        *(post(json.dumps(body).encode(), PATH, *headers) for body in bodies),
        post(json.dumps(call).encode()[:-1], PATH, *headers),
        post(json.dumps(call).encode()).replace(b"application/json", f"text/{MARK}".encode()),
        post(json.dumps(told).encode(), FEEDBACK, *headers),
        post(json.dumps(told | {"feedback": MARK}).encode(), FEEDBACK),
        post(json.dumps(call).encode(), f"/cds-services/{MARK}", *headers),
        get(f"/{MARK}?{MARK}={MARK}", MARK, *headers),
        get("/health/live", "GET", f"{MARK}: {MARK}", f"Referer: https://{MARK}.example.org"),
        f"{MARK}\r\n\r\n".encode(),
    ]


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        ("open", {200, 400, 404, 412, 413, 415}),
        ("with clients", {200, 400, 401, 404}),
        ("without a ledger", {200, 400, 404, 412, 413, 415, 503}),
    ],
)
def test_no_mark_of_a_patient_a_user_or_a_token_is_left_anywhere(
    start_service: StartService, tmp_path: Path, kind: str, statuses: set[int]
) -> None:
    settings: dict[str, Any] = {"pseudonym_key": MARK * 4, "max_body_bytes": 3 * MOST_BYTES}
    (tmp_path / "keys.json").write_bytes(key_set(key()))
    if kind == "with clients":
        settings |= {"base_url": BASE_URL, "clients": [{"issuer": ISSUER, "jwks_file": str(tmp_path / "keys.json")}]}
    if kind == "without a ledger":
        settings |= {"data_folder": str(tmp_path / "keys.json" / "data")}
    with WireFhirServer(token="another") as fhir:
        service = start_service(workers=1, **settings, fhir_servers=[fhir.base])
        responses = [service.says(sent) for sent in marked_calls(fhir.base)]
        signed = token(None, "ES384", None, **times_of_now(), jti=MARK, sub=MARK)
        assert service.call(token=signed).status_code == 200
        forged = service.call(token=f"{signed[:-4]}AAAA").content
    assert {status_of(response) for response in responses} == statuses
    metrics = service.get("/metrics").content
    service.tell_to_stop()
    assert service.exit_status() == 0 and service.lines()
    refusals = [response for response in responses if status_of(response) != 200]
    stored = [path.read_bytes() for path in service.data.rglob("*") if path.is_file()]
    assert bool(stored) is (kind != "without a ledger")
    everything = [*refusals, metrics, *stored, service.output().encode(), service.errors().encode()]
    everything += [forged] if kind == "with clients" else []
    assert [text for text in everything if MARK.lower().encode() in text.lower()] == []
    assert not any(b"Traceback" in text for text in everything)


# --- Health


@pytest.mark.parametrize(("strict", "status", "call"), [(False, 200, 200), (True, 503, 503)])
def test_a_ledger_that_is_down_shows_in_readiness_and_stops_calls_only_where_it_must_be_written(
    start_service: StartService, tmp_path: Path, strict: bool, status: int, call: int
) -> None:
    (tmp_path / "file").touch()
    service = start_service(data_folder=str(tmp_path / "file" / "data"), ledger_strict=strict)
    ready = service.get("/health/ready")
    assert (ready.status_code, ready.json()["ledger"][:5]) == (status, "down:")
    assert service.get("/health/live").status_code == 200
    assert service.call().status_code == call
    assert service.call(feedback("f0000000-0000-4000-8000-000000000001"), FEEDBACK).status_code == 503


def test_a_service_whose_ledger_works_is_ready(standing_service: RealServer) -> None:
    ready = standing_service.get("/health/ready")
    assert (ready.status_code, ready.json()["status"], ready.json()["ledger"]) == (200, "ready", "ok")
