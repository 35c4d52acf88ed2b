"""Who may pass to an environment's host: one-use tickets, then a session that is judged anew at each request."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import CookieError, SimpleCookie
from typing import Any

from strongroom.domain.acts import Act, Actor
from strongroom.domain.evidence import evidence
from strongroom.domain.place import Places
from strongroom.domain.verdict import Refused
from strongroom.layout import Layout
from strongroom.orders.protocol import Order
from strongroom.warden.decide import new_secret
from strongroom.warden.record import Record

COOKIE = "__Host-entry"
TICKET_SECONDS = 60
SESSION_SECONDS = 8 * 3600


@dataclass(frozen=True)
class Passage:
    """Answer to the gateway: HTTP status, words for the person, cookie to set ("" for none)."""

    status: int
    words: str
    cookie: str = ""


@dataclass
class Entrance:
    """The entry desk; knows tickets and the record, nothing of tokens."""

    record: Record
    layout: Layout
    places: Callable[[], Places]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def ticket(self, db: sqlite3.Connection, order: Order, actor: Actor, now: datetime) -> Mapping[str, Any]:
        """A ticket for one person, one environment, one address, 60 seconds and one use."""
        environment = order.act.body["environment"]
        ticket, mark = new_secret()
        db.execute("DELETE FROM session WHERE ends < ?", (now.timestamp(),))
        db.execute(
            "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, 1)",
            (mark, actor.id, order.act.project, environment, order.address, now.timestamp() + TICKET_SECONDS),
        )
        return {"ticket": ticket, "host": self.layout.environment_host(environment)}

    def enter(self, ticket: str, host: str, address: str) -> Passage:
        """Exchange a ticket for the session cookie of its environment's host."""
        now = self.clock().timestamp()
        mark = hashlib.sha256(ticket.encode()).hexdigest()
        with self.record.transaction() as db:
            row = db.execute(
                "SELECT person, project, environment, address FROM session WHERE cookie = ? AND ticket = 1 AND ends >= ?",
                (mark, now),
            ).fetchone()
            db.execute("DELETE FROM session WHERE cookie = ? AND ticket = 1", (mark,))
            if row is None or self.layout.environment_host(row[2]) != host or row[3] not in ("", address):
                return Passage(403, "This ticket does not count. Open the desktop from the environment's page again.")
            if self.record.state(row[1]).environments[row[2]].controls["sessions"] == "one":
                db.execute("DELETE FROM session WHERE person = ? AND environment = ? AND ticket = 0", (row[0], row[2]))
            cookie, kept = new_secret()
            db.execute(
                "INSERT INTO session VALUES (?, ?, ?, ?, ?, ?, 0)", (kept, *row[:3], address, now + SESSION_SECONDS)
            )
        return Passage(303, "", cookie)

    def leave(self, person: str) -> None:
        """End everything a person has open, as at signing out; running streams are cut within a minute."""
        with self.record.transaction() as db:
            db.execute("DELETE FROM session WHERE person = ?", (person,))

    def check(self, cookies: str, host: str, address: str) -> Passage:
        """Whether a request may pass now: the person's right is judged from the record each time."""
        try:
            morsel = SimpleCookie(cookies).get(COOKIE)
        except CookieError:
            morsel = None
        if morsel is None:
            return Passage(401, "Open the desktop from the environment's page.")
        mark = hashlib.sha256(morsel.value.encode()).hexdigest()
        with self.record.reading() as db:
            row = db.execute(
                "SELECT person, project, environment, address, ends FROM session WHERE cookie = ? AND ticket = 0",
                (mark,),
            ).fetchone()
        now = self.clock()
        if row is None or row[4] < now.timestamp() or self.layout.environment_host(row[2]) != host or row[3] != address:
            return Passage(401, "Your entry has ended. Open the desktop from the environment's page again.")
        act = Act("environment.enter", row[1], {"environment": row[2]})
        with self.record.reading():
            place = self.places().of(address)
            verdict = evidence(act, Actor("person", row[0]), self.record.state(row[1]), now, place)
        if isinstance(verdict, Refused):
            return Passage(403, f"You cannot stay: {verdict.reason}. {verdict.next_step}")
        return Passage(204, "")
