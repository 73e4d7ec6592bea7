"""Whether the server may start, how open it says it is, and how often a client may call."""

from __future__ import annotations

import threading

import pytest

from cds_service.trust.clients import TrustedClient
from cds_service.trust.exposure import is_loopback, openness, start_problem
from cds_service.trust.rate import RateLimit
from tests.token_maker import BASE_URL, a_client

LOOPBACK = ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "localhost", "LocalHost"]
ELSEWHERE = ["0.0.0.0", "::", "[::]", "", "10.1.2.3", "ehr.example.org", "127.0.0.1.example.org", "2130706433"]
CLIENTS = (a_client(),)


@pytest.mark.parametrize("host", LOOPBACK)
def test_without_clients_the_service_starts_on_this_machine_and_says_that_it_is_open(host: str) -> None:
    assert is_loopback(host)
    assert start_problem(host, (), insecure=False, base_url=None, development=False) is None
    assert openness(host, (), False) == "open: anyone on this machine may call, without a token"


@pytest.mark.parametrize("host", ELSEWHERE)
def test_without_clients_it_does_not_start_for_others(host: str) -> None:
    assert not is_loopback(host)
    problem = start_problem(host, (), insecure=False, base_url=BASE_URL, development=False)
    assert problem is not None
    assert "--insecure" in problem and "'clients'" in problem


@pytest.mark.parametrize("host", ELSEWHERE)
def test_without_clients_it_starts_for_others_where_someone_insists_and_says_so(host: str) -> None:
    assert start_problem(host, (), insecure=True, base_url=None, development=False) is None
    assert openness(host, (), False) == "open: anyone who reaches this machine may call, without a token (--insecure)"


@pytest.mark.parametrize("host", LOOPBACK + ELSEWHERE)
def test_with_clients_it_starts_anywhere(host: str) -> None:
    assert start_problem(host, CLIENTS, insecure=False, base_url=BASE_URL, development=False) is None
    assert openness(host, CLIENTS, False) == "closed: 1 trusted client may call, with a token"


@pytest.mark.parametrize("clients", [(), CLIENTS])
@pytest.mark.parametrize("host", ELSEWHERE)
def test_the_workbench_is_not_served_to_others_unless_someone_insists(
    host: str, clients: tuple[TrustedClient, ...]
) -> None:
    problem = start_problem(host, clients, insecure=False, base_url=BASE_URL, development=True)
    assert problem is not None
    assert "--insecure" in problem and "'development'" in problem
    assert start_problem(host, clients, insecure=True, base_url=BASE_URL, development=True) is None


@pytest.mark.parametrize("host", LOOPBACK)
def test_the_workbench_is_served_on_this_machine(host: str) -> None:
    assert start_problem(host, CLIENTS, insecure=False, base_url=BASE_URL, development=True) is None


@pytest.mark.parametrize(
    ("host", "who"),
    [
        ("127.0.0.1", "anyone on this machine may open the workbench and ask it why, without a token"),
        (
            "0.0.0.0",
            "anyone who reaches this machine may open the workbench and ask it why, without a token (--insecure)",
        ),
    ],
)
def test_a_service_with_a_workbench_does_not_call_itself_closed(host: str, who: str) -> None:
    refused = "the workbench's own calls have none and are refused"
    assert openness(host, CLIENTS, True) == f"1 trusted client may call, with a token; open: {who}; {refused}"


def test_the_clients_are_counted() -> None:
    assert openness("", CLIENTS * 2, False).startswith("closed: 2 trusted clients may call")


@pytest.mark.parametrize("insecure", [False, True])
@pytest.mark.parametrize("base_url", [None, ""])
def test_clients_need_the_public_address_whatever_else_is_said(base_url: str | None, insecure: bool) -> None:
    problem = start_problem("127.0.0.1", CLIENTS, insecure, base_url, False)
    assert problem is not None
    assert "'base_url'" in problem


@pytest.mark.parametrize("base_url", ["cds.example.org", "http://cds.example.org", "https://cds.example.org/?a"])
def test_a_public_address_that_no_client_could_call_safely_stops_the_start(base_url: str) -> None:
    problem = start_problem("127.0.0.1", CLIENTS, False, base_url, False)
    assert problem is not None
    assert problem.startswith("The setting 'base_url' ")


# --- Rate


class Seconds:
    """A timer that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_as_many_calls_as_the_limit_says_pass_and_the_next_one_waits() -> None:
    limit = RateLimit(3, Seconds())
    assert [limit.allow("a") for _ in range(5)] == [None, None, None, 60, 60]


def test_calls_pass_again_as_the_window_moves() -> None:
    timer = Seconds()
    limit = RateLimit(2, timer)
    assert limit.allow("a") is None
    timer.now += 40
    assert [limit.allow("a"), limit.allow("a")] == [None, 20]
    timer.now += 19.5
    assert limit.allow("a") == 1
    timer.now += 0.6
    assert [limit.allow("a"), limit.allow("a")] == [None, 40]


def test_refused_calls_do_not_count() -> None:
    timer = Seconds()
    limit = RateLimit(1, timer)
    limit.allow("a")
    for _ in range(50):
        assert limit.allow("a")
    timer.now += 60.1
    assert limit.allow("a") is None


def test_clients_do_not_use_up_the_calls_of_others() -> None:
    limit = RateLimit(1, Seconds())
    assert [limit.allow("a"), limit.allow("b"), limit.allow("a/b"), limit.allow("a")] == [None, None, None, 60]


def test_a_client_may_have_its_own_limit() -> None:
    limit = RateLimit(1, Seconds())
    assert [limit.allow("a", 3) for _ in range(4)] == [None, None, None, 60]
    assert [limit.allow("b") for _ in range(2)] == [None, 60]


def test_a_call_starts_no_thread() -> None:
    limit, before = RateLimit(10), set(threading.enumerate())
    for _ in range(20):
        limit.allow("a")
        assert set(threading.enumerate()) <= before
