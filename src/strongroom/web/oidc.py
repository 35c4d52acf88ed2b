"""The OpenID Connect client: code flow with PKCE. The browser goes to the provider's page, we to its socket."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any
from urllib.parse import urlencode

import httpx
import jwt
from django.conf import settings
from django.http import HttpRequest

from strongroom.usecases.sessions import SessionEnded
from strongroom.web import listeners

SCOPE = "openid profile email"
AUTHORIZE = "/identity/o/authorize"
TOKEN = "/identity/o/api/token"  # noqa: S105
REVOKE = "/identity/o/api/revoke"
KEYS = "/.well-known/jwks.json"


class SignInFailed(Exception):
    """The provider's answer does not count; says why."""


@dataclass(frozen=True)
class Round:
    """One round through the browser: what binds its answer to this browser and, for a grave act, to the decision."""

    state: str
    nonce: str
    verifier: str

    @classmethod
    def new(cls, nonce: str = "") -> Round:
        return cls(secrets.token_urlsafe(24), nonce or secrets.token_urlsafe(24), secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """What is sent ahead of the verifier (RFC 7636, S256)."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()


@cache
def client() -> tuple[str, str]:
    """Our name and secret at the provider. Raises SignInFailed when the provider is not set up yet."""
    path = settings.LAYOUT.state_of("identity") / "client-web.json"
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise SignInFailed(f"the identity provider is not set up: {path.name} cannot be read ({error})") from error
    return raw["client_id"], raw["client_secret"]


def redirect_uri(request: HttpRequest) -> str:
    """Where the provider sends the browser back to, on the listener in use."""
    return f"{listeners.base_url(request)}/signed-in"


def authorize_url(request: HttpRequest, step: Round, *, fresh: bool = False) -> str:
    """Where the browser goes to sign in; ``fresh`` asks for the password anew, whatever session the provider holds."""
    query = {
        "response_type": "code",
        "client_id": client()[0],
        "redirect_uri": redirect_uri(request),
        "scope": SCOPE,
        "state": step.state,
        "nonce": step.nonce,
        "code_challenge": step.challenge,
        "code_challenge_method": "S256",
        "resource": "warden",
    }
    if fresh:
        query |= {"prompt": "login", "max_age": "0"}
    return f"{listeners.identity_url(request)}{AUTHORIZE}?{urlencode(query)}"


def _call(method: str, path: str, **rest: Any) -> httpx.Response:
    layout = settings.LAYOUT
    transport = httpx.HTTPTransport(uds=str(layout.identity_socket))
    headers = {"Host": layout.identity_host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1"}
    try:
        with httpx.Client(transport=transport, base_url="http://identity", timeout=15) as browser:
            return browser.request(method, path, headers=headers, **rest)
    except httpx.TransportError as error:
        raise SignInFailed("the identity provider does not answer; try again in a moment") from error


def _tokens(answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != 200:
        try:
            said = str(answer.json().get("error", ""))
        except ValueError:
            said = ""
        raise SignInFailed(f"the identity provider refused the sign-in ({said or answer.status_code})")
    raw = answer.json()
    kept = {name: raw.get(name, "") for name in ("access_token", "refresh_token", "id_token")}
    return {**kept, "expires": time.time() + float(raw.get("expires_in", 300))}


def exchange(request: HttpRequest, code: str, verifier: str) -> dict[str, Any]:
    """Tokens for a code. Raises SignInFailed."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri(request),
        "code_verifier": verifier,
        "resource": "warden",
    }
    return _tokens(_call("POST", TOKEN, data=form, auth=client()))


def refresh(token: str) -> dict[str, Any]:
    """New tokens for a refresh token, which counts once. Raises SessionEnded when it does not count."""
    form = {"grant_type": "refresh_token", "refresh_token": token, "resource": "warden"}
    try:
        fresh = _tokens(_call("POST", TOKEN, data=form, auth=client()))
    except SignInFailed as error:
        raise SessionEnded(str(error)) from error
    return {**fresh, "id_token": ""}


def revoke(token: str) -> None:
    """Tell the provider that a refresh token is no longer ours; signing out works without its answer too."""
    try:
        _call("POST", REVOKE, data={"token": token, "token_type_hint": "refresh_token"}, auth=client())
    except SignInFailed:
        return


@lru_cache(maxsize=2)
def _keys(minute: int) -> jwt.PyJWKSet:
    return jwt.PyJWKSet.from_dict(_call("GET", KEYS).json())


def claims_of(id_token: str, nonce: str) -> dict[str, Any]:
    """Claims of an ID token that was made by our provider, for us, for this round. Raises SignInFailed."""
    try:
        wanted = jwt.get_unverified_header(id_token).get("kid")
        keys = _keys(int(time.time() // 60)).keys
        key = next((key for key in keys if key.key_id == wanted), None)
        if key is None:
            raise SignInFailed("the ID token is signed with an unknown key")
        claims: dict[str, Any] = jwt.decode(
            id_token,
            key.key,
            algorithms=["RS256", "ES256"],
            audience=client()[0],
            issuer=settings.LAYOUT.issuer,
            leeway=5,
            options={"require": ["exp", "iat", "sub", "nonce"]},
        )
    except jwt.PyJWTError as error:
        raise SignInFailed(f"the ID token does not count: {error}") from error
    if not secrets.compare_digest(str(claims["nonce"]), nonce):
        raise SignInFailed("the ID token belongs to another round")
    return claims
