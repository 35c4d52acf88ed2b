"""The records over a database of their own for each test; Django is set up once for the whole run."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def migrated() -> Iterator[Path]:
    """A database with all tables and no rows."""
    from django.conf import settings

    ours = not settings.configured
    if ours:
        os.environ["STRONGROOM_INSTANCE"] = f"records-{os.getpid()}"
        os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.settings"
        from strongroom.layout import Layout

        Layout.current().state_of("web").mkdir(parents=True)
    import django

    django.setup()
    from strongroom.usecases.installing import migrate

    migrate("--verbosity=0")
    yield Path(settings.DATABASES["default"]["NAME"])
    if ours:
        shutil.rmtree(settings.LAYOUT.state, ignore_errors=True)


@pytest.fixture
def records_db(migrated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Empty records; what a test writes is gone afterwards."""
    from django.db import connection

    from strongroom.records import reading

    connection.close()
    empty = tmp_path / "web.sqlite3"
    with closing(sqlite3.connect(migrated)) as before, closing(sqlite3.connect(empty)) as after:
        before.backup(after)
    monkeypatch.setitem(connection.settings_dict, "NAME", empty)
    reading.forget()
    yield empty
    connection.close()
    reading.forget()
