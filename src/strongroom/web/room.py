"""The browser's session within one request: who is signed in, what is pending, the banner to show next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from strongroom.usecases import sessions
from strongroom.usecases.people import SignedIn
from strongroom.web import oidc


@dataclass
class Held:
    """What this request knows of its browser's session."""

    room: sessions.Room | None = None
    data: sessions.Data | None = None
    cookie_changed: bool = False


def _held(request: HttpRequest) -> Held:
    held: Held = request.__dict__.setdefault("strongroom_room", Held())
    return held


def attach(request: HttpRequest) -> None:
    """Open the session that the cookie names, if there is one."""
    held = _held(request)
    found = sessions.from_cookie(request.COOKIES.get(settings.ROOM_COOKIE, ""))
    if found is None:
        return
    try:
        held.room, held.data = found, sessions.load(found)
    except sessions.SessionEnded:
        held.room = None


def finish(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give the browser its new cookie, or take it away."""
    held = _held(request)
    if not held.cookie_changed:
        return
    if held.room is None:
        response.set_cookie(settings.ROOM_COOKIE, "", max_age=0, secure=True, httponly=True, samesite="Lax")
        return
    response.set_cookie(
        settings.ROOM_COOKIE,
        held.room.secret,
        max_age=sessions.LIFETIME,
        secure=True,
        httponly=True,
        samesite="Lax",
    )


def change(request: HttpRequest, step: Callable[[sessions.Data], Any]) -> Any:
    """Change the session's data, beginning a session where there is none."""
    held = _held(request)
    if held.room is None:
        held.room, held.cookie_changed = sessions.begin({}), True
    answer = sessions.change(held.room, step)
    held.data = sessions.load(held.room)
    return answer


def enter(request: HttpRequest, person: dict[str, Any], tokens: sessions.Data) -> SignedIn:
    """Sign somebody in: a new session, so that nothing known before opens it."""
    held = _held(request)
    if held.room is not None:
        sessions.end(held.room)
    held.data = {"person": person}
    held.room, held.cookie_changed = sessions.begin(held.data), True
    sessions.keep_tokens(held.room, tokens)
    found = person_of(request)
    if found is None:
        raise sessions.SessionEnded("the session was not kept")
    return found


def renew(request: HttpRequest, tokens: sessions.Data) -> None:
    """Keep the tokens of a fresh login in the present session."""
    held = _held(request)
    if held.room is not None:
        sessions.keep_tokens(held.room, tokens)


def leave(request: HttpRequest) -> str:
    """End the session; gives its refresh token, so that the provider can forget it too."""
    held = _held(request)
    token = ""
    if held.room is not None:
        try:
            token = str(sessions.tokens_of(held.room).get("refresh_token", ""))
        except sessions.SessionEnded:
            token = ""
        sessions.end(held.room)
    held.room, held.data, held.cookie_changed = None, None, True
    return token


def person_of(request: HttpRequest) -> SignedIn | None:
    """Who is signed in, or None."""
    held = _held(request)
    room, who = held.room, (held.data or {}).get("person")
    if room is None or not who:
        return None
    return SignedIn(
        who["sub"],
        who["name"],
        who["email"],
        tuple(who["groups"]),
        lambda: sessions.access_token(room, oidc.refresh),
    )


def take_banner(request: HttpRequest) -> str:
    """The message left for the next page, once."""
    held = _held(request)
    if not held.data or "banner" not in held.data:
        return ""
    return str(change(request, lambda data: data.pop("banner", "")))


def sign_in_again(request: HttpRequest) -> HttpResponseBase:
    """To the sign-in, and back here afterwards."""
    leave(request)
    where = request.get_full_path() if request.method == "GET" else reverse("home")
    return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': where})}")
