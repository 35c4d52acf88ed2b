"""The app's own ledger: lines join whichever transaction is open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction

from strongroom.domain.acts import Actor
from strongroom.ledger import store


def line(
    at: str,
    actor: Actor,
    action: str,
    subject: Mapping[str, Any],
    *,
    project: str = "",
    outcome: str = "done",
    reason: str = "",
    role: str = "",
    body: Mapping[str, Any] | None = None,
) -> int:
    """Write one line and give its number."""
    who = {"kind": "person" if actor.kind == "person" else "process", "id": actor.id or "unknown"}
    who |= {key: value for key, value in (("name", actor.name), ("role", role)) if value}
    entry: dict[str, Any] = {"at": at, "actor": who, "action": action, "subject": dict(subject), "outcome": outcome}
    entry |= {key: value for key, value in (("project", project), ("reason", reason), ("body", body)) if value}
    with transaction.atomic(), connection.cursor() as cursor:
        return store.append(cursor.execute, entry, placeholder="%s").seq
