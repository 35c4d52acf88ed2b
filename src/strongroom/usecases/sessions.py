"""A browser's session: sealed in the database, opened only by the key in that browser's cookie.

The cookie is one secret. From it follow the row's name (a hash) and the key of its two sealed parts: ``data`` (small
things, changed in a transaction) and ``tokens`` (changed by one refresher at a time). Neither half opens anything alone.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.db import transaction
from django.db.models import F

from strongroom.records.guard import writing
from strongroom.records.models import Session

LIFETIME = 12 * 3600
NOBODYS_LIFETIME = 15 * 60
REFRESH_AHEAD = 45
LEASE = 15.0
Data = dict[str, Any]


class SessionEnded(Exception):
    """The session has ended: sign in again."""


@dataclass(frozen=True)
class Room:
    """One browser's session; ``secret`` is what the cookie holds."""

    secret: str

    @property
    def id(self) -> str:
        """Name of the row; says nothing about the secret."""
        return hashlib.sha256(b"strongroom session id\0" + self.secret.encode()).hexdigest()

    def _key(self) -> bytes:
        return hashlib.sha256(b"strongroom session key\0" + self.secret.encode()).digest()

    def seal(self, value: Any, part: str) -> bytes:
        """Encrypt a value for one part of this session."""
        nonce = os.urandom(12)
        return nonce + AESGCM(self._key()).encrypt(nonce, json.dumps(value).encode(), f"{self.id} {part}".encode())

    def open(self, sealed: bytes | memoryview[int], part: str) -> Any:
        """Decrypt one part. Raises SessionEnded when it was not sealed for this session."""
        blob = bytes(sealed)
        try:
            plain = AESGCM(self._key()).decrypt(blob[:12], blob[12:], f"{self.id} {part}".encode())
        except (InvalidTag, ValueError) as error:
            raise SessionEnded("this session cannot be opened") from error
        return json.loads(plain)


def from_cookie(value: str) -> Room | None:
    """The session a cookie names; None when the value is not one of ours."""
    try:
        good = len(base64.urlsafe_b64decode(value + "=")) == 32 and len(value) == 43
    except (binascii.Error, ValueError):
        return None
    return Room(value) if good else None


def begin(data: Data) -> Room:
    """A new session, a short one while nobody is signed in; old ones that have lapsed are cleared away."""
    room = Room(secrets.token_urlsafe(32))
    now = time.time()
    expires = now + (LIFETIME if data.get("person") else NOBODYS_LIFETIME)
    with writing(), transaction.atomic():
        Session.objects.filter(expires__lt=now).delete()
        Session.objects.create(id=room.id, data=room.seal(data, "data"), expires=expires)
    return room


def load(room: Room) -> Data:
    """What the session holds. Raises SessionEnded."""
    row = Session.objects.filter(id=room.id, expires__gt=time.time()).only("data").first()
    if row is None:
        raise SessionEnded("there is no such session")
    data: Data = room.open(row.data, "data")
    return data


def change(room: Room, step: Callable[[Data], Any]) -> Any:
    """Change what the session holds in one transaction and give what ``step`` gives. Raises SessionEnded."""
    with writing(), transaction.atomic():
        data = load(room)
        answer = step(data)
        Session.objects.filter(id=room.id).update(data=room.seal(data, "data"))
    return answer


def keep_tokens(room: Room, tokens: Data) -> None:
    """Seal new tokens into the session; whoever waits for a refresh sees them."""
    sealed = room.seal(tokens, "tokens")
    with writing():
        Session.objects.filter(id=room.id).update(
            tokens=sealed, tokens_version=F("tokens_version") + 1, refresh_until=0
        )


def end(room: Room) -> None:
    """Forget the session and its tokens."""
    with writing():
        Session.objects.filter(id=room.id).delete()


def tokens_of(room: Room) -> Data:
    """The tokens as they are, without refreshing. Raises SessionEnded."""
    tokens: Data = room.open(_row(room).tokens, "tokens")
    return tokens


def access_token(room: Room, refresh: Callable[[str], Data]) -> str:
    """An access token with some life left; refreshed by exactly one of those who need it. Raises SessionEnded.

    A refresh token counts once, and a second use ends the grant: a lease in the row lets one caller refresh, without an
    open transaction, while the others wait for what it brings.
    """
    deadline = time.monotonic() + LEASE + 5
    while time.monotonic() < deadline:
        row = _row(room)
        tokens = room.open(row.tokens, "tokens")
        if tokens["expires"] - REFRESH_AHEAD > time.time():
            return str(tokens["access_token"])
        if _take_lease(room, row.tokens_version):
            fresh = refresh(str(tokens["refresh_token"]))
            keep_tokens(room, fresh)
            return str(fresh["access_token"])
        time.sleep(0.05)
    raise SessionEnded("the sign-in could not be renewed in time")


def _take_lease(room: Room, version: int) -> bool:
    now = time.time()
    with writing():
        free = Session.objects.filter(id=room.id, tokens_version=version, refresh_until__lt=now)
        return free.update(refresh_until=now + LEASE) == 1


def _row(room: Room) -> Session:
    row = Session.objects.filter(id=room.id, expires__gt=time.time()).first()
    if row is None or not row.tokens:
        raise SessionEnded("nobody is signed in here")
    return row
