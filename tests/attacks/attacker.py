"""What an attacker holds in these tests: tokens taken as a compromised web app would, the record, a rewritten database."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from strongroom.domain.acts import Act, Entry
from strongroom.domain.project import Environment, Project, fold
from strongroom.layout import Layout
from strongroom.operate.demo.person import Person
from strongroom.orders.client import Warden
from strongroom.orders.protocol import Order, Outcome

ENDED = "chemistry-1997"
ALIVE = "chemistry-again"


def eventually(holds: Callable[[], object], seconds: float = 30, what: str = "it did not come true in time") -> None:
    """Wait until something holds, or fail."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, what
        time.sleep(0.2)


def fresh_id(prefix: str) -> str:
    """An id as pages make it."""
    return f"{prefix}-{secrets.token_hex(4)}"


def unsigned(token: str) -> dict[str, Any]:
    """Claims of a token, its signature not looked at."""
    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


@dataclass(frozen=True)
class Loot:
    """What one round through the provider gives to whoever runs the web app."""

    access_token: str
    refresh_token: str
    id_token: str


class Attacker:
    """Has the web app's client secret, its database and a way to the warden's socket."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.warden = Warden(layout.warden_socket)
        self._entries: list[Entry] = []
        self._loot: dict[str, tuple[float, Loot]] = {}

    # The record -----------------------------------------------------------------------------------------------
    def entries(self) -> list[Entry]:
        """The warden's whole record."""
        while more := self.warden.feed(self._entries[-1].seq if self._entries else 0):
            self._entries += more
        return list(self._entries)

    def project(self, name: str = ALIVE) -> Project:
        """A project as the warden's record has it."""
        return fold(name, self.entries())

    @property
    def laboratory(self) -> Environment:
        """The running Tier 2 environment of the living project."""
        found = self.project().environments.values()
        return next(one for one in found if not one.assessment and one.state in ("running", "suspended"))

    @property
    def assessment(self) -> Environment:
        """The first-assessment environment in which the living project's data was looked at."""
        return next(one for one in self.project().environments.values() if one.assessment)

    # Tokens ---------------------------------------------------------------------------------------------------
    def steal(self, person: Person, *, nonce: str = "", audience: str = "warden") -> Loot:
        """Tokens of somebody who signs in, taken in the web app's place; ``nonce`` asks for a fresh login bound to an act."""
        client, secret = self._client()
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        back = f"{self.layout.app_url}/signed-in"
        query = {"response_type": "code", "client_id": client, "redirect_uri": back, "state": state}
        query |= {"scope": "openid profile email", "nonce": nonce or secrets.token_urlsafe(16), "resource": audience}
        query |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        query |= {"prompt": "login", "max_age": "0"} if nonce else {}
        start = f"{self.layout.issuer}/identity/o/authorize?{urlencode(query)}"
        arrived = person._signin.login(start, person.email, person.password, person.totp_secret, until=back)
        code = parse_qs(urlsplit(arrived.headers["Location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        form |= {"code_verifier": verifier, "resource": audience}
        answer = person.client.post(f"{self.layout.issuer}/identity/o/api/token", data=form, auth=(client, secret))
        assert answer.status_code == 200, answer.text
        raw = answer.json()
        return Loot(raw["access_token"], raw["refresh_token"], raw["id_token"])

    def access(self, person: Person) -> str:
        """A valid access token of somebody, for the warden."""
        got, loot = self._loot.get(person.email, (0.0, None))
        if loot is None or time.monotonic() - got > 200:
            loot = self.steal(person)
            self._loot[person.email] = time.monotonic(), loot
        return loot.access_token

    def _client(self) -> tuple[str, str]:
        raw = json.loads((self.layout.state_of("identity") / "client-web.json").read_text())
        return raw["client_id"], raw["client_secret"]

    # Orders ---------------------------------------------------------------------------------------------------
    def order(self, act: Act, access_token: str, id_token: str = "", key: str = "") -> Outcome:
        """Hand an order straight to the warden."""
        return self.warden.order(Order(act, key or secrets.token_hex(16), access_token, id_token, "127.0.0.1"))

    # The web's database ---------------------------------------------------------------------------------------
    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """The web app's database, open for writing."""
        with contextlib.closing(sqlite3.connect(self.layout.state_of("web") / "web.sqlite3", timeout=20)) as db, db:
            yield db

    @contextlib.contextmanager
    def lies(self, entries: Sequence[Mapping[str, Any]]) -> Iterator[None]:
        """Entries that never happened, standing in the web app's database as if the warden had recorded them."""
        first = 10**9 + secrets.randbelow(10**9)
        with self.database() as db:
            for number, entry in enumerate(entries):
                raw = {**entry, "seq": first + number}
                who = raw["actor"]
                row = (raw["seq"], raw["at"], raw["project"], raw["kind"], who["id"], who["name"], raw["outcome"])
                db.execute(
                    "INSERT INTO records_event (seq, at, project, kind, actor_id, actor_name, outcome, body, raw) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (*row, json.dumps(raw["body"]), json.dumps(raw)),
                )
        try:
            yield
        finally:
            with self.database() as db:
                db.execute("DELETE FROM records_event WHERE seq >= ?", (10**9,))
            newest = self.entries()[-1].seq
            eventually(lambda: self._adopted() >= newest, what="the web app did not take the true record over again")

    def _adopted(self) -> int:
        with self.database() as db:
            return int(db.execute("SELECT MAX(seq) FROM records_event").fetchone()[0])


def as_browser(person: Person, url: str, **headers: str) -> httpx.Response:
    """Open an address with somebody's cookies and look at the answer as it is."""
    return person.client.get(url, headers=headers, follow_redirects=False)
