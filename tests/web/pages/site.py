"""Opening pages as somebody of the cast, and judging whether a page is sound for everybody."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.test import Client
from django.urls import reverse
from lxml import html

from strongroom.domain.acts import Act, Actor, Entry
from strongroom.domain.evidence import evidence, is_grave
from strongroom.domain.place import Place
from strongroom.domain.project import fold
from strongroom.domain.verdict import Refused
from strongroom.orders.client import WardenRefused
from strongroom.orders.protocol import Order, Outcome
from strongroom.usecases.clock import now
from tests.web.pages.history import PEOPLE, History


class JudgingWarden:
    """Decides by the rules alone and keeps entries; no volumes, no containers, no tokens."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.files: list[dict[str, Any]] = []
        self.drawings: dict[str, Any] = {"previews": []}
        self.shelf: dict[tuple[str, str], bytes] = {}
        self.orders: list[Order] = []
        self.token = "-".join(("token", "1"))

    def order(self, order: Order) -> Outcome:
        self.orders.append(order)
        act, actor = order.act, PEOPLE[order.access_token]
        verdict = evidence(act, actor, fold(act.project, self.entries), now(), Place("restricted", "high"))
        if isinstance(verdict, Refused):
            entry = self._keep(act, actor, "", "refused", verdict.reason)
            return Outcome("refused", entry, verdict.reason, verdict.next_step, verdict.missing)
        if is_grave(act.kind, verdict.role) and not order.id_token:
            return Outcome("fresh_login_needed")
        extra = (
            {"token": self.token, "url": "https://pupils.deposit.localhost:8481"} if act.kind == "deposit.token" else {}
        )
        if act.kind == "environment.enter":
            extra = {"ticket": "ticket-1", "host": "analysis.env.localhost:8480"}
        return Outcome("done", self._keep(act, actor, verdict.role, "done", ""), extra=extra)

    def _keep(self, act: Act, actor: Actor, role: str, outcome: str, reason: str) -> Entry:
        seq, at = len(self.entries) + 1, now().isoformat(timespec="seconds")
        entry = Entry(seq, at, actor, act.kind, act.project, act.body, role, act.digest, "", outcome, reason)
        self.entries.append(entry)
        return entry

    def feed(self, after: int, limit: int = 500) -> list[Entry]:
        return [entry for entry in self.entries if entry.seq > after][:limit]

    def outputs(self, environment: str, access_token: str) -> list[dict[str, Any]]:
        return self.files

    def preview(self, request: str, access_token: str) -> dict[str, Any]:
        return self.drawings

    def released(self, request: str, name: str) -> bytes:
        if (request, name) not in self.shelf:
            raise WardenRefused("nothing of that name is published")
        return self.shelf[request, name]


@dataclass
class Site:
    """The app and its warden; ``as_`` gives a browser of somebody who is signed in."""

    warden: JudgingWarden
    browsers: dict[str, Client] = field(default_factory=dict)

    def tell(self, story: History) -> History:
        """Let the records know a history."""
        from strongroom.usecases.adopting import adopt

        self.warden.entries = list(story.entries)
        adopt(story.entries)
        return story

    def as_(self, who: str) -> Client:
        from strongroom.usecases import sessions

        if who not in self.browsers:
            self.browsers[who] = browser = self.nobody()
            actor = PEOPLE[who]
            person = {"sub": actor.id, "name": actor.name, "email": f"{who}@example.org", "groups": list(actor.groups)}
            room = sessions.begin({"person": person})
            sessions.keep_tokens(room, {"access_token": who, "refresh_token": "", "expires": time.time() + 3600})
            browser.cookies[settings.ROOM_COOKIE] = room.secret
        return self.browsers[who]

    def nobody(self, address: str = "127.0.0.1") -> Client:
        """A browser that nobody has signed in with."""
        layout = settings.LAYOUT
        return Client(
            HTTP_HOST=layout.app_host,
            HTTP_X_FORWARDED_PROTO="https",
            HTTP_X_FORWARDED_FOR=address,
            HTTP_X_STRONGROOM_LISTENER="inside",
        )

    def open(self, who: str, name: str, *args: Any, query: str = "", status: int = 200) -> Page:
        """Open a page by its URL name, and find it sound."""
        answer = self.as_(who).get(reverse(name, args=args) + query)
        assert answer.status_code == status, (name, answer.status_code, answer.content.decode()[:2000])
        return Page(answer.content.decode())

    def send(self, who: str, name: str, *args: Any, query: str = "", **data: Any) -> Any:
        """Send a form."""
        return self.as_(who).post(reverse(name, args=args) + query, data)


class Page:
    """A page that is sound for everybody; AssertionError says what is wrong with it."""

    def __init__(self, text: str) -> None:
        self.source = text
        self.tree = html.document_fromstring(text)
        self.text = " ".join(self.tree.text_content().split())
        self.main = " ".join(self.tree.get_element_by_id("main-content").text_content().split())
        check_sound(self.tree)

    def buttons(self) -> list[str]:
        """Words of all buttons in the page's main part."""
        found = self.tree.xpath("//main//button | //main//a[@role='button']")
        return [" ".join(item.text_content().split()) for item in found]

    def links(self) -> list[str]:
        return [str(link) for link in self.tree.xpath("//main//a/@href")]


def check_sound(tree: html.HtmlElement) -> None:
    """What a checker of accessibility would ask first."""
    assert tree.get("lang"), "the page has no language"
    assert tree.findtext(".//title", "").strip(), "the page has no title"
    assert len(tree.xpath("//h1")) == 1, "a page has one h1"
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids)), f"ids stand twice: {[item for item in ids if ids.count(item) > 1]}"
    labelled = set(tree.xpath("//label/@for"))
    for control in tree.xpath("//input[not(@type='hidden')] | //select | //textarea | //progress"):
        named = control.get("id") in labelled or control.get("aria-label") or control.get("aria-labelledby")
        assert named, f"{control.get('name')} has no label"
    for attribute in ("aria-describedby", "aria-labelledby"):
        for names in tree.xpath(f"//@{attribute}"):
            missing = [name for name in names.split() if name not in ids]
            assert not missing, f"{attribute} points nowhere: {missing}"
    for form in tree.xpath("//form[@method='post'][not(starts-with(@action, 'https:'))]"):
        assert form.xpath(".//input[@name='csrfmiddlewaretoken']"), "a form has no CSRF token"
    assert not tree.xpath("//@style"), "inline styles do not pass the content policy"
    assert not tree.xpath("//script[not(@src)]"), "inline scripts do not pass the content policy"
    assert not tree.xpath("//@*[starts-with(name(), 'on')]"), "inline handlers do not pass the content policy"
    for image in tree.xpath("//img"):
        assert image.get("alt") is not None, "an image has no alternative"
    for table in tree.xpath("//table"):
        assert table.xpath("./caption"), "a table has no caption"
        assert table.xpath(".//th[@scope]"), "a table has no headers"
    for box in tree.xpath("//*[@tabindex='0']"):
        assert box.get("role") and (box.get("aria-label") or box.get("aria-labelledby")), "a scroll area has no name"
    for group in tree.xpath("//fieldset"):
        assert group.xpath("./legend"), "a group of fields has no legend"
    levels = [int(item.tag[1]) for item in tree.xpath("//main//h1 | //main//h2 | //main//h3 | //main//h4")]
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), (
        f"headings skip: {levels}"
    )
