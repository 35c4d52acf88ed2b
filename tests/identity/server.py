"""A real provider for tests: own instance, gunicorn with two workers on its Unix socket, removed afterwards."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt

from strongroom.identity import manage
from strongroom.identity.signin import SignIn
from strongroom.layout import Layout

PASSWORD = "correct horse battery staple"  # noqa: S105


class Gateway(httpx.BaseTransport):
    """What the gateway does for the provider: TLS ends, the request goes on over the socket with forwarding headers."""

    def __init__(self, layout: Layout) -> None:
        self._socket = httpx.HTTPTransport(uds=str(layout.identity_socket))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [*request.headers.raw, (b"X-Forwarded-Proto", request.url.raw_scheme), (b"X-Forwarded-For", b"::1")]
        url = request.url.copy_with(scheme="http")
        return self._socket.handle_request(
            httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)
        )

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Account:
    """A person made for a test, with what they know."""

    sub: str
    email: str
    password: str
    totp_secret: str


@dataclass(frozen=True)
class Round:
    """One authorization request: its address and what the client must remember."""

    url: str
    verifier: str
    state: str
    nonce: str
    redirect_uri: str


@dataclass(frozen=True)
class Provider:
    """The running provider and its one client."""

    layout: Layout
    client_id: str
    client_secret: str

    def browser(self) -> httpx.Client:
        """A browser with an empty cookie jar."""
        return httpx.Client(transport=Gateway(self.layout), timeout=30)

    def person(self, name: str = "Ada Lovelace", *groups: str) -> Account:
        """A new person with password and second factor."""
        return self.people(1, name, *groups)[0]

    def people(self, number: int, name: str = "Ada Lovelace", *groups: str) -> list[Account]:
        """Several new people."""
        cast = [
            {"name": name, "email": f"{secrets.token_hex(6)}@example.org", "password": PASSWORD, "groups": groups}
            for _ in range(number)
        ]
        return [Account(**one) for one in manage.call(self.layout, "add-people", stdin=json.dumps(cast))]

    @contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The provider's database, as an administrator of the host could open it; changes are committed."""
        connection = sqlite3.connect(self.layout.state_of("identity") / "identity.sqlite3", timeout=20)
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def round(self, *, outside: bool = False, drop: tuple[str, ...] = (), **changed: str) -> Round:
        """An authorization request with PKCE, state and nonce; ``drop`` and ``changed`` spoil it."""
        verifier, state, nonce = (secrets.token_urlsafe(32) for _ in range(3))
        redirect_uri = f"{self.layout.outside_url if outside else self.layout.app_url}/signed-in"
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile email",
            "state": state,
            "nonce": nonce,
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
            **changed,
        }
        kept = {name: value for name, value in asked.items() if name not in drop}
        base = f"https://id.localhost:{self.layout.outside_port}" if outside else self.layout.issuer
        return Round(f"{base}/identity/o/authorize?{urlencode(kept)}", verifier, state, nonce, redirect_uri)

    def code(self, browser: httpx.Client, account: Account, asked: Round) -> str:
        """Sign in and return the code that the redirect to the app carries."""
        response = SignIn(browser).login(
            asked.url, account.email, account.password, account.totp_secret, until=asked.redirect_uri
        )
        answer = parse_qs(urlsplit(response.headers["Location"]).query)
        assert answer["state"] == [asked.state], answer
        return answer["code"][0]

    def exchange(self, code: str, asked: Round, **changed: str) -> httpx.Response:
        """Exchange a code at the token endpoint, as the web app does."""
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
            **changed,
        }
        return self.token({name: value for name, value in sent.items() if value})

    def refresh(self, token: str, **changed: str) -> httpx.Response:
        """Use a refresh token."""
        return self.token({"grant_type": "refresh_token", "refresh_token": token, **changed})

    def token(self, sent: dict[str, str]) -> httpx.Response:
        """One request to the token endpoint with the client's secret."""
        with self.browser() as client:
            url = f"{self.layout.issuer}/identity/o/api/token"
            return client.post(url, data=sent, auth=(self.client_id, self.client_secret))

    def tokens(self, account: Account, asked: Round | None = None) -> dict[str, Any]:
        """A whole sign-in, to its tokens."""
        asked = asked or self.round()
        with self.browser() as browser:
            answer = self.exchange(self.code(browser, account, asked), asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def verified(self, token: str, audience: str = "warden") -> dict[str, Any]:
        """Claims of a token after checking signature, issuer, audience and expiry with the published keys."""
        with self.browser() as client:
            keys = jwt.PyJWKSet.from_dict(client.get(f"{self.layout.issuer}/.well-known/jwks.json").json())
        key = keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token,
            key,
            algorithms=["RS256"],
            audience=audience,
            issuer=self.layout.issuer,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
        return dict(claims)


def _await_answer(provider: Provider, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the provider ended at its start"
        try:
            with provider.browser() as client:
                client.get(f"{provider.layout.issuer}/.well-known/openid-configuration").raise_for_status()
            return
        except httpx.TransportError:
            assert time.monotonic() < deadline, "the provider does not answer"
            time.sleep(0.05)


@contextmanager
def running_provider() -> Iterator[Provider]:
    """Set up and serve a provider of an instance of its own; everything it made is removed at the end."""
    layout = Layout(f"t{secrets.token_hex(4)}", 20000 + 2 * secrets.randbelow(10000))
    process: subprocess.Popen[bytes] | None = None
    try:
        manage.call(layout, "setup")
        layout.identity_socket.parent.mkdir(parents=True)
        environ = {**os.environ, **layout.environ()}
        process = subprocess.Popen(manage.serve_command(layout), env=environ)
        client = json.loads(manage.client_file(layout).read_text())
        provider = Provider(layout, client["client_id"], client["client_secret"])
        _await_answer(provider, process)
        yield provider
    finally:
        if process is not None:
            process.terminate()
            process.wait(30)
        for folder in (layout.state, layout.run):
            shutil.rmtree(folder, ignore_errors=True)
