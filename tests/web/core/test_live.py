"""The web app with the real identity provider, the real warden and the real worker: signing in, acting, attacks."""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from strongroom import ledger
from strongroom.domain.acts import Act
from strongroom.operate.demo.person import Refused
from strongroom.orders.client import Warden, WardenRefused
from strongroom.orders.protocol import Order
from tests.proves import proves
from tests.web.core.site import Site, Sockets, Visitor

pytestmark = pytest.mark.real


@dataclass
class Begun:
    """A project with its people, each signed in."""

    id: str
    manager: Visitor
    lead: Visitor
    provider: Visitor
    researcher: Visitor

    @property
    def at(self) -> str:
        return f"/projects/{self.id}"


@pytest.fixture(scope="session")
def begun(site: Site) -> Begun:
    """A project made through the pages."""
    lead = site.visitor("Prue Lead", "programme-managers")
    people = [site.visitor(name) for name in ("Petra Manager", "Dora Provider", "Rafael Researcher")]
    for person in people:
        assert person.open("/sign-in").heading == "What waits for you"
    name = f"Chemistry {secrets.token_hex(3)}"
    page = lead.submit("/projects/new", name=name, summary="What explains results?")
    project = urlsplit(page.url).path.rsplit("/", 1)[1]
    story = Begun(project, people[0], lead, people[1], people[2])
    for person, role, organisation in (
        (story.manager, "project_manager", ""),
        (story.provider, "representative", "Board of Exams"),
    ):
        after = lead.submit(f"{story.at}/people/appoint", person=person.sub, role=role, organisation=organisation)
        assert f"{person.name} is now" in after.text
    story.manager.submit(f"{story.at}/people/appoint", person=story.researcher.sub, role="researcher")
    return story


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until something holds, or fail."""
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.1)


def database(site: Site) -> sqlite3.Connection:
    """The web's database, as somebody who stole it opens it."""
    return sqlite3.connect(site.layout.state_of("web") / "web.sqlite3", timeout=20)


def cookie_name(visitor: Visitor) -> str:
    """Name of the session's cookie."""
    return next(name for name in visitor.client.cookies if name.startswith("__Host-strongroom") and "csrf" not in name)


@proves("P29", "P30", "P151", "satre:1.5.05")
def test_a_project_begins_with_its_people(begun: Begun) -> None:
    page = begun.manager.open(begun.at)
    for words in ("Petra Manager", "Dora Provider, Board of Exams", "Rafael Researcher", "What explains results?"):
        assert words in page.text


@proves("P84", "P87", "P89")
def test_the_agreement_is_drafted_signed_lodged_and_read(begun: Begun, site: Site) -> None:
    at = begun.at
    page = begun.manager.submit(
        f"{at}/datasets/new",
        name=f"Chem {secrets.token_hex(3)}",
        description="Results",
        representative=begun.provider.sub,
        personal="yes",
        lawful_basis="Public task",
    )
    shown = begun.manager.submit(page, institution="University of Somewhere", purpose="Attainment by gender")
    assert "Board of Exams" in shown.text
    assert "Attainment by gender" in shown.text
    agreement = urlsplit(begun.manager.submit(shown, step="record").url).path
    text = begun.provider.client.get(f"{site.layout.app_url}{agreement}/text")
    assert "DATA SHARING AGREEMENT" in text.text
    assert "attachment" in text.headers["Content-Disposition"]
    signed = b"%PDF-1.4 " + secrets.token_bytes(40_000)
    files = {"document": ("../../signed copy.pdf", signed, "application/pdf")}
    after = begun.provider.submit(agreement, uploads=files, certifies="on")
    assert "Signed copy lodged" in after.text
    assert "signed copy.pdf" in after.text
    assert ".." not in after.text
    got = begun.manager.client.get(f"{site.layout.app_url}{agreement}/signed")
    assert got.content == signed
    assert got.headers["Content-Type"] == "application/octet-stream"
    with pytest.raises(Refused, match="do not let you see this"):
        begun.researcher.open(f"{agreement}/signed")
    eventually(lambda: "read.document" in begun.manager.open(f"{at}/history?only=refused").source)


def test_only_the_representative_lodges(begun: Begun) -> None:
    page = begun.manager.get(begun.at)
    agreements = [link for link in page.links.values() if "/agreements/" in link]
    assert agreements
    assert not any("document" in form.files for form in begun.manager.open(agreements[0]).forms)


@proves("P153", "P83", "satre:1.6.02")
def test_training_and_terms(begun: Begun) -> None:
    assert "Certify your training" in begun.researcher.open("/").text
    after = begun.researcher.submit(f"{begun.at}/training", read="on")
    assert "Your training is certified." in after.text
    begun.researcher.submit(f"{begun.at}/terms", accept="on")
    assert "You certified this version" in begun.researcher.open("/training").text
    assert "You have accepted these terms" in begun.researcher.open(f"{begun.at}/terms").text
    assert "Certify your training" not in begun.researcher.open("/").text


def test_a_refusal_says_why_and_what_next_and_is_in_the_history(begun: Begun) -> None:
    with pytest.raises(Refused, match="this needs the role|This needs the role") as found:
        begun.researcher.submit(
            f"{begun.at}/datasets/new",
            name="Mine",
            description="Mine",
            representative=begun.provider.sub,
            personal="no",
        )
    assert "What to do next" in str(found.value)
    assert "Petra Manager" in str(found.value)
    assert "dataset.register" in begun.manager.open(f"{begun.at}/history?only=refused").source


def test_a_stranger_sees_no_project_and_does_not_learn_that_it_exists(begun: Begun, site: Site) -> None:
    stranger = site.visitor("Stan Stranger")
    stranger.open("/sign-in")
    mine, none = stranger.get(begun.at), stranger.get("/projects/no-such-project")
    assert (mine.status, mine.text) == (none.status, none.text)
    assert mine.status == 404
    for path in ("/history", "/people/appoint", "/terms", "/datasets/new", "/work-packages/new"):
        assert stranger.get(begun.at + path).status == 404
    assert stranger.get("/audit").status == 404


def test_a_form_from_elsewhere_is_refused(begun: Begun, site: Site) -> None:
    target = f"{site.layout.app_url}{begun.at}/terms"
    page = begun.researcher.open(f"{begun.at}/terms")
    token = page.forms[0].fields["csrfmiddlewaretoken"][0]
    for origin, sent in (("https://evil.example", token), (site.layout.app_url, "x" * 64)):
        answer = begun.researcher.client.post(
            target, data={"accept": "on", "csrfmiddlewaretoken": sent}, headers={"Origin": origin}
        )
        assert answer.status_code == 403
        assert "This form is too old" in answer.text


def test_a_grave_act_is_not_done_without_the_fresh_login(begun: Begun, site: Site) -> None:
    """Stop at the provider: nothing happened, although the form was sent in a signed-in session."""
    page = begun.lead.open(f"{begun.at}/people/appoint")
    form = page.form("person", "role")
    data = {**form.fields, "person": begun.manager.sub, "role": "referee", "organisation": ""}
    answer = begun.lead.client.post(page.url, data=data, headers={"Origin": site.layout.app_url, "Referer": page.url})
    assert answer.status_code == 302
    asked = parse_qs(urlsplit(answer.headers["Location"]).query)
    body = {"role": "referee", "person": begun.manager.sub, "name": "Petra Manager", "organisation": ""}
    assert asked["nonce"] == [Act("person.appoint", begun.id, body).digest]
    assert (asked["prompt"], asked["max_age"], asked["code_challenge_method"]) == (["login"], ["0"], ["S256"])
    assert "Referee" not in begun.lead.open(begun.at).text
    # A made-up answer of the provider does not count either, nor does a second use of a state.
    state = asked["state"][0]
    forged = begun.lead.client.get(f"{site.layout.app_url}/signed-in?code=made-up&state={state}")
    assert (forged.status_code, "The sign-in did not work" in forged.text) == (400, True)
    again = begun.lead.client.get(f"{site.layout.app_url}/signed-in?code=made-up&state={state}")
    assert "was not begun in this browser" in again.text


def test_somebody_elses_login_does_not_confirm_a_grave_act(begun: Begun, site: Site) -> None:
    page = begun.lead.open(f"{begun.at}/people/appoint")
    form = page.form("person", "role")
    data = {**form.fields, "person": begun.manager.sub, "role": "referee", "organisation": ""}
    headers = {"Origin": site.layout.app_url, "Referer": page.url}
    answer = begun.lead.client.post(page.url, data=data, headers=headers)
    other = site.visitor("Olga Other", "programme-managers")
    other.open("/sign-in")
    callback = other._signin.login(
        answer.headers["Location"],
        other.email,
        other.password,
        other.totp_secret,
        until=f"{site.layout.app_url}/signed-in",
    )
    found = begun.lead.client.get(callback.headers["Location"])
    assert "somebody else signed in" in found.text.lower()
    assert "Referee" not in begun.lead.open(begun.at).text


@proves("P5", "P185", "satre:1.5.05")
def test_a_stolen_database_opens_nothing(begun: Begun, site: Site) -> None:
    """Every value of every row of the web's database, tried as a token and as a cookie; and no token stands in it."""
    with closing(database(site)) as stolen:
        tables = [row[0] for row in stolen.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [value for table in tables for row in stolen.execute(f"SELECT * FROM {table}") for value in row]  # noqa: S608
        ids = [row[0] for row in stolen.execute("SELECT id FROM records_session")]
    texts = [value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in values]
    assert ids
    assert not any("eyJ" in text and text.count(".") == 2 for text in texts)
    cookie = begun.lead.client.cookies[cookie_name(begun.lead)]
    assert not any(cookie in text for text in texts)
    for ident in ids[:5]:
        thief = httpx.Client(transport=Sockets(site.layout))
        thief.cookies.set(cookie_name(begun.lead), ident[:43])
        assert thief.get(f"{site.layout.app_url}/projects").status_code == 302
    with pytest.raises(WardenRefused):
        Warden(site.layout.warden_socket).document("a" * 64, ids[0])


@proves("satre:2.5.03")
def test_a_rewritten_database_does_not_make_the_warden_act(begun: Begun, site: Site) -> None:
    """Web's database says that the Researcher is a Project Manager; the warden decides from its own record."""
    with closing(database(site)) as stolen, stolen:
        row = stolen.execute(
            "SELECT seq, raw FROM records_event WHERE kind = 'person.appoint' AND raw LIKE ? AND project = ?",
            (f"%{begun.researcher.sub}%", begun.id),
        ).fetchone()
        raw = json.loads(row[1])
        raw["body"]["role"] = "project_manager"
        stolen.execute("UPDATE records_event SET raw = ? WHERE seq = ?", (json.dumps(raw), row[0]))
        newest = stolen.execute("SELECT MAX(seq) FROM records_event").fetchone()[0]
        assert newest >= row[0]
    try:
        with pytest.raises(Refused, match="needs the role"):
            begun.researcher.submit(
                f"{begun.at}/datasets/new",
                name="Mine",
                description="Mine",
                representative=begun.provider.sub,
                personal="no",
            )
    finally:
        with closing(database(site)) as mended, mended:
            mended.execute("UPDATE records_event SET raw = ? WHERE seq = ?", (row[1], row[0]))


def test_the_ledger_in_the_database_cannot_be_changed(site: Site) -> None:
    with closing(database(site)) as stolen, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        stolen.execute("DELETE FROM ledger_entry WHERE seq = 1")


@proves("P132", "P133")
def test_outside_only_named_pages_open(begun: Begun, site: Site) -> None:
    outside = httpx.Client(transport=Sockets(site.layout, "outside"))
    for name, value in begun.manager.client.cookies.items():
        outside.cookies.set(name, value)
    base = site.layout.outside_url
    assert outside.get(f"{base}/").status_code == 200
    for path in (f"{begun.at}/history", f"{begun.at}/people/appoint", "/audit", "/projects/new"):
        answer = outside.get(base + path)
        assert (answer.status_code, "only from the institution" in answer.text) == (403, True)
    sign_in = outside.get(f"{base}/sign-in")
    asked = urlsplit(sign_in.headers["Location"])
    assert asked.netloc == f"id.localhost:{site.layout.outside_port}"
    assert parse_qs(asked.query)["redirect_uri"] == [f"{base}/signed-in"]


def test_another_host_or_port_is_refused(site: Site) -> None:
    visitor = httpx.Client(transport=Sockets(site.layout))
    for host in ("localhost:1", "evil.example", f"id.localhost:{site.layout.port}"):
        answer = visitor.get(f"{site.layout.app_url}/", headers={"Host": host})
        assert answer.status_code == 400


def test_pages_carry_their_headers(begun: Begun, site: Site) -> None:
    answer = begun.manager.client.get(f"{site.layout.app_url}{begun.at}")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script>" not in answer.text
    assert "style=" not in answer.text


def test_the_next_page_after_sign_in_is_ours(site: Site) -> None:
    visitor = site.visitor("Ned Next")
    for sent in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"):
        page = visitor._follow(f"{site.layout.app_url}/sign-in?next={sent}")
        assert page.url.host == "localhost"
        assert page.url.path == "/"


def test_signing_out_ends_the_session(site: Site) -> None:
    visitor = site.visitor("Sid Signout")
    page = visitor.open("/sign-in")
    old = dict(visitor.client.cookies)
    visitor.submit(page, action="/sign-out")
    visitor.client.cookies.clear()
    for name, value in old.items():
        visitor.client.cookies.set(name, value)
    assert visitor.client.get(f"{site.layout.app_url}/projects").status_code == 302


def test_the_same_form_sent_twice_acts_once(begun: Begun, site: Site) -> None:
    form = begun.manager.open(f"{begun.at}/work-packages/new").form("name", "analysis")
    dataset = form.choices["datasets"][0]
    name = f"Twice {secrets.token_hex(3)}"
    data = {**form.fields, "name": name, "datasets": dataset, "analysis": "A", "outputs": "B", "tools": ""}
    target = f"{site.layout.app_url}{begun.at}/work-packages/new"
    headers = {"Origin": site.layout.app_url, "Referer": target}
    for _ in range(2):
        assert begun.manager.client.post(target, data=data, headers=headers).status_code == 302
    again = begun.manager.client.post(target, data={**data, "key": "another-form"}, headers=headers)
    assert (again.status_code, "id is taken" in again.text) == (403, True)
    with closing(database(site)) as records:
        made = records.execute(
            "SELECT outcome FROM records_event WHERE kind = 'workpackage.create' AND raw LIKE ? ORDER BY seq",
            (f"%{name}%",),
        ).fetchall()
    assert made == [("done",), ("refused",)]


@proves("satre:2.5.03")
def test_an_auditor_verifies_the_exported_log(site: Site, begun: Begun, tmp_path: Path) -> None:
    auditor = site.visitor("Aud Itor", "auditors")
    page = auditor.open("/audit")
    assert "Verify the ledgers" in page.heading
    answer = auditor.client.get(f"{site.layout.app_url}/audit/export")
    assert answer.status_code == 200
    target = tmp_path / "app.jsonl"
    target.write_bytes(answer.content)
    report = ledger.verify_export(target)
    assert report.holds, report.problems
    assert report.key == (site.layout.state_of("web") / "app-ledger.pub").read_text().strip()
    target.write_bytes(answer.content.replace(b"project.create", b"project.creatE", 1))
    assert not ledger.verify_export(target).holds
    assert begun.id.encode() in answer.content


def test_an_order_that_the_web_did_not_adopt_comes_with_the_feed(begun: Begun, site: Site) -> None:
    """As after a kill between the warden's answer and the adoption: the worker takes the entry over."""
    account = site.provider.person("Paul Past", "programme-managers")
    tokens = site.provider.tokens(account)
    act = Act("person.remove", begun.id, {"role": "researcher", "person": "nobody", "reason": ""})
    outcome = Warden(site.layout.warden_socket).order(Order(act, secrets.token_hex(16), tokens["access_token"]))
    assert outcome.status == "refused"
    eventually(lambda: "Paul Past" in begun.manager.open(f"{begun.at}/history?only=refused").text, 10)


def test_killed_processes_come_back_and_the_project_goes_on(begun: Begun, site: Site) -> None:
    """Kill -9 of each: a silent warden decides nothing and says so; afterwards the same form goes through."""
    newcomer = site.visitor("Nora Newcomer")
    page = newcomer.open("/training")
    data = {**page.form("read").fields, "read": "on"}
    headers = {"Origin": site.layout.app_url, "Referer": page.url}
    site.kill("worker")
    site.kill("web")
    site.start("web")
    assert begun.manager.open(begun.at).status == 200
    site.kill("warden")
    assert begun.manager.open(f"{begun.at}/history").status == 200
    silent = newcomer.client.post(page.url, data=data, headers=headers)
    assert (silent.status_code, "Nothing was decided; try again" in silent.text) == (503, True)
    assert "You certified this version" not in newcomer.open("/training").text
    site.start("warden")
    assert newcomer.client.post(page.url, data=data, headers=headers).status_code == 302
    assert "You certified this version" in newcomer.open("/training").text
    site.start("worker")
    with closing(database(site)) as records:
        count = records.execute("SELECT COUNT(*), MAX(seq) FROM records_event").fetchone()
    assert count[0] == count[1]
