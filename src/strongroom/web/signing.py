"""Signing in, coming back from the provider (also with a fresh login for a grave act), signing out."""

from __future__ import annotations

import contextlib
import time

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from strongroom.orders.client import WardenRefused, WardenUnreachable
from strongroom.usecases.people import leave, meet
from strongroom.usecases.sessions import SessionEnded
from strongroom.web import acting, listeners, oidc, room


def _safe_next(request: HttpRequest) -> str:
    wanted = request.GET.get("next", "")
    if wanted.startswith("/") and url_has_allowed_host_and_scheme(wanted, None):
        return wanted
    return reverse("home")


@require_GET
def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send the browser to the identity provider."""
    step = oidc.Round.new()
    pending = {"purpose": "sign_in", "nonce": step.nonce, "verifier": step.verifier, "at": time.time()}
    try:
        address = oidc.authorize_url(request, step)
    except oidc.SignInFailed as error:
        return _failed(request, str(error))
    acting.remember(request, step, {**pending, "next": _safe_next(request)})
    return HttpResponseRedirect(address)


@require_GET
def signed_in(request: HttpRequest) -> HttpResponseBase:
    """The provider sends the browser back: sign in, or do the grave act that the fresh login was for."""
    pending = acting.recall(request, request.GET.get("state", ""))
    if pending is None:
        return _failed(request, "this sign-in was not begun in this browser, or it was used or is too old")
    if "error" in request.GET:
        return _failed(request, f"the identity provider said: {request.GET['error'][:80]}")
    try:
        tokens = oidc.exchange(request, request.GET.get("code", ""), pending["verifier"])
        claims = oidc.claims_of(tokens["id_token"], pending["nonce"])
    except oidc.SignInFailed as error:
        return _failed(request, str(error))
    if pending["purpose"] == "act":
        if claims["sub"] != acting.person(request).sub:
            return _failed(request, "somebody else signed in than the person who was about to act; nothing was done")
        room.renew(request, {**tokens, "id_token": ""})
        return acting.perform_pending(request, pending, tokens["id_token"])
    who = {
        "sub": claims["sub"],
        "name": claims.get("name") or claims.get("email") or claims["sub"],
        "email": claims.get("email", ""),
        "groups": list(claims.get("groups", [])),
    }
    meet(room.enter(request, who, {**tokens, "id_token": ""}), listeners.of(request))
    return HttpResponseRedirect(pending["next"])


@require_POST
def sign_out(request: HttpRequest) -> HttpResponseBase:
    """End the session here, every open desktop, and the grant at the provider."""
    who = room.person_of(request)
    if who is not None:
        # What cannot be closed now is judged at each request all the same.
        with contextlib.suppress(WardenUnreachable, WardenRefused, SessionEnded, oidc.SignInFailed):
            acting.warden().leave(who.access_token())
        leave(who)
        if token := room.leave(request):
            oidc.revoke(token)
    return HttpResponseRedirect(reverse("home"))


def _failed(request: HttpRequest, reason: str) -> HttpResponse:
    return render(request, "sign_in_failed.html", {"reason": reason}, status=400)
