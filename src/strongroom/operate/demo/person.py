"""One person of the cast at their browser: signs in by password and one-time code, opens pages, fills forms."""

from __future__ import annotations

import html
import re
import time
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx

from strongroom.deposit.transport import transport
from strongroom.identity.signin import REDIRECTS, SignIn
from strongroom.layout import Layout

LONGEST_WAIT = 60.0
PATIENCE = 10.0


class PageError(RuntimeError):
    """The page did not do what the story expected; quotes what it said."""


class Refused(PageError):
    """The platform refused: its page's reason."""


@dataclass
class Form:
    """A form of a page: where it goes and the fields it holds."""

    action: str
    method: str
    fields: dict[str, list[str]] = field(default_factory=dict)
    choices: dict[str, list[str]] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    buttons: list[str] = field(default_factory=list)


class Page(HTMLParser):
    """What a person sees of a page: its forms, heading, links and text."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        self.url = str(response.url)
        self.status = response.status_code
        self.forms: list[Form] = []
        self.links: dict[str, str] = {}
        self.heading = ""
        self._form: Form | None = None
        self._select = ""
        self._textarea = ""
        self._link = ""
        self._in_heading = False
        self.source = response.text
        self.feed(response.text)

    @property
    def text(self) -> str:
        """The words of the page without its marks."""
        body = re.sub(r"<(script|style)\b.*?</\1>", " ", self.source, flags=re.S)
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(html.unescape(given.get("action", "")), given.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "h1":
            self._in_heading = True
        elif tag == "a":
            self._link = given.get("href", "")
        elif self._form is not None and (name := given.get("name")):
            self._field(tag, name, given, {key for key, _ in attrs})
        elif tag == "option" and self._form is not None and self._select:
            self._form.choices.setdefault(self._select, []).append(given.get("value", ""))
            if "selected" in given:
                self._form.fields[self._select] = [given.get("value", "")]

    def _field(self, tag: str, name: str, given: dict[str, str], names: set[str]) -> None:
        assert self._form is not None
        kind = given.get("type", "text")
        if tag == "select":
            self._select = name
            self._form.fields.setdefault(name, [])
        elif tag == "textarea":
            self._textarea = name
            self._form.fields[name] = [""]
        elif kind in ("radio", "checkbox"):
            self._form.choices.setdefault(name, []).append(given.get("value", "on"))
            self._form.fields.setdefault(name, [])
            if "checked" in names:
                self._form.fields[name].append(given.get("value", "on"))
        elif kind == "file":
            self._form.files.add(name)
        elif tag == "button" or kind == "submit":
            self._form.buttons.append(f"{name}={given.get('value', '')}")
        elif tag == "input":
            self._form.fields[name] = [given.get("value", "")]

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._textarea = ""
        elif tag == "a":
            self._link = ""
        elif tag == "h1":
            self._in_heading = False

    def handle_data(self, data: str) -> None:
        if self._in_heading:
            self.heading = f"{self.heading} {data.strip()}".strip()
        if self._link and data.strip():
            self.links.setdefault(data.strip(), self._link)
        if self._textarea and self._form is not None:
            self._form.fields[self._textarea][0] += data

    def form(self, *names: str, action: str = "") -> Form:
        """The first form that has all these fields and whose action ends so. Raises PageError."""
        for found in self.forms:
            known = set(found.fields) | found.files | {button.partition("=")[0] for button in found.buttons}
            if found.method == "post" and set(names) <= known and found.action.rstrip("/").endswith(action.rstrip("/")):
                return found
        raise PageError(
            f"{self.url} ({self.status}, “{self.heading}”) has no form with {', '.join(names)} {action}: {self.text[:600]}"
        )


@dataclass
class Person:
    """A member of the cast. ``name`` … ``totp_secret`` are what the directory knows; the client is their browser."""

    role: str
    name: str
    email: str
    password: str
    totp_secret: str
    sub: str
    layout: Layout

    def __post_init__(self) -> None:
        self.client = httpx.Client(transport=transport(self.layout.authority), timeout=LONGEST_WAIT)
        self._signin = SignIn(self.client)

    def open(self, path: str) -> Page:
        """Open a page of the app, signing in on the way when asked to. Raises Refused for a refusal."""
        return self._page(self._follow(path if path.startswith("https:") else f"{self.layout.app_url}{path}"))

    def _patiently(self, path: str, *names: str, action: str) -> Page:
        """Open a page again until it has the form: what the warden did is shown a moment later."""
        ends = time.monotonic() + PATIENCE
        while True:
            try:
                page = self.open(path)
                page.form(*names, action=action)
                return page
            except Refused:
                raise
            except PageError:
                if time.monotonic() > ends:
                    raise
            time.sleep(0.5)

    def _follow(self, url: str) -> httpx.Response:
        return self._signin.login(url, self.email, self.password, self.totp_secret)

    def _page(self, response: httpx.Response) -> Page:
        page = Page(response)
        if response.status_code == 403:
            raise Refused(page.text.strip())
        if response.status_code >= 400:
            raise PageError(f"{page.url}: {response.status_code} {page.text[:800]}")
        return page

    def submit(
        self, path: str | Page, /, action: str = "", uploads: dict[str, Any] | None = None, **values: Any
    ) -> Page:
        """Fill the form of a page that has these fields and send it, with the fresh login where that is asked.

        Values are text or lists of text. Raises Refused, or PageError when the form comes back with errors.
        """
        wanted = (*values, *(uploads or {}))
        page = self._patiently(path, *wanted, action=action) if isinstance(path, str) else path
        form = page.form(*wanted, action=action)
        data: dict[str, Any] = {name: given for name, given in form.fields.items() if given}
        data.update(values)
        target = str(httpx.URL(page.url).join(form.action)) if form.action else page.url
        origin = f"https://{httpx.URL(page.url).netloc.decode()}"
        response = self.client.post(target, data=data, files=uploads, headers={"Referer": page.url, "Origin": origin})
        if response.status_code in REDIRECTS:
            response = self._follow(str(response.url.join(response.headers["Location"])))
        after = self._page(response)
        if "error-summary" in after.source:
            raise PageError(f"{after.url}: the form came back: {after.text[:1200]}")
        return after
