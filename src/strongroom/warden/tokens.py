"""Whether a token counts: signature, issuer, audience, age, and for grave acts the fresh login bound to the act."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from strongroom.domain.acts import Actor
from strongroom.orders.protocol import FRESH_LOGIN_SECONDS

AUDIENCE = "warden"
WEB_CLIENT = "web"
LONGEST_LIFE = 300
ALGORITHMS = ["RS256", "ES256"]
LEEWAY = 5

Keys = Callable[[], Mapping[str, Any]]


class TokenError(Exception):
    """The token does not count; says why."""


@dataclass
class Verifier:
    """Checks tokens against the provider's published keys; ``fetch`` returns its JWKS and is asked again for an unknown key."""

    issuer: str
    fetch: Keys
    _keys: dict[str, Any] | None = None

    def actor(self, access_token: str, now: float) -> Actor:
        """The person whose access token this is. Raises TokenError."""
        claims = self._claims(access_token, AUDIENCE, now)
        if claims["exp"] - claims["iat"] > LONGEST_LIFE + LEEWAY:
            raise TokenError("the access token lives longer than five minutes")
        if "otp" not in claims.get("amr", []):
            raise TokenError("the person signed in without a second factor")
        return Actor("person", claims["sub"], claims.get("name", ""), tuple(claims.get("groups", ())))

    def fresh(self, id_token: str, person: str, digest: str, now: float) -> None:
        """Check the fresh login of a grave act: this person, this very act, at most 120 s ago. Raises TokenError."""
        claims = self._claims(id_token, WEB_CLIENT, now)
        if claims["sub"] != person:
            raise TokenError("the fresh login is another person's")
        if claims.get("nonce") != digest:
            raise TokenError("the fresh login was for another decision")
        if not now - FRESH_LOGIN_SECONDS <= claims.get("auth_time", 0) <= now + LEEWAY:
            raise TokenError("the login is older than two minutes")
        if "otp" not in claims.get("amr", []):
            raise TokenError("the fresh login had no second factor")

    def _claims(self, token: str, audience: str, now: float) -> dict[str, Any]:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") not in ALGORITHMS:
                raise TokenError("the token is not signed as the provider signs")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key(header.get("kid", "")),
                algorithms=ALGORITHMS,
                audience=audience,
                issuer=self.issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iat", "iss", "aud", "sub"], "verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise TokenError(f"the token does not count: {error}") from error
        if claims["exp"] + LEEWAY < now or claims["iat"] - LEEWAY > now:
            raise TokenError("the token is not in force now: sign in again")
        if claims["aud"] not in (audience, [audience]):
            raise TokenError("the token is for another audience as well")
        return claims

    def _key(self, kid: str) -> Any:
        if self._keys is None or kid not in self._keys:
            self._keys = {key["kid"]: jwt.PyJWK(key).key for key in self.fetch()["keys"]}
        if kid not in self._keys:
            raise TokenError("the token is signed with a key the provider does not publish")
        return self._keys[kid]
