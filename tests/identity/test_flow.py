"""The code flow through the real provider: what tokens say, and what is refused."""

from __future__ import annotations

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest

from strongroom.identity.signin import SignIn
from tests.identity.server import Provider
from tests.proves import proves

pytestmark = pytest.mark.real


def location(response: httpx.Response) -> dict[str, list[str]]:
    """Parameters that a redirect carries to the app."""
    return parse_qs(urlsplit(response.headers["Location"]).query)


@proves("P139", "P141", "satre:1.5.05", "satre:1.5.06", "satre:3.2.05")
def test_tokens_say_who_signed_in_when_and_how(provider: Provider) -> None:
    account = provider.person("Ada Lovelace", "auditors", "system-managers")
    asked = provider.round()
    before = int(time.time())
    with provider.browser() as browser:
        answer = provider.exchange(provider.code(browser, account, asked), asked)
    assert answer.headers["Cache-Control"] == "no-store"
    tokens = answer.json()
    access = provider.verified(tokens["access_token"])
    assert access["sub"] == account.sub == str(uuid.UUID(account.sub))
    assert access["aud"] == "warden"
    assert access["exp"] - access["iat"] == 300 == tokens["expires_in"]
    assert before <= access["auth_time"] <= access["iat"]
    assert access["amr"] == ["pwd", "otp"]
    assert access["groups"] == ["auditors", "system-managers"]
    assert (access["name"], access["email"]) == ("Ada Lovelace", account.email)
    assert access["nonce"] == asked.nonce
    identity = provider.verified(tokens["id_token"], audience="web")
    assert identity["nonce"] == asked.nonce
    for claim in ("sub", "auth_time", "amr", "groups", "name", "email"):
        assert identity[claim] == access[claim]
    assert tokens["refresh_expires_in"] <= 12 * 3600
    assert jwt.get_unverified_header(tokens["access_token"])["alg"] == "RS256"


def test_user_information_needs_a_living_grant(provider: Provider) -> None:
    account = provider.person("Ada Lovelace", "auditors")
    tokens = provider.tokens(account)
    url = f"{provider.layout.issuer}/identity/o/api/userinfo"
    with provider.browser() as client:
        told = client.get(url, headers={"Authorization": f"Bearer {tokens['access_token']}"}).json()
        assert told["sub"] == account.sub and told["groups"] == ["auditors"] and told["name"] == "Ada Lovelace"
        forged = tokens["access_token"][:-6] + "AAAAAA"
        assert client.get(url, headers={"Authorization": f"Bearer {forged}"}).status_code == 401
        provider.refresh(provider.refresh(tokens["refresh_token"]).json()["refresh_token"])
        provider.refresh(tokens["refresh_token"])
        ended = client.get(url, headers={"Authorization": f"Bearer {tokens['access_token']}"})
        assert ended.status_code == 401


def test_an_id_token_is_no_access_token(provider: Provider) -> None:
    tokens = provider.tokens(provider.person())
    with pytest.raises(jwt.InvalidAudienceError):
        provider.verified(tokens["id_token"], audience="warden")


def test_each_token_has_the_one_audience_asked_for(provider: Provider) -> None:
    account = provider.person()
    tokens = provider.tokens(account, provider.round(resource="directory"))
    assert provider.verified(tokens["access_token"], "directory")["aud"] == "directory"
    other = provider.refresh(tokens["refresh_token"], resource="warden")
    assert (other.status_code, other.json()["error"]) == (400, "invalid_target")
    asked = provider.round()
    with provider.browser() as browser:
        code = provider.code(browser, account, asked)
    assert provider.exchange(code, asked, resource="everything").json()["error"] == "invalid_target"


def test_an_unknown_resource_gets_a_page_that_says_so(provider: Provider) -> None:
    with provider.browser() as browser:
        answer = browser.get(provider.round(resource="everything").url)
    assert answer.status_code == 400
    assert "resource must be one of: warden, directory" in answer.text


def test_outside_listener_signs_in_with_the_same_issuer(provider: Provider) -> None:
    account = provider.person()
    asked = provider.round(outside=True)
    assert str(provider.layout.outside_port) in asked.url
    with provider.browser() as browser:
        answer = provider.exchange(provider.code(browser, account, asked), asked)
    assert provider.verified(answer.json()["access_token"])["iss"] == provider.layout.issuer


def test_wrong_redirect_address_is_refused_on_the_page(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        provider.code(browser, account, provider.round())
        for uri in (
            "https://evil.example/signed-in",
            f"{provider.layout.app_url}/signed-in/more",
            "https://localhost/",
        ):
            answer = browser.get(provider.round(redirect_uri=uri).url)
            assert answer.status_code == 400
            assert "Location" not in answer.headers
            assert "This sign-in cannot go on" in answer.text


def test_pkce_with_s256_is_required(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        provider.code(browser, account, provider.round())
        without = browser.get(provider.round(drop=("code_challenge", "code_challenge_method")).url)
        plain = browser.get(provider.round(code_challenge_method="plain").url)
        unsaid = browser.get(provider.round(drop=("code_challenge_method",)).url)
        for answer in (without, plain, unsaid):
            assert answer.status_code == 302
            assert location(answer)["error"] == ["invalid_request"]
            assert "code" not in location(answer)
        asked = provider.round()
        for verifier in ("", "x" * 43):
            code = provider.code(browser, account, asked)
            assert provider.exchange(code, asked, code_verifier=verifier).status_code == 400


def test_wrong_client_secret_is_refused(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        code = provider.code(browser, account, asked)
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": asked.redirect_uri,
            "code_verifier": asked.verifier,
        }
        url = f"{provider.layout.issuer}/identity/o/api/token"
        assert browser.post(url, data=sent, auth=("web", "guess")).status_code == 401
        assert browser.post(url, data={**sent, "client_id": "web"}).status_code == 401


def test_replayed_code_is_refused_and_ends_what_it_gave(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        code = provider.code(browser, account, asked)
    first = provider.exchange(code, asked)
    assert first.status_code == 200
    again = provider.exchange(code, asked)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert provider.refresh(first.json()["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_code_exchanged_many_times_at_once_counts_once(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        code = provider.code(browser, account, asked)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: provider.exchange(code, asked).status_code, range(6)))
    assert sorted(answers) == [200, 400, 400, 400, 400, 400]


def test_refresh_rotates_and_reuse_ends_the_grant(provider: Provider) -> None:
    account = provider.person()
    tokens = provider.tokens(account)
    first = provider.refresh(tokens["refresh_token"])
    assert first.status_code == 200
    renewed = first.json()
    assert renewed["refresh_token"] != tokens["refresh_token"]
    old, new = provider.verified(tokens["access_token"]), provider.verified(renewed["access_token"])
    assert (new["auth_time"], new["amr"], new["sub"]) == (old["auth_time"], old["amr"], old["sub"])
    assert new["jti"] != old["jti"]
    assert "nonce" in old and "nonce" not in new
    assert renewed["refresh_expires_in"] <= tokens["refresh_expires_in"]
    reused = provider.refresh(tokens["refresh_token"])
    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert provider.refresh(renewed["refresh_token"]).json()["error"] == "invalid_grant"


def test_refresh_many_times_at_once_succeeds_once(provider: Provider) -> None:
    token = provider.tokens(provider.person())["refresh_token"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: provider.refresh(token).status_code, range(6)))
    assert sorted(answers) == [200, 400, 400, 400, 400, 400]


def test_fresh_login_gives_a_new_auth_time(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        sign_in = SignIn(browser)
        times: list[int] = []
        for extra in ("", "", "prompt=login", "max_age=0", "max_age=3600"):
            while times and int(time.time()) <= times[-1]:
                time.sleep(0.05)
            asked = provider.round()
            asked = replace(asked, url=f"{asked.url}&{extra}") if extra else asked
            done = sign_in.login(
                asked.url, account.email, account.password, account.totp_secret, until=asked.redirect_uri
            )
            tokens = provider.exchange(location(done)["code"][0], asked).json()
            claims = provider.verified(tokens["id_token"], "web")
            assert claims["amr"] == ["pwd", "otp"]
            times.append(claims["auth_time"])
    assert times[0] == times[1] < times[2] < times[3] == times[4]


def test_fresh_login_needs_the_password(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        provider.code(browser, account, provider.round())
        page = browser.get(provider.round(prompt="login").url, follow_redirects=True)
        assert "Enter your password again" in page.text
        wrong = browser.post(page.url, data={"password": "not it at all"}, headers={"Origin": provider.layout.issuer})
        assert wrong.status_code in (200, 403)
        assert "Location" not in wrong.headers


def test_prompt_none_without_sign_in_gives_no_code(provider: Provider) -> None:
    with provider.browser() as browser:
        answer = browser.get(provider.round(prompt="none").url)
    assert location(answer)["error"] == ["login_required"]


def test_issuer_does_not_follow_the_host(provider: Provider) -> None:
    layout = provider.layout
    with provider.browser() as client:
        path = "/.well-known/openid-configuration"
        inside = client.get(f"{layout.issuer}{path}").json()
        outside = client.get(f"https://id.localhost:{layout.outside_port}{path}").json()
        assert inside == outside
        assert inside["issuer"] == layout.issuer
        assert all(value.startswith(layout.issuer) for name, value in inside.items() if name.endswith("_endpoint"))
        for host in ("evil.example", "id.localhost", "id.localhost:1", f"localhost:{layout.port}"):
            assert client.get(f"{layout.issuer}{path}", headers={"Host": host}).status_code == 400
        forwarded = client.get(f"{layout.issuer}{path}", headers={"X-Forwarded-Host": "evil.example"})
        assert forwarded.status_code == 400


def test_two_workers_lose_no_code_in_twenty_flows(provider: Provider) -> None:
    with ThreadPoolExecutor(4) as pool:
        accounts = provider.people(10) * 2
        tokens = list(pool.map(provider.tokens, accounts))
    assert [provider.verified(one["access_token"])["sub"] for one in tokens] == [one.sub for one in accounts]
