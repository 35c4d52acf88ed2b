"""Work packages, their datasets and their tier: who is needed, what is classified apart, and what never changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom.domain.project import apply
from strongroom.domain.verdict import Refused
from tests.domain.story import CAST, DIGEST, TIER_0, TIER_2, TIER_3, Story
from tests.proves import proves

ANONYMISED = [
    ["open_generate_new", "no"],
    ["closed_personal", "yes"],
    ["special_category", "no"],
    ["public_and_open", "no"],
    ["no_reidentify", "yes"],
    ["no_reidentify_absolute", "yes"],
    ["include_commercial", "no"],
    ["open_publication", "no"],
]
CONFIDENTIAL = [
    ["open_generate_new", "no"],
    ["closed_personal", "no"],
    ["include_commercial", "yes"],
    ["financial_low", "yes"],
]
TIER_OF_TRIVIAL, TIER_OF_SOME_HARM = [*CONFIDENTIAL, ["publishable", "yes"]], [*CONFIDENTIAL, ["publishable", "no"]]


def refused(verdict: object) -> Refused:
    assert isinstance(verdict, Refused), verdict
    return verdict


def classified() -> Story:
    return Story().begin().agree().deposit().classify(TIER_2)


def describe(story: Story, ident: str, *datasets: str) -> None:
    body = {"analysis": "Do wages follow results?", "outputs": "Tables", "tools": "R"}
    story.act("manager", "workpackage.create", id=ident, name=ident, datasets=list(datasets), **body)


def opinion(story: Story, who: str, package: str, answers: list[list[str]]) -> None:
    body = {"work_package": package, "question_set": "strongroom-1", "answers": answers, "statement": ""}
    story.act(who, "classification.opinion", **body)


def opening(story: Story, ident: str, dataset: str, environment: str) -> dict[str, Any]:
    ends = (story.now + timedelta(days=1)).isoformat()
    place = {"id": ident, "dataset": dataset, "environment": environment, "expires": ends}
    return {**place, "size_mb": 64, "networks": ["127.0.0.0/8"]}


def linked() -> Story:
    """Pupils of one provider and wages of another, both mounted, in one work package nobody has judged yet."""
    story = Story().begin()
    other = CAST["auditor"]
    body = {"role": "representative", "person": other.id, "name": other.name, "organisation": "Wage Office"}
    story.act("programme", "person.appoint", **body)
    story.agree().deposit()
    dataset = {"name": "Wages", "description": "d", "provider": "Wage Office", "personal": False}
    dataset |= {"representative": other.id, "lawful_basis": "", "terms": ""}
    story.act("manager", "dataset.register", id="wages", **dataset)
    describe(story, "linked", "pupils", "wages")
    story.act("manager", "agreement.draft", id="dsa-wages", dataset="wages", text="Agreement")
    document = {"name": "b.pdf", "sha256": DIGEST, "size": 9}
    story.act("auditor", "agreement.lodge", agreement="dsa-wages", document=document, certifies=True)
    story.act("manager", "environment.create", id="view", work_package="linked")
    story.ready("view")
    story.act("manager", "deposit.open", **opening(story, "second", "wages", "view"))
    story.fact("deposit.opened", deposit="second", host="second.deposit")
    story.act("auditor", "deposit.complete", deposit="second")
    story.fact("deposit.sealed", deposit="second", receipt={"digest": DIGEST, "files": []})
    story.act("auditor", "deposit.confirm", deposit="second", digest=DIGEST)
    story.act("investigator", "deposit.mount", deposit="second")
    story.fact("deposit.mounted", deposit="second", environment="view")
    return story


@proves("P15", "P27", "P55")
def test_the_representative_of_every_dataset_must_agree() -> None:
    story = linked()
    for who in ("investigator", "representative", "referee"):
        opinion(story, who, "linked", TIER_2)
    package = story.state.work_packages["linked"]
    assert story.state.standing_of(package).awaited == (f"representative {CAST['auditor'].id}",)
    assert package.tier is None
    opinion(story, "auditor", "linked", TIER_3)
    assert story.state.standing_of(package).disagreement
    refused(story.ask("manager", "environment.create", id="lab", work_package="linked"))
    opinion(story, "auditor", "linked", TIER_2)
    assert package.tier == 2


@proves("P13", "P14", "P18")
def test_one_dataset_in_two_work_packages_is_classified_apart() -> None:
    story = classified()
    describe(story, "linked", "pupils")
    assert story.state.work_packages["linked"].tier is None
    for who in ("investigator", "representative", "referee"):
        opinion(story, who, "linked", TIER_3)
    for ident, package in (("lab", "attainment"), ("other", "linked")):
        story.act("manager", "environment.create", id=ident, work_package=package)
    packages = story.state.work_packages
    assert {ident: package.tier for ident, package in packages.items()} == {"attainment": 2, "linked": 3}
    assert {packages[ident].datasets for ident in packages} == {("pupils",)}
    assert (packages["linked"].analysis, packages["linked"].outputs) == ("Do wages follow results?", "Tables")
    assert packages["linked"].tools == "R"
    assert [story.state.environments[ident].tier for ident in ("lab", "other")] == [2, 3]


@proves("P14")
@pytest.mark.parametrize("missing", [{"datasets": []}, {"analysis": " "}, {"outputs": ""}])
def test_a_work_package_says_its_data_its_analysis_and_its_outputs(missing: dict[str, Any]) -> None:
    story = Story().begin().agree()
    body = {"id": "other", "name": "o", "datasets": ["pupils"], "analysis": "a", "outputs": "o", "tools": ""}
    assert next(iter(missing)) in refused(story.ask("manager", "workpackage.create", **{**body, **missing})).reason


@proves("P36", "P40", "P56")
def test_other_data_or_another_plan_is_another_work_package() -> None:
    story = classified()
    body = {"work_package": "attainment", "question_set": "strongroom-1", "answers": TIER_3, "statement": ""}
    again = refused(story.ask("investigator", "classification.opinion", **body))
    assert "create a new work package" in again.next_step
    plan = {"name": "n", "datasets": ["pupils"], "analysis": "a", "outputs": "o", "tools": ""}
    assert "taken" in refused(story.ask("manager", "workpackage.create", id="attainment", **plan)).reason
    describe(story, "second-plan", "pupils")
    story.act("manager", "environment.create", id="view", work_package="second-plan")
    assert story.state.environments["view"].assessment, "the new plan begins unclassified"


@proves("P19")
def test_another_project_classifies_the_same_dataset_from_scratch() -> None:
    other = Story("physics").begin().agree().deposit()
    for entry in classified().entries:
        apply(other.state, entry)
    assert other.state.work_packages["attainment"].opinions == {}
    ask = other.ask("manager", "environment.create", id="lab", work_package="attainment")
    assert refused(ask).missing == "classification.opinion"


@proves("P9", "P16")
def test_a_work_package_has_one_environment() -> None:
    story = classified().analyse()
    ask = story.ask("manager", "environment.create", id="second-lab", work_package="attainment")
    assert "has its environment" in refused(ask).reason


@proves("P45", "P173")
def test_data_comes_in_through_the_assessment_alone() -> None:
    story = classified().analyse()
    assert (story.state.environments["look"].tier, story.state.environments["lab"].tier) == (3, 2)
    ask = story.ask("manager", "deposit.open", **opening(story, "again", "pupils", "lab"))
    assert "first-assessment environment" in refused(ask).reason
    assert story.ask("manager", "deposit.open", **opening(story, "again", "pupils", "look"))


@proves("P23", "P48", "P49", "P164", "control:classification_referee")
@pytest.mark.parametrize(
    ("answers", "tier", "referee"),
    [(TIER_0, 0, False), (ANONYMISED, 0, True), (TIER_2, 2, True), (TIER_3, 3, True)],
)
def test_a_referee_is_needed_from_tier_2_and_for_anonymised_personal_data(
    answers: list[list[str]], tier: int, referee: bool
) -> None:
    story = Story().begin().agree().deposit()
    story.opinion("investigator", answers)
    story.opinion("representative", answers)
    package = story.state.work_packages["attainment"]
    assert story.state.standing_of(package).awaited == (("referee",) if referee else ())
    assert package.tier == (None if referee else tier)
    if referee:
        story.opinion("referee", TIER_3 if tier != 3 else TIER_2)
        assert package.tier is None, "a Referee who differs is not overruled"
        story.opinion("referee", answers)
        assert package.tier == tier


@proves("P58", "P178")
def test_commercial_data_is_tier_2_unless_its_representative_agrees_to_less() -> None:
    story = Story().begin().agree().deposit()
    story.opinion("investigator", TIER_OF_TRIVIAL)
    story.opinion("representative", TIER_OF_SOME_HARM)
    story.opinion("referee", TIER_OF_TRIVIAL)
    package = story.state.work_packages["attainment"]
    where = story.state.standing_of(package)
    assert (package.tier, where.disagreement, where.highest) == (None, True, 2)
    story.opinion("representative", TIER_OF_TRIVIAL)
    assert package.tier == 1


@proves("P179")
@pytest.mark.parametrize("answers", [[], TIER_2[:-1], [*TIER_2, ["publishable", "no"]]])
def test_an_opinion_with_a_question_left_open_does_not_count(answers: list[list[str]]) -> None:
    story = Story().begin().agree().deposit()
    body = {"work_package": "attainment", "question_set": "strongroom-1", "answers": answers, "statement": ""}
    assert "do not reach a tier" in refused(story.ask("investigator", "classification.opinion", **body)).reason


@proves("P78")
def test_personal_data_needs_its_lawful_basis() -> None:
    story = Story().begin()
    body = {"id": "pupils", "name": "C", "description": "d", "provider": "p", "personal": True, "terms": ""}
    body["representative"] = CAST["representative"].id
    assert "lawful basis" in refused(story.ask("manager", "dataset.register", lawful_basis=" ", **body)).reason
    assert story.ask("manager", "dataset.register", lawful_basis="Public task", **body)


@proves("P86")
def test_an_agreement_is_updated_by_a_new_one_and_the_old_one_stays() -> None:
    story = classified()
    story.act("manager", "agreement.draft", id="dsa-two", dataset="pupils", text="Agreement, at Tier 2")
    assert getattr(story.state.agreement_for("pupils"), "id", "") == "dsa", "a draft does not count"
    document = {"name": "b.pdf", "sha256": "e" * 64, "size": 9}
    story.act("representative", "agreement.lodge", agreement="dsa-two", document=document, certifies=True)
    assert getattr(story.state.agreement_for("pupils"), "id", "") == "dsa-two"
    assert story.state.agreements["dsa"].document
