"""Exact host check and response headers."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

Answer = Callable[[HttpRequest], HttpResponseBase]


class ExactHost:
    """Refuses a host or port that is not ours (Django compares names without ports) and adds security headers.

    ``form-action`` names the app too, because browsers apply it to the redirects that follow a sign-in form.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response
        layout = settings.LAYOUT
        self.policy = (
            "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; "
            f"form-action 'self' {layout.app_url} {layout.outside_url}"
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        host = request.META.get("HTTP_X_FORWARDED_HOST") or request.META.get("HTTP_HOST", "")
        if host not in settings.EXACT_HOSTS:
            return HttpResponse(f"This is {settings.LAYOUT.issuer}; open that address instead.\n", "text/plain", 400)
        response = self.get_response(request)
        response["Content-Security-Policy"] = self.policy
        if "Cache-Control" not in response:
            response["Cache-Control"] = "no-store"
        return response
