"""What a deposit's token and secret allow, and when: pure, so that the warden can keep the state where it wants.

The Representative gets an opening token; it opens once and is exchanged for a secret bound to this upload. Only hashes
of either are kept, and completion ends both.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass, replace
from datetime import datetime

BYTES = 32


class TokenRefused(Exception):
    """No entry: an HTTP status and words for the person."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Grant:
    """State of a deposit's access, without anything that could be used as a key."""

    deposit: str
    token_sha256: str
    expires: datetime
    secret_sha256: str = ""
    opened_at: datetime | None = None
    completed_at: datetime | None = None


def fresh() -> str:
    """A new token or secret of 256 bits."""
    return secrets.token_urlsafe(BYTES)


def sha256(text: str) -> str:
    """What is kept of a token or secret."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def same(text: str, digest: str) -> bool:
    """Whether a token or secret has this hash (in constant time; nothing has the empty hash)."""
    return bool(digest) and hmac.compare_digest(sha256(text), digest)


def _in_time(grant: Grant, now: datetime) -> None:
    if now >= grant.expires:
        raise TokenRefused(410, "the time for this deposit is over: ask the Project Manager to open a new one")


def exchange(grant: Grant, token: str, secret: str, now: datetime) -> Grant:
    """The grant after its token was given for ``secret`` (freshly made by the caller, answered once, never kept)."""
    if not same(token, grant.token_sha256):
        raise TokenRefused(401, "this is not the token of this deposit: copy it again from the deposit's page")
    if grant.completed_at:
        raise TokenRefused(410, "this deposit is complete: nothing can be added")
    if grant.opened_at:
        raise TokenRefused(410, "this token was used already: if that was not you, tell the Project Manager at once; "
                                "otherwise ask for a new token")  # fmt: skip
    _in_time(grant, now)
    return replace(grant, secret_sha256=sha256(secret), opened_at=now)


def reissue(grant: Grant, token: str) -> Grant:
    """The grant with a new opening token; the old token and secret open nothing any more."""
    if grant.completed_at:
        raise TokenRefused(410, "this deposit is complete: open a new one")
    return replace(grant, token_sha256=sha256(token), secret_sha256="", opened_at=None)


def complete(grant: Grant, secret: str, now: datetime) -> Grant:
    """The grant after its holder said that all is there; saying so again changes nothing (a lost answer is no harm)."""
    if not same(secret, grant.secret_sha256):
        raise TokenRefused(401, "this is not the secret of this deposit: open it with a token first")
    if grant.completed_at:
        return grant
    _in_time(grant, now)
    return replace(grant, completed_at=now)
