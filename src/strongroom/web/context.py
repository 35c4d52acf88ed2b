"""What every page's template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from strongroom.web import listeners, room


def page(request: HttpRequest) -> dict[str, Any]:
    """The signed-in person, the banner, the listener."""
    return {
        "me": room.person_of(request),
        "banner": room.take_banner(request),
        "listener": listeners.of(request),
        "instance": settings.LAYOUT.instance,
    }
