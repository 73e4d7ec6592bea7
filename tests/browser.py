"""A pytest plugin that drives Chromium: a fresh page per test, watched for errors and for requests to other hosts.

A test module gets the fixtures by `pytest_plugins = ("tests.browser",)`; it imports this module for type checking only,
since pytest wants to be the first to import a plugin. Chromium is the one of the machine; nothing is downloaded. Where
there is none, browser tests are skipped and the end of the run says so.
"""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, Response, expect, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.skips import NO_CHROMIUM

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Serve = Callable[[WSGIApplication], str]

# The first draws no window and takes a third of the time for a page.
CHROMIUM_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

# Width and height of the window in CSS pixels.
WIDE = (1280, 900)
# WCAG 2.2, 1.4.10 (reflow): nothing is lost at 320 pixels, which is also 1280 pixels enlarged four times.
NARROW = (320, 700)

Look = Literal["light", "dark", "narrow"]

# A laptop under load takes seconds for what takes milliseconds; a test that hangs must still end.
_PATIENCE_MILLISECONDS = 20_000

_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever the pages ask for, no name of another host is looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)

# Addresses that reach no host.
_LOCAL_SCHEMES = frozenset({"about", "blob", "data"})


class Watch:
    """What happened on one page: errors on its console, requests to other hosts, and what it loaded."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self._responses: list[Response] = []
        self._expected: list[re.Pattern[str]] = []
        page.on("console", self._console)
        page.on("pageerror", self._page_error)
        page.on("request", self._request)
        page.on("response", self._response)

    def expect_error(self, pattern: str) -> None:
        """Console errors that this pattern matches belong to the test, as a refused call does."""
        self._expected.append(re.compile(pattern))

    def loaded_bytes(self) -> int:
        """The bodies of all responses so far, in bytes."""
        return sum(len(response.body()) for response in self._responses if not 300 <= response.status < 400)

    def unexpected_errors(self) -> list[str]:
        """Errors that no test announced with `expect_error`."""
        return [error for error in self.errors if not any(known.search(error) for known in self._expected)]

    def look(self, how: Look) -> None:
        """Show the page in a wide window in light or dark colors, or in a narrow one in light colors."""
        width, height = NARROW if how == "narrow" else WIDE
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme="dark" if how == "dark" else "light")

    def accessibility_problems(self) -> list[str]:
        """What axe-core finds wrong with the page as it stands: one entry for each element, with the rule broken."""
        violations = Axe().run(self.page).response["violations"]
        return [
            f"{violation['id']}: {' '.join(map(str, node['target']))}: {node.get('failureSummary', '')}"
            for violation in violations
            for node in violation["nodes"]
        ]

    def sideways_pixels(self) -> int:
        """By how many pixels the page is wider than its window; 0 where nobody has to scroll sideways."""
        root = "document.documentElement"
        wider: int = self.page.evaluate(f"{root}.scrollWidth - {root}.clientWidth")
        return wider

    def _console(self, message: ConsoleMessage) -> None:
        # A violated Content-Security-Policy and a failed request come as errors, too.
        if message.type in ("error", "warning", "assert"):
            self.errors.append(f"{message.type}: {message.text}")

    def _page_error(self, error: Error) -> None:
        self.errors.append(f"uncaught: {error.message}")

    def _request(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme not in _LOCAL_SCHEMES and address.hostname != "127.0.0.1":
            self.foreign.append(request.url)

    def _response(self, response: Response) -> None:
        self._responses.append(response)


def chromium_path() -> str | None:
    """Where the Chromium of this machine is."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium per test module: Playwright keeps an event loop running, which other modules must not meet."""
    path = chromium_path()
    if path is None:
        pytest.skip(NO_CHROMIUM)
    with sync_playwright() as playwright:
        expect.set_options(timeout=_PATIENCE_MILLISECONDS)
        running = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield running
        running.close()


@pytest.fixture
def watch(browser: Browser) -> Iterator[Watch]:
    """A page in a fresh profile, watched. Afterwards: no error on its console, no request to another host."""
    context = browser.new_context(viewport={"width": WIDE[0], "height": WIDE[1]}, locale="en-US", timezone_id="UTC")
    context.set_default_timeout(_PATIENCE_MILLISECONDS)
    watching = Watch(context.new_page())
    yield watching
    context.close()
    assert watching.foreign == []
    assert watching.unexpected_errors() == []


@pytest.fixture
def page(watch: Watch) -> Page:
    """The page of this test; see `watch`."""
    return watch.page


class _Silent(WSGIRequestHandler):
    """Answers without a line on the terminal for each."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return None


@pytest.fixture(scope="module")
def serve() -> Iterator[Serve]:
    """Serve WSGI applications on free ports of 127.0.0.1; called with one, it returns the address without a slash."""
    with ExitStack() as running:
        yield lambda app: running.enter_context(_served(app))


@contextmanager
def _served(app: WSGIApplication) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
