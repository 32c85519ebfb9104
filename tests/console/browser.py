"""A real Chromium: starts it, watches what pages complain about, looks for what keeps people out."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, sync_playwright

from tests.fixtures.parts import need_chromium

# As narrow as screens are that people still work at, and a desk's.
NARROW, WIDE = ViewportSize(width=320, height=800), ViewportSize(width=1280, height=900)
PATIENCE_SECONDS = 30.0
_QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--no-first-run"]
_AXE = Axe()


@contextmanager
def running_browser() -> Iterator[Browser]:
    path = need_chromium()
    # Chromium's own sandbox doesn't run as root.
    flags = [*_QUIET, *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


class Reader:
    """Somebody at a browser. What the pages complain about (scripts, the CSP) is kept in `complaints`."""

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        self.context = browser.new_context(
            viewport=WIDE,
            locale="en-GB",
            timezone_id="Europe/London",
            **options,
        )
        self.context.set_default_timeout(PATIENCE_SECONDS * 1000)
        self.url = url
        self.complaints: list[str] = []
        self.page: Page = self.context.new_page()
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def close(self) -> None:
        self.context.close()

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}/organisations/org-1{path}")

    def wait_for(self, seen: Callable[[], bool], path: str) -> None:
        """Load a page again and again until `seen`: pages show what is, and what is takes the service a moment."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            self.go(path)
            if seen():
                return
            assert time.monotonic() < until, self.text()
            time.sleep(0.1)

    def text(self) -> str:
        return " ".join(self.page.inner_text("body").split())

    def shows(self, text: str) -> bool:
        return text in self.text()

    def faults(self) -> list[str]:
        """What axe finds that keeps people out or slows them down, in the scheme at hand."""
        found = _AXE.run(self.page).response["violations"]
        return [f"{fault['id']}: {node['html']}" for fault in found for node in fault["nodes"]]

    def overflows(self) -> bool:
        """Whether one has to scroll sideways to read the page."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def photograph(self, path: Path, *, whole: bool) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=whole)

    def _listen(self, message: ConsoleMessage) -> None:
        # What Xero's own pages complain about is not ours to mend.
        if message.type in {"error", "warning"} and message.location["url"].startswith(self.url):
            self.complaints.append(message.text)
