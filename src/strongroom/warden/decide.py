"""One order from arrival to answer: whose token, may they, is it on record."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from strongroom.domain.acts import Act, ActError, Actor, Entry, check_form
from strongroom.domain.evidence import evidence, is_grave
from strongroom.domain.place import Places
from strongroom.domain.verdict import Allowed, Refused
from strongroom.orders.protocol import Order, Outcome
from strongroom.policy import tiers
from strongroom.warden import claims
from strongroom.warden.record import Record, stamp
from strongroom.warden.tokens import TokenError, Verifier

# Acts whose ids become names of volumes, containers, sockets and hosts.
NAMING = frozenset({"project.create", "environment.create", "deposit.open", "egress.submit"})
Before = Callable[[Order, Actor], None]
Extra = Callable[[sqlite3.Connection, Order, Actor, datetime], Mapping[str, Any]]


class NotReady(Exception):
    """What the act needs is not there (a document that was never handed over, say); its words go to the person."""


@dataclass
class Desk:
    """Where orders are judged. ``before`` makes things durable that an act names; ``extra`` gives the asker a one-time thing."""

    record: Record
    verifier: Verifier
    before: Mapping[str, Before]
    extra: Mapping[str, Extra]
    places: Callable[[], Places]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    def decide(self, order: Order) -> Outcome:
        """Judge an order and keep what was decided; the same key again answers the same."""
        now = self.clock()
        try:
            actor = self.verifier.actor(order.access_token, now.timestamp())
        except TokenError as error:
            return Outcome("unauthorised", reason=str(error), next_step="Sign in again.")
        try:
            check_form(order.act)
        except ActError as error:
            return Outcome("malformed", reason=str(error), next_step="Mend the form and send it again.")
        if not 8 <= len(order.key) <= 100:
            return Outcome(
                "malformed", reason="key: needs 8 to 100 characters", next_step="Send the order with a new key."
            )
        if (before := self.record.answered(order.key)) is not None:
            return _again(before, actor, order.act)
        return self._judge(order, actor, now)

    def _judge(self, order: Order, actor: Actor, now: datetime) -> Outcome:
        act, place = order.act, self.places().of(order.address)
        with self.record.reading():
            verdict = evidence(act, actor, self.record.state(act.project), now, place)
        if verdict and act.kind in self.before:
            try:
                self.before[act.kind](order, actor)
            except NotReady as error:
                verdict = Refused(str(error), "Upload it again.")
        with self.record.transaction() as db:
            if verdict:
                verdict = evidence(act, actor, self.record.state(act.project), now, place)
            if verdict and act.kind in NAMING:
                everything = (self.record.state(name) for name in self.record.projects())
                taken = claims.refusal(act, self.record.state(act.project), everything)
                verdict = verdict if taken is None else taken
            if isinstance(verdict, Refused):
                return self._refuse(db, order, actor, verdict, now)
            if is_grave(act.kind, verdict.role):
                if not order.id_token:
                    return Outcome("fresh_login_needed", reason="this decision needs your login again")
                try:
                    self._fresh(db, order, actor, now)
                except TokenError as error:
                    refused = Refused(str(error), "Confirm the decision with a new login.", "fresh login")
                    return self._refuse(db, order, actor, refused, now)
            return self._keep(db, order, actor, verdict, now)

    def _fresh(self, db: sqlite3.Connection, order: Order, actor: Actor, now: datetime) -> None:
        self.verifier.fresh(order.id_token, actor.id, order.act.digest, now.timestamp())
        mark = hashlib.sha256(order.id_token.split(".")[1].encode()).hexdigest()
        if db.execute("INSERT OR IGNORE INTO used_login VALUES (?, ?)", (mark, stamp(now))).rowcount == 0:
            raise TokenError("this login has confirmed a decision already")

    def _keep(self, db: sqlite3.Connection, order: Order, actor: Actor, verdict: Allowed, now: datetime) -> Outcome:
        entry = self.record.append(db, _entry(order.act, actor, now, role=verdict.role), verdict.relies_on)
        outcome = Outcome("done", entry)
        self._remember(db, order, actor, outcome)
        if give := self.extra.get(order.act.kind):
            outcome = Outcome("done", entry, extra=give(db, order, actor, now))
        return outcome

    def _refuse(self, db: sqlite3.Connection, order: Order, actor: Actor, why: Refused, now: datetime) -> Outcome:
        entry = _entry(order.act, actor, now, outcome="refused", reason=why.reason)
        kept = self.record.append(db, entry)
        outcome = Outcome("refused", kept, why.reason, why.next_step, why.missing)
        self._remember(db, order, actor, outcome)
        return outcome

    @staticmethod
    def _remember(db: sqlite3.Connection, order: Order, actor: Actor, outcome: Outcome) -> None:
        db.execute(
            "INSERT INTO answered VALUES (?, ?, ?, ?)",
            (order.key, actor.id, order.act.digest, json.dumps(outcome.to_json())),
        )


def _entry(act: Act, actor: Actor, now: datetime, *, role: str = "", outcome: str = "done", reason: str = "") -> Entry:
    return Entry(
        0, stamp(now), actor, act.kind, act.project, act.body, role, act.digest, tiers.digest(), outcome, reason
    )


def _again(before: tuple[str, str, Mapping[str, Any]], actor: Actor, act: Act) -> Outcome:
    person, digest, outcome = before
    if person != actor.id or digest != act.digest:
        return Outcome(
            "malformed", reason="this key was used for another order", next_step="Send the order with a new key."
        )
    return Outcome.from_json(outcome)


def new_secret() -> tuple[str, str]:
    """A random secret and its SHA-256; only the hash is kept."""
    secret = secrets.token_urlsafe(32)
    return secret, hashlib.sha256(secret.encode()).hexdigest()
