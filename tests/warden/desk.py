"""A desk with a real record and a provider's key of its own, for tests of judging."""

from __future__ import annotations

import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from strongroom import site
from strongroom.domain.acts import Act, Actor
from strongroom.orders.protocol import Order, Outcome
from strongroom.warden.decide import Desk
from strongroom.warden.record import Record
from strongroom.warden.tokens import Verifier
from tests.domain.story import CAST

ISSUER = "https://id.localhost:8480"


class Provider:
    """Signs tokens as an identity provider does; change any claim to forge."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.now = time.time()

    def keys(self) -> dict[str, Any]:
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "one", "alg": "ES256", "use": "sig"}]}

    def token(self, who: Actor, *, key: Any = None, **claims: Any) -> str:
        now = int(self.now)
        whole = {
            "iss": ISSUER,
            "sub": who.id,
            "aud": "warden",
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_hex(8),
            "auth_time": now,
            "amr": ["pwd", "otp"],
            "groups": list(who.groups),
            "name": who.name,
        }
        return jwt.encode({**whole, **claims}, key or self.key, algorithm="ES256", headers={"kid": "one"})

    def fresh(self, who: Actor, act: Act, **claims: Any) -> str:
        return self.token(who, **{"aud": "web", "nonce": act.digest, **claims})


class Bench:
    """Provider, record and desk together; ``do`` sends an act with all the tokens it needs."""

    def __init__(self, folder: Path) -> None:
        self.provider = Provider()
        self.places = site.parse(site.FIRST)
        self.path = folder / "warden.sqlite3"
        self.record = Record(self.path)
        self.desk = self.new_desk()

    def new_desk(self) -> Desk:
        clock = lambda: datetime.fromtimestamp(self.provider.now, UTC)  # noqa: E731
        return Desk(self.record, Verifier(ISSUER, self.provider.keys), {}, {}, lambda: self.places, clock)

    def order(self, who: str, kind: str, /, project: str = "chem97", **body: Any) -> Order:
        act = Act(kind, project, body)
        person = CAST[who]
        return Order(
            act, secrets.token_hex(8), self.provider.token(person), self.provider.fresh(person, act), "127.0.0.1"
        )

    def do(self, who: str, kind: str, /, **body: Any) -> Outcome:
        return self.desk.decide(self.order(who, kind, **body))

    def create(self) -> Outcome:
        return self.do("programme", "project.create", id="chem97", name="Chemistry", summary="Attainment")
