"""Attacks through the browser: guessing ids, the outside listener, a hostile environment host, a person who was removed."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from strongroom.operate.demo.desktop import Viewer, enter, stream
from strongroom.operate.demo.person import Page, PageError, Person, Refused
from tests.attacks.attacker import ALIVE, ENDED, Attacker, as_browser, eventually, fresh_id
from tests.attacks.conftest import Who
from tests.proves import proves

pytestmark = pytest.mark.real


# Guessing -----------------------------------------------------------------------------------------------------------
@proves("satre:2.1.14")
def test_a_project_of_others_is_as_unknown_as_one_that_does_not_exist(attacker: Attacker, who: Who) -> None:
    name = fresh_id("Nursing")
    page = who("programme").submit("/projects/new", name=name, summary="Where do nurses work after training?")
    secret = page.url.rsplit("/", 1)[1]
    researcher, app = who("researcher"), attacker.layout.app_url
    assert attacker.project(secret).state == "open"
    assert secret not in researcher.open("/projects").source
    rests = (
        "",
        "/history",
        "/life",
        "/closing",
        "/terms",
        "/people/appoint",
        "/environments/new",
        "/work-packages/new",
    )
    for rest in rests:
        answers = [as_browser(researcher, f"{app}/projects/{one}{rest}") for one in (secret, "nursing-nowhere")]
        assert [answer.status_code for answer in answers] == [404, 404], rest
        texts = [re.sub(r"nonce-\S+|value=\"[^\"]+\"", "", answer.text) for answer in answers]
        assert texts[0].replace(secret, "nursing-nowhere") == texts[1], f"{rest} tells the two apart"


@proves("satre:2.1.14")
def test_ids_of_one_project_open_nothing_under_another(attacker: Attacker, who: Who) -> None:
    researcher, app, state = who("researcher"), attacker.layout.app_url, attacker.project()
    laboratory, request = attacker.laboratory.id, next(iter(state.requests))
    old = next(iter(attacker.project(ENDED).environments))
    deposit, agreement = next(iter(state.deposits)), next(iter(state.agreements))
    paths = [
        f"/projects/{ENDED}/environments/{laboratory}",
        f"/projects/{ENDED}/environments/{laboratory}/outputs/new",
        f"/projects/{ENDED}/requests/{request}",
        f"/projects/{ENDED}/requests/{request}/review",
        f"/projects/{ENDED}/deposits/{deposit}",
        f"/projects/{ENDED}/agreements/{agreement}",
        f"/projects/{ENDED}/work-packages/schools/opinion",
        f"/projects/{ALIVE}/environments/{old}",
        f"/projects/{ALIVE}/environments/env-000000",
        f"/projects/{ALIVE}/requests/request-000000",
        f"/releases/{request}",
        f"/releases/{request}/record.json",
        f"/releases/{request}/files/attainment.py",
    ]
    found = {path: as_browser(researcher, f"{app}{path}").status_code for path in paths}
    assert found == dict.fromkeys(paths, 404)
    assert as_browser(researcher, f"{app}/projects/{ALIVE}/environments/{laboratory}").status_code == 200


@proves("P154", "satre:1.5.03")
def test_a_researcher_reads_no_agreement_no_audit_and_no_assessment_data(attacker: Attacker, who: Who) -> None:
    researcher, app = who("researcher"), attacker.layout.app_url
    agreement = next(iter(attacker.project().agreements))
    assert as_browser(researcher, f"{app}/projects/{ALIVE}/agreements/{agreement}/signed").status_code in (403, 404)
    for path in ("/audit", "/audit/export"):
        assert as_browser(researcher, f"{app}{path}").status_code in (403, 404)
    with pytest.raises(Refused, match="(?i)at tier 3"):
        desktop_of(researcher, attacker.assessment.id)


def desktop_of(person: Person, environment: str) -> Page:
    """The page with a ticket; asked for even where no page offers it."""
    page = person.open(f"/projects/{ALIVE}/environments/{environment}")
    path = f"/projects/{ALIVE}/environments/{environment}/desktop"
    if not any(form.action.endswith("/desktop") for form in page.forms):
        page.forms[0].action = path
    return person.submit(page, action="/desktop")


# The outside listener -----------------------------------------------------------------------------------------------
@proves("P132", "P133", "satre:1.5.03")
@pytest.mark.parametrize("header", [{}, {"X-Strongroom-Listener": "inside", "X-Forwarded-For": "127.0.0.1"}])
def test_outside_only_the_named_pages_are_there(attacker: Attacker, who: Who, header: dict[str, str]) -> None:
    manager, outside = who("manager"), attacker.layout.outside_url
    laboratory, request = attacker.laboratory.id, next(iter(attacker.project().requests))
    at = f"/projects/{ALIVE}"
    hidden = [
        *("/projects", "/projects/new", "/audit", "/audit/export", "/mail"),
        *(f"{at}/history", f"{at}/life", f"{at}/closing", f"{at}/people/appoint", f"{at}/environments/new"),
        *(f"{at}/environments/{laboratory}", f"{at}/environments/{laboratory}/outputs/new", f"{at}/requests/{request}"),
        *(f"{at}/work-packages/schools/opinion", f"{at}/datasets/new", f"{at}//environments/{laboratory}"),
        *("/PROJECTS", "//projects", "/projects/", "/static/../projects", "/static/%2e%2e/projects", "/demo/../audit"),
    ]
    for path in hidden:
        answer = as_browser(manager, f"{outside}{path}", **header)
        assert answer.status_code in (400, 403, 404), f"{path}: {answer.status_code}"
        assert "Max Weber" not in answer.text or "inside" in answer.text.lower(), path
        assert "Chemistry" not in answer.text, path
    act = manager.client.post(f"{outside}{at}/environments/{laboratory}/probe", headers={"Origin": outside, **header})
    assert act.status_code in (403, 404)
    for path in ("/", "/sign-in", "/training", at):
        assert as_browser(manager, f"{outside}{path}", **header).status_code in (200, 302), path


@proves("P140", "D17", "satre:1.5.03")
def test_outside_there_is_no_host_of_an_environment(attacker: Attacker, who: Who) -> None:
    name = attacker.layout.environment_host(attacker.laboratory.id).partition(":")[0]
    client = who("researcher").client
    try:
        answer = client.get(f"https://{name}:{attacker.layout.outside_port}/")
    except httpx.TransportError:
        return
    assert answer.status_code in (404, 421)


# A hostile environment ----------------------------------------------------------------------------------------------
def frames_nobody(answer: httpx.Response) -> bool:
    """Whether no page anywhere may frame this one."""
    policies = [one for part in answer.headers.get_list("Content-Security-Policy") for one in part.split(",")]
    return any("frame-ancestors 'none'" in policy for policy in policies)


@proves("satre:1.5.05")
def test_nobody_may_frame_the_app_the_provider_or_a_desktop(attacker: Attacker, who: Who) -> None:
    layout, person = attacker.layout, who("researcher")
    laboratory = attacker.laboratory.id
    host = f"https://{layout.environment_host(laboratory)}"
    cookie = enter(person.client, desktop_of(person, laboratory))
    pages = {
        layout.app_url: as_browser(person, f"{layout.app_url}/projects"),
        "a page that is not there": as_browser(person, f"{layout.app_url}/nowhere"),
        "an environment's page": as_browser(person, f"{layout.app_url}/projects/{ALIVE}/environments/{laboratory}"),
        layout.outside_url: as_browser(person, f"{layout.outside_url}/"),
        layout.issuer: as_browser(person, f"{layout.issuer}/"),
        "the desktop": as_browser(person, f"{host}/", Cookie=cookie),
        "the desktop without a ticket": httpx_without_cookies(person, f"{host}/"),
    }
    for name, answer in pages.items():
        assert frames_nobody(answer), f"{name} ({answer.status_code}) may be framed"
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", name
        assert "Access-Control-Allow-Origin" not in answer.headers, name
    policy = pages[layout.app_url].headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "default-src 'none'" in pages["the desktop"].headers["Content-Security-Policy"]
    assert "unsafe" not in policy + pages["the desktop"].headers["Content-Security-Policy"]


def httpx_without_cookies(person: Person, url: str) -> httpx.Response:
    """The answer to a browser that knows nothing."""
    kept, person.client.cookies = person.client.cookies, httpx.Cookies()
    try:
        return person.client.get(url, follow_redirects=False)
    finally:
        person.client.cookies = kept


@proves("P135", "P140", "P142", "D8")
def test_an_environments_host_gives_none_of_its_pages(attacker: Attacker, who: Who) -> None:
    """At Tier 2 what runs inside sends pixels and nothing else: JupyterLab's own addresses are not there."""
    person, laboratory = who("researcher"), attacker.laboratory.id
    host = f"https://{attacker.layout.environment_host(laboratory)}"
    cookie = enter(person.client, desktop_of(person, laboratory))
    front = as_browser(person, f"{host}/", Cookie=cookie)
    assert front.status_code == 200
    assert "desktop.js" in front.text
    assert "set-cookie" not in front.headers
    for path in (
        "/lab",
        "/tree",
        "/api/contents",
        "/files/output/attainment.py",
        "/proxy/8888/",
        "/novnc/../../etc/passwd",
    ):
        answer = as_browser(person, f"{host}{path}", Cookie=cookie)
        assert answer.status_code == 404, f"{path}: {answer.status_code} {answer.text[:200]}"
    for path in ("/", "/websockify", "/lab"):
        assert httpx_without_cookies(person, f"{host}{path}").status_code == 401
    other = f"https://{attacker.layout.environment_host(attacker.assessment.id)}"
    assert as_browser(person, f"{other}/", Cookie=cookie).status_code == 401, "an entry counts for one environment"
    with pytest.raises(Exception, match="403"):
        stream(attacker.layout, laboratory, cookie, origin=attacker.layout.app_url)


@proves("satre:1.5.05")
def test_cookies_stay_with_the_host_that_set_them(attacker: Attacker, who: Who) -> None:
    """Each is __Host-, Secure, HttpOnly and SameSite; none of the app or the provider is sent to an environment."""
    layout, person = attacker.layout, who("researcher")
    sent: list[httpx.Request] = []
    person.client.event_hooks = {"request": [sent.append], "response": []}
    try:
        laboratory = attacker.laboratory.id
        host = layout.environment_host(laboratory).partition(":")[0]
        enter(person.client, desktop_of(person, laboratory))
        person.client.get(f"https://{layout.environment_host(laboratory)}/")
    finally:
        person.client.event_hooks = {"request": [], "response": []}
    names = {name for request in sent if request.url.host == host for name in cookie_names(request)}
    assert names <= {"__Host-entry"}, names
    assert any(request.url.host == host for request in sent)
    ours = {cookie.name: cookie for cookie in person.client.cookies.jar}
    assert {"__Host-entry", f"__Host-identity-{layout.port}"} <= set(ours)
    for cookie in ours.values():
        assert cookie.name.startswith("__Host-"), cookie.name
        assert (cookie.secure, cookie.path, cookie.domain_specified) == (True, "/", False), cookie.name
        assert cookie.get_nonstandard_attr("SameSite") in ("Lax", "Strict"), cookie.name
        assert cookie.has_nonstandard_attr("HttpOnly"), cookie.name


def cookie_names(request: httpx.Request) -> list[str]:
    """Names of the cookies that a request carried."""
    return [part.split("=", 1)[0].strip() for part in request.headers.get("Cookie", "").split(";") if part.strip()]


@proves("satre:1.5.05")
def test_a_form_sent_from_an_environments_host_is_not_taken(attacker: Attacker, who: Who) -> None:
    """Even with the person's cookies and the form's secret: another origin, or none, is refused."""
    manager, layout = who("manager"), attacker.layout
    laboratory = attacker.laboratory.id
    path = f"/projects/{ALIVE}/environments/{laboratory}"
    form = manager.open(path).form("csrfmiddlewaretoken", action="/probe")
    data = {"csrfmiddlewaretoken": form.fields["csrfmiddlewaretoken"][0]}
    before = len(attacker.entries())
    for origin in (f"https://{layout.environment_host(laboratory)}", "null", layout.issuer, "https://example.org"):
        answer = manager.client.post(f"{layout.app_url}{path}/probe", data=data, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    without = manager.client.post(f"{layout.app_url}{path}/probe", headers={"Origin": layout.app_url})
    assert without.status_code == 403
    assert not [one for one in attacker.entries()[before:] if one.kind == "environment.probe"]


# Somebody who was removed -------------------------------------------------------------------------------------------
def watch_until_it_ends(viewer: Viewer, seconds: float) -> float:
    """Look at a desktop again and again until its stream ends; how long that took. TimeoutError when it does not."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        try:
            viewer.picture()
        except (PageError, OSError):
            return time.monotonic() - began
        time.sleep(0.5)
    raise TimeoutError(f"the desktop was still open after {seconds:.0f} s")


@proves("satre:1.5.03")
def test_signing_out_closes_the_desktop_too(attacker: Attacker, who: Who) -> None:
    researcher, laboratory = who("researcher"), attacker.laboratory.id
    cookie = enter(researcher.client, desktop_of(researcher, laboratory))
    stream(attacker.layout, laboratory, cookie).close()
    researcher.submit("/", action="/sign-out")
    with pytest.raises(Exception, match="401"):
        stream(attacker.layout, laboratory, cookie)


@proves("satre:1.5.03")
def test_a_removed_persons_open_desktop_closes_within_a_minute(attacker: Attacker, who: Who) -> None:
    researcher, manager, layout = who("researcher"), who("manager"), attacker.layout
    laboratory, at = attacker.laboratory.id, f"/projects/{ALIVE}"
    cookie = enter(researcher.client, desktop_of(researcher, laboratory))
    with stream(layout, laboratory, cookie) as connection:
        viewer = Viewer(connection)
        assert viewer.picture().colours > 1
        manager.submit(f"{at}/people/researcher/{researcher.sub}", reason="Left the project.")
        try:
            assert watch_until_it_ends(viewer, 70) <= 70
            with pytest.raises(Exception, match="40[13]"):
                stream(layout, laboratory, cookie).close()
            with pytest.raises(PageError):
                desktop_of(researcher, laboratory)
        finally:
            manager.submit(f"{at}/people/appoint", person=researcher.sub, role="researcher")
            eventually(lambda: ("researcher", researcher.sub) in attacker.project().members)
            researcher.submit(f"{at}/terms", accept="on")
    enter(researcher.client, desktop_of(researcher, laboratory))
