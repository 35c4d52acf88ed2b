"""The second factor is required, each code counts once, and invitation links work once."""

from __future__ import annotations

import time

import httpx
import pytest

from strongroom.identity import manage
from strongroom.identity.signin import SignIn, SignInError
from strongroom.identity.totp import totp_code
from tests.identity.server import PASSWORD, Account, Provider
from tests.proves import proves

pytestmark = pytest.mark.real


def fill(browser: httpx.Client, page: httpx.Response, **values: str) -> httpx.Response:
    """Send the page's form with these values and follow where it leads on the identity host."""
    form = SignIn(browser).forms(page)[0]
    data = {**form.values, **values}
    return browser.post(str(page.url), data=data, headers={"Referer": str(page.url)}, follow_redirects=True)


def password_page(provider: Provider, browser: httpx.Client, account: Account) -> httpx.Response:
    """The page after a right password."""
    page = browser.get(provider.round().url, follow_redirects=True)
    return fill(browser, page, login=account.email, password=account.password)


def without_factor(provider: Provider) -> Account:
    """Someone with a password and no second factor, made by taking the factor away from the database."""
    account = provider.person("Bertha Brand")
    with provider.database() as database:
        database.execute("DELETE FROM mfa_authenticator WHERE user_id = ?", [account.sub.replace("-", "")])
    return account


@proves("satre:3.2.04", "P139", "P141", "control:second_factor")
def test_a_password_alone_leads_to_enrolment_and_never_to_a_code(provider: Provider) -> None:
    account = without_factor(provider)
    with provider.browser() as browser:
        page = password_page(provider, browser, account)
        assert "Set up a second factor" in page.text
        for extra in ("", "&prompt=none"):
            answer = browser.get(provider.round().url + extra)
            assert answer.status_code == 302
            assert "code=" not in answer.headers["Location"].replace("code_challenge=", "")
        with pytest.raises(SignInError, match="no second factor yet"):
            SignIn(browser).login(provider.round().url, account.email, PASSWORD, "")


@proves("satre:3.2.04")
def test_enrolling_in_the_page_goes_on_to_the_code(provider: Provider) -> None:
    account = without_factor(provider)
    asked = provider.round()
    with provider.browser() as browser:
        page = browser.get(asked.url, follow_redirects=True)
        page = fill(browser, page, login=account.email, password=account.password)
        wrong = fill(browser, page, code="000000")
        assert "This code is not right" in wrong.text
        secret = SignIn(browser).secret_shown(wrong)
        assert secret == SignIn(browser).secret_shown(page)
        form = SignIn(browser).forms(wrong)[0]
        data = {**form.values, "code": totp_code(secret, time.time())}
        sent = browser.post(str(wrong.url), data=data, headers={"Referer": str(wrong.url)})
        onward = browser.get(str(sent.url.join(sent.headers["Location"])))
    assert onward.headers["Location"].startswith(f"{asked.redirect_uri}?code=")


@proves("satre:3.2.04")
def test_a_one_time_code_counts_once_in_any_browser(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as first, provider.browser() as second:
        one = password_page(provider, first, account)
        other = password_page(provider, second, account)
        code = totp_code(account.totp_secret, time.time())
        done = first.post(
            str(one.url), data={**SignIn(first).forms(one)[0].values, "code": code}, headers={"Referer": str(one.url)}
        )
        assert done.status_code == 302
        replayed = fill(second, other, code=code)
        assert "This code was used already" in replayed.text
        old = fill(second, replayed, code=totp_code(account.totp_secret, time.time() - 90))
        assert "This code is not right" in old.text
        malformed = fill(second, old, code="12 34")
        assert "The code has 6 digits" in malformed.text


@proves("satre:1.5.05")
def test_guessing_is_stopped_for_the_account_only(provider: Provider) -> None:
    account, neighbour = provider.person(), provider.person()
    with provider.browser() as browser:
        page = browser.get(provider.round().url, follow_redirects=True)
        for _ in range(10):
            page = fill(browser, page, login=account.email, password=account.email)
            assert "is not right" in page.text
        page = fill(browser, page, login=account.email, password=account.password)
        assert "Too many failed attempts" in page.text
    assert provider.tokens(neighbour)["access_token"]


@proves("satre:1.5.05")
def test_guessing_codes_is_stopped(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        page = password_page(provider, browser, account)
        right = totp_code(account.totp_secret, time.time())
        for _ in range(10):
            page = fill(browser, page, code=f"{(int(right) + 500_000) % 1_000_000:06d}")
            assert "This code is not right" in page.text
        page = fill(browser, page, code=totp_code(account.totp_secret, time.time()))
        assert "Too many failed attempts" in page.text


@proves("P150")
def test_nobody_signs_up_by_themselves(provider: Provider) -> None:
    with provider.browser() as browser:
        for path in ("signup", "accounts/signup/", "sign-up", "admin/", "identity/o/device"):
            assert browser.get(f"{provider.layout.issuer}/{path}").status_code == 404


@proves("satre:3.2.01")
def test_an_enrolment_link_makes_one_account_once(provider: Provider) -> None:
    email = f"invited-{time.time_ns()}@example.org"
    made = manage.call(
        provider.layout, "enrolment-link", "--email", email, "--name", "Ida Invited", "--group", "system-managers"
    )
    chosen = "three unrelated words"
    with provider.browser() as browser:
        page = browser.get(made["link"])
        assert "Ida Invited" in page.text
        bad = fill(browser, page, **dict.fromkeys(("password", "repeated", "code"), "short"))
        for message in ("too short", "The code has 6 digits"):
            assert message in bad.text
        sign_in = SignIn(browser)
        secret = sign_in.enrol(made["link"], chosen)
        assert browser.get(made["link"]).status_code == 410
        with pytest.raises(SignInError, match="does not work any more"):
            sign_in.enrol(made["outside_link"], chosen)
    claims = provider.verified(provider.tokens(Account(made["sub"], email, chosen, secret))["access_token"])
    assert (claims["sub"], claims["groups"]) == (made["sub"], ["system-managers"])


def test_a_new_link_replaces_password_factor_and_tokens(provider: Provider) -> None:
    account = provider.person()
    tokens = provider.tokens(account)
    older = manage.call(provider.layout, "enrolment-link", "--email", account.email)
    newer = manage.call(provider.layout, "enrolment-link", "--email", account.email)
    with provider.browser() as browser:
        assert browser.get(older["link"]).status_code == 410
        secret = SignIn(browser).enrol(newer["link"], "another long password")
        with pytest.raises(SignInError, match="is not right"):
            SignIn(browser).login(provider.round().url, account.email, account.password, account.totp_secret)
    assert provider.refresh(tokens["refresh_token"]).status_code == 400
    assert provider.tokens(Account(account.sub, account.email, "another long password", secret))["access_token"]


def test_signing_out_ends_session_and_refresh_token(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    layout = provider.layout
    with provider.browser() as browser:
        tokens = provider.exchange(provider.code(browser, account, asked), asked).json()
        answer = browser.get(
            f"{layout.issuer}/identity/o/logout",
            params={"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": f"{layout.app_url}/"},
        )
        assert answer.headers["Location"] == f"{layout.app_url}/"
        assert "Sign in" in browser.get(provider.round().url, follow_redirects=True).text
    assert provider.refresh(tokens["refresh_token"]).status_code == 400


def test_signing_out_on_the_page_ends_refresh_token(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        tokens = provider.exchange(provider.code(browser, account, asked), asked).json()
        done = fill(browser, browser.get(f"{provider.layout.issuer}/sign-out"))
        assert "You are not signed in" in done.text
    assert provider.refresh(tokens["refresh_token"]).status_code == 400


def test_waiting_for_the_next_code_when_the_steps_are_used(provider: Provider) -> None:
    class WaitedError(Exception):
        """The client wants to wait."""

    def wait(seconds: float) -> None:
        assert 0 < seconds <= 30
        raise WaitedError

    account, asked = provider.person(), provider.round()
    with pytest.raises(WaitedError):
        for _ in range(20):
            with provider.browser() as browser:
                sign_in = SignIn(browser, wait=wait)
                sign_in.login(asked.url, account.email, account.password, account.totp_secret, until=asked.redirect_uri)
