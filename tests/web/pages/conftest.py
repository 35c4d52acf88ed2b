"""The web app over a database of its own, with a warden that decides by ``domain.evidence`` alone."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.web.pages.site import Site

CLIENT = {"client_id": "web", "client_secret": "secret"}


@pytest.fixture(scope="session")
def app_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """State folder of the web app with migrated tables; Django is set up once for the whole run."""
    from django.conf import settings

    ours = not settings.configured
    if ours:
        os.environ["STRONGROOM_INSTANCE"] = f"pages-{os.getpid()}"
        os.environ["DJANGO_SETTINGS_MODULE"] = "strongroom.settings"
    from strongroom.layout import Layout

    made = [Layout.current().state_of(part) for part in ("web", "identity")] if ours else []
    for folder in made:
        folder.mkdir(parents=True, exist_ok=True)
    import django

    django.setup()
    from strongroom.usecases.installing import migrate

    migrate("--verbosity=0")
    yield settings.LAYOUT.state_of("web")
    if ours:
        shutil.rmtree(settings.LAYOUT.state, ignore_errors=True)


@pytest.fixture
def site(app_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The app with empty records; what a test writes is gone afterwards."""
    from django.conf import settings
    from django.db import connection

    from strongroom.records import reading
    from strongroom.usecases import acting as asking
    from strongroom.web import acting, oidc
    from tests.web.pages.site import JudgingWarden, Site

    whole = settings.DATABASES["default"]["NAME"]
    connection.close()
    empty = tmp_path / "web.sqlite3"
    _copy(Path(whole), empty)
    monkeypatch.setitem(connection.settings_dict, "NAME", empty)
    reading.forget()
    warden = JudgingWarden()
    monkeypatch.setattr(asking, "warden", lambda: warden)
    monkeypatch.setattr(acting, "_warden", lambda: warden)
    monkeypatch.setattr(oidc, "client", lambda: (CLIENT["client_id"], CLIENT["client_secret"]))
    yield Site(warden)
    connection.close()
    reading.forget()


def _copy(source: Path, target: Path) -> None:
    import sqlite3

    with sqlite3.connect(source) as before, sqlite3.connect(target) as after:
        before.backup(after)
    before.close()
    after.close()


@pytest.fixture
def cast_file(app_folder: Path) -> Iterator[Path]:
    """A cast of one person, as a demonstration leaves it."""
    person = {
        "name": "Ines Marques",
        "role": "investigator",
        "email": "ines@example.org",
        "password": "correct horse",
        "totp_secret": "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ",
    }
    file = app_folder / "demo-cast.json"
    file.write_text(json.dumps([person]))
    yield file
    file.unlink()
