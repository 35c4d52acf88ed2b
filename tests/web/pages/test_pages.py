"""Every page over real histories: what it shows to whom, what it offers, what it keeps hidden, and that it is sound."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.urls import reverse

from strongroom.domain.acts import Act, Actor
from tests.proves import proves
from tests.web.pages import history
from tests.web.pages.site import Page, Site

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
STAGES = [
    "begun",
    "assessed",
    "opened",
    "sealed",
    "confirmed",
    "mounted",
    "disagreed",
    "classified",
    "working",
    "submitted",
    "approved",
    "released",
    "ended",
]


@proves("P26")
@pytest.mark.parametrize("stage", STAGES)
def test_every_page_of_a_project_is_sound_for_everybody_at_every_stage(site: Site, stage: str) -> None:
    project = site.tell(getattr(history, stage)()).project
    places: list[tuple[str, ...]] = [("life",), ("closing",), ("environment_new",), ("deposit_new",)]
    places += [("classification", name) for name, one in project.work_packages.items() if not one.output_of]
    places += [("environment", name) for name in project.environments]
    places += [("deposit", name) for name in project.deposits]
    places += [("dataset_withdraw", name) for name in project.datasets]
    places += [("request", name) for name in project.requests]
    for who in history.PEOPLE:
        for name, *rest in places:
            site.open(who, name, "chem97", *rest)


def test_a_stranger_learns_nothing(site: Site) -> None:
    site.tell(history.working())
    answer = site.nobody().get(reverse("environment", args=["chem97", "analysis"]))
    assert answer.status_code == 302 and answer.headers["Location"].startswith(reverse("sign_in"))
    history.PEOPLE["mallory"] = Actor("person", "sub-mallory", "Mallory")
    try:
        for name, *rest in (("environment", "analysis"), ("life",), ("closing",), ("deposit", "pupils")):
            site.open("mallory", name, "chem97", *rest, status=404)
    finally:
        del history.PEOPLE["mallory"]


@proves("P28")
def test_the_representative_sees_all_datasets_and_the_analysis_planned(site: Site) -> None:
    story = history.begun()
    body = {"name": "Wages", "description": "Wages of a sample", "provider": "Wage Office", "personal": False}
    body |= {"representative": "sub-rep", "lawful_basis": "", "terms": ""}
    story.do("max", "dataset.register", id="wages", **body)
    plan = {"datasets": ["chem97", "wages"], "analysis": "Do wages follow results?", "outputs": "o", "tools": "t"}
    story.do("max", "workpackage.create", id="linked", name="Linked", **plan)
    site.tell(story)
    page = site.as_("rep").get(reverse("project", args=["chem97"])).content.decode()
    for words in ("Results of 31,022 pupils", "Wages of a sample", "Do wages follow results?", "chem97, wages"):
        assert words in page


@proves("P155")
def test_the_terms_forbid_copying_by_hand_and_are_accepted_on_joining(site: Site) -> None:
    site.tell(history.begun())
    page = site.open("ref", "terms", "chem97")
    assert "I copy nothing by hand, photograph or dictation" in page.main
    assert site.send("ref", "terms", "chem97", accept="").status_code != 302
    assert site.send("ref", "terms", "chem97", accept="on").status_code == 302
    assert site.warden.orders[-1].act.kind == "terms.accept"


# Deposits -------------------------------------------------------------------------------------------------------


@proves("P92", "P104")
def test_the_project_manager_opens_a_deposit(site: Site) -> None:
    site.tell(history.assessed())
    good = {
        "dataset": "chem97",
        "environment": "look",
        "size_mb": "200",
        "networks": "127.0.0.0/8\n192.0.2.0/24",
        "expires": "2999-01-01 18:00",
    }
    answer = site.send("max", "deposit_new", "chem97", **good)
    assert answer.status_code == 302
    body = site.warden.orders[-1].act.body
    assert body["networks"] == ["127.0.0.0/8", "192.0.2.0/24"]
    assert body["expires"] == "2999-01-01T18:00:00+00:00"
    wrong = Page(
        site.send("max", "deposit_new", "chem97", **{**good, "expires": "yesterday", "size_mb": ""}).content.decode()
    )
    assert "Enter date and time like" in wrong.main and "There is a problem" in wrong.main


@proves("P96", "P97")
def test_only_the_representative_gets_a_token_and_it_is_shown_once(site: Site) -> None:
    site.tell(history.opened())
    assert "Get my upload token" in site.open("rep", "deposit", "chem97", "pupils").buttons()
    for who in ("max", "ines", "rosa", "pat"):
        assert "Get my upload token" not in site.open(who, "deposit", "chem97", "pupils").buttons()
    page = Page(site.send("rep", "deposit_token", "chem97", "pupils").content.decode())
    assert "./strongroom deposit --url https://pupils.deposit.localhost:8481 --token token-1 --ca " in page.main
    assert "token-1" not in site.open("rep", "deposit", "chem97", "pupils").source
    refused = site.send("ines", "deposit_token", "chem97", "pupils")
    assert refused.status_code == 403


@proves("P101")
def test_hashes_are_compared_and_a_mismatch_is_said_plainly(site: Site) -> None:
    site.tell(history.sealed())
    page = site.open("rep", "deposit", "chem97", "pupils")
    assert "Compare" in page.buttons() and history.FILE_DIGEST in page.main and "chem97.csv" in page.main
    assert (
        "Enter the 64 letters"
        in Page(site.send("rep", "deposit", "chem97", "pupils", digest="abc").content.decode()).main
    )
    site.send("rep", "deposit", "chem97", "pupils", digest="0" * 64)
    after = site.open("pat", "deposit", "chem97", "pupils")
    assert "Hashes differ" in after.main and "Nothing is mounted" in after.main


@proves("P93")
def test_mounting_asks_the_investigator_for_a_fresh_login_bound_to_the_decision(site: Site) -> None:
    story = site.tell(history.confirmed())
    assert "Authorise the mount" in site.open("ines", "deposit", "chem97", "pupils").buttons()
    assert "Authorise the mount" not in site.open("rep", "deposit", "chem97", "pupils").buttons()
    answer = site.send("ines", "deposit_mount", "chem97", "pupils")
    query = parse_qs(urlsplit(answer.headers["Location"]).query)
    act = Act("deposit.mount", "chem97", {"deposit": "pupils"})
    assert answer.status_code == 302 and query["nonce"] == [act.digest] and query["prompt"] == ["login"]
    assert site.warden.entries == story.entries


# Classification -------------------------------------------------------------------------------------------------


def answer_all(site: Site, who: str, name: str, *args: str, answers: list[tuple[str, str]]) -> Page:
    for number, (_, answer) in enumerate(answers, start=1):
        page = site.open(who, name, *args)
        assert f"question {number}" in page.main and "Tier" not in page.main
        assert site.send(who, name, *args, at=str(number), answer=answer).status_code == 302
    return site.open(who, name, *args)


@proves("P41")
def test_the_dialogue_asks_one_question_to_a_page_and_never_says_where_answers_lead(site: Site) -> None:
    site.tell(history.mounted())
    check = answer_all(site, "ines", "opinion", "chem97", "attainment", answers=history.TIER_2)
    assert "Check your answers" in check.main and "Tier" not in check.main
    back = site.open("ines", "opinion", "chem97", "attainment", query="?at=2")
    assert back.tree.xpath("//input[@name='answer'][@checked]/@value") == ["yes"]
    answer = site.send("ines", "opinion", "chem97", "attainment", at="check", statement="Coarse ages")
    assert answer.status_code == 302
    body = site.warden.orders[-1].act.body
    assert body["answers"] == [list(pair) for pair in history.TIER_2] and body["statement"] == "Coarse ages"
    page = site.open("ines", "classification", "chem97", "attainment")
    assert "Your own answers lead to Tier 2" in page.main
    assert "question 1" in site.open("ines", "opinion", "chem97", "attainment").main, "answers given are forgotten"


def test_no_answer_is_an_error_with_its_way_out(site: Site) -> None:
    site.tell(history.mounted())
    answer = site.send("ines", "opinion", "chem97", "attainment", at="1")
    assert answer.status_code == 400
    page = Page(answer.content.decode())
    assert "Select yes, no or not sure" in page.main
    assert page.tree.findtext(".//title", "").startswith("Error")
    assert site.send("ines", "opinion", "chem97", "attainment", at="9", answer="yes").status_code == 302


@proves("P47")
def test_an_opinion_is_refused_with_reason_before_the_first_question(site: Site) -> None:
    site.tell(history.confirmed())
    page = site.open("ines", "opinion", "chem97", "attainment", status=403)
    assert "the data is not in the first-assessment environment yet" in page.main.lower()
    assert "role" in site.open("rosa", "opinion", "chem97", "attainment", status=403).main


@proves("P50")
def test_the_page_is_blind_until_all_are_in_then_shows_the_disagreement(site: Site) -> None:
    story = history.mounted()
    history.opinion(story, "ines", history.TIER_2, "Coarse ages")
    site.tell(story)
    blind = site.open("rep", "classification", "chem97", "attainment")
    assert "Tier 2" not in blind.main.replace("Tier 2 or above", "") and "Coarse ages" not in blind.main
    assert "Ines Marques, Investigator" in blind.main
    assert "Coarse ages" not in site.open("pat", "classification", "chem97", "attainment").main


@proves("P50", "P51")
def test_a_disagreement_lies_side_by_side_and_the_investigator_may_go_on_at_the_highest(site: Site) -> None:
    site.tell(history.disagreed())
    page = site.open("ref", "classification", "chem97", "attainment")
    assert "Answers differ here" in page.main and "Schools are small" in page.main
    assert "Revise my opinion" in page.buttons() and "Go on at the highest tier" not in page.buttons()
    assert "Go on at the highest tier" in site.open("ines", "classification", "chem97", "attainment").buttons()
    wrong = site.send("ines", "classification", "chem97", "attainment", do="proceed", reason="")
    assert wrong.status_code == 400 and "There is a problem" in Page(wrong.content.decode()).main
    site.send("ines", "classification", "chem97", "attainment", do="proceed", reason="We keep the strict one")
    assert "Tier 3" in site.open("max", "classification", "chem97", "attainment").main


@proves("P65")
def test_the_representative_agrees_a_form_of_output_beforehand(site: Site) -> None:
    site.tell(history.classified())
    assert (
        site.send("rep", "classification", "chem97", "attainment", do="agree", form="Counts above 10").status_code
        == 302
    )
    assert "Counts above 10" in site.open("rosa", "classification", "chem97", "attainment").main


# Environments ---------------------------------------------------------------------------------------------------


@proves("P45")
def test_an_environment_is_asked_for_by_work_package_alone(site: Site) -> None:
    site.tell(history.begun())
    page = site.open("max", "environment_new", "chem97")
    assert page.tree.xpath("//main//input[not(@type='hidden')]/@name") == ["work_package"]
    assert site.send("max", "environment_new", "chem97", work_package="attainment").status_code == 302
    assert set(site.warden.orders[-1].act.body) == {"id", "work_package"}


def test_the_page_of_an_environment_shows_probes_controls_volumes_and_data(site: Site) -> None:
    story = history.working()
    summary = {"holds": 3, "broken": 1, "unknown": 0}
    story.fact(
        "environment.broken",
        environment="analysis",
        reason="dns_does_not_leak",
        summary=summary,
        results=history.PROBES,
        drift=["/work is writable by others"],
    )
    site.tell(story)
    page = site.open("rosa", "environment", "chem97", "analysis")
    assert page.tree.xpath("count(//li[contains(@class, 'sr-probe ')])") == 4
    assert page.tree.xpath("//li[contains(@class, 'sr-probe--broken')]//h3/text()") == ["Dns does not leak"]
    for words in ("answered by 10.0.2.3", "Copy out", "The platform", "/output", "luks", "b" * 8, "writable by others"):
        assert words in page.main or words == "b" * 8
    assert "You cannot open the desktop: this environment is suspended" in page.main


@proves("P43")
def test_the_desktop_opens_by_a_ticket_and_the_untrained_and_unclassified_are_told_why_not(site: Site) -> None:
    story = history.working()
    story.do("rep", "person.counter_approve", role="researcher", person="sub-rosa")
    site.tell(story)
    assert "Open the desktop" in site.open("rosa", "environment", "chem97", "analysis").buttons()
    assert "Open the desktop" not in site.open("max", "environment", "chem97", "analysis").buttons()
    page = Page(site.send("rosa", "environment_desktop", "chem97", "analysis").content.decode())
    form = page.tree.xpath("//main//form")[0]
    assert form.get("action") == "https://analysis.env.localhost:8480/enter"
    assert form.xpath(".//input/@name") == ["ticket"], "no CSRF token leaves for another host"
    early = site.open("rosa", "environment", "chem97", "look")
    assert "only the Investigator may look" in early.main
    assert site.send("rosa", "environment_desktop", "chem97", "look").status_code == 403


def test_suspending_needs_a_reason_and_destroying_a_fresh_login(site: Site) -> None:
    site.tell(history.working())
    wrong = site.send("sys", "environment", "chem97", "analysis", do="suspend", reason="")
    assert wrong.status_code == 400 and "Enter: Reason" in Page(wrong.content.decode()).main
    assert "prompt=login" in site.send("pat", "environment", "chem97", "analysis", do="destroy", reason="Done").url
    assert site.send("sys", "environment", "chem97", "analysis", do="suspend", reason="Odd traffic").status_code == 302
    page = site.open("sys", "environment", "chem97", "analysis")
    assert "Odd traffic" in page.main and "Resume" in page.buttons()
    assert site.send("sys", "environment", "chem97", "analysis", do="format", reason="x").status_code == 404


def test_a_page_that_waits_looks_again_by_itself_with_and_without_script(site: Site) -> None:
    story = history.begun()
    story.do("max", "environment.create", id="look", work_package="attainment")
    site.tell(story)
    page = site.open("max", "environment", "chem97", "look")
    assert page.tree.xpath("//@data-await") == ["preparing"]
    assert page.tree.xpath("//script[contains(@src, 'live.js')]") and "<noscript><meta http-equiv" in page.source


# Outputs --------------------------------------------------------------------------------------------------------


@proves("P67")
def test_an_egress_request_names_its_files_and_its_script(site: Site) -> None:
    site.tell(history.working())
    assert "The output volume is empty" in site.open("rosa", "request_new", "chem97", "analysis").main
    site.warden.files = [{"name": "analysis.py", "size": 700}, {"name": "table.csv", "size": 1500}]
    assert "table.csv (1.5 kB)" in site.open("rosa", "request_new", "chem97", "analysis").main
    wrong = site.send(
        "rosa", "request_new", "chem97", "analysis", files=["table.csv"], script="analysis.py", description="x"
    )
    assert "Select the script among the files too" in Page(wrong.content.decode()).main
    both = ["analysis.py", "table.csv"]
    sent = site.send("rosa", "request_new", "chem97", "analysis", files=both, script="analysis.py", description="Means")
    assert sent.status_code == 302
    assert site.warden.orders[-1].act.body["files"] == both
    page = Page(site.as_("rosa").get(sent.url).content.decode())
    assert "Being copied" in page.main


def drawings() -> dict[str, object]:
    """What the checker draws of a script, a table with one small cell, and a figure."""
    flag = {"column": 2, "severity": "fail", "rule": "cell-threshold"}
    rows = [
        {"row": 1, "cells": ["authority", "pupils"], "flags": []},
        {"row": 2, "cells": ["1", "120"], "flags": []},
        {"row": 3, "cells": ["2", "4"], "flags": [flag]},
    ]
    table = {"name": None, "first_column": 1, "rows": rows, "total_rows": 3, "cut": False}
    image = {"name": "figure.png", "png": base64.b64encode(PIXEL).decode(), "width": 1, "height": 1}
    empty: dict[str, object] = {"tables": [], "images": [], "text": None, "cut": False}
    return {
        "previews": [
            {**empty, "file": "analysis.py", "kind": "script", "text": "print('<b>no</b>')"},
            {**empty, "file": "table.csv", "kind": "csv", "tables": [table]},
            {**empty, "file": "figure.png", "kind": "png", "images": [image]},
        ]
    }


@proves("P180")
def test_a_small_cell_is_red_with_a_mark_in_words_and_cannot_be_approved(site: Site) -> None:
    site.tell(history.submitted(findings=(history.SMALL_CELL,), verdict="fail"))
    site.warden.drawings = drawings()
    page = site.open("ref", "request", "chem97", "out-1")
    red = page.tree.xpath("//td[contains(@class, 'sr-flagged')]")
    assert [cell.text for cell in red] == ["4"]
    assert "▲ Flagged: This cell counts 4 people" in red[0].text_content()
    assert "&lt;b&gt;no&lt;/b&gt;" in page.source and page.tree.xpath("//img[starts-with(@src, 'data:image/png')]")
    assert "It cannot be approved" in page.main and "Join it with the row next to it." in page.main
    assert "Classify and approve" not in page.buttons()
    sent = site.send("ref", "request", "chem97", "out-1", note="Join rows 2 and 3 of table.csv")
    assert sent.status_code == 302
    assert "Join rows 2 and 3" in site.open("rosa", "request", "chem97", "out-1").main


def test_only_the_author_and_reviewers_are_shown_the_files(site: Site) -> None:
    site.tell(history.submitted())
    site.warden.drawings = drawings()
    for who, sees in (("rosa", True), ("ines", True), ("rep", True), ("ref", True), ("max", False), ("pat", False)):
        assert bool(site.open(who, "request", "chem97", "out-1").tree.xpath("//img")) == sees, who


@proves("P66")
def test_reviews_are_independent_and_the_author_has_none(site: Site) -> None:
    story = history.submitted()
    history.review(story, "ines", note="Sound")
    site.tell(story)
    blind = site.open("ref", "request", "chem97", "out-1")
    assert "Sound" not in blind.main and "Classify and approve" in blind.buttons()
    assert "Classify and approve" not in site.open("rosa", "request", "chem97", "out-1").buttons()
    assert "you have reviewed this request" in site.open("ines", "request", "chem97", "out-1").main
    check = answer_all(site, "ref", "request_review", "chem97", "out-1", answers=history.TIER_0)
    assert "exactly the frozen files" in check.main
    assert site.send("ref", "request_review", "chem97", "out-1", at="check", statement="").status_code == 302
    body = site.warden.orders[-1].act.body
    assert (body["decision"], body["digest"]) == ("approve", "e" * 64)
    assert site.open("rosa", "request_review", "chem97", "out-1", status=403)


def test_release_is_the_project_managers_with_a_fresh_login(site: Site) -> None:
    site.tell(history.approved())
    assert "Release the output" in site.open("max", "request", "chem97", "out-1").buttons()
    assert "Release the output" not in site.open("ines", "request", "chem97", "out-1").buttons()
    assert "prompt=login" in site.send("max", "request_release", "chem97", "out-1").url


def test_what_is_released_can_be_read_by_anybody_and_nothing_else(site: Site) -> None:
    site.tell(history.released())
    site.warden.shelf["out-1", "table.csv"] = b"authority,pupils\n"
    nobody = site.nobody("192.0.2.7")
    page = Page(nobody.get("/releases/out-1").content.decode())
    assert "table.csv" in page.main and "Released output" in page.main
    file = nobody.get("/releases/out-1/files/table.csv")
    assert file.content == b"authority,pupils\n" and "attachment" in file.headers["Content-Disposition"]
    assert json.loads(nobody.get("/releases/out-1/record.json").content)["digest"] == "e" * 64
    assert nobody.get("/releases/out-1/files/other.csv").status_code == 404
    assert nobody.get("/releases/out-2").status_code == 404


def test_what_is_not_released_has_no_public_page(site: Site) -> None:
    site.tell(history.approved())
    assert site.nobody().get("/releases/out-1").status_code == 404
    assert site.nobody().get("/releases/out-1/files/table.csv").status_code == 404


# Closing, life, demonstration -----------------------------------------------------------------------------------


@proves("P105", "P106")
def test_closing_shows_what_goes_and_afterwards_the_certificate(site: Site) -> None:
    site.tell(history.released())
    page = site.open("pat", "closing", "chem97")
    assert "analysis-output" in page.main and "Close the project and destroy everything listed" in page.buttons()
    assert "Close the project" not in " ".join(site.open("max", "closing", "chem97").buttons())
    wrong = site.send("pat", "closing", "chem97", note="")
    assert wrong.status_code == 400
    assert "Confirm that you have read what will be destroyed" in Page(wrong.content.decode()).main
    assert "prompt=login" in site.send("pat", "closing", "chem97", sure="on", note="Done").url


def test_the_certificate_is_drawn_and_can_be_saved(site: Site) -> None:
    story = site.tell(history.ended())
    page = site.open("rep", "closing", "chem97")
    assert "Certificate of destruction" in page.main and "look-home" in page.main
    saved = site.as_("rep").get(reverse("closing_certificate", args=["chem97"]))
    assert json.loads(saved.content) == story.project.certificate


def test_the_life_is_drawn_with_a_name_and_told_in_a_table(site: Site) -> None:
    story = site.tell(history.ended())
    page = site.open("rosa", "life", "chem97")
    drawing = page.tree.xpath("//svg[@role='img']")[0]
    assert drawing.xpath("./title/text()") == ["The life of A-level chemistry 1997"]
    assert len(page.tree.xpath("//main//tbody/tr")) == len(story.project.history)


def test_the_demonstration_is_only_for_this_machine(site: Site, cast_file: Path) -> None:
    site.tell(history.mounted())
    page = Page(site.nobody().get("/demo").content.decode())
    assert "Ines Marques" in page.main and "correct horse" in page.main
    assert len(page.tree.xpath("//*[@class='sr-onetime']")[0].text) == 6
    assert site.nobody("192.0.2.7").get("/demo").status_code == 404
    answer = site.nobody().post(reverse("demo_sign_in", args=[0]))
    assert answer.status_code == 302 and "prompt=login" in answer.headers["Location"]
    assert site.nobody().post(reverse("demo_sign_in", args=[1])).status_code == 404
    cast_file.write_text("[]")
    assert site.nobody().get("/demo").status_code == 404
