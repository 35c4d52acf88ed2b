"""Who may do what, when: the paper's rules over whole histories."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from strongroom.domain.acts import Act, Actor
from strongroom.domain.conditions import people
from strongroom.domain.evidence import evidence
from strongroom.domain.project import fold
from strongroom.domain.verdict import Allowed, Refused
from strongroom.policy.permissions import PERMISSIONS, TRAINING
from tests.domain.story import CAST, DIGEST, TIER_0, TIER_2, TIER_3, TIER_4, Story, whole
from tests.proves import proves


def refused(verdict: object) -> Refused:
    assert isinstance(verdict, Refused), verdict
    assert verdict.reason
    return verdict


@proves("P42", "P53", "P105", "P106")
def test_a_whole_life_is_possible_and_ends() -> None:
    story = whole()
    story.act("programme", "project.close", note="done")
    story.fact("project.destroyed", certificate={})
    assert story.state.state == "destroyed"
    assert story.state.work_packages["attainment"].tier == 2
    assert story.state.requests["first"].tier == 0
    assert len(story.state.history) > 20


def test_the_fold_of_the_entries_is_the_state() -> None:
    story = whole()
    again = fold(story.project, story.entries)
    assert again == story.state


@proves("P84", "P91", "satre:3.1.04")
def test_no_agreement_no_deposit() -> None:
    story = Story().begin()
    story.act(
        "manager",
        "dataset.register",
        id="pupils",
        name="C",
        description="d",
        provider="p",
        representative=CAST["representative"].id,
        personal=False,
        lawful_basis="",
        terms="",
    )
    story.act(
        "manager",
        "workpackage.create",
        id="attainment",
        name="A",
        datasets=["pupils"],
        analysis="a",
        outputs="o",
        tools="",
    )
    story.act("manager", "environment.create", id="look", work_package="attainment")
    story.ready("look")
    ends = (story.now + timedelta(days=1)).isoformat()
    ask = story.ask(
        "manager",
        "deposit.open",
        id="delivery",
        dataset="pupils",
        environment="look",
        size_mb=1,
        networks=["127.0.0.0/8"],
        expires=ends,
    )
    assert refused(ask).missing == "agreement.lodge"


@proves("P89")
def test_the_representative_must_certify() -> None:
    story = Story().begin().agree()
    ask = story.ask(
        "representative",
        "agreement.lodge",
        agreement="dsa",
        document={"name": "a", "sha256": DIGEST, "size": 1},
        certifies=False,
    )
    assert "certif" in refused(ask).reason


@proves("P92", "P93", "P181")
def test_opening_and_mounting_are_two_people() -> None:
    story = Story().begin().agree().deposit()
    ends = (story.now + timedelta(days=1)).isoformat()
    refused(
        story.ask(
            "investigator",
            "deposit.open",
            id="two",
            dataset="pupils",
            environment="look",
            size_mb=1,
            networks=["127.0.0.0/8"],
            expires=ends,
        )
    )
    assert refused(story.ask("manager", "deposit.mount", deposit="delivery")).missing == "person.appoint"


@proves("P94")
def test_a_completed_deposit_takes_no_more() -> None:
    story = Story().begin().agree().deposit()
    for kind in ("deposit.token", "deposit.complete"):
        refused(story.ask("representative", kind, deposit="delivery"))


@proves("P101")
def test_another_hash_is_a_mismatch_and_cannot_be_mounted() -> None:
    story = Story().begin().agree()
    ends = (story.now + timedelta(days=1)).isoformat()
    story.act(
        "manager",
        "deposit.open",
        id="delivery",
        dataset="pupils",
        environment="look",
        size_mb=1,
        networks=["127.0.0.0/8"],
        expires=ends,
    )
    story.fact("deposit.opened", deposit="delivery", host="h")
    story.act("representative", "deposit.complete", deposit="delivery")
    story.fact("deposit.sealed", deposit="delivery", receipt={"digest": DIGEST})
    story.act("representative", "deposit.confirm", deposit="delivery", digest="e" * 64)
    assert story.state.deposits["delivery"].state == "mismatched"
    assert refused(story.ask("investigator", "deposit.mount", deposit="delivery")).missing == "deposit.confirm"


@proves("P16", "P43", "P98", "P179", "satre:3.1.03")
def test_no_environment_of_analysis_before_consensus() -> None:
    story = Story().begin().agree().deposit()
    assert (
        refused(story.ask("manager", "environment.create", id="lab", work_package="attainment")).missing
        == "classification.opinion"
    )
    story.opinion("investigator", TIER_2)
    story.opinion("representative", TIER_2)
    assert story.state.work_packages["attainment"].tier is None
    story.opinion("referee", TIER_2)
    assert story.state.work_packages["attainment"].tier == 2
    assert story.ask("manager", "environment.create", id="lab", work_package="attainment")


@proves("P43", "P45")
def test_only_the_investigator_enters_the_assessment() -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    story_ask = story.ask("researcher", "environment.enter", environment="look")
    assert refused(story_ask).missing in ("classification.opinion", "person.counter_approve")
    assert story.ask("investigator", "environment.enter", environment="look")
    assert story.ask("researcher", "environment.enter", environment="lab")


@proves("P47")
def test_the_investigator_classifies_after_seeing_the_data() -> None:
    story = Story().begin().agree()
    ask = story.ask(
        "investigator",
        "classification.opinion",
        work_package="attainment",
        question_set="strongroom-1",
        answers=TIER_2,
        statement="",
    )
    assert refused(ask).missing == "deposit.mount"


@proves("P50", "P51")
def test_disagreement_is_settled_by_revision_or_by_the_highest() -> None:
    story = Story().begin().agree().deposit()
    story.opinion("investigator", TIER_2)
    story.opinion("representative", TIER_3)
    story.opinion("referee", TIER_2)
    assert story.state.standing_of(story.state.work_packages["attainment"]).disagreement
    refused(story.ask("representative", "classification.proceed", work_package="attainment", reason="r"))
    revised = Story()
    for entry in story.entries:
        revised._keep(entry)
    revised.opinion("representative", TIER_2)
    assert revised.state.work_packages["attainment"].tier == 2
    story.act("investigator", "classification.proceed", work_package="attainment", reason="time")
    assert story.state.work_packages["attainment"].tier == 3


@proves("P46", "control:data_ingress")
def test_suspicion_of_tier_4_stops_ingress() -> None:
    story = Story().begin().agree()
    story.opinion("representative", TIER_4)
    ends = (story.now + timedelta(days=1)).isoformat()
    ask = story.ask(
        "manager",
        "deposit.open",
        id="delivery",
        dataset="pupils",
        environment="look",
        size_mb=1,
        networks=["127.0.0.0/8"],
        expires=ends,
    )
    assert "Tier 4" in refused(ask).reason


@proves("P46", "control:data_ingress")
def test_suspicion_of_tier_4_stops_a_deposit_that_is_open_already() -> None:
    waiting = Story().begin().agree()
    ends = (waiting.now + timedelta(days=1)).isoformat()
    body = {"dataset": "pupils", "environment": "look", "size_mb": 1, "networks": ["127.0.0.0/8"], "expires": ends}
    waiting.act("manager", "deposit.open", id="delivery", **body)
    waiting.fact("deposit.opened", deposit="delivery", host="h")
    waiting.opinion("representative", TIER_4)
    assert "Tier 4" in refused(waiting.ask("representative", "deposit.token", deposit="delivery")).reason
    sealed = Story().begin().agree()
    sealed.act("manager", "deposit.open", id="delivery", **body)
    sealed.fact("deposit.opened", deposit="delivery", host="h")
    for kind in ("deposit.token", "deposit.complete"):
        sealed.act("representative", kind, deposit="delivery")
    sealed.fact("deposit.sealed", deposit="delivery", receipt={"digest": DIGEST, "files": []})
    sealed.act("representative", "deposit.confirm", deposit="delivery", digest=DIGEST)
    sealed.opinion("referee", TIER_4)
    assert "Tier 4" in refused(sealed.ask("investigator", "deposit.mount", deposit="delivery")).reason


@proves("P153")
def test_a_referee_judges_nothing_before_training_and_terms() -> None:
    story = Story().begin().agree().deposit()
    story.appoint("manager", "referee", "auditor")
    body = {"work_package": "attainment", "question_set": "strongroom-1", "answers": TIER_2, "statement": ""}
    assert refused(story.ask("auditor", "classification.opinion", **body)).missing == "training.certify"
    for module, version in TRAINING.items():
        story.act("auditor", "training.certify", module=module, version=version)
    assert refused(story.ask("auditor", "classification.opinion", **body)).missing == "terms.accept"
    assert story.ask("representative", "classification.opinion", **body)


@proves("P154", "control:member_approval")
def test_tier_3_outputs_are_reviewed_by_referees_that_the_representative_approved() -> None:
    story = Story().begin().agree().deposit().classify(TIER_3).analyse()
    approve = {"role": "researcher", "person": CAST["researcher"].id}
    story.act("representative", "person.counter_approve", **approve)
    story.submit()
    body = {"request": "first", "digest": DIGEST, "decision": "return", "note": "n"}
    body |= {"question_set": "strongroom-1", "answers": TIER_0}
    assert refused(story.ask("referee", "egress.review", **body)).missing == "person.counter_approve"
    story.act("representative", "person.counter_approve", role="referee", person=CAST["referee"].id)
    assert story.ask("referee", "egress.review", **body)


@proves("P48", "P169")
def test_the_opinion_of_somebody_removed_closes_nothing() -> None:
    story = Story().begin().agree().deposit()
    story.opinion("referee", TIER_2)
    story.act("programme", "person.remove", role="referee", person=CAST["referee"].id, reason="not independent")
    for who in ("investigator", "representative"):
        story.opinion(who, TIER_2)
    assert story.state.work_packages["attainment"].tier is None


@proves("satre:1.2.02")
def test_new_terms_are_accepted_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    assert story.ask("researcher", "environment.enter", environment="lab")
    monkeypatch.setattr(people, "TERMS_VERSION", "2027-1")
    assert refused(story.ask("researcher", "environment.enter", environment="lab")).missing == "terms.accept"
    story.act("researcher", "terms.accept", version="2027-1")
    assert story.ask("researcher", "environment.enter", environment="lab")


OUTPUT = {
    "id": "first",
    "environment": "lab",
    "work_package": "first-output",
    "description": "-",
    "script": "a.py",
    "files": ["a.py"],
}


@proves("P3", "P153", "D14", "satre:1.6.04")
@pytest.mark.parametrize("kind, body", [("environment.enter", {"environment": "lab"}), ("egress.submit", OUTPUT)])
def test_an_untrained_researcher_is_refused_with_the_reason(kind: str, body: dict[str, Any]) -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    verdict = refused(story.ask("untrained", kind, **body))
    assert verdict.missing == "training.certify"
    assert "training" in verdict.next_step.lower()


@proves("P154", "satre:1.5.04", "control:member_approval")
def test_tier_3_needs_the_representatives_counter_approval() -> None:
    story = Story().begin().agree().deposit().classify(TIER_3).analyse()
    assert refused(story.ask("researcher", "environment.enter", environment="lab")).missing == "person.counter_approve"
    story.act("representative", "person.counter_approve", role="researcher", person=CAST["researcher"].id)
    assert story.ask("researcher", "environment.enter", environment="lab")


@proves("P169")
def test_conflicts_of_role() -> None:
    story = Story().begin()
    ask = story.ask(
        "manager", "person.appoint", role="referee", person=CAST["researcher"].id, name="R", organisation=""
    )
    assert "cannot also be" in refused(ask).reason


@proves("P23", "P63", "P66", "P189", "D18", "U18", "satre:3.1.05", "satre:3.1.07", "control:egress_referee")
@pytest.mark.parametrize("missing", ["investigator", "representative", "referee"])
def test_every_reviewer_is_needed(missing: str) -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit()
    for who in ("investigator", "representative", "referee"):
        if who != missing:
            story.review(who)
    assert story.state.requests["first"].state == "review"
    assert refused(story.ask("manager", "egress.release", request="first", digest=DIGEST)).missing == "egress.review"


@proves("satre:3.1.07", "satre:3.3.05")
def test_nobody_reviews_twice_nor_their_own() -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit(author="investigator")
    body = {
        "request": "first",
        "digest": DIGEST,
        "decision": "approve",
        "question_set": "strongroom-1",
        "answers": TIER_0,
        "note": "",
    }
    assert "you wrote" in refused(story.ask("investigator", "egress.review", **body)).reason
    story.review("referee")
    assert "reviewed" in refused(story.ask("referee", "egress.review", **body)).reason


def test_a_changed_file_voids_the_review_and_a_red_check_cannot_be_approved() -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit(verdict="fail")
    body = {"request": "first", "decision": "approve", "question_set": "strongroom-1", "answers": TIER_0, "note": ""}
    assert "not the ones" in refused(story.ask("referee", "egress.review", digest="0" * 64, **body)).reason
    assert "must not leave" in refused(story.ask("referee", "egress.review", digest=DIGEST, **body)).reason
    story.review("referee", "return")
    assert story.state.requests["first"].state == "returned"


@proves("P64", "control:publishing")
def test_only_tier_0_and_1_are_published() -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit()
    for who in ("investigator", "representative", "referee"):
        story.review(who, answers=TIER_2)
    assert (
        "cannot be published" in refused(story.ask("manager", "egress.release", request="first", digest=DIGEST)).reason
    )


@proves("P62", "P69")
def test_an_output_is_a_work_package_with_its_parent() -> None:
    story = whole()
    assert story.state.work_packages["first-output"].output_of == "attainment"


@proves("P52")
def test_a_withdrawn_dataset_ends_its_deposits_environments_and_requests() -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit()
    story.act("representative", "dataset.withdraw", dataset="pupils", reason="changed our mind")
    assert story.state.deposits["delivery"].state == "withdrawn"
    assert {item.state for item in story.state.environments.values()} == {"ending"}
    assert story.state.requests["first"].state == "withdrawn"


@proves("P105")
def test_a_project_with_a_waiting_request_does_not_close() -> None:
    story = Story().begin().agree().deposit().classify().analyse().submit()
    assert "not decided" in refused(story.ask("programme", "project.close", note="")).reason


@proves("satre:1.5.03")
def test_a_removed_person_may_nothing() -> None:
    story = Story().begin().agree().deposit().classify().analyse()
    story.act("manager", "person.remove", role="researcher", person=CAST["researcher"].id, reason="left")
    refused(story.ask("researcher", "environment.enter", environment="lab"))


BODIES = {
    "environment.enter": {"environment": "lab"},
    "egress.release": {"request": "first", "digest": DIGEST},
    "project.close": {"note": ""},
}


@proves("satre:1.5.03")
@pytest.mark.parametrize("kind", sorted(PERMISSIONS))
@pytest.mark.parametrize("who", sorted(CAST))
def test_nobody_without_a_role_may(kind: str, who: str) -> None:
    """A stranger to the project is refused every act of it, whatever their name."""
    if kind in ("project.create", "training.certify"):
        return
    story = whole()
    stranger = Actor("person", "u-stranger", CAST[who].name, ())
    verdict = evidence(Act(kind, story.project, BODIES.get(kind, {})), stranger, story.state, story.now)
    assert isinstance(verdict, Refused)


@proves("satre:1.5.03")
@pytest.mark.parametrize("role", ["checker", "reducer"])
def test_machine_roles_open_nothing(role: str) -> None:
    story = whole()
    machine = Actor("process", role)
    allowed = {kind for kind, row in PERMISSIONS.items() if role in row.roles}
    assert allowed <= {"environment.probe", "environment.suspend"}
    for kind, body in BODIES.items():
        assert isinstance(evidence(Act(kind, story.project, body), machine, story.state, story.now), Refused)


def test_allowed_names_its_role_and_what_it_relies_on() -> None:
    story = Story().begin().agree().deposit().classify()
    verdict = story.ask("manager", "environment.create", id="lab", work_package="attainment")
    assert isinstance(verdict, Allowed)
    assert verdict.role == "project_manager"
    assert set(story.state.work_packages["attainment"].closed_by) <= set(verdict.relies_on)


@proves("P154", "P152")
@pytest.mark.parametrize("group", ["researchers", "researcher", "chem97-researchers", "chem97/researcher", "referee"])
def test_membership_written_straight_into_the_directory_opens_nothing(group: str) -> None:
    story = Story().begin().agree().deposit().classify(TIER_3).analyse()
    planted = Actor("person", "u-planted", "Planted", (group,))
    for environment in ("look", "lab"):
        act = Act("environment.enter", story.project, {"environment": environment})
        assert refused(evidence(act, planted, story.state, story.now)).missing == "person.appoint"
