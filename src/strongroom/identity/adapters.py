"""allauth's adapters: fixed issuer and claims, sealed one-time-code secrets, no sign-up, password as fresh login."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.idp.oidc.adapter import DefaultOIDCAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from cryptography.fernet import Fernet
from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from strongroom.identity import provider
from strongroom.identity.models import Person


class ProviderAdapter(DefaultOIDCAdapter):  # type: ignore[misc]
    """What tokens say."""

    def get_issuer(self) -> str:
        return str(settings.LAYOUT.issuer)

    def get_claims(
        self, purpose: str, user: Person, client: Any, scopes: Iterable[str], email: str | None = None, **_: Any
    ) -> dict[str, Any]:
        claims: dict[str, Any] = {"sub": str(user.pk), "groups": sorted(user.groups)}
        if "profile" in scopes:
            claims["name"] = user.name
        if "email" in scopes:
            claims.update(email=user.email, email_verified=True)
        return claims

    def populate_id_token(self, id_token: dict[str, Any], client: Any, scopes: Iterable[str], **_: Any) -> None:
        grant = provider.current_grant()
        id_token.update(auth_time=grant["auth_time"], amr=grant["amr"], sid=grant["sid"])

    def populate_access_token(
        self, access_token: dict[str, Any], *, client: Any, scopes: Iterable[str], user: Person, **_: Any
    ) -> None:
        grant = provider.current_grant()
        access_token.update(
            aud=provider.audience(),
            auth_time=grant["auth_time"],
            amr=grant["amr"],
            sid=grant["sid"],
            groups=sorted(user.groups),
            name=user.name,
            email=user.email,
        )
        if grant["nonce"]:
            access_token["nonce"] = grant["nonce"]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts come from the directory's managers only."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": "The email address or the password is not right. Check both and try again",
        "incorrect_password": "This password is not right. Check it and try again",
        "too_many_login_attempts": "Too many failed attempts. Wait five minutes, then try again",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def is_safe_url(self, url: str | None) -> bool:
        return url_has_allowed_host_and_scheme(url, {self.request.get_host()}, require_https=True)

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, str]]:
        if not user.is_authenticated:
            return []
        url = reverse("account_reauthenticate")
        return [{"id": "reauthenticate", "description": "Enter your password", "url": url}]


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """One-time-code secrets are sealed with a key outside the database."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": "This code is not right. Enter the 6 digits your authenticator app shows now",
        "used_code": "This code was used already. Wait until your authenticator app shows the next one",
    }

    def get_totp_issuer(self) -> str:
        return "Strongroom"

    def encrypt(self, text: str) -> str:
        return Fernet(settings.SEAL_KEY).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return Fernet(settings.SEAL_KEY).decrypt(encrypted_text.encode()).decode()
