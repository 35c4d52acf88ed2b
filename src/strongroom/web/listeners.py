"""Two listeners: inside the institution's networks every page, outside only those named here."""

from __future__ import annotations

from functools import cache

from django.conf import settings
from django.http import HttpRequest

from strongroom.domain.place import Place
from strongroom.site import Site

OUTSIDE = frozenset(
    {
        "home",
        "sign_in",
        "signed_in",
        "sign_out",
        "static",
        "terms",
        "training",
        "project",
        "agreement",
        "dataset_withdraw",
        "agreement_text",
        "release",
        "demo",
    }
)
OUTSIDE_PREFIXES = ("deposit", "release_", "demo_")
INSIDE = frozenset({"deposit_new"})


def of(request: HttpRequest) -> str:
    """``inside`` or ``outside``: as the gateway says, else outside, which may do less."""
    return "inside" if request.META.get("HTTP_X_STRONGROOM_LISTENER") == "inside" else "outside"


def open_outside(url_name: str) -> bool:
    """Whether a page may be opened from outside, by its URL name."""
    if url_name in INSIDE:
        return False
    return url_name in OUTSIDE or url_name.startswith(OUTSIDE_PREFIXES)


def base_url(request: HttpRequest) -> str:
    """Address of the app on the listener in use."""
    layout = settings.LAYOUT
    return str(layout.app_url if of(request) == "inside" else layout.outside_url)


def identity_url(request: HttpRequest) -> str:
    """Address of the identity provider on the listener in use."""
    layout = settings.LAYOUT
    return f"https://id.localhost:{layout.port if of(request) == 'inside' else layout.outside_port}"


def place(request: HttpRequest) -> Place:
    """Network and room of the person's device, for showing what they may do there; the warden judges again."""
    return _site().places.of(peer(request))


@cache
def _site() -> Site:
    return Site(settings.LAYOUT.places)


def peer(request: HttpRequest) -> str:
    """Address of the person's device, as the gateway saw it."""
    return str(request.META.get("HTTP_X_FORWARDED_FOR", "")).split(",")[-1].strip()
