"""What the provider adds to allauth's: PKCE always, one audience, single-use codes, grants that end as a whole.

A *grant* is what one round through the browser gave: who signed in, when and how. It travels from the browser's request
to the code, and from the code through every refresh token, so that each token tells the truth about the sign-in.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.idp.oidc import views as allauth_views
from allauth.idp.oidc.internal.oauthlib.request_validator import OAuthLibRequestValidator
from allauth.idp.oidc.internal.oauthlib.server import generate_access_token, generate_refresh_token
from allauth.idp.oidc.internal.oauthlib.utils import get_validator_context
from allauth.idp.oidc.models import Token
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from oauthlib.oauth2.rfc6749.errors import OAuth2Error
from oauthlib.oauth2.rfc6749.grant_types.authorization_code import code_challenge_method_s256
from oauthlib.openid import Server

from strongroom.identity.models import Spent

AUDIENCES = ("warden", "directory")
CODE_SECONDS = 60


class UnknownResource(OAuth2Error):
    """The ``resource`` parameter names no audience of ours, more than one, or one the grant does not have."""

    error = "invalid_target"
    description = f"resource must be one of: {', '.join(AUDIENCES)}; one for each token"


def password_time(request: HttpRequest) -> float | None:
    """When the password was last entered in this session."""
    times = [r["at"] for r in get_authentication_records(request, request.user) if r.get("method") == "password"]
    return max(times) if times else None


def passed_second_factor(request: HttpRequest) -> bool:
    """Whether this session's person has shown a one-time code."""
    records = get_authentication_records(request, request.user)
    return any(r.get("method") == "mfa" and r.get("type") == "totp" for r in records)


def requested_audience(request: HttpRequest) -> str | None:
    """The audience asked for by ``resource`` (RFC 8707), or None. Raises UnknownResource."""
    asked = (request.POST if request.method == "POST" else request.GET).getlist("resource")
    if not asked:
        return None
    if len(asked) > 1 or asked[0] not in AUDIENCES:
        raise UnknownResource()
    return str(asked[0])


def _new_grant(request: HttpRequest, nonce: str | None) -> dict[str, Any]:
    entered = password_time(request)
    if entered is None or not passed_second_factor(request):
        raise PermissionDenied("Sign in with your password and a one-time code first.")
    sid = request.session.setdefault("sid", secrets.token_hex(16))
    return {
        "id": secrets.token_hex(16),
        "sid": sid,
        "auth_time": int(entered),
        "amr": ["pwd", "otp"],
        "nonce": nonce,
        "audience": getattr(request, "audience_asked", None),
    }


def current_grant() -> dict[str, Any]:
    """The grant of the token request being answered. Raises PermissionDenied when there is none."""
    grant: dict[str, Any] | None = getattr(context.request, "identity_grant", None)
    if grant is None:
        raise PermissionDenied("This request carries no sign-in.")
    return grant


def audience() -> str:
    """Audience of the access token being made: asked for now, or with the sign-in, else the warden."""
    granted = current_grant()["audience"]
    asked: str | None = getattr(context.request, "audience_asked", None)
    if asked and granted and asked != granted:
        raise UnknownResource()
    return str(asked or granted or AUDIENCES[0])


def end_grant(grant: str) -> None:
    """Forget every token that came from this grant."""
    Token.objects.filter(data__grant__id=grant).delete()


def end_grants_of_session(sender: Any, request: HttpRequest | None, **_: Any) -> None:
    """Signing out ends what was granted from this browser session."""
    sid = request.session.get("sid") if request is not None else None
    if sid:
        Token.objects.filter(data__grant__sid=sid).delete()


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()


def _code_key(code: str) -> str:
    return f"identity.grant.{_hash(code)}"


def _ended_as_spent(value: str) -> bool:
    spent = Spent.objects.filter(hash=_hash(value)).first()
    if spent is None:
        return False
    end_grant(spent.grant)
    return True


class Validator(OAuthLibRequestValidator):  # type: ignore[misc]
    """allauth's validator with our rules. The token view runs in one write transaction: no two requests interleave."""

    def is_pkce_required(self, client_id: Any, request: Any) -> bool:
        return True

    def validate_silent_login(self, request: Any) -> bool:
        return passed_second_factor(context.request) and bool(super().validate_silent_login(request))

    def save_authorization_code(self, client_id: Any, code: dict[str, Any], request: Any, *_: Any, **__: Any) -> None:
        grant = _new_grant(context.request, getattr(request, "nonce", None))
        super().save_authorization_code(client_id, code, request)
        cache.set(_code_key(code["code"]), grant, CODE_SECONDS)

    def validate_code(self, client_id: Any, code: Any, client: Any, request: Any, *_: Any, **__: Any) -> bool:
        if _ended_as_spent(code):
            return False
        self._lookup_authorization_code(request, client_id, code)
        grant = cache.get(_code_key(code))
        if grant is None or not super().validate_code(client_id, code, client, request):
            return False
        Spent.objects.create(hash=_hash(code), grant=grant["id"])
        cache.delete(_code_key(code))
        self.invalidate_authorization_code(client_id, code, request)
        context.request.identity_grant = grant
        return True

    def validate_refresh_token(self, refresh_token: Any, client: Any, request: Any, *_: Any, **__: Any) -> bool:
        if _ended_as_spent(refresh_token) or not super().validate_refresh_token(refresh_token, client, request):
            return False
        grant = dict((get_validator_context().refresh_token.data or {}).get("grant") or {})
        # The nonce binds the first tokens to one decision; tokens refreshed later must not carry it on.
        context.request.identity_grant = {**grant, "nonce": None}
        return bool(grant)

    def _prep_refresh_token(self, ctx: Any, refresh_token: str, request: Any) -> Any:
        old = ctx.refresh_token
        expires_at, spent = (old.expires_at, old.hash) if old else (None, None)
        made = super()._prep_refresh_token(ctx, refresh_token, request)
        if spent:
            made.expires_at = expires_at
            Spent.objects.create(hash=spent, grant=current_grant()["id"])
        made.data = {**(made.data or {}), "grant": current_grant()}
        return made

    def _prep_access_token(self, ctx: Any, token: dict[str, Any], request: Any) -> Any:
        made = super()._prep_access_token(ctx, token, request)
        made.data = {**(made.data or {}), "grant": {"id": current_grant()["id"], "sid": current_grant()["sid"]}}
        return made


class Provider(Server):
    """oauthlib's server with our validator, allauth's tokens, and S256 as the only PKCE method."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            Validator(),
            token_expires_in=settings.IDP_OIDC_ACCESS_TOKEN_EXPIRES_IN,
            token_generator=generate_access_token,
            refresh_token_generator=generate_refresh_token,
            **kwargs,
        )
        for grant in (self.auth_grant, self.openid_connect_auth.proxy_target):
            vars(grant)["_code_challenge_methods"] = {"S256": code_challenge_method_s256}


def install() -> None:
    """Make allauth's views use our server: they look the factory up by this name and offer no setting for it."""
    allauth_views.get_server = Provider
