"""A real browser over the app without any port: its requests are answered by the app in this process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page, Route, sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (320, 1280)
OUTSIDE = Callable[[Route], None]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Debian's Chromium. The app may use its database although Playwright runs an event loop in this thread."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            yield browser
            browser.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@dataclass
class Window:
    """One page of the browser, seen by somebody; ``outside`` answers for hosts that are not the app."""

    page: Page
    client: Client
    outside: OUTSIDE | None = None
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.route("**/*", self._answer)
        self.page.on("console", lambda message: self._heard(message.type, message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _heard(self, kind: str, text: str) -> None:
        if kind == "error" and "Failed to load resource" not in text:
            self.complaints.append(text)

    def _answer(self, route: Route) -> None:
        request = route.request
        address = urlsplit(request.url)
        if address.netloc != settings.LAYOUT.app_host:
            if self.outside is None:
                route.abort()
            else:
                self.outside(route)
            return
        where = address.path + (f"?{address.query}" if address.query else "")
        if request.method == "POST":
            kind = request.headers.get("content-type", "application/octet-stream")
            answer = self.client.post(where, request.post_data_buffer or b"", content_type=kind)
        else:
            answer = self.client.get(where)
        content = b"".join(answer) if answer.streaming else answer.content
        headers = {name: value for name, value in answer.headers.items() if name != "Content-Length"}
        route.fulfill(status=answer.status_code, headers=headers, body=content)

    def open(self, path: str, width: int = 1280) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.page.goto(f"https://{settings.LAYOUT.app_host}{path}")

    def overflow(self) -> int:
        """How many pixels the page is wider than its window; anything above 0 makes people scroll sideways."""
        found: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return found

    def keep(self, name: str) -> None:
        """Save a picture where ``STRONGROOM_PICTURES`` says, if it says so."""
        if folder := os.environ.get("STRONGROOM_PICTURES"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)
