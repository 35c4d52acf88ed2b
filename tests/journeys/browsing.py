"""A person of the cast at a real browser: signs in by hand at the provider, reads pages, walks links, has pages judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from lxml import html
from playwright.sync_api import Browser, Page, sync_playwright

from strongroom.identity.totp import PERIOD, code_of_step, step_of
from strongroom.operate.demo.person import Person

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.localhost 127.0.0.1",
]
WIDTHS = (320, 1280)
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PATIENCE = 60_000
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def shape_of(source: str) -> tuple[str, ...]:
    """What decides how a page is laid out: which marks are in it, and how long its longest word is."""
    tree = html.fromstring(source)
    marks = {
        f"{one.getparent().tag} {one.tag} {one.get('class', '')} {one.get('role', '')}"
        for one in tree.iterfind("body//*")
        if isinstance(one.tag, str)
    }
    longest = max((len(word) for word in tree.text_content().split()), default=0)
    return (*sorted(marks), f"words of {longest // 10}")


def links_of(source: str, base: str) -> list[str]:
    """Pages of the app that a page leads to, without files to save."""
    tree = html.fromstring(source, base_url=base)
    tree.make_links_absolute()
    paths = (
        str(one).removeprefix(base).partition("#")[0] for one in tree.xpath("//a/@href") if one.startswith(f"{base}/")
    )
    return [one for one in dict.fromkeys(paths) if not one.endswith((".json", "/document", "/export"))]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """The machine's own browser, ended afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Seat:
    """One person's own browser session. ``page`` is the open page; ``tried`` the last step whose code was used."""

    page: Page
    person: Person
    tried: int = 0
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", lambda said: self._hear(said.type, said.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _hear(self, kind: str, text: str) -> None:
        # The browser itself says so of a refusal's page, which the tests look at on purpose.
        if kind == "error" and "status of 40" not in text:
            self.complaints.append(text)

    @property
    def words(self) -> str:
        """The words of the page's main part."""
        return self.page.inner_text("main")

    def open(self, path: str) -> None:
        """Open a page of the app."""
        self.page.goto(f"{self.person.layout.app_url}{path}")

    def sign_in(self) -> None:
        """From the card on the demonstration's page, through password and one-time code, to the list of tasks."""
        self.open("/demo")
        self.page.get_by_role("button", name=f"Sign in as {self.person.name}").click()
        self.page.get_by_label("Email address").fill(self.person.email)
        self.page.get_by_label("Password").fill(self.person.password)
        self.page.get_by_role("button", name="Continue").click()
        self.prove()

    def prove(self) -> None:
        """Answer the provider's questions until the app is back: the password again, a code not used before."""
        home = urlsplit(self.person.layout.app_url).netloc
        ends = time.monotonic() + PATIENCE / 1000
        while urlsplit(self.page.url).netloc != home:
            assert time.monotonic() < ends, f"still at {self.page.url}: {self.page.inner_text('body')[:600]}"
            if (code := self.page.locator("input[name=code]")).count():
                code.fill(self._code())
            else:
                self.page.locator("input[name=password]").fill(self.person.password)
            self.page.get_by_role("main").get_by_role("button").click()
            self.page.wait_for_load_state()

    def _code(self) -> str:
        step = max(step_of(time.time()), self.tried + 1)
        while step > step_of(time.time()) + 1:
            self.page.wait_for_timeout(max(100.0, ((step - 1) * PERIOD - time.time()) * 1000))
        self.tried = step
        return code_of_step(self.person.totp_secret, step)

    def press(self, name: str) -> None:
        """Press a button of the page's main part and answer for it at the provider where that is asked."""
        self.page.get_by_role("main").get_by_role("button", name=name, exact=True).click()
        self.page.wait_for_load_state()
        self.prove()

    def source(self, path: str) -> str:
        """The marks of a page, asked for in the same session without drawing it; nothing for a file to save."""
        answer = self.page.request.get(f"{self.person.layout.app_url}{path}")
        assert answer.ok, f"{path}: {answer.status}"
        return answer.text() if "html" in answer.headers["content-type"] else ""

    def walk(self, clicks: int) -> dict[str, str]:
        """Every page within so many clicks of home: its marks by its address."""
        found: dict[str, str] = {}
        paths = ["/"]
        for _ in range(clicks + 1):
            asked = {path: self.source(path) for path in paths if path not in found}
            found |= {path: source for path, source in asked.items() if source}
            base = self.person.layout.app_url
            paths = [path for source in list(found.values()) for path in links_of(source, base)]
        return found

    def judge(self) -> list[str]:
        """What is wrong with the page that is open, narrow and wide."""
        wrong = []
        for width in WIDTHS:
            self.page.set_viewport_size({"width": width, "height": 900})
            where = f"{self.page.url} at {width} pixels"
            if (wider := self.page.evaluate(OVERFLOW)) > 0:
                wrong.append(f"{where}: {wider} pixels too wide")
            found = Axe().run(self.page, options={"runOnly": {"type": "tag", "values": RULES}})
            for one in found.response["violations"]:
                places = [node["target"] for node in one["nodes"]][:5]
                wrong.append(f"{where}: {one['help']} ({one['id']}): {places}")
        return wrong

    def picture(self, path: Path, *, around: str = "") -> None:
        """Keep what is seen of the page, or of one part of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if around:
            self.page.locator(around).screenshot(path=path)
        else:
            self.page.screenshot(path=path)


@contextmanager
def seat(browser: Browser, person: Person, *, width: int = 1280, height: int = 900) -> Iterator[Seat]:
    """A window of a person who has not signed in yet, with nothing kept from others."""
    context = browser.new_context(
        ignore_https_errors=True, service_workers="block", viewport={"width": width, "height": height}
    )
    try:
        yield Seat(context.new_page(), person)
    finally:
        context.close()
