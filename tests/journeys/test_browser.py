"""Every person of the cast at a real browser: signs in, finds what waits, is never lost; three pictures are made on the way."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, expect

from tests.installation import Installation
from tests.journeys.browsing import Seat, running_browser, seat, shape_of
from tests.journeys.holes import network_device, open_hole
from tests.proves import proves

pytestmark = pytest.mark.real
PROJECT = "/projects/chemistry-again"
GONE = "/projects/chemistry-1997"
SMALL = "authority_by_score.csv"
SCRIPT = "attainment.py"
PATIENCE = 90.0
ELSEWHERE = "https://elsewhere.invalid/"
# Pixels: a blinking text cursor changes fewer, a list that is filtered changes more; shades of grey of more than a blank.
BLINK, CHANGE, SHADES = 300, 2000, 20
FIRST_TASKS = {
    "programme": "Follow the disagreement about Schools",
    "manager": "Create the first-assessment environment of Schools",
    "investigator": "Settle the disagreement about Schools",
    "researcher": "Work in environment",
    "untrained": "Certify your training",
    "referee": "Review the output",
    "representative": "Review the output",
    "system": "Check the isolation of environment",
    "auditor": "Verify the ledgers",
}
Seats = Callable[..., AbstractContextManager[Seat]]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as found:
        yield found


@pytest.fixture
def sitting(browser: Browser, whole: Installation) -> Seats:
    """A browser session of somebody of the cast, signed in by hand."""

    @contextmanager
    def sit(key: str, *, width: int = 1280, height: int = 900) -> Iterator[Seat]:
        with seat(browser, whole.person(key), width=width, height=height) as found:
            found.sign_in()
            yield found

    return sit


@pytest.fixture(scope="module")
def judged() -> set[tuple[str, ...]]:
    """Shapes of pages that were judged already, whoever looked."""
    return set()


def laboratory(whole: Installation) -> str:
    """The running environment of analysis."""
    return next(
        str(one["id"]) for one in whole.report["environments"] if one["tier"] == 2 and one["state"] == "running"
    )


def await_words(seated: Seat, path: str, words: str) -> None:
    """Open a page until it says these words."""
    ends = time.monotonic() + PATIENCE
    seated.open(path)
    while words not in seated.words:
        assert time.monotonic() < ends, f"{path} never said “{words}”: {seated.words[:800]}"
        seated.page.wait_for_timeout(500)
        seated.open(path)


def picture(seated: Seat, name: str) -> None:
    """Keep what is seen for the documentation, where that is asked for."""
    if folder := os.environ.get("STRONGROOM_PICTURES"):
        seated.picture(Path(folder) / f"{name}.png")


@proves("D27", "satre:1.5.02")
@pytest.mark.parametrize("key", FIRST_TASKS)
def test_each_person_signs_in_finds_work_and_no_page_fails(
    sitting: Seats, judged: set[tuple[str, ...]], key: str
) -> None:
    with sitting(key) as seated:
        assert FIRST_TASKS[key] in seated.words
        wrong = []
        pages = seated.walk(2)
        assert {"/", "/projects", "/training", "/mail"} <= set(pages)
        for path, source in pages.items():
            if (shape := shape_of(source)) not in judged:
                judged.add(shape)
                seated.open(path)
                wrong += seated.judge()
        assert wrong + seated.complaints == []


def test_the_cast_is_shown_with_what_waits(browser: Browser, whole: Installation) -> None:
    with seat(browser, whole.person("auditor")) as seated:
        seated.open("/demo")
        cards = seated.page.locator(".sr-card").all_inner_texts()
        assert len(cards) == len(FIRST_TASKS)
        assert all("What waits" in card for card in cards)
        assert seated.judge() == []


def test_a_refusal_says_why_and_what_next(sitting: Seats) -> None:
    with sitting("researcher") as seated:
        seated.open(f"{PROJECT}/environments/new")
        seated.page.get_by_label("Attainment", exact=False).check()
        seated.press("Create the environment")
        assert "This was refused" in seated.words
        assert "Reason:" in seated.words
        assert "What to do next" in seated.words
        assert seated.judge() == []


@proves("P153", "D14", "U4")
def test_the_untrained_are_told_before_they_try(sitting: Seats, whole: Installation) -> None:
    with sitting("untrained") as seated:
        seated.open(f"{PROJECT}/environments/{laboratory(whole)}")
        assert "You cannot open the desktop" in seated.words
        assert "training" in seated.words
        assert seated.page.get_by_role("button", name="Open the desktop").count() == 0


def shown(seated: Seat) -> Image.Image:
    """What the window shows now."""
    return Image.open(io.BytesIO(seated.page.screenshot())).convert("L")


def changed(before: Image.Image, after: Image.Image) -> int:
    """How many pixels differ."""
    return sum(abs(one - other) > 30 for one, other in zip(before.tobytes(), after.tobytes(), strict=True))


def settled(seated: Seat, unlike: Image.Image | None = None, seconds: float = PATIENCE) -> Image.Image:
    """What the window shows once it has stopped moving, and, where asked, has changed from what it was."""
    ends = time.monotonic() + seconds
    before = shown(seated)
    while time.monotonic() < ends:
        seated.page.wait_for_timeout(700)
        now = shown(seated)
        quiet = changed(before, now) < BLINK
        if quiet and (changed(unlike, now) > CHANGE if unlike else len(set(now.tobytes())) > SHADES):
            return now
        before = now
    raise AssertionError("the desktop shows nothing new")


def list_of_commands(seated: Seat, calm: Image.Image) -> Image.Image:
    """JupyterLab's list of commands, asked for again as a person does when a busy machine lost the keys."""
    for _ in range(3):
        seated.page.mouse.click(1500, 850)
        seated.page.keyboard.press("Control+Shift+C")
        with suppress(AssertionError):
            return settled(seated, unlike=calm, seconds=PATIENCE / 3)
    raise AssertionError("the desktop does not answer to the keyboard")


@contextmanager
def clipboard(seated: Seat, text: str) -> Iterator[Callable[[], str]]:
    """Put a text into the browser's own clipboard; gives a way to read what lies there."""
    page = seated.page.context.new_page()
    page.route(ELSEWHERE, lambda route: route.fulfill(body="<title>Elsewhere</title>", content_type="text/html"))
    page.goto(ELSEWHERE)
    seated.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("text => navigator.clipboard.writeText(text)", text)

    def read() -> str:
        page.bring_to_front()
        return str(page.evaluate("() => navigator.clipboard.readText()"))

    assert read() == text
    seated.page.bring_to_front()
    yield read
    page.close()


@proves("P135", "P140", "D8", "U14", "satre:2.1.01", "satre:2.1.04", "control:copy_out")
def test_the_desktop_is_drawn_and_the_clipboard_does_not_pass(sitting: Seats, whole: Installation) -> None:
    with sitting("researcher", width=1600, height=900) as seated, clipboard(seated, "zzzz") as outside:
        page = seated.page
        seated.open(f"{PROJECT}/environments/{laboratory(whole)}")
        seated.press("Open the desktop")
        page.get_by_role("main").get_by_role("button", name="Open the desktop").click()
        # What is typed before the stream stands goes nowhere; the page says so until then.
        expect(page.locator("#words")).to_have_text("", timeout=1000 * PATIENCE)
        calm = settled(seated)
        palette = list_of_commands(seated, calm)
        page.keyboard.type("zzzz")
        typed = settled(seated, unlike=palette)
        page.keyboard.press("Control+A")
        page.keyboard.press("Backspace")
        cleared = settled(seated, unlike=typed)
        page.keyboard.press("Control+V")
        page.wait_for_timeout(2000)
        assert changed(cleared, shown(seated)) < BLINK
        page.keyboard.type("qq")
        settled(seated, unlike=cleared)
        page.keyboard.press("Control+A")
        page.keyboard.press("Control+C")
        page.wait_for_timeout(1000)
        page.keyboard.press("Escape")
        assert outside() == "zzzz"
        assert seated.complaints == []


@proves("P67", "P75", "satre:3.3.04")
def test_a_reviewer_sees_the_small_cells_in_red_and_returns_the_request(sitting: Seats, whole: Installation) -> None:
    with sitting("researcher") as seated:
        seated.open(f"{PROJECT}/environments/{laboratory(whole)}/outputs/new")
        for name in (SMALL, SCRIPT):
            seated.page.locator(f"input[name=files][value='{name}']").check()
        seated.page.locator(f"input[name=script][value='{SCRIPT}']").check()
        seated.page.locator("[name=description]").fill("Pupils by authority and score, from Chem97.")
        seated.press("Submit the request")
        path = seated.page.url.removeprefix(whole.layout.app_url)
        await_words(seated, path, "Files, and what the first checks found")
    with sitting("referee", width=1100, height=1000) as seated:
        seated.open("/")
        assert seated.page.locator(f"main a[href='{path}']").count() == 1
        seated.open(path)
        red = seated.page.locator("td.sr-flagged")
        assert red.count() > 0
        assert "fewer than 10" in red.first.inner_text()
        heading = seated.page.get_by_role("heading", name=SMALL)
        heading.evaluate("one => window.scrollTo(0, one.getBoundingClientRect().top + scrollY - 20)")
        picture(seated, "review")
        assert seated.judge() == []
        seated.page.get_by_text("Return it to the author").click()
        seated.page.locator("[name=note]").fill(f"{SMALL} has cells of fewer than 10 pupils.")
        seated.press("Return the request")
        await_words(seated, path, "Returned:")


@proves("P149", "satre:2.2.12")
def test_a_hole_opened_on_purpose_is_red_and_freezes_the_environment(sitting: Seats, whole: Installation) -> None:
    environment = laboratory(whole)
    path = f"{PROJECT}/environments/{environment}"
    with sitting("system", width=1100, height=1000) as seated:
        with network_device(whole.layout, environment):
            seated.open(path)
            seated.press("Probe again")
            await_words(seated, path, "Suspended")
        try:
            red = seated.page.locator(".sr-probe--broken")
            assert [one.partition("\n")[0] for one in red.all_inner_texts()] == ["Interfaces"]
            red.get_by_text("Evidence").click()
            assert "hole0" in red.inner_text()
            seated.page.evaluate("window.scrollTo(0, 130)")
            picture(seated, "probes")
            assert seated.judge() == []
        finally:
            resume(seated, path)
        seated.press("Probe again")
        await_words(seated, path, "0\nbroken")
        assert "Running" in seated.words


@proves("P8", "P172", "satre:2.2.12")
def test_what_differs_is_rebuilt_in_one_act_and_made_stricter(sitting: Seats, whole: Installation) -> None:
    """The hole goes with the old pod; files stay; then the Representative makes it stricter than its tier."""
    environment = laboratory(whole)
    path = f"{PROJECT}/environments/{environment}"
    with sitting("system") as seated:
        open_hole(whole.layout, environment)
        seated.open(path)
        seated.press("Probe again")
        await_words(seated, path, "Suspended")
        seated.page.get_by_text("Rebuild this environment").click()
        seated.page.locator("#rebuild_reason").fill("A network device was found in it.")
        seated.press("Rebuild")
        await_words(seated, path, "Running")
        assert "0\nbroken" in seated.words
        assert (whole.layout.mounts / f"{environment}-output" / "data" / "attainment.py").exists()
    with sitting("representative") as seated:
        seated.open(path)
        seated.page.get_by_text("Make this environment stricter").click()
        seated.page.get_by_label("Physical space: medium", exact=False).check()
        seated.page.locator("#tighten_reason").fill("Few pupils in some schools.")
        assert seated.judge() == []
        seated.press("Make it stricter")
        assert "Stricter here" in seated.words


def resume(seated: Seat, path: str) -> None:
    """As the System Manager, with the reason and the password again."""
    await_words(seated, path, "Resume this environment")
    seated.page.get_by_text("Resume this environment").click()
    seated.page.locator("#resume_reason").fill("The network device was taken out again.")
    seated.press("Resume")
    await_words(seated, path, "Running")


def test_the_life_of_the_destroyed_project_is_drawn(sitting: Seats) -> None:
    with sitting("investigator", width=1100, height=800) as seated:
        seated.open(f"{GONE}/life")
        lanes = seated.page.locator(".sr-life .name").all_text_contents()
        assert {"Priya Rao", "Dora Hughes", "Rosa Klein", "The platform"} <= set(lanes)
        assert seated.page.locator(".sr-life circle.sr-mark--refused").count() > 0
        seated.page.evaluate("window.scrollTo(0, 130)")
        picture(seated, "life")
