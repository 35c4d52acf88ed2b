"""Conditions about projects, people, roles and training."""

from __future__ import annotations

from strongroom.domain.case import OK, ROLE_WORDS, Case, condition
from strongroom.domain.project import Project, Request
from strongroom.domain.verdict import Allowed, Refused, Verdict
from strongroom.policy.permissions import CONFLICTS, MAY_GIVE, PROJECT_ROLES, TERMS_VERSION, TRAINING
from strongroom.policy.tiers import controls_for


@condition
def new_project(case: Case) -> Verdict:
    if case.act.body["id"] != case.act.project:
        return Refused("the project's id and the field id differ", "Send the same id twice.")
    if case.project.state != "-":
        return Refused("this project id is taken", "Choose another name.")
    return OK


def _never_published(request: Request) -> bool:
    """Approved at a tier that is not published (P64): it waits for nobody."""
    return request.tier is not None and controls_for(request.tier)["publishing"] != "allowed"


@condition
def nothing_on_its_way_out(case: Case) -> Verdict:
    """A project closes after its egress (P105): nothing may be lost that is still asked for."""
    open_states = {"freezing", "checking", "review", "approved", "releasing"}
    waiting = [
        request.id
        for request in case.project.requests.values()
        if request.state in open_states and not _never_published(request)
    ]
    if waiting:
        return Refused(
            f"the egress request {waiting[0]} is not decided yet", "Decide or return it, then close the project."
        )
    return OK


@condition
def may_give_role(case: Case) -> Verdict:
    role = case.act.body["role"]
    if role not in PROJECT_ROLES:
        return Refused(f"{role!r} is not a project role", f"Choose one of: {', '.join(PROJECT_ROLES)}.")
    if role not in MAY_GIVE.get(case.role, frozenset()):
        return Refused(f"a {ROLE_WORDS[case.role]} cannot appoint a {ROLE_WORDS[role]}", "Ask a Programme Manager.")
    if (role, case.act.body["person"]) in case.project.members:
        return Refused("this person holds that role already", "Nothing needs doing.")
    if role == "investigator" and case.project.holders("investigator"):
        return Refused("the project has its one accountable Investigator (P22)", "Remove the present one first.")
    if role == "representative" and not case.act.body["organisation"].strip():
        return Refused("a Representative speaks for an organisation", "Name the Dataset Provider.")
    return OK


@condition
def no_conflict_of_role(case: Case) -> Verdict:
    role, person = case.act.body["role"], case.act.body["person"]
    for held in case.project.roles_of(person):
        if frozenset((held, role)) in CONFLICTS:
            return Refused(
                f"a {ROLE_WORDS[held]} of this project cannot also be its {ROLE_WORDS[role]}",
                "Appoint somebody independent.",
            )
    return OK


@condition
def holds_that_role(case: Case) -> Verdict:
    role, person = case.act.body["role"], case.act.body["person"]
    if (role, person) not in case.project.members:
        return Refused("this person does not hold that role", "Look at the list of people again.")
    if case.role == "project_manager" and role not in MAY_GIVE["project_manager"]:
        return Refused(f"a Project Manager cannot remove a {ROLE_WORDS.get(role, role)}", "Ask a Programme Manager.")
    return OK


@condition
def awaits_counter_approval(case: Case) -> Verdict:
    role, person = case.act.body["role"], case.act.body["person"]
    member = case.project.members.get((role, person))
    if member is None:
        return Refused("this person does not hold that role", "Look at the list of people again.")
    if case.actor.id in member.counter_approved:
        return Refused("you have approved this already", "Nothing needs doing.")
    return Allowed("", (member.seq,))


@condition
def known_training(case: Case) -> Verdict:
    module, version = case.act.body["module"], case.act.body["version"]
    if TRAINING.get(module) != version:
        return Refused("this is not a training module in force", "Open the training page and read the present version.")
    return OK


@condition
def terms_exist(case: Case) -> Verdict:
    if case.act.body["version"] != TERMS_VERSION:
        return Refused("these terms are not in force any more", "Read the present terms and accept those.")
    return OK


def training_missing(project: Project, person: str) -> str:
    """First training module in force that somebody has not certified; "" when none is missing."""
    for module, version in TRAINING.items():
        if (person, f"{module} {version}") not in project.trained:
            return module
    return ""


@condition
def trained_and_agreed(case: Case) -> Verdict:
    """Training certified and terms accepted before any data is seen, or judged (P3, P83, P153).

    Representatives know their own data, and are bound by the agreement that they signed.
    """
    if case.role == "representative":
        return OK
    if module := training_missing(case.project, case.actor.id):
        return Refused(
            f"you have not certified the training “{module}”",
            "Open Training, read it and certify it; then come back.",
            "training.certify",
        )
    member = case.project.members[case.role, case.actor.id]
    if member.terms_version != TERMS_VERSION:
        return Refused(
            "you have not accepted this project's terms",
            "Open the project, read the terms and accept them.",
            "terms.accept",
        )
    return Allowed("", (member.terms,))


@condition
def counter_approved(case: Case) -> Verdict:
    """At Tier 3 and above every Representative approves each Researcher and Referee too (P154)."""
    request = case.project.requests.get(str(case.act.body.get("request")))
    name = request.environment if request else case.act.body.get("environment")
    environment = case.project.environments.get(str(name))
    if environment is None or case.role not in ("researcher", "referee"):
        return OK
    package = case.project.work_packages[environment.work_package]
    if environment.controls["member_approval"] == "project_manager":
        return OK
    member = case.project.members[case.role, case.actor.id]
    for representative in case.project.representatives_of(package):
        if representative not in member.counter_approved:
            return Refused(
                f"at Tier {environment.tier} the Representative must approve your membership too",
                "Ask the Project Manager to remind the Representative.",
                "person.counter_approve",
            )
    return Allowed("", tuple(member.counter_approved.values()))
