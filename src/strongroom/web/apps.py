"""Django application of the pages."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Templates, tags and static files; no models."""

    name = "strongroom.web"
    label = "web"
