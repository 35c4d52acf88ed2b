"""The demonstration: its cast with passwords and one-time codes, and all mail. Only on a demonstration, only from this machine."""

from __future__ import annotations

import ipaddress
import json
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.views.decorators.http import require_GET, require_POST

from strongroom.domain.acts import Actor
from strongroom.records import reading
from strongroom.usecases.tasks import Task, tasks_of
from strongroom.web import acting, listeners, oidc, room
from strongroom.web.presenting.totp import seconds_left, totp

CAST_FILE = "demo-cast.json"
IMAGE_PROGRESS = "image-progress.json"
MOST_TASKS = 5


@dataclass(frozen=True)
class Card:
    """One person of the cast: how to sign in as them and what waits for them."""

    number: int
    name: str
    role: str
    email: str
    password: str
    code: str
    tasks: tuple[Task, ...]
    more: int
    signed_in_before: bool


def cast(request: HttpRequest) -> list[dict[str, Any]]:
    """The cast. Raises Http404 on an installation that is no demonstration, and for anybody on another machine."""
    file = settings.LAYOUT.state_of("web") / CAST_FILE
    try:
        near = ipaddress.ip_address(listeners.peer(request)).is_loopback
        found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8")) if near else []
    except (OSError, ValueError):
        found = []
    if not found:
        raise Http404("no demonstration here")
    return found


def building() -> dict[str, Any] | None:
    """How far the environment image is (words, percent) while it is being built."""
    try:
        found: dict[str, Any] = json.loads((settings.LAYOUT.run / IMAGE_PROGRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _card(number: int, raw: dict[str, Any], moment: float) -> Card:
    known = next((one for one in reading.people() if one.email == raw["email"]), None)
    waiting: list[Task] = []
    if known is not None:
        actor = Actor("person", known.sub, known.name, tuple(known.groups))
        waiting = tasks_of(actor, reading.projects_for(actor))
    return Card(
        number,
        raw["name"],
        raw["role"],
        raw["email"],
        raw["password"],
        totp(raw["totp_secret"], moment),
        tuple(waiting[:MOST_TASKS]),
        max(0, len(waiting) - MOST_TASKS),
        known is not None,
    )


@require_GET
def demo(request: HttpRequest) -> HttpResponseBase:
    """The cast as cards, and the newest mail."""
    moment = time.time()
    cards = [_card(number, raw, moment) for number, raw in enumerate(cast(request))]
    names = {one.sub: one.name for one in reading.people()}
    mail = [(one, names.get(one.to, one.to)) for one in reading.all_mail(50)]
    context = {"cards": cards, "mail": mail, "left": seconds_left(moment), "building": building()}
    return render(request, "demo/demo.html", context)


@require_POST
def demo_sign_in(request: HttpRequest, number: int) -> HttpResponseBase:
    """To the provider with a login of this person, whoever was signed in before."""
    people = cast(request)
    if number >= len(people):
        raise Http404("nobody of that number in the cast")
    room.leave(request)
    step = oidc.Round.new()
    address = oidc.authorize_url(request, step, fresh=True)
    acting.remember(
        request,
        step,
        {
            "purpose": "sign_in",
            "nonce": step.nonce,
            "verifier": step.verifier,
            "at": time.time(),
            "next": reverse("home"),
        },
    )
    return HttpResponseRedirect(address)


urlpatterns = [
    path("demo", demo, name="demo"),
    path("demo/sign-in/<int:number>", demo_sign_in, name="demo_sign_in"),
]
