"""What goes over the warden's orders socket: ids, decisions and the acting person's token, never a path, spec or state.

HTTP/1.1 with JSON over a Unix socket. Every answer to an order is one ``Outcome``.

- ``POST /orders``: an ``Order``. 200 done, 403 refused, 401 the token does not count, 400 not well formed.
- ``PUT /blobs/SHA256``: a document (at most 20 MB) that the next act names by its hash; header ``Authorization: Bearer``.
- ``GET /feed?after=SEQ&limit=N``: entries of the record in order, at most 500.
- ``GET /documents/SHA256``, ``GET /outputs/ENVIRONMENT``, ``GET /previews/REQUEST``, ``GET /attestations/ENVIRONMENT``:
  with a token; judged by role.
- ``POST /leave``: with a token; every desktop that this person has open is closed within a minute.
- ``GET /releases/REQUEST/NAME``: bytes of a published file. ``GET /checkpoint`` and ``GET /key``: for anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from strongroom.domain.acts import Act, Entry

LARGEST_BLOB = 20 * 1024 * 1024
FRESH_LOGIN_SECONDS = 120


@dataclass(frozen=True)
class Order:
    """An act with the person's access token; ``id_token`` from the fresh login bound to the act's digest when it is grave.

    ``key`` makes it safe to send twice: the same key answers with the first outcome.
    """

    act: Act
    key: str
    access_token: str = field(repr=False)
    id_token: str = field(default="", repr=False)
    address: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "act": {"kind": self.act.kind, "project": self.act.project, "body": dict(self.act.body)},
            "key": self.key,
            "access_token": self.access_token,
            "id_token": self.id_token,
            "address": self.address,
        }


@dataclass(frozen=True)
class Outcome:
    """What became of an order.

    ``status``: ``done`` (``entry`` is its line in the record), ``refused`` (``reason``, ``next_step``, ``missing``),
    ``fresh_login_needed`` (grave act without its login), ``unauthorised`` (token) or ``malformed``. ``extra`` holds what only
    the asker gets: an entry ticket, a deposit's opening token.
    """

    status: str
    entry: Entry | None = None
    reason: str = ""
    next_step: str = ""
    missing: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.status == "done"

    def to_json(self) -> dict[str, Any]:
        return {
            "status": self.status,
            "entry": self.entry.to_json() if self.entry else None,
            "reason": self.reason,
            "next_step": self.next_step,
            "missing": self.missing,
            "extra": dict(self.extra),
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Outcome:
        entry = Entry.from_json(raw["entry"]) if raw.get("entry") else None
        return cls(raw["status"], entry, raw["reason"], raw["next_step"], raw["missing"], raw["extra"])
