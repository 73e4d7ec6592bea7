"""Requests of one's own in the workbench, calls repeated elsewhere, and the server of real use."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from playwright.sync_api import Page, expect

from cds_service.scenarios import read_scenario, scenarios_folder
from tests.builders import NOW
from tests.workbench import CAUDA_EQUINA, opened_at, pick, sent_feedback, workbench_app

if TYPE_CHECKING:
    from tests.browser import Serve, Watch

pytest_plugins = ("tests.browser",)


@pytest.fixture(scope="module")
def address(serve: Serve) -> str:
    return serve(workbench_app())


@pytest.fixture
def opened(page: Page, address: str) -> Page:
    """The workbench with its first patient: a warning for low back pain."""
    page.goto(address)
    expect(page.locator(".card")).to_contain_text("new low back pain")
    return page


# --- A request of one's own


def send_own(page: Page, text: str) -> None:
    page.get_by_text("Send a request of your own").click()
    page.get_by_label("Hook request (JSON)").fill(text)
    page.get_by_role("button", name="Send this request").click()


def own_request(name: str = CAUDA_EQUINA) -> str:
    return json.dumps(read_scenario(scenarios_folder() / name, NOW).request)


def test_a_pasted_request_is_answered(opened: Page) -> None:
    send_own(opened, own_request())
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")
    expect(opened.get_by_role("heading", name="A request of your own")).to_be_visible()
    expect(opened.get_by_role("group", name="The physician")).to_be_hidden()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"hook": ', "body: must be valid JSON"),
        ("", "must be a JSON object, but is empty"),
        ('{"hook": "patient-view"}', "hookInstance: is missing"),
        ('{"hook": "appointment-book", "hookInstance": "x", "context": {}}', "hook: must be"),
    ],
)
def test_a_broken_request_gets_a_clear_message_and_breaks_nothing(
    watch: Watch, address: str, text: str, message: str
) -> None:
    watch.expect_error("status of 400")
    page = opened_at(watch.page, address, CAUDA_EQUINA)
    send_own(page, text)
    expect(page.locator(".panel.refused")).to_contain_text("The service refused this request")
    expect(page.locator(".panel.refused")).to_contain_text(message)
    expect(page.locator("#why")).to_be_hidden()
    pick(page, "row-001")
    expect(page.locator(".card")).to_contain_text("new low back pain")


def test_a_dropped_file_is_answered(opened: Page) -> None:
    opened.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], 'call.json', { type: 'application/json' }));
            document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        own_request(),
    )
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")


def test_a_chosen_file_is_answered(opened: Page, tmp_path: Path) -> None:
    file = tmp_path / "call.json"
    file.write_text(own_request("row-081-1-draft-ibuprofen"), encoding="utf-8")
    opened.locator("#own-file").set_input_files(file)
    expect(opened.locator("#answer-service")).to_have_text("breast-cancer-back-pain-order-select")
    expect(opened.locator(".card")).to_contain_text("new low back pain")


def test_hostile_words_of_a_chart_stay_words(opened: Page) -> None:
    call = json.loads(own_request())
    hostile = "<img src=https://elsewhere.example.org/x onerror=alert(1)> low back pain"
    for entry in call["prefetch"]["conditions"]["entry"][1:]:
        entry["resource"]["code"] = {"text": hostile}
    send_own(opened, json.dumps(call))
    expect(opened.locator(".criteria")).to_contain_text("onerror=alert(1)")
    assert opened.locator("main img").count() == 0


def test_the_call_can_be_repeated_in_a_terminal(opened: Page, address: str) -> None:
    opened.context.grant_permissions(["clipboard-read", "clipboard-write"])
    opened.get_by_text("Request and response").click()
    opened.get_by_role("button", name="Copy as curl").click()
    expect(opened.locator("#copied")).to_have_text("Copied.")
    command = opened.evaluate("navigator.clipboard.readText()")
    assert command.startswith("curl ") and f"{address}/cds-services/breast-cancer-back-pain-patient-view" in command
    repeated = subprocess.run(["bash", "-c", command], capture_output=True, check=True, timeout=30)
    assert json.loads(repeated.stdout)["cards"][0]["indicator"] == "warning"


# --- The real server


@contextmanager
def _running(port: int, folder: Path) -> Iterator[str]:
    """The serve command on a port of its own, in development."""
    environment = {**os.environ, "CDS_DEVELOPMENT": "true", "XDG_STATE_HOME": str(folder)}
    command = [sys.executable, "-m", "cds_service", "serve", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen([*command, "--workers", "1"], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(20)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if requests.get(f"{address}/health/live", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    raise AssertionError("the service did not answer within a minute")


def test_the_production_server_serves_the_workbench(page: Page, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    with _running(port, tmp_path) as address:
        _wait_for(address)
        opened_at(page, address, CAUDA_EQUINA)
        expect(page.locator(".card")).to_contain_text("EMERGENCY")
        sent_feedback(page, page.get_by_role("button", name="Dismiss").click)
