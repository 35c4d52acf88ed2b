"""Setting up, the directory's commands, expiry, and what a copy of the database is worth."""

from __future__ import annotations

import json
import stat

import pytest

from strongroom.identity import manage
from strongroom.identity.signin import SignIn
from tests.identity.server import Account, Provider
from tests.proves import proves

pytestmark = pytest.mark.real


def test_setup_again_keeps_secrets_and_people(provider: Provider) -> None:
    account = provider.person()
    folder = provider.layout.state_of("identity")
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".json", ".pem")}
    assert manage.call(provider.layout, "setup")["issuer"] == provider.layout.issuer
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert provider.tokens(account)["access_token"]


def test_secrets_are_readable_by_their_owner_only(provider: Provider) -> None:
    for path in provider.layout.state_of("identity").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert json.loads(manage.client_file(provider.layout).read_text())["client_id"] == "web"


def test_adding_the_same_email_again_changes_what_was_given(provider: Provider) -> None:
    account = provider.person("Ada")
    again = manage.call(
        provider.layout, "add-person", "--name", "Ada King", "--email", account.email.upper(), "--group", "auditors"
    )
    assert again == {"sub": account.sub, "email": account.email, "password": None, "totp_secret": None}
    claims = provider.verified(provider.tokens(account)["access_token"])
    assert (claims["name"], claims["groups"]) == ("Ada King", ["auditors"])
    [listed] = [one for one in manage.call(provider.layout, "people") if one["sub"] == account.sub]
    assert listed == {
        "sub": account.sub,
        "name": "Ada King",
        "email": account.email,
        "groups": ["auditors"],
        "password": True,
        "second_factor": True,
    }


@proves("P150")
def test_groups_show_at_the_next_refresh(provider: Provider) -> None:
    account = provider.person("Grace", "auditors")
    tokens = provider.tokens(account)
    manage.call(provider.layout, "set-groups", "--email", account.email, "--group", "programme-managers")
    renewed = provider.refresh(tokens["refresh_token"]).json()
    assert provider.verified(renewed["access_token"])["groups"] == ["programme-managers"]
    manage.call(provider.layout, "set-groups", "--email", account.email)
    renewed = provider.refresh(renewed["refresh_token"]).json()
    assert provider.verified(renewed["access_token"])["groups"] == []


@proves("satre:3.2.01")
def test_a_removed_person_is_out_at_once(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        code = provider.code(browser, account, asked)
        tokens = provider.exchange(code, asked).json()
        waiting = provider.code(browser, account, asked)
        assert manage.call(provider.layout, "remove-person", "--email", account.email)["sub"] == account.sub
        assert "Email address" in browser.get(provider.round().url, follow_redirects=True).text
    assert provider.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    assert provider.exchange(waiting, asked).json()["error"] == "invalid_grant"
    again = manage.call(provider.layout, "add-person", "--name", "Ada", "--email", account.email)
    assert again["sub"] != account.sub
    assert provider.verified(provider.tokens(Account(**again))["access_token"])["sub"] == again["sub"]


def test_expired_codes_and_refresh_tokens_are_refused_and_cleaned(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        tokens = provider.exchange(provider.code(browser, account, asked), asked).json()
        code = provider.code(browser, account, asked)
    past = "2001-01-01 00:00:00"
    with provider.database() as database:
        database.execute("UPDATE identity_cache SET expires = ?", [past])
        database.execute(
            "UPDATE allauth_idp_oidc_token SET expires_at = ? WHERE user_id = ?", [past, account.sub.replace("-", "")]
        )
    assert provider.exchange(code, asked).json()["error"] == "invalid_grant"
    assert provider.refresh(tokens["refresh_token"]).json()["error"] == "invalid_grant"
    cleaned = manage.call(provider.layout, "clean")
    assert cleaned["codes"] >= 1 and cleaned["tokens"] >= 2
    assert manage.call(provider.layout, "clean")["tokens"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add-person", "--name", "A", "--email", "nonsense"], "valid email"),
        (["add-person", "--name", " ", "--email", "a@example.org"], "full name"),
        (["add-person", "--name", "A", "--email", "a@example.org", "--group", "kings"], "programme-managers"),
        (["add-person", "--name", "A", "--email", "a@example.org", "--totp-secret", "x1"], "base32"),
        (["set-groups", "--email", "nobody@example.org"], "list everyone"),
        (["remove-person", "--email", "nobody@example.org"], "list everyone"),
        (["enrolment-link", "--email", "nobody@example.org"], "list everyone"),
    ],
)
def test_bad_input_says_how_to_mend_it(provider: Provider, arguments: list[str], message: str) -> None:
    with pytest.raises(RuntimeError, match=message) as refused:
        manage.call(provider.layout, *arguments)
    assert "Traceback" not in str(refused.value)


@proves("satre:1.5.05")
def test_a_copy_of_the_database_opens_nothing(provider: Provider) -> None:
    account, asked = provider.person(), provider.round()
    with provider.browser() as browser:
        tokens = provider.exchange(provider.code(browser, account, asked), asked).json()
        session = browser.cookies[f"__Host-identity-{provider.layout.port}"]
        made = manage.call(provider.layout, "enrolment-link", "--email", account.email)
        with provider.database() as database:
            dump = "\n".join(database.iterdump())
            [stored] = database.execute("SELECT session_key FROM django_session LIMIT 1").fetchone()
    for secret in (
        tokens["refresh_token"],
        tokens["access_token"],
        session,
        account.password,
        account.totp_secret,
        made["link"].rsplit("/", 1)[1],
        provider.client_secret,
    ):
        assert secret not in dump
    with provider.browser() as thief:
        thief.cookies.set(f"__Host-identity-{provider.layout.port}", stored, domain="id.localhost")
        page = thief.get(provider.round().url, follow_redirects=True)
        assert SignIn(thief).forms(page)[0].values.keys() >= {"login", "password"}


def test_several_people_at_once_are_all_added_or_none(provider: Provider) -> None:
    good = {"name": "Bo", "email": "bo-at-once@example.org"}
    with pytest.raises(RuntimeError, match="object with name and email"):
        manage.call(provider.layout, "add-people", stdin=json.dumps([good, {"name": "Cy"}]))
    with pytest.raises(RuntimeError, match="valid email"):
        manage.call(provider.layout, "add-people", stdin=json.dumps([good, {**good, "email": "nonsense"}]))
    assert good["email"] not in {one["email"] for one in manage.call(provider.layout, "people")}
    [made] = manage.call(provider.layout, "add-people", stdin=json.dumps([good]))
    assert provider.tokens(Account(**made))["access_token"]
