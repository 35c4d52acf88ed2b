"""Addresses of the identity provider: only what is used, out of all that allauth offers."""

from __future__ import annotations

from allauth.account import views as account
from allauth.idp.oidc import views as oidc
from allauth.mfa.base import views as mfa
from django.urls import include, path

from strongroom.identity import views

_oidc = [
    path(".well-known/openid-configuration", views.configuration, name="configuration"),
    path(".well-known/jwks.json", oidc.jwks, name="jwks"),
    path("identity/o/authorize", views.Authorize.as_view(), name="authorization"),
    path("identity/o/logout", oidc.logout, name="logout"),
    path("identity/o/api/token", views.Token.as_view(), name="token"),
    path("identity/o/api/revoke", oidc.revoke, name="revoke"),
    path("identity/o/api/userinfo", oidc.user_info, name="userinfo"),
]
urlpatterns = [
    path("", include(([path("", include((_oidc, "oidc")))], "idp"))),
    path("", views.home, name="home"),
    path("identity.css", views.style, name="style"),
    path("sign-in", account.login, name="account_login"),
    path("sign-in/code", mfa.authenticate, name="mfa_authenticate"),
    path("sign-in/password", account.reauthenticate, name="account_reauthenticate"),
    path("sign-in/second-factor", views.second_factor, name="second_factor"),
    path("sign-in/closed", account.account_inactive, name="account_inactive"),
    path("sign-out", account.logout, name="account_logout"),
    path("enrol/<str:token>", views.enrol, name="enrol"),
]
