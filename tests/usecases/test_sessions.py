"""Sealed sessions: neither the database nor the cookie alone opens anything, and one refresh at a time."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.proves import proves

SECRET_WORDS = "token-that-must-not-be-found"  # noqa: S105


def tokens(expires_in: float, name: str = SECRET_WORDS) -> dict[str, Any]:
    """Tokens as the sign-in keeps them."""
    return {"access_token": f"{name}-access", "refresh_token": f"{name}-refresh", "expires": time.time() + expires_in}


@proves("satre:1.5.05")
def test_a_dump_of_the_database_holds_no_token(records_db: Path) -> None:
    from django.db import connection

    from strongroom.usecases import sessions

    room = sessions.begin({"person": {"sub": "sub-secret", "name": "Nobody Else"}})
    sessions.keep_tokens(room, tokens(300))
    connection.close()
    dump = b"".join(path.read_bytes() for path in records_db.parent.glob("web.sqlite3*"))
    assert room.id.encode() in dump
    for words in (SECRET_WORDS, "sub-secret", "Nobody Else", room.secret):
        assert words.encode() not in dump


def test_the_cookie_of_another_session_opens_nothing(records_db: Path) -> None:
    from strongroom.records.models import Session
    from strongroom.usecases import sessions

    mine, other = sessions.begin({"mine": 1}), sessions.begin({"theirs": 1})
    sealed = bytes(Session.objects.get(id=mine.id).data)
    with pytest.raises(sessions.SessionEnded):
        other.open(sealed, "data")
    with pytest.raises(sessions.SessionEnded):
        mine.open(sealed, "tokens")
    with pytest.raises(sessions.SessionEnded):
        mine.open(sealed[:-1] + bytes([sealed[-1] ^ 1]), "data")
    assert mine.open(sealed, "data") == {"mine": 1}


@pytest.mark.parametrize("value", ["", "x", "a" * 43 + "!", "a" * 44, "ü" * 43, "a" * 10_000])
def test_a_cookie_that_is_not_ours_is_no_session(value: str) -> None:
    from strongroom.usecases import sessions

    assert sessions.from_cookie(value) is None


def test_changes_are_kept_and_an_ended_session_is_gone(records_db: Path) -> None:
    from strongroom.usecases import sessions

    room = sessions.begin({"count": 0})

    def more(_: int) -> None:
        from django.db import connection

        sessions.change(room, lambda data: data.update(count=data["count"] + 1))
        connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(more, range(12)))
    assert sessions.load(room) == {"count": 12}
    sessions.end(room)
    with pytest.raises(sessions.SessionEnded):
        sessions.load(room)
    with pytest.raises(sessions.SessionEnded):
        sessions.access_token(room, lambda token: tokens(300))


def test_a_live_token_is_not_refreshed(records_db: Path) -> None:
    from strongroom.usecases import sessions

    room = sessions.begin({})
    sessions.keep_tokens(room, tokens(300))

    def never(token: str) -> dict[str, Any]:
        raise AssertionError("refreshed without need")

    assert sessions.access_token(room, never) == f"{SECRET_WORDS}-access"


def test_eight_at_once_refresh_once(records_db: Path) -> None:
    """A refresh token that is used twice ends the whole grant at the provider."""
    from django.db import connection, transaction

    from strongroom.usecases import sessions

    room = sessions.begin({})
    sessions.keep_tokens(room, tokens(5))
    used: list[str] = []

    def refresh(token: str) -> dict[str, Any]:
        assert not transaction.get_connection().in_atomic_block, "a network call within a write transaction"
        used.append(token)
        time.sleep(0.2)
        return tokens(300, "fresh")

    def ask(_: int) -> str:
        try:
            return sessions.access_token(room, refresh)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))
    assert used == [f"{SECRET_WORDS}-refresh"]
    assert answers == {"fresh-access"}


def test_a_refresher_that_died_holds_nobody_up_for_long(records_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongroom.usecases import sessions

    monkeypatch.setattr(sessions, "LEASE", 0.3)
    room = sessions.begin({})
    sessions.keep_tokens(room, tokens(5))

    def dies(token: str) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sessions.access_token(room, dies)
    assert sessions.access_token(room, lambda token: tokens(300, "fresh")) == "fresh-access"


def test_lapsed_sessions_are_cleared_away(records_db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongroom.records.models import Session
    from strongroom.usecases import sessions

    monkeypatch.setattr(sessions, "NOBODYS_LIFETIME", -1)
    old = sessions.begin({})
    with pytest.raises(sessions.SessionEnded):
        sessions.load(old)
    monkeypatch.setattr(sessions, "NOBODYS_LIFETIME", 60)
    sessions.begin({})
    assert Session.objects.count() == 1


def test_a_session_of_nobody_is_short(records_db: Path) -> None:
    from strongroom.records.models import Session
    from strongroom.usecases import sessions

    nobody, somebody = sessions.begin({"pending": {}}), sessions.begin({"person": {"sub": "s"}})
    ends = {row.id: row.expires for row in Session.objects.all()}
    assert ends[nobody.id] + 3600 < ends[somebody.id]
