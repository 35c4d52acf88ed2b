"""The one way pages act: ``submit`` an act; grave acts take the person through a fresh login bound to the decision.

A view looks like this::

    @acting.signed_in
    def appoint(request, project):
        person = acting.person(request)
        state = acting.project_or_404(person, project)
        form = AppointForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            act = Act("person.appoint", project, {...})
            return acting.submit(request, act, done=reverse("project", args=[project]), message="Appointed.")
        return render(request, "people/appoint.html", {"state": state, "form": form})
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse

from strongroom import records, usecases
from strongroom.domain.acts import Act
from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.evidence import evidence, is_grave
from strongroom.domain.project import Project
from strongroom.domain.verdict import Refused, Verdict
from strongroom.orders.client import Warden, WardenUnreachable
from strongroom.orders.protocol import Outcome
from strongroom.records import reading
from strongroom.usecases import sessions
from strongroom.usecases.acting import warden as _warden
from strongroom.usecases.clock import now
from strongroom.usecases.people import SignedIn
from strongroom.web import listeners, oidc, room

Rest = ParamSpec("Rest")
View = Callable[Concatenate[HttpRequest, Rest], HttpResponseBase]
PENDING_SECONDS = 15 * 60
PENDING_MOST = 8


def person(request: HttpRequest) -> SignedIn:
    """Who is signed in; for views under ``signed_in``. Raises SessionEnded when nobody is."""
    found = room.person_of(request)
    if found is None:
        raise sessions.SessionEnded("nobody is signed in here")
    return found


def signed_in(view: View[Rest]) -> View[Rest]:
    """Only for somebody signed in; others go to the sign-in and come back."""

    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Rest.args, **kwargs: Rest.kwargs) -> HttpResponseBase:
        if room.person_of(request) is None:
            return HttpResponseRedirect(f"{reverse('sign_in')}?{urlencode({'next': request.get_full_path()})}")
        return view(request, *args, **kwargs)

    return guarded


def project_or_404(who: SignedIn, project: str) -> Project:
    """A project that this person may see; Http404 otherwise, so that nobody learns which projects exist."""
    state = records.project(project)
    if not reading.may_see(who.actor, state):
        raise Http404("no such project")
    return state


def warden() -> Warden:
    """The warden, for readings with ``person(request).access_token()``."""
    return _warden()


def may(who: SignedIn, act: Act) -> Verdict:
    """What the records make of an act, before anybody asks the warden: for showing or hiding what can be done."""
    return evidence(act, who.actor, records.project(act.project), now())


def submit(request: HttpRequest, act: Act, *, done: str, message: str) -> HttpResponseBase:
    """Ask for an act and answer with the page that follows: ``done`` with a banner, a refusal, or a fresh login first."""
    who = person(request)
    verdict = may(who, act)
    if not isinstance(verdict, Refused) and is_grave(act.kind, verdict.role):
        return _fresh_login(request, act, done, message)
    return answer(request, ask(request, act), act, done, message)


def ask(request: HttpRequest, act: Act) -> Outcome:
    """Ask the warden for an act that is not grave and give its outcome, for views that show ``outcome.extra``.

    The form's ``key`` makes a form that is sent twice act once; an old refusal does not stand in the way of a new try.
    """
    who = person(request)
    key = f"{who.sub}:{request.POST.get('key', '') or secrets.token_urlsafe(16)}:{act.digest}"
    before = reading.last_seq()
    outcome = usecases.perform(who, act, key, address=listeners.peer(request))
    if outcome.status == "refused" and outcome.entry and outcome.entry.seq <= before:
        return usecases.perform(who, act, f"{key}:{secrets.token_urlsafe(16)}", address=listeners.peer(request))
    return outcome


def answer(request: HttpRequest, outcome: Outcome, act: Act, done: str, message: str) -> HttpResponseBase:
    """The page that an outcome leads to."""
    if outcome.done:
        leave_banner(request, message)
        return HttpResponseRedirect(done)
    if outcome.status == "fresh_login_needed":
        return _fresh_login(request, act, done, message)
    if outcome.status == "unauthorised":
        return room.sign_in_again(request)
    return refused(request, outcome, done)


def leave_banner(request: HttpRequest, message: str) -> None:
    """A success message for the next page."""
    room.change(request, lambda data: data.update(banner=message))


def refused(request: HttpRequest, outcome: Outcome | Refused, back: str) -> HttpResponse:
    """The page of a refusal: why, what to do next, which decision is missing."""
    context = {
        "reason": outcome.reason,
        "next_step": outcome.next_step,
        "missing": outcome.missing,
        "malformed": isinstance(outcome, Outcome) and outcome.status == "malformed",
        "back": back,
    }
    return render(request, "refused.html", context, status=403)


def _fresh_login(request: HttpRequest, act: Act, done: str, message: str) -> HttpResponseBase:
    step = oidc.Round.new(nonce=act.digest)
    pending = {
        "purpose": "act",
        "nonce": step.nonce,
        "verifier": step.verifier,
        "at": time.time(),
        "act": {"kind": act.kind, "project": act.project, "body": dict(act.body)},
        "key": f"{person(request).sub}:{secrets.token_urlsafe(16)}",
        "done": done,
        "message": message,
    }
    remember(request, step, pending)
    return HttpResponseRedirect(oidc.authorize_url(request, step, fresh=True))


def remember(request: HttpRequest, step: oidc.Round, pending: dict[str, Any]) -> None:
    """Seal what a round through the browser is for into the session; the oldest of too many is dropped."""

    def keep(data: sessions.Data) -> None:
        kept = {**data.get("pending", {}), step.state: pending}
        newest = sorted(kept, key=lambda state: kept[state]["at"])[-PENDING_MOST:]
        data["pending"] = {state: kept[state] for state in newest}

    room.change(request, keep)


def recall(request: HttpRequest, state: str) -> dict[str, Any] | None:
    """What a round was for, once; None when it is not known here or too old."""
    if "pending" not in (request.__dict__["strongroom_room"].data or {}):
        return None
    found: dict[str, Any] | None = room.change(request, lambda data: data.get("pending", {}).pop(state, None))
    if found is None or found["at"] < time.time() - PENDING_SECONDS:
        return None
    return found


def perform_pending(request: HttpRequest, pending: dict[str, Any], id_token: str) -> HttpResponseBase:
    """Do the grave act that a fresh login was for."""
    raw = pending["act"]
    act = Act(raw["kind"], raw["project"], raw["body"])
    try:
        outcome = usecases.perform(
            person(request), act, pending["key"], id_token=id_token, address=listeners.peer(request)
        )
    except WardenUnreachable:
        return render(request, "unreachable.html", {"where": pending["done"]}, status=503)
    if outcome.status == "fresh_login_needed":
        return refused(
            request, Refused("the fresh login came too late or was for something else", "Try again."), pending["done"]
        )
    return answer(request, outcome, act, pending["done"], pending["message"])


def role_words(role: str) -> str:
    """A role as people read it."""
    return ROLE_WORDS.get(role, role)
