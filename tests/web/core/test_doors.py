"""Which page opens where, and what an answer of the identity provider must be to count."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.proves import proves

KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


@proves("P133")
@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("home", True),
        ("deposit", True),
        ("deposit_token", True),
        ("deposit_new", False),
        ("agreement", True),
        ("agreement_new", False),
        ("history", False),
        ("person_appoint", False),
        ("environment", False),
        ("request", False),
        ("audit", False),
        ("", False),
    ],
)
def test_only_named_pages_open_outside(name: str, opens: bool) -> None:
    from strongroom.web.listeners import open_outside

    assert open_outside(name) is opens


def test_whatever_the_gateway_does_not_call_inside_is_outside(migrated: Path) -> None:
    from django.test import RequestFactory

    from strongroom.web.listeners import of

    for sent, found in (("inside", "inside"), ("outside", "outside"), ("Inside", "outside"), ("", "outside")):
        assert of(RequestFactory().get("/", headers={"X-Strongroom-Listener": sent})) == found
    assert of(RequestFactory().get("/")) == "outside"


def claims(**changed: Any) -> dict[str, Any]:
    """Claims of a good ID token, but for what a test changes."""
    from django.conf import settings

    now = int(time.time())
    good = {"iss": settings.LAYOUT.issuer, "aud": "web", "sub": "s", "nonce": "n", "iat": now, "exp": now + 60}
    return {**good, **changed}


def signed(body: dict[str, Any], key: Any = KEY, kid: str = "one", algorithm: str = "RS256") -> str:
    return jwt.encode(body, key, algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def provider(migrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from strongroom.web import oidc

    jwk = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)
    published = jwt.PyJWKSet.from_dict({"keys": [{**jwk, "kid": "one", "use": "sig", "alg": "RS256"}]})
    monkeypatch.setattr(oidc, "_keys", lambda minute: published)
    monkeypatch.setattr(oidc, "client", lambda: ("web", "secret"))


def test_a_good_id_token_counts(provider: None) -> None:
    from strongroom.web.oidc import claims_of

    assert claims_of(signed(claims()), "n")["sub"] == "s"


@pytest.mark.parametrize(
    "token",
    [
        lambda: signed(claims(nonce="another")),
        lambda: signed(claims(aud="warden")),
        lambda: signed(claims(iss="https://evil.example")),
        lambda: signed(claims(exp=int(time.time()) - 60)),
        lambda: signed(claims(), OTHER),
        lambda: signed(claims(), OTHER, kid="two"),
        lambda: signed({key: value for key, value in claims().items() if key != "nonce"}),
        lambda: signed(claims(), "x" * 32, algorithm="HS256"),
        lambda: jwt.encode(claims(), "", algorithm="none", headers={"kid": "one"}),
        lambda: "not.a.token",
    ],
)
def test_a_bad_id_token_does_not_count(provider: None, token: Any) -> None:
    from strongroom.web.oidc import SignInFailed, claims_of

    with pytest.raises(SignInFailed):
        claims_of(token(), "n")


def test_the_content_policy_allows_no_code_but_ours(migrated: Path) -> None:
    from strongroom.layout import Layout
    from strongroom.web.middleware import content_policy

    rules = dict(part.strip().split(" ", 1) for part in content_policy(Layout("x", 9000)).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert "unsafe" not in " ".join(rules.values())
    assert rules["form-action"].split() == [
        "'self'",
        "https://id.localhost:9000",
        "https://id.localhost:9001",
        "https://*.env.localhost:9000",
    ]
