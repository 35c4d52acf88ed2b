"""The pages in a real browser: narrow and wide, judged by axe, and uploading to a real receiver over a bad connection."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Route

from strongroom.deposit.manifest import FileHash, Manifest
from tests.deposit.conftest import Station, station
from tests.proves import proves
from tests.web.pages import history
from tests.web.pages.browser import WIDTHS, Window, running_browser
from tests.web.pages.site import Site
from tests.web.pages.test_pages import drawings

__all__ = ["station"]
pytestmark = pytest.mark.real
BAD_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture
def look(browser: Browser, site: Site) -> Iterator[Any]:
    """Open a window for somebody of the cast."""
    contexts = []

    def window(who: str, **kwargs: Any) -> Window:
        context = browser.new_context(service_workers="block")
        contexts.append(context)
        return Window(context.new_page(), site.as_(who) if who else site.nobody(), **kwargs)

    yield window
    for context in contexts:
        context.close()


def checked(window: Window, name: str, path: str) -> None:
    """Open a page narrow and wide; it fits, nothing is blocked, axe finds nothing."""
    from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]

    for width in WIDTHS:
        window.open(path, width)
        window.keep(f"{name}-{width}")
        assert window.overflow() <= 0, f"{name} is wider than {width} pixels"
        options = {"runOnly": {"type": "tag", "values": BAD_TAGS}}
        found = Axe().run(window.page, context="main", options=options)
        assert found.violations_count == 0, f"{name} at {width}:\n{found.generate_report()}"
    assert window.complaints == [], name


@proves("D27")
def test_pages_fit_and_axe_finds_nothing(look: Any, site: Site) -> None:
    story = history.submitted(findings=(history.SMALL_CELL,), verdict="fail")
    summary = {"holds": 3, "broken": 1, "unknown": 0}
    broken: dict[str, Any] = {
        "reason": "dns_does_not_leak",
        "summary": summary,
        "results": history.PROBES,
        "drift": ["tmp is larger"],
    }
    story.fact("environment.broken", environment="analysis", **broken)
    site.tell(story)
    site.warden.drawings = drawings()
    site.warden.files = [{"name": "a_rather_long_name_of_a_table_that_nobody_shortens.csv", "size": 1500}]
    at = {"project": "chem97"}
    for who, name, path in (
        ("ref", "request", reverse("request", kwargs={**at, "request_id": "out-1"})),
        ("rosa", "request_new", reverse("request_new", kwargs={**at, "environment": "analysis"})),
        ("sys", "environment", reverse("environment", kwargs={**at, "environment": "analysis"})),
        ("ines", "classification", reverse("classification", kwargs={**at, "work_package": "attainment"})),
        ("max", "environment_new", reverse("environment_new", kwargs=at)),
        ("max", "deposit_new", reverse("deposit_new", kwargs=at)),
        ("rep", "deposit", reverse("deposit", kwargs={**at, "deposit": "pupils"})),
        ("pat", "life", reverse("life", kwargs=at)),
        ("pat", "closing", reverse("closing", kwargs=at)),
    ):
        checked(look(who), name, path)


@proves("D27")
def test_the_dialogue_fits_and_works_by_keyboard(look: Any, site: Site) -> None:
    site.tell(history.mounted())
    window = look("ines")
    path = reverse("opinion", args=["chem97", "attainment"])
    checked(window, "question", path)
    window.page.focus("#answer-2")
    window.page.keyboard.press("Space")
    window.page.keyboard.press("Enter")
    window.page.wait_for_selector("text=question 2")
    window.page.click("text=Back")
    assert window.page.is_checked("#answer-2")


@proves("D27")
def test_a_disagreement_the_demonstration_and_the_end_fit(look: Any, site: Site, cast_file: object) -> None:
    site.tell(history.disagreed())
    checked(look("ines"), "disagreement", reverse("classification", args=["chem97", "attainment"]))
    checked(look(""), "demo", "/demo")


@proves("D27")
def test_certificate_and_release_fit(look: Any, site: Site) -> None:
    site.tell(history.ended())
    checked(look("rep"), "certificate", reverse("closing", args=["chem97"]))
    checked(look(""), "release", "/releases/out-1")


def test_a_waiting_page_follows_by_itself(look: Any, site: Site) -> None:
    story = history.begun()
    story.do("max", "environment.create", id="look", work_package="attainment")
    site.tell(story)
    window = look("max")
    window.open(reverse("environment", args=["chem97", "look"]))
    assert "Being prepared" in window.page.inner_text("main")
    history.prepared(story, "look", ("/scratch", "scratch"))
    site.tell(story)
    window.page.wait_for_selector("main >> text=Running", timeout=20_000)


@proves("P102")
def test_the_browser_computes_the_same_hashes_as_the_receipt(look: Any, site: Site) -> None:
    site.tell(history.opened())
    window = look("rep")
    window.open(reverse("deposit", args=["chem97", "pupils"]))
    lengths = [0, 1, 55, 56, 63, 64, 65, 119, 128, 1000, 70_001]
    script = """async (lengths) => {
        const { Sha256, manifestDigest } = await import('/static/strongroom/pages/sha256.js');
        const bytes = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 7 + n) % 251);
        const hashes = lengths.map((n) => {
            const hash = new Sha256();
            const whole = bytes(n);
            for (let at = 0; at < n; at += 37) hash.update(whole.subarray(at, at + 37));
            return hash.hex();
        });
        const files = lengths.map((n, i) => ({ name: `ü${n} "q".csv`, size: n, sha256: hashes[i] }));
        return [hashes, manifestDigest(files)];
    }"""
    hashes, digest = window.page.evaluate(script, lengths)
    contents = [bytes((i * 7 + n) % 251 for i in range(n)) for n in lengths]
    assert hashes == [hashlib.sha256(content).hexdigest() for content in contents]
    files = [FileHash(f'ü{n} "q".csv', n, sha) for n, sha in zip(lengths, hashes, strict=True)]
    assert digest == Manifest.of(files).digest


class BadLine:
    """Between the browser and a real receiver: cuts some parts in the middle, loses some answers."""

    def __init__(self, receiver: Station) -> None:
        self.receiver, self.parts, self.cuts = receiver, 0, 0
        self.client = receiver.client()

    def __call__(self, route: Route) -> None:
        request = route.request
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        headers["origin"] = self.receiver.layout.outside_url
        body = request.post_data_buffer or b""
        if request.method == "PATCH":
            self.parts += 1
            if self.parts in (2, 4):
                self.cuts += 1
                self._lose(route, body, headers, half=self.parts == 2)
                return
        answer = self.client.request(request.method, _path(request.url), headers=headers, content=body)
        given = {**answer.headers, "access-control-allow-origin": request.headers.get("origin", "*")}
        route.fulfill(status=answer.status_code, headers=given, body=answer.content)

    def _lose(self, route: Route, body: bytes, headers: dict[str, str], *, half: bool) -> None:
        if not half:
            # The part arrives, its answer does not.
            self.client.request("PATCH", _path(route.request.url), headers=headers, content=body)
        route.abort("connectionreset")


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3]


@proves("P100", "P102", "L11")
def test_a_deposit_by_browser_survives_a_bad_line_and_ends_with_the_receivers_hash(
    look: Any, site: Site, station: Station, tmp_path: Any, request: pytest.FixtureRequest
) -> None:
    site.tell(history.opened())
    line = BadLine(station)
    request.addfinalizer(line.client.close)
    site.warden.token = station.token
    window = look("rep", outside=line)
    files = []
    for name, size in (("pupils.csv", 9_000_001), ("schools.csv", 12_345), ("empty.txt", 0)):
        path = tmp_path / name
        path.write_bytes(os.urandom(size))
        files.append(path)
    window.open(reverse("deposit", args=["chem97", "pupils"]))
    window.page.click("text=Get my upload token")
    window.page.wait_for_selector("#files")
    window.keep("token-1280")
    window.page.set_input_files("#files", files)
    window.page.click("#send")
    window.page.wait_for_selector("#finished:not([hidden])", timeout=60_000)
    window.keep("sent-1280")
    digest = window.page.inner_text("#digest").strip()
    assert line.cuts == 2
    names = [FileHash(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) for path in files]
    assert digest == Manifest.of(names).digest
    for path in files:
        assert (station.folder / path.name).read_bytes() == path.read_bytes()
    window.page.click("#finished button")
    window.page.wait_for_selector("text=Being sealed")
    seal: dict[str, Any] = {"receipt": history.receipt(digest), "deposit": "pupils"}
    story = history.History(after=site.warden.entries, begin=history.BEGIN)
    story.fact("deposit.sealed", **seal)
    site.tell(story)
    window.page.wait_for_selector("text=Compare hashes", timeout=20_000)
    assert window.page.input_value("input[name=digest]") == digest
    assert [words for words in window.complaints if "ERR_CONNECTION_RESET" not in words] == []


def test_a_refused_token_is_said_in_words(look: Any, site: Site, station: Station, tmp_path: Any) -> None:
    site.tell(history.opened())

    def answer(route: Route) -> None:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(station.socket_path)), base_url="http://d1") as client:
            headers = {"X-Forwarded-For": "127.0.0.1", "Origin": station.layout.outside_url}
            found = client.post("/open", content=route.request.post_data_buffer, headers=headers)
        origin = {"access-control-allow-origin": route.request.headers["origin"]}
        route.fulfill(status=found.status_code, headers={**found.headers, **origin}, body=found.content)

    site.warden.token = "not-the-token"  # noqa: S105
    window = look("rep", outside=answer)
    window.open(reverse("deposit", args=["chem97", "pupils"]))
    window.page.click("text=Get my upload token")
    (tmp_path / "pupils.csv").write_bytes(b"1")
    window.page.set_input_files("#files", tmp_path / "pupils.csv")
    window.page.click("#send")
    window.page.wait_for_selector("#trouble p")
    assert "this is not the token of this deposit" in window.page.inner_text("#trouble")
