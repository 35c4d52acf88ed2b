"""Nothing that one person does leaves a project that can neither go on nor close."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom.domain.verdict import Refused
from strongroom.domain.work import pending
from tests.domain.story import CAST, TIER_0, TIER_2, TIER_3, Story
from tests.proves import proves


def classified() -> Story:
    return Story().begin().agree().deposit().classify(TIER_2)


def reason(verdict: object) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.reason


def second_deposit(story: Story) -> Any:
    body = {
        "id": "again",
        "dataset": "pupils",
        "environment": "look",
        "size_mb": 64,
        "networks": ["127.0.0.0/8"],
        "expires": (story.now + timedelta(days=1)).isoformat(),
    }
    story.act("manager", "deposit.open", **body)
    story.fact("deposit.opened", deposit="again", host="again.deposit")
    story.act("representative", "deposit.token", deposit="again")
    story.act("representative", "deposit.complete", deposit="again")
    story.fact("deposit.sealed", deposit="again", receipt={"digest": "e" * 64, "files": []})
    story.act("representative", "deposit.confirm", deposit="again", digest="e" * 64)
    return story.ask("investigator", "deposit.mount", deposit="again")


@proves("P40")
def test_other_data_cannot_slip_under_a_classification() -> None:
    assert "classified" in reason(second_deposit(classified()))
    assert "mounted" in reason(second_deposit(Story().begin().agree().deposit()))


@proves("P64")
def test_a_project_closes_though_an_output_cannot_be_published() -> None:
    story = classified().analyse().submit()
    for who in ("investigator", "representative", "referee"):
        story.review(who, answers=TIER_2)
    assert story.state.requests["first"].state == "approved"
    assert story.ask("programme", "project.close", note="")


def test_an_environment_takes_what_was_not_done_with_it() -> None:
    story = classified().analyse()
    body = {"environment": "lab", "description": "Means", "script": "a.py", "files": ["a.py"]}
    story.act("researcher", "egress.submit", id="late", work_package="late-output", **body)
    second_deposit(story)
    for environment in ("lab", "look"):
        story.act("manager", "environment.destroy", environment=environment, reason="done")
    assert story.state.requests["late"].state == "withdrawn"
    assert story.state.deposits["again"].state == "withdrawn"
    assert story.state.deposits["delivery"].state == "mounted"
    assert story.ask("programme", "project.close", note="")


def test_a_frozen_request_outlives_its_environment() -> None:
    story = classified().analyse().submit()
    story.act("manager", "environment.destroy", environment="lab", reason="done")
    assert story.state.requests["first"].state == "review"


def test_nothing_is_mounted_into_what_does_not_run() -> None:
    story = Story().begin().agree()
    assert not isinstance(second_deposit(story), Refused)
    story.act("investigator", "deposit.mount", deposit="again")
    kinds = {work.kind for work in pending(story.state)}
    assert "deposit.mount" in kinds
    assert "environment.keep" not in kinds
    story.act("manager", "environment.suspend", environment="look", reason="a doubt")
    assert "deposit.mount" not in {work.kind for work in pending(story.state)}


@proves("P50")
def test_one_person_has_one_opinion_whatever_their_role() -> None:
    story = Story().begin().agree().deposit()
    story.opinion("referee", TIER_3)
    referee = CAST["referee"]
    story.act("programme", "person.remove", role="investigator", person=CAST["investigator"].id, reason="left")
    story.act("programme", "person.remove", role="referee", person=referee.id, reason="moves")
    story.appoint("programme", "investigator", "referee")
    story.join("referee")
    story.opinion("referee", TIER_2)
    assert list(story.state.work_packages["attainment"].opinions) == [("investigator", referee.id)]


@proves("P62")
def test_a_removed_reviewer_counts_no_more() -> None:
    story = classified().analyse().submit()
    story.review("referee")
    story.review("investigator")
    story.act("programme", "person.remove", role="referee", person=CAST["referee"].id, reason="was not independent")
    story.review("representative")
    request = story.state.requests["first"]
    assert (request.state, request.tier) == ("review", None)
    assert [review.role for review in request.reviews] == ["investigator", "representative"]


def test_a_disagreement_ends_with_the_one_who_disagreed() -> None:
    story = classified().analyse().submit()
    story.review("referee", answers=TIER_2)
    for who in ("investigator", "representative"):
        story.review(who, answers=TIER_0)
    assert story.state.requests["first"].disagreement
    story.act("programme", "person.remove", role="referee", person=CAST["referee"].id, reason="left")
    assert not story.state.requests["first"].disagreement


def test_a_state_holds_the_newest_results_of_probing_alone() -> None:
    story = Story().begin().agree()
    results = [{"probe": "network", "state": "holds"}]
    body = {"environment": "look", "summary": {}, "drift": [], "results": results}
    story.fact("environment.probed", **body)
    assert story.state.environments["look"].results == tuple(results)
    assert all("results" not in entry.body for entry in story.state.history)
    assert story.entries[-1].body["results"]


def test_an_agreement_is_not_overwritten() -> None:
    story = Story().begin().agree()
    taken = story.ask("manager", "agreement.draft", id="dsa", dataset="pupils", text="Another")
    assert "taken" in reason(taken)
    assert story.state.agreements["dsa"].document


def test_an_output_gets_no_environment_before_its_review_either() -> None:
    story = classified().analyse().submit()
    asked = story.ask("manager", "environment.create", id="more", work_package="first-output")
    assert "output" in reason(asked)


@pytest.mark.parametrize("ident", ["home", "work", "output", "documents", "scratch"])
def test_a_dataset_is_not_called_like_a_volume(ident: str) -> None:
    story = Story().begin()
    body = {"name": "n", "description": "d", "provider": "p", "lawful_basis": "", "terms": "", "personal": False}
    asked = story.ask("manager", "dataset.register", id=ident, representative=CAST["representative"].id, **body)
    assert "volume" in reason(asked)


@pytest.mark.parametrize("files", [[f"f{number}" for number in range(201)], ["a" * 70_000], ["a.py", "a.py"]])
def test_a_request_names_no_more_than_a_record_can_hold(files: list[str]) -> None:
    story = classified().analyse()
    body = {"environment": "lab", "description": "Means", "script": files[0], "files": files}
    assert reason(story.ask("researcher", "egress.submit", id="many", work_package="many-output", **body))
