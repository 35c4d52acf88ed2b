"""Pages and endpoints of the identity provider that are not allauth's as they stand."""

from __future__ import annotations

import base64
import hashlib
import time
from pathlib import Path
from typing import Any

from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.stagekit import clear_login
from allauth.core.internal.httpkit import add_query_params, del_query_params
from allauth.idp.oidc import views as allauth_views
from allauth.idp.oidc.internal.oauthlib.utils import respond_html_error
from allauth.mfa.adapter import get_adapter as get_factor_adapter
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.core import signing
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods

from strongroom.identity import people, provider, secondfactor
from strongroom.identity.forms import EnrolForm, FactorForm
from strongroom.identity.models import EnrolmentLink, Person

STYLE = (Path(__file__).parent / "static" / "identity.css").read_bytes()
FRESH_SALT = "identity.fresh"
CLAIMS = ("sub", "iss", "aud", "exp", "iat", "jti", "auth_time", "amr", "nonce", "name", "email", "groups", "sid")


def links(request: HttpRequest) -> dict[str, Any]:
    """Addresses that every page shows: the app on the same side (inside or outside) as this request."""
    outside = request.get_host() == settings.IDENTITY_OUTSIDE_HOST
    return {"app_url": settings.LAYOUT.outside_url if outside else settings.LAYOUT.app_url}


class Authorize(allauth_views.AuthorizationView):  # type: ignore[misc]
    """Gives out a code, after password, one-time code and, when asked for, a fresh password entry."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().get(without_resource(request), *args, **kwargs)
        except provider.UnknownResource as error:
            answer = respond_html_error(request, error=error)
        if answer.headers.get("Content-Type", "").startswith("text/html") and answer.status_code == 200:
            answer.status_code = 400  # only error pages are HTML here: the one client needs no consent page
        return answer

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return HttpResponseRedirect(f"{request.path}?{request.POST.urlencode()}")

    def _login_required(self, request: HttpRequest) -> HttpResponse | None:
        if "none" in request.GET.get("prompt", "").split():
            return None
        wanted = _fresh_since(request)
        if not request.user.is_authenticated:
            clear_login(request)
            return _detour("account_login", _resumed_url(request))
        if not provider.passed_second_factor(request):
            return _detour("second_factor", request.get_full_path())
        entered = provider.password_time(request)
        if entered is None or (wanted is not None and entered < wanted):
            return _detour("account_reauthenticate", _resumed_url(request))
        return None


def without_resource(request: HttpRequest) -> HttpRequest:
    """The request without ``resource``: allauth knows only resources that are addresses, ours are names."""
    request.audience_asked = provider.requested_audience(request)  # type: ignore[attr-defined]
    for name in ("GET", "POST"):
        values = getattr(request, name).copy()
        values.pop("resource", None)
        setattr(request, name, values)
    return request


def _fresh_since(request: HttpRequest) -> float | None:
    """Unix time at or after which the password must have been entered; None when any time will do."""
    if "login" in request.GET.get("prompt", "").split():
        return time.time()
    try:
        return float(signing.loads(request.GET.get("fresh", ""), salt=FRESH_SALT, max_age=3600))
    except (signing.BadSignature, ValueError):
        pass
    age = request.GET.get("max_age", "")
    return time.time() - int(age) if age.isdigit() and len(age) < 10 else None


def _resumed_url(request: HttpRequest) -> str:
    """This request's address with ``prompt=login`` and ``max_age`` turned into the moment from which a login counts.

    Left as they are they would ask again after each login, for ever.
    """
    url = request.get_full_path()
    if not ("login" in request.GET.get("prompt", "").split() or request.GET.get("max_age")):
        return url
    for name in ("prompt", "max_age", "fresh"):
        url = del_query_params(url, name)
    rest = [word for word in request.GET.get("prompt", "").split() if word != "login"]
    marks = {"fresh": signing.dumps(_fresh_since(request), salt=FRESH_SALT)}
    return str(add_query_params(url, {**marks, "prompt": " ".join(rest)} if rest else marks))


def _detour(view: str, back: str) -> HttpResponse:
    return HttpResponseRedirect(add_query_params(reverse(view), {"next": back}))


@method_decorator(transaction.atomic, name="dispatch")
class Token(allauth_views.TokenView):  # type: ignore[misc]
    """Token endpoint in one write transaction, so that a code or refresh token is never used twice at once."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            answer: HttpResponse = super().post(without_resource(request), *args, **kwargs)
        except provider.UnknownResource as error:
            return JsonResponse(dict(error.twotuples), status=400)
        return answer


@require_GET
def configuration(request: HttpRequest) -> HttpResponse:
    """Discovery document; every address in it is the issuer's, whatever host asked."""

    def at(name: str) -> str:
        return f"{settings.LAYOUT.issuer}{reverse(name)}"

    answer = JsonResponse(
        {
            "issuer": settings.LAYOUT.issuer,
            "authorization_endpoint": at("idp:oidc:authorization"),
            "token_endpoint": at("idp:oidc:token"),
            "userinfo_endpoint": at("idp:oidc:userinfo"),
            "revocation_endpoint": at("idp:oidc:revoke"),
            "end_session_endpoint": at("idp:oidc:logout"),
            "jwks_uri": at("idp:oidc:jwks"),
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": settings.IDP_OIDC_AUTH_METHODS,
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email"],
            "prompt_values_supported": ["none", "login"],
            "claims_supported": list(CLAIMS),
        }
    )
    answer["Cache-Control"] = "max-age=300"
    return answer


@require_GET
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """Who is signed in here."""
    return render(request, "identity/home.html")


@require_GET
@cache_control(max_age=3600)
def style(request: HttpRequest) -> HttpResponse:
    """The style sheet of these pages."""
    return HttpResponse(STYLE, content_type="text/css")


def _factor_page(request: HttpRequest, template: str, form: FactorForm) -> HttpResponse:
    adapter = get_factor_adapter()
    svg = adapter.build_totp_svg(adapter.build_totp_url(form.person, form.secret))
    grouped = " ".join(form.secret[i : i + 4] for i in range(0, len(form.secret), 4))
    picture = base64.b64encode(svg.encode()).decode()
    return render(
        request, template, {"form": form, "secret": grouped, "picture": picture}, status=400 if form.is_bound else 200
    )


@require_http_methods(["GET", "POST"])
@never_cache
@login_required
def second_factor(request: HttpRequest) -> HttpResponse:
    """Someone who has only a password sets up a second factor before going on."""
    person = request.user
    if not isinstance(person, Person):
        return HttpResponseRedirect(reverse("account_login"))
    back = request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=True):
        back = reverse("home")
    if provider.passed_second_factor(request):
        return HttpResponseRedirect(back)
    if secondfactor.enrolled(person):
        logout(request)
        return _detour("account_login", back)
    form = FactorForm(person, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        factor = secondfactor.enrol(person, form.secret, form.cleaned_data["code"])
        if factor is not None:
            record_authentication(request, person, "mfa", id=factor.pk, type=factor.type)
            return HttpResponseRedirect(back)
        form.wrong_code()
    return _factor_page(request, "identity/second_factor.html", form)


@require_http_methods(["GET", "POST"])
@sensitive_post_parameters()
@never_cache
def enrol(request: HttpRequest, token: str) -> HttpResponse:
    """One-time link: the invited person chooses a password and sets up the second factor."""
    digest = hashlib.sha256(token.encode()).hexdigest()
    unused = EnrolmentLink.objects.filter(hash=digest, used_at=None, expires_at__gt=timezone.now())
    link = unused.select_related("person").first()
    if link is None:
        return render(request, "identity/link_over.html", status=410)
    form = EnrolForm(link.person, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        with transaction.atomic():
            factor = secondfactor.enrol(link.person, form.secret, form.cleaned_data["code"])
            if factor is not None and unused.update(used_at=timezone.now()):
                people.change_password(link.person, form.cleaned_data["password"])
                return render(request, "identity/enrolled.html", {"person": link.person})
        form.wrong_code()
    return _factor_page(request, "identity/enrol.html", form)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form came from another page or from an old copy of this one."""
    return render(request, "403.html", {"csrf": True}, status=403)
