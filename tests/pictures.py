"""Renew the pictures of README and docs/ from the running service: `make pictures`. Needs Chromium."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from threading import Thread

from playwright.sync_api import Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.app import make_app
from cds_service.settings import make_settings

FOLDER = Path(__file__).parents[1] / "docs"

# Wide enough for three columns, and small enough to be read on a page.
_SIZE = (1440, 900)


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:
        return


def main() -> int:
    """Write `workbench.png` and `evidence.png`; return the exit status."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        print("Chromium is not installed (Debian: apt-get install chromium)", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as data:
        settings = make_settings({"data_folder": data, "development": True})
        server = make_server("127.0.0.1", 0, make_app(settings), threaded=True, request_handler=_Silent)
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            _take(chromium, f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
    return 0


def _take(chromium: str, address: str) -> None:
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": _SIZE[0], "height": _SIZE[1]})
        _workbench(page, address)
        page.screenshot(path=FOLDER / "workbench.png")
        page.goto(f"{address}/evidence")
        page.screenshot(path=FOLDER / "evidence.png")
        browser.close()


def _workbench(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.evaluate("window.scrollTo(0, 0)")


if __name__ == "__main__":
    sys.exit(main())
