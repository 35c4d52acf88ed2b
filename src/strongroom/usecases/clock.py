"""The present moment, in the one form that records and ledger use."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(UTC)


def now_text() -> str:
    """This moment as RFC 3339 text in UTC."""
    return now().isoformat(timespec="milliseconds")
