"""Whether an act may happen, judged from the record alone: the decision every opening, mount and release rests on."""

from __future__ import annotations

from datetime import datetime

from strongroom.domain import conditions as _conditions_of_the_table  # noqa: F401  (registers them)
from strongroom.domain.acts import Act, ActError, Actor, check_form
from strongroom.domain.case import CONDITIONS, ROLE_WORDS, Case
from strongroom.domain.place import NOWHERE, Place
from strongroom.domain.project import Agreement, Project
from strongroom.domain.verdict import Allowed, Refused, Verdict
from strongroom.policy.permissions import DIRECTORY_ROLES, PERMISSIONS, Permission


def roles_of(actor: Actor, project: Project) -> tuple[str, ...]:
    """Roles somebody acts in: from the directory's groups, and from appointments in this project's record."""
    if actor.kind != "person":
        return (actor.id,)
    directory = [role for group, role in DIRECTORY_ROLES.items() if group in actor.groups]
    return (*sorted(project.roles_of(actor.id)), *directory)


def agreement_readers(project: Project, agreement: Agreement, person: str) -> frozenset[str]:
    """Roles in which somebody may read a signed agreement; a Representative reads those about their own data alone."""
    roles = frozenset({"programme_manager", "project_manager", "investigator", "auditor"})
    own = project.datasets[agreement.dataset].representative == person
    return roles | {"representative"} if own else roles


def is_grave(kind: str, role: str) -> bool:
    """Whether the act needs a fresh login bound to it when done in this role."""
    return role in PERMISSIONS[kind].grave


def evidence(act: Act, actor: Actor, project: Project, now: datetime, place: Place = NOWHERE) -> Verdict:
    """Allowed (with the role that allows it) or Refused with reason, next step and what is missing.

    ``place`` is where the person sits; where nobody says, they are on the internet.
    """
    try:
        check_form(act)
    except ActError as error:
        return Refused(str(error), "Mend the form and send it again.")
    permission = PERMISSIONS[act.kind]
    held = roles_of(actor, project)
    fitting = [role for role in held if role in permission.roles]
    if not fitting and act.kind == "training.certify":
        fitting = ["researcher"]
    if not fitting:
        return _no_role(permission, project)
    if act.kind not in ("project.create", "training.certify"):
        if project.state == "-":
            return Refused("there is no such project", "Check the address.", "project.create")
        if project.state != "open" and act.kind != "environment.suspend":
            return Refused("the project is closed", "A closed project cannot be changed; its history stays readable.")
    verdict: Verdict = Refused("")
    for role in fitting:
        verdict = _conditions(permission, Case(act, actor, role, project, now, place))
        if verdict:
            return verdict
    return verdict


def _conditions(permission: Permission, case: Case) -> Verdict:
    relies: list[int] = []
    for name in permission.conditions:
        verdict = CONDITIONS[name](case)
        if isinstance(verdict, Refused):
            return verdict
        relies += verdict.relies_on
    member = case.project.members.get((case.role, case.actor.id))
    return Allowed(case.role, tuple(sorted({*relies, *([member.seq] if member else [])})))


def _no_role(permission: Permission, project: Project) -> Refused:
    people = [role for role in ROLE_WORDS if role in permission.roles and role not in ("checker", "reducer")]
    names = " or ".join(ROLE_WORDS[role] for role in people)
    holders = [member.name for role in people for member in project.holders(role)]
    ask = f"Ask {' or '.join(dict.fromkeys(holders))}." if holders else f"Ask a {names}."
    return Refused(f"this needs the role {names}, which you do not hold here", ask, "person.appoint")
