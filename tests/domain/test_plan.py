"""What a tier compiles to: volumes by their kind, and controls that are the matrix's."""

from __future__ import annotations

import pytest

from strongroom.domain.environment import EnvironmentPlan, compile_plan
from strongroom.domain.verdict import Refused
from strongroom.policy.tiers import controls_for
from tests.proves import proves


def plan(tier: int = 2, *, assessment: bool = False) -> EnvironmentPlan:
    found = compile_plan("lab", tier, ("pupils",), assessment=assessment)
    assert isinstance(found, EnvironmentPlan)
    return found


@proves("P124")
def test_analysis_has_one_output_volume_and_assessment_has_none() -> None:
    writable = {volume.kind for volume in plan().volumes if volume.writable}
    assert writable == {"home", "scratch", "working", "output"}
    assert [volume.mount for volume in plan().volumes if volume.kind == "output"] == ["/output"]
    assert {volume.kind for volume in plan(3, assessment=True).volumes} == {"home", "scratch", "document"}


@proves("P126")
def test_the_home_is_writable_and_smaller_than_where_work_is_kept() -> None:
    sizes = {volume.kind: volume.size for volume in plan().volumes}
    assert sizes["home"] < sizes["working"]
    assert next(volume.writable for volume in plan().volumes if volume.kind == "home")


@proves("P122")
@pytest.mark.parametrize("assessment", [False, True])
def test_documents_are_a_read_only_volume_of_every_environment(assessment: bool) -> None:
    (documents,) = (volume for volume in plan(3, assessment=assessment).volumes if volume.kind == "document")
    assert not documents.writable


@proves("satre:3.1.19")
@pytest.mark.parametrize("tier", [0, 1, 2, 3])
def test_the_controls_of_a_plan_are_those_of_its_tier(tier: int) -> None:
    assert dict(plan(tier).controls) == dict(controls_for(tier))


def test_a_tier_that_this_platform_cannot_give_is_refused() -> None:
    found = compile_plan("lab", 4, ("pupils",), assessment=False)
    assert isinstance(found, Refused)
    assert "kernel isolation" in found.reason and found.next_step
