"""Roles, training and terms: who may be given what, and everything that must be there before somebody enters."""

from __future__ import annotations

from typing import Any

import pytest

from strongroom.domain.acts import FIELDS, Act, Actor
from strongroom.domain.evidence import evidence, roles_of
from strongroom.domain.verdict import Refused
from strongroom.policy.permissions import CONFLICTS, MAY_GIVE, PERMISSIONS, PROJECT_ROLES, TERMS_VERSION, TRAINING
from tests.domain.story import CAST, DIGEST, TIER_2, TIER_3, Story
from tests.proves import proves

VALUES: dict[str, Any] = {
    "id": "some-id",
    "ids": ["some-id"],
    "text": "",
    "text!": "text",
    "texts": ["text"],
    "flag": True,
    "number": 1,
    "pairs": [],
    "file": {"name": "a", "sha256": DIGEST, "size": 1},
}
TRAINED = {"module": "data-handling", "version": TRAINING["data-handling"]}


def refused(verdict: object) -> Refused:
    assert isinstance(verdict, Refused), verdict
    return verdict


def appointing(who: str, role: str, organisation: str = "Board") -> dict[str, str]:
    return {"role": role, "person": CAST[who].id, "name": CAST[who].name, "organisation": organisation}


def waiting_for(tier: list[list[str]]) -> Story:
    """Classified and with its environment, into which nobody has a right yet."""
    story = Story().begin().agree().deposit().classify(tier)
    story.act("manager", "environment.create", id="lab", work_package="attainment")
    story.ready("lab")
    return story


@proves("satre:1.5.03", "satre:4.2.02")
@pytest.mark.parametrize("kind", sorted(set(PERMISSIONS) - {"training.certify"}))
def test_every_empty_cell_of_the_table_is_refused(kind: str) -> None:
    """Well-formed acts, so that the missing role alone is the reason; the manager's entry to an environment among them."""
    story = Story().begin().agree().deposit().classify().analyse().submit()
    body = {name: VALUES[value] for name, value in FIELDS[kind].items()}
    tried = 0
    for who, actor in CAST.items():
        if not set(roles_of(actor, story.state)) & PERMISSIONS[kind].roles:
            assert refused(story.ask(who, kind, **body)).missing == "person.appoint", who
            tried += 1
    assert tried


@proves("P22")
def test_a_project_has_one_investigator() -> None:
    story = Story().begin()
    ask = story.ask("programme", "person.appoint", **appointing("system", "investigator"))
    assert "one accountable Investigator" in refused(ask).reason
    story.act("programme", "person.remove", role="investigator", person=CAST["investigator"].id, reason="moves")
    assert story.ask("programme", "person.appoint", **appointing("system", "investigator"))


@proves("P24")
def test_a_representative_speaks_for_an_organisation_and_alone_certifies() -> None:
    story = Story().begin()
    nobodys = story.ask("programme", "person.appoint", **appointing("auditor", "representative", " "))
    assert "organisation" in refused(nobodys).reason
    dataset = {"id": "wages", "name": "W", "description": "d", "provider": "p", "personal": False}
    dataset |= {"lawful_basis": "", "terms": ""}
    unknown = story.ask("manager", "dataset.register", representative=CAST["auditor"].id, **dataset)
    assert refused(unknown).missing == "person.appoint"
    story.act("programme", "person.appoint", **appointing("auditor", "representative", "Wage Office"))
    story.agree()
    document = {"name": "a.pdf", "sha256": DIGEST, "size": 9}
    others = story.ask("auditor", "agreement.lodge", agreement="dsa", document=document, certifies=True)
    assert "not a dataset you represent" in refused(others).reason


@proves("P30", "P151")
@pytest.mark.parametrize("role", PROJECT_ROLES)
def test_a_project_manager_gives_only_the_roles_of_the_team(role: str) -> None:
    story = Story().begin()
    ask = story.ask("manager", "person.appoint", **appointing("system", role))
    assert bool(ask) == (role in {"researcher", "referee"}) == (role in MAY_GIVE["project_manager"])


@proves("P169", "satre:3.3.05", "satre:4.2.02")
@pytest.mark.parametrize("pair", sorted(tuple(sorted(pair)) for pair in CONFLICTS))
def test_roles_that_conflict_are_never_one_persons(pair: tuple[str, str]) -> None:
    for held, asked in (pair, pair[::-1]):
        story = Story().begin()
        story.act("programme", "person.remove", role="investigator", person=CAST["investigator"].id, reason="moves")
        story.act("programme", "person.appoint", **appointing("auditor", held))
        ask = story.ask("programme", "person.appoint", **appointing("auditor", asked))
        assert "cannot also be" in refused(ask).reason


@proves("P170")
def test_a_programme_manager_may_stand_in_as_referee() -> None:
    story = Story().begin().agree().deposit()
    story.act("manager", "person.remove", role="referee", person=CAST["referee"].id, reason="ill")
    story.appoint("programme", "referee", "programme")
    story.join("programme")
    for who in ("investigator", "representative", "programme"):
        story.opinion(who, TIER_2)
    assert story.state.work_packages["attainment"].tier == 2


@proves("P167", "satre:1.5.03")
@pytest.mark.parametrize("who", ["manager", "investigator", "researcher", "referee", "representative"])
def test_a_role_counts_in_its_own_project_alone(who: str) -> None:
    other = Story("physics")
    other.act("programme", "project.create", id="physics", name="Physics", summary="s")
    for entry in Story().begin().entries:
        other._keep(entry)
    assert roles_of(CAST[who], Story().begin().state)
    assert roles_of(CAST[who], other.state) == ()


@proves("P83", "P153", "D14", "U4", "U5", "satre:1.5.02", "satre:1.6.04")
def test_each_thing_that_is_missing_is_named_until_nothing_is() -> None:
    story = waiting_for(TIER_3)
    steps: list[tuple[str, str, str, dict[str, str]]] = [
        ("training.certify", "researcher", "training.certify", TRAINED),
        ("terms.accept", "researcher", "terms.accept", {"version": TERMS_VERSION}),
        (
            "person.counter_approve",
            "representative",
            "person.counter_approve",
            {"role": "researcher", "person": CAST["researcher"].id},
        ),
    ]
    said = set()
    for missing, who, kind, body in steps:
        verdict = refused(story.ask("researcher", "environment.enter", environment="lab"))
        assert verdict.missing == missing
        said.add((verdict.reason, verdict.next_step))
        story.act(who, kind, **body)
    assert len(said) == 3
    assert story.ask("researcher", "environment.enter", environment="lab")


@proves("D23")
def test_a_project_begins_while_some_are_still_untrained() -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    assert story.ask("researcher", "environment.enter", environment="lab")
    assert refused(story.ask("untrained", "environment.enter", environment="lab")).missing == "training.certify"


@proves("L5", "satre:1.6.03", "satre:1.6.04")
def test_a_new_version_of_the_training_must_be_certified_again(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    assert story.ask("researcher", "environment.enter", environment="lab")
    monkeypatch.setitem(TRAINING, "data-handling", "2027-1")
    assert refused(story.ask("researcher", "environment.enter", environment="lab")).missing == "training.certify"
    refused(story.ask("researcher", "training.certify", **TRAINED))
    story.act("researcher", "training.certify", module="data-handling", version="2027-1")
    assert story.ask("researcher", "environment.enter", environment="lab")


def test_whoever_comes_back_accepts_the_terms_again() -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    story.act("manager", "person.remove", role="researcher", person=CAST["researcher"].id, reason="left")
    story.appoint("manager", "researcher", "researcher")
    assert refused(story.ask("researcher", "environment.enter", environment="lab")).missing == "terms.accept"


@proves("D18", "satre:3.1.05", "satre:3.3.04")
@pytest.mark.parametrize("who", sorted(CAST))
def test_nobody_releases_what_was_not_reviewed(who: str) -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit(verdict="pass")
    refused(story.ask(who, "egress.release", request="first", digest=DIGEST))
    everything = Actor("person", CAST[who].id, CAST[who].name, ("programme-managers", "system-managers", "auditors"))
    act = Act("egress.release", story.project, {"request": "first", "digest": DIGEST})
    refused(evidence(act, everything, story.state, story.now))
