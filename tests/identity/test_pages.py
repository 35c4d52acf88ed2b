"""Pages: labelled fields, error summaries that lead to the field, safe headers and cookies, nothing from elsewhere."""

from __future__ import annotations

import re

import httpx
import pytest
from lxml import html

from strongroom.identity.signin import SignIn
from tests.identity.server import Provider

pytestmark = pytest.mark.real


def check(page: httpx.Response, title: str) -> html.HtmlElement:
    """Structure that every page has."""
    tree = html.fromstring(page.text)
    assert tree.get("lang") == "en"
    assert title in tree.findtext(".//title", "")
    assert len(tree.findall(".//h1")) == 1
    assert not tree.findall(".//script")
    for field in tree.xpath("//input[not(@type='hidden')]"):
        assert len(tree.xpath(f"//label[@for='{field.get('id')}']")) == 1
        assert field.get("autocomplete")
        for described in (field.get("aria-describedby") or "").split():
            assert tree.get_element_by_id(described) is not None
    for address in tree.xpath("//link/@href | //img/@src"):
        assert address.startswith(("/", "data:"))
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY"
    assert "no-store" in page.headers["Cache-Control"]
    return tree


def test_sign_in_pages(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        page = browser.get(provider.round().url, follow_redirects=True)
        check(page, "Sign in")
        form = SignIn(browser).forms(page)[0]
        empty = browser.post(str(page.url), data=form.values, headers={"Referer": str(page.url)})
        tree = check(empty, "Error: Sign in")
        links = tree.xpath("//*[@role='alert']//a/@href")
        assert links == ["#id_login", "#id_password"]
        assert all(tree.get_element_by_id(link[1:]).get("aria-invalid") == "true" for link in links)
        form.values.update(login=account.email, password=account.password)
        code = browser.post(str(page.url), data=form.values, headers={"Referer": str(page.url)}, follow_redirects=True)
        check(code, "Enter your one-time code")


def test_pages_around_a_session(provider: Provider) -> None:
    account_name = "O'Hara <b>Bold</b>"
    account = provider.person(account_name)
    with provider.browser() as browser:
        provider.code(browser, account, provider.round())
        again = browser.get(provider.round(prompt="login").url, follow_redirects=True)
        leave = browser.get(f"{provider.layout.issuer}/sign-out")
        home = browser.get(f"{provider.layout.issuer}/")
        for page, title in ((again, "Enter your password again"), (leave, "Sign out"), (home, "Sign-in service")):
            assert f"{account_name} ({account.email})" in check(page, title).text_content()
        check(browser.get(f"{provider.layout.issuer}/nowhere"), "Page not found")
        check(browser.get(provider.round(client_id="other").url), "This sign-in cannot go on")
        check(browser.get(f"{provider.layout.issuer}/enrol/made-up"), "This link does not work any more")
        no_token = browser.post(f"{provider.layout.issuer}/sign-out")
        assert no_token.status_code == 403
        check(no_token, "You cannot do this")


def test_cookies_are_bound_to_the_host(provider: Provider) -> None:
    with provider.browser() as browser:
        provider.code(browser, provider.person(), provider.round())
        set_here = browser.get(f"{provider.layout.issuer}/sign-out").headers.get_list("Set-Cookie")
        assert {cookie.name for cookie in browser.cookies.jar} == {
            f"__Host-identity-{provider.layout.port}",
            f"__Host-identity-csrf-{provider.layout.port}",
        }
    for cookie in set_here:
        assert re.search(r"(?=.*; Path=/(;|$))(?=.*; Secure)(?=.*HttpOnly)(?=.*SameSite=Lax)(?!.*Domain)", cookie)


def test_next_leads_nowhere_else(provider: Provider) -> None:
    account = provider.person()
    with provider.browser() as browser:
        provider.code(browser, account, provider.round())
        for path in ("sign-in", "sign-in/second-factor"):
            for target in ("https://evil.example/", "//evil.example/", "https://id.localhost/"):
                answer = browser.get(f"{provider.layout.issuer}/{path}", params={"next": target})
                assert answer.headers["Location"] in ("/", "/home")


def test_colours_have_enough_contrast(provider: Provider) -> None:
    with provider.browser() as browser:
        style = browser.get(f"{provider.layout.issuer}/identity.css")
    assert style.headers["Content-Type"] == "text/css"
    assert "url(" not in style.text and "@import" not in style.text
    pairs = [("#fff", "#0f7a52"), ("#ca3535", "#fff"), ("#484949", "#fff"), ("#1a65a6", "#fff"), ("#0b0c0c", "#fd0")]
    for one, other in pairs:
        assert one in style.text and other in style.text
        assert contrast(one, other) >= 4.5


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours as WCAG defines it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(digit * 2 for digit in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
