"""Sign in through the provider's pages as a browser would: follow redirects, fill the forms that are shown."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from strongroom.identity.totp import PERIOD, code_of_step, step_of

IDENTITY_NAME = "id.localhost"
MOST_STEPS = 40
REDIRECTS = {301, 302, 303, 307, 308}


class SignInError(RuntimeError):
    """The provider refused, or showed a page this client does not know; the message quotes it."""


class Loopback(httpx.BaseTransport):
    """Reaches ``localhost`` and every name under it on 127.0.0.1, as browsers do and most resolvers do not.

    TLS still checks the certificate for the name that was asked for.
    """

    def __init__(self, verify: ssl.SSLContext) -> None:
        self._inner = httpx.HTTPTransport(verify=verify)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        if name == "localhost" or name.endswith(".localhost"):
            request = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1"),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": name},
            )
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def browser(authority: Path) -> httpx.Client:
    """A client with an empty cookie jar that trusts only this certificate authority (the gateway's)."""
    return httpx.Client(transport=Loopback(ssl.create_default_context(cafile=authority)), timeout=30)


@dataclass
class Form:
    """One POST form of a page: where it goes and the values it starts with."""

    action: str
    values: dict[str, str] = field(default_factory=dict)


class _Page(HTMLParser):
    """Finds the POST forms, the heading and the messages of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.texts: dict[str, list[str]] = {"heading": [], "error": [], "secret": []}
        self._open: Form | None = None
        self._reading: str | None = None
        self._alert = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "form" and attributes.get("method", "").lower() == "post":
            self._open = Form(attributes.get("action", ""))
            self.forms.append(self._open)
        elif tag == "input" and self._open is not None and attributes.get("name"):
            self._open.values[attributes["name"]] = attributes.get("value", "")
        elif tag in ("h1", "code"):
            self._reading = {"h1": "heading", "code": "secret"}[tag]
        elif attributes.get("role") == "alert":
            self._alert = True
        elif tag == "a" and self._alert:
            self._reading = "error"

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        if tag in ("h1", "a", "code"):
            self._reading = None
        if tag == "ul":
            self._alert = False

    def handle_data(self, data: str) -> None:
        if self._reading and data.strip():
            self.texts[self._reading].append(data.strip())

    def form_with(self, *names: str) -> Form | None:
        """The first form that has all these inputs."""
        return next((form for form in self.forms if set(names) <= set(form.values)), None)

    @property
    def message(self) -> str:
        """Heading and error messages, for people."""
        return ": ".join(" ".join(self.texts[part]) for part in ("heading", "error") if self.texts[part])


class SignIn:
    """Signs people in with an ``httpx.Client`` (whose cookies are the browser session)."""

    def __init__(
        self,
        client: httpx.Client,
        *,
        now: Callable[[], float] = time.time,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self._now = now
        self._wait = wait
        self._tried: dict[str, int] = {}

    def login(
        self, start_url: str, email: str, password: str, totp_secret: str, *, until: str | None = None
    ) -> httpx.Response:
        """Open a page and follow it through sign-in; returns the first page that is no sign-in form.

        ``until``: stop at the redirect to an address that starts so, and return that redirect unopened. A one-time code
        that was used already makes it wait for the next one. Raises SignInError when a form comes back with an error.
        """
        response = self.client.get(start_url, follow_redirects=False)
        posted: set[str] = set()
        for _ in range(MOST_STEPS):
            if response.status_code in REDIRECTS:
                target = str(response.url.join(response.headers["Location"]))
                if until is not None and target.startswith(until):
                    return response
                response = self.client.get(target, follow_redirects=False)
                continue
            page = self._sign_in_page(response)
            filled = page and self._filled(page, email, password, totp_secret)
            if not page or not filled:
                return response
            form, kind = filled
            if response.status_code == 429 or (kind in posted and kind != "code"):
                raise SignInError(page.message)
            posted.add(kind)
            response = self._post(response, form)
        raise SignInError(f"no end after {MOST_STEPS} pages; the last was {response.url}")

    def enrol(self, link: str, password: str) -> str:
        """Open a one-time enrolment link, choose this password and set up a second factor; returns its secret."""
        response = self.client.get(link, follow_redirects=True)
        page = _Page(response.text)
        form = page.form_with("password", "repeated", "code")
        if form is None:
            raise SignInError(page.message)
        secret = self.secret_shown(response)
        code = code_of_step(secret, step_of(self._now()))
        form.values.update(password=password, repeated=password, code=code)
        response = self._post(response, form)
        if response.status_code != 200:
            raise SignInError(_Page(response.text).message)
        self._tried[secret] = step_of(self._now())
        return secret

    def forms(self, response: httpx.Response) -> list[Form]:
        """The POST forms of a page."""
        return _Page(response.text).forms

    def secret_shown(self, response: httpx.Response) -> str:
        """The authenticator secret that an enrolment page shows."""
        return "".join(_Page(response.text).texts["secret"]).replace(" ", "")

    def _sign_in_page(self, response: httpx.Response) -> _Page | None:
        html = response.headers.get("Content-Type", "").startswith("text/html")
        return _Page(response.text) if html and response.url.host == IDENTITY_NAME else None

    def _filled(self, page: _Page, email: str, password: str, totp_secret: str) -> tuple[Form, str] | None:
        if form := page.form_with("login", "password"):
            form.values.update(login=email, password=password)
            return form, "login"
        if form := page.form_with("sealed", "code"):
            raise SignInError(f"{page.message}: {email} has no second factor yet")
        if form := page.form_with("code"):
            form.values.update(code=self._code(page, totp_secret))
            return form, "code"
        if form := page.form_with("password"):
            form.values.update(password=password)
            return form, "password"
        return None

    def _code(self, page: _Page, secret: str) -> str:
        """The newest code not yet tried; the provider takes the next step's too, so waiting is rarely needed."""
        wrong = page.texts["error"]
        if wrong and not any("used already" in text for text in wrong):
            raise SignInError(page.message)
        step = max(step_of(self._now()), self._tried.get(secret, 0) + 1)
        early = (step - 1) * PERIOD - self._now()
        if early > 0:
            self._wait(early)
        self._tried[secret] = step
        return code_of_step(secret, step)

    def _post(self, response: httpx.Response, form: Form) -> httpx.Response:
        target = str(response.url.join(form.action)) if form.action else str(response.url)
        parts = urlsplit(str(response.url))
        headers = {"Origin": f"{parts.scheme}://{parts.netloc}", "Referer": str(response.url)}
        return self.client.post(target, data=form.values, headers=headers, follow_redirects=False)
