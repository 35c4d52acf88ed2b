"""Django application of the records."""

from __future__ import annotations

from django.apps import AppConfig


class RecordsConfig(AppConfig):
    """Installs the guard on each database connection."""

    name = "strongroom.records"
    label = "records"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from strongroom.records import guard

        guard.install()
