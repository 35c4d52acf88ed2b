"""Making and upgrading the tables of the records."""

from __future__ import annotations

from django.core.management import call_command

from strongroom.records.guard import writing


def migrate(*options: str) -> None:
    """Bring the database up to the tables of this release; may be run again."""
    with writing():
        call_command("migrate", "--no-input", *options)
