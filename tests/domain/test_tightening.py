"""One environment may be stricter than its tier, never looser; and it is built anew in one act."""

from __future__ import annotations

import pytest

from strongroom.domain.environment import SETTABLE, compile_plan
from strongroom.domain.place import Place
from strongroom.domain.verdict import Refused
from strongroom.domain.work import pending
from strongroom.policy.tiers import controls_for, matrix
from tests.domain.story import TIER_0, TIER_2, Story
from tests.proves import proves


def story_at(answers: list[list[str]]) -> Story:
    """An environment of analysis runs; at Tier 0 no Referee is needed."""
    story = Story().begin().agree().deposit()
    for who in ("investigator", "representative", "referee"):
        if story.state.work_packages["attainment"].tier is None:
            story.opinion(who, answers)
    return story.analyse()


def tighten(control: str, value: str) -> dict[str, str]:
    return {"environment": "lab", "control": control, "value": value, "reason": "The data is about few people"}


@proves("P172", "P1", "P4")
@pytest.mark.parametrize("who", ["manager", "investigator", "representative"])
def test_its_heads_make_it_stricter_and_that_counts_at_once(who: str) -> None:
    story = story_at(TIER_2)
    story.place = Place("institutional")
    assert story.ask("researcher", "environment.enter", environment="lab")
    story.act(who, "environment.tighten", **tighten("inbound_network", "restricted"))
    verdict = story.ask("researcher", "environment.enter", environment="lab")
    assert isinstance(verdict, Refused) and verdict.missing == "inbound_network"
    story.place = Place("restricted")
    assert story.ask("researcher", "environment.enter", environment="lab")


@proves("P172")
@pytest.mark.parametrize(
    ("control", "value", "words"),
    [
        ("inbound_network", "internet", "not stricter"),
        ("inbound_network", "institutional", "not stricter"),
        ("copy_out", "permitted", "not stricter"),
        ("inbound_network", "moon", "no value"),
        ("outbound_network", "none", "cannot be set"),
        ("nothing", "none", "cannot be set"),
    ],
)
def test_never_looser_nor_by_another_name(control: str, value: str, words: str) -> None:
    verdict = story_at(TIER_2).ask("manager", "environment.tighten", **tighten(control, value))
    assert isinstance(verdict, Refused) and words in verdict.reason


@proves("P172")
@pytest.mark.parametrize("who", ["researcher", "referee", "programme", "system", "auditor"])
def test_nobody_else_sets_it(who: str) -> None:
    assert not story_at(TIER_2).ask(who, "environment.tighten", **tighten("inbound_network", "restricted"))


@proves("P172", "P139", "P186")
def test_what_is_built_in_is_built_anew() -> None:
    story = story_at(TIER_0)
    assert story.state.environments["lab"].controls["copy_out"] == "permitted"
    story.act("representative", "environment.tighten", **tighten("copy_out", "blocked"))
    lab = story.state.environments["lab"]
    assert lab.state == "rebuilding"
    assert ("environment.rebuild", "lab") in [(work.kind, work.subject) for work in pending(story.state)]
    assert not story.ask("researcher", "environment.enter", environment="lab")
    plan = compile_plan("lab", lab.tier, ("pupils",), assessment=False, tightened=lab.tightened)
    assert not isinstance(plan, Refused) and plan.control("copy_out") == "blocked"
    story.ready("lab")
    assert story.ask("researcher", "environment.enter", environment="lab")


def test_a_frozen_one_is_thawed_before_it_is_built_otherwise() -> None:
    story = story_at(TIER_0)
    story.act("system", "environment.suspend", environment="lab", reason="look")
    verdict = story.ask("manager", "environment.tighten", **tighten("paste_in", "blocked"))
    assert isinstance(verdict, Refused) and "Resume" in verdict.next_step
    story.act("manager", "environment.tighten", **tighten("sessions", "one"))


@pytest.mark.parametrize("name", SETTABLE)
def test_what_can_be_set_is_a_control_with_a_stricter_value(name: str) -> None:
    assert any(matrix()[name].strictness(controls_for(tier)[name]) < len(matrix()[name].scale) - 1 for tier in range(4))


@proves("satre:2.2.12")
@pytest.mark.parametrize("before", ["running", "suspended", "failed"])
def test_a_system_manager_builds_it_anew_in_one_act(before: str) -> None:
    story = story_at(TIER_2)
    if before == "suspended":
        story.act("system", "environment.suspend", environment="lab", reason="drift")
    if before == "failed":
        story.act("system", "environment.rebuild", environment="lab", reason="drift")
        story.fact("environment.failed", environment="lab", reason="a probe is broken")
    for who in ("manager", "researcher", "investigator"):
        assert not story.ask(who, "environment.rebuild", environment="lab", reason="drift")
    story.act("system", "environment.rebuild", environment="lab", reason="drift")
    assert story.state.environments["lab"].state == "rebuilding"
    assert story.state.environments["lab"].image == ""
    assert not story.ask("system", "environment.rebuild", environment="lab", reason="twice")
    story.act("manager", "environment.destroy", environment="lab", reason="enough")
