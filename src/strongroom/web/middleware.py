"""Around each page: security headers, exact host, the browser's session, what the outside may open, the warden away."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import resolve

from strongroom.layout import Layout
from strongroom.orders.client import WardenRefused, WardenUnreachable
from strongroom.usecases import sessions
from strongroom.web import listeners, room

Answer = Callable[[HttpRequest], HttpResponseBase]


def content_policy(layout: Layout) -> str:
    """What a page may load: our own files; forms may lead to the identity provider and to environments."""
    outside_identity = f"https://id.localhost:{layout.outside_port}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        f"connect-src 'self' https://*.deposit.localhost:{layout.outside_port}; "
        f"form-action 'self' {layout.issuer} {outside_identity} https://*.env.localhost:{layout.port}; "
        "manifest-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


class Headers:
    """Adds the content policy, and keeps pages out of caches."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        self.policy = content_policy(settings.LAYOUT)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.policy)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response


class ExactHost:
    """Refuses a host or port that is not ours: Django compares names without ports."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.META.get("HTTP_HOST", "") not in settings.EXACT_HOSTS:
            return HttpResponse(f"This is {settings.LAYOUT.app_url}; open that address instead.\n", "text/plain", 400)
        return self.get_response(request)


class Rooms:
    """Opens the browser's session from its cookie."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        room.attach(request)
        response = self.get_response(request)
        room.finish(request, response)
        return response


class Listener:
    """From outside the institution's networks only the pages of ``listeners`` can be opened."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if listeners.of(request) == "outside":
            name = resolve(request.path_info).url_name or ""
            if not listeners.open_outside(name):
                return render(request, "outside.html", {"inside": settings.LAYOUT.app_url}, status=403)
        return self.get_response(request)


class Troubles:
    """Turns a silent warden, a refused reading or a lapsed session into a page that says what to do."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponseBase | None:
        if isinstance(error, WardenUnreachable):
            return render(request, "unreachable.html", {"where": request.get_full_path()}, status=503)
        if isinstance(error, WardenRefused):
            return render(request, "refused.html", {"reason": str(error)}, status=403)
        if isinstance(error, sessions.SessionEnded):
            return room.sign_in_again(request)
        return None
