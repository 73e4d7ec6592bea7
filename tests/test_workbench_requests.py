"""Pasted or dropped calls in the workbench, calls copied as `curl`, and the workbench on the production server."""

from __future__ import annotations

import json
import os
import re
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

from cds_service.demo.scenarios import read_scenario, scenarios_folder
from tests.builders import NOW
from tests.server_calls import free_port
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
        ("[]", "must be a JSON object"),
        ('{"hook": "order-sign", "context": {"draftOrders": {"entry": 5}}}', "hookInstance: is missing"),
        ('{"hook": "order-sign", "context": {"draftOrders": {"entry": [null]}}}', "hookInstance: is missing"),
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"hook": "x"}, "The hook “x” is not served here."),
        ({"hook": "appointment-book", "hookInstance": "x", "context": {}}, "“appointment-book” is not served"),
        ({}, "The request names no hook."),
        ({"hook": 5}, "The request names no hook."),
    ],
)
def test_a_request_for_another_hook_is_told_which_there_are(
    page: Page, address: str, call: dict[str, object], message: str
) -> None:
    opened_at(page, address, "row-081-1-draft-ibuprofen")
    calls: list[str] = []
    page.on("request", lambda request: calls.append(request.url))
    send_own(page, json.dumps(call))
    panel = page.locator(".panel.refused")
    expect(panel).to_contain_text(message)
    expect(panel).to_contain_text("must be one of patient-view, order-select, order-sign.")
    assert calls == []


@pytest.mark.parametrize("hook", ["patient-view", "order-sign"])
def test_a_request_goes_to_the_address_of_its_own_hook(watch: Watch, address: str, hook: str) -> None:
    watch.expect_error("status of 400")
    page = opened_at(watch.page, address, "row-081-1-draft-ibuprofen")
    send_own(page, json.dumps({"hook": hook}))
    expect(page.locator(".panel.refused")).to_contain_text("hookInstance: is missing")
    expect(page.locator("#raw-address")).to_have_text(f"POST /cds-services/breast-cancer-back-pain-{hook}")


def drop_file(page: Page, text: str) -> None:
    page.evaluate(
        """text => {
            const data = new DataTransfer();
            data.items.add(new File([text], 'call.json', { type: 'application/json' }));
            document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
        }""",
        text,
    )


def test_a_dropped_file_is_answered(opened: Page) -> None:
    drop_file(opened, own_request())
    expect(opened.locator(".card")).to_contain_text("EMERGENCY")


# --- The mouse


def scroll_and_click(page: Page) -> str:
    """Turn the wheel over the list, click whoever then lies in its middle, and return the name."""
    patients = page.locator("#patient-list")
    patients.scroll_into_view_if_needed()
    box = patients.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 3, box["y"] + min(box["height"], 300) / 2
    before = patients.evaluate("list => list.scrollTop")
    page.mouse.move(x, y)
    page.mouse.wheel(0, 2400)
    page.wait_for_function("before => document.getElementById('patient-list').scrollTop > before + 1000", arg=before)
    under = "at => document.elementFromPoint(at[0], at[1]).closest('[role=option]').dataset.name"
    # The wheel scrolls smoothly: wait until it stands.
    page.wait_for_function(
        """() => new Promise(done => {
            const top = document.getElementById('patient-list').scrollTop;
            setTimeout(() => done(document.getElementById('patient-list').scrollTop === top), 200);
        })"""
    )
    name: str = page.evaluate(under, [x, y])
    page.mouse.click(x, y)
    return name


def expect_picked(page: Page, name: str) -> None:
    expect(page).to_have_url(re.compile(f"#{re.escape(name)}$"))
    expect(page.locator("#patient-list [aria-selected=true]")).to_have_attribute("data-name", name)
    assert page.locator("#patient-list").evaluate("list => list.scrollTop") > 1000


def test_the_first_click_in_a_scrolled_list_picks_the_patient_under_it(watch: Watch, address: str) -> None:
    watch.expect_error("status of 412")
    page = opened_at(watch.page, address, "")
    expect_picked(page, scroll_and_click(page))


@pytest.mark.parametrize("button", ["Ask again", "+ 30 days", "Dismiss"])
def test_after_a_button_a_click_in_the_list_picks_the_patient_under_it(watch: Watch, address: str, button: str) -> None:
    watch.expect_error("status of 412")
    page = opened_at(watch.page, address, "")
    expect_picked(page, scroll_and_click(page))
    page.locator("#patient-list").evaluate("list => { list.scrollTop = 0; }")
    page.locator("#patient-list li").first.click()
    expect(page.locator(".card")).to_contain_text("new low back pain")
    page.get_by_role("button", name=button, exact=True).click()
    expect_picked(page, scroll_and_click(page))


def test_after_a_dropped_file_a_click_in_the_list_picks_the_patient_under_it(watch: Watch, address: str) -> None:
    watch.expect_error("status of 412")
    page = opened_at(watch.page, address, "")
    drop_file(page, own_request())
    expect(page.locator(".card")).to_contain_text("EMERGENCY")
    expect_picked(page, scroll_and_click(page))


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
    with _running(free_port(), tmp_path) as address:
        _wait_for(address)
        opened_at(page, address, CAUDA_EQUINA)
        expect(page.locator(".card")).to_contain_text("EMERGENCY")
        sent_feedback(page, page.get_by_role("button", name="Dismiss").click)
