"""Who may do what: a table a data protection officer can read and sign.

``Y`` the role may do it; ``G`` it may, as a grave act: only with a fresh login bound to this very decision; ``.`` it may not.
The last column names the conditions of ``domain.conditions`` that must hold as well. Every act is witnessed by the warden.
Rights are always scoped to the project; directory roles (the first, seventh and eighth) come from the organisation's directory.
Machine roles: the checker looks and nothing else, the reducer takes away and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

TABLE = """
act                       | programme_manager project_manager investigator researcher referee representative system_manager auditor checker reducer | conditions
project.create            | G . . . . . . . . . | new_project
project.close             | G . . . . . . . . . | nothing_on_its_way_out
person.appoint            | G G . . . . . . . . | may_give_role no_conflict_of_role
person.remove             | Y Y . . . . . . . . | holds_that_role
person.counter_approve    | . . . . . G . . . . | awaits_counter_approval
training.certify          | Y Y Y Y Y Y Y Y . . | known_training
terms.accept              | . . Y Y Y . . . . . | terms_exist
dataset.register          | Y Y . . . . . . . . | new_dataset representative_appointed
dataset.withdraw          | . . . . . G . . . . | own_dataset
agreement.draft           | Y Y . . . . . . . . | dataset_known
agreement.lodge           | . . . . . Y . . . . | own_dataset agreement_drafted
workpackage.create        | . Y Y . . . . . . . | new_work_package datasets_known
environment.create        | . Y . . . . . . . . | new_environment work_package_ready
environment.enter         | . . Y Y . . . . . . | trained_and_agreed counter_approved environment_open analysis_allowed from_allowed_place
environment.suspend       | Y Y . . . Y Y . . Y | environment_running
environment.resume        | . . . . . . G . . . | environment_suspended
environment.rebuild       | . . . . . . G . . . | environment_stands
environment.tighten       | . Y Y . . Y . . . . | environment_stands tighter_value
environment.destroy       | G G . . . . . . . . | environment_exists
environment.probe         | . Y Y . . Y Y . Y . | environment_running
deposit.open              | . Y . . . . . . . . | new_deposit agreement_in_place no_suspicion_of_tier_4 first_assessment
deposit.token             | . . . . . Y . . . . | own_deposit deposit_awaits_files no_suspicion_of_tier_4
deposit.complete          | . . . . . Y . . . . | own_deposit deposit_awaits_files
deposit.confirm           | . . . . . Y . . . . | own_deposit deposit_completed
deposit.mount             | . . G . . . . . . . | deposit_confirmed no_suspicion_of_tier_4
classification.opinion    | . . Y . Y Y . . . . | trained_and_agreed work_package_open data_seen answers_complete
classification.proceed    | . . Y . . . . . . . | opinions_disagree
output_form.agree         | . . . . . Y . . . . | work_package_known
egress.submit             | . . Y Y . . . . . . | new_request trained_and_agreed counter_approved environment_analyses
egress.review             | . . Y . Y Y . . . . | trained_and_agreed counter_approved not_author not_reviewed_yet request_checked answers_complete
egress.release            | . G . . . . . . . . | not_author request_approved
"""


@dataclass(frozen=True)
class Permission:
    """One row: which roles may, which of them gravely, under which conditions."""

    act: str
    roles: frozenset[str]
    grave: frozenset[str]
    conditions: tuple[str, ...]


def _parse(table: str) -> tuple[tuple[str, ...], dict[str, Permission]]:
    head, *rows = [line for line in table.strip().splitlines() if line.strip()]
    roles = tuple(head.split("|")[1].split())
    permissions: dict[str, Permission] = {}
    for row in rows:
        act, marks, conditions = (part.strip() for part in row.split("|"))
        cells = marks.split()
        if len(cells) != len(roles) or not set(cells) <= {"Y", "G", "."}:
            raise ValueError(f"{act}: needs {len(roles)} marks out of Y, G and '.'")
        if act in permissions:
            raise ValueError(f"{act}: stands twice in the table")
        permissions[act] = Permission(
            act,
            frozenset(role for role, mark in zip(roles, cells, strict=True) if mark != "."),
            frozenset(role for role, mark in zip(roles, cells, strict=True) if mark == "G"),
            tuple(conditions.split()),
        )
    return roles, permissions


ROLES, PERMISSIONS = _parse(TABLE)
DIRECTORY_ROLES = {
    "programme-managers": "programme_manager",
    "system-managers": "system_manager",
    "auditors": "auditor",
}
PROJECT_ROLES = ("project_manager", "investigator", "researcher", "referee", "representative")
MACHINE_ROLES = ("checker", "reducer")

# Who may give which role (P29, P30, P151, P154).
MAY_GIVE = {
    "programme_manager": frozenset(PROJECT_ROLES),
    "project_manager": frozenset({"researcher", "referee"}),
}
# Roles that one person may not hold together in one project: independence of Referees (P169), no workspace for managers.
CONFLICTS = frozenset(
    frozenset(pair)
    for pair in (
        ("referee", "researcher"),
        ("referee", "investigator"),
        ("referee", "representative"),
        ("representative", "researcher"),
        ("representative", "investigator"),
        ("representative", "project_manager"),
        ("project_manager", "researcher"),
        ("project_manager", "investigator"),
    )
)
TRAINING = {"data-handling": "2026-1"}
TERMS_VERSION = "2026-1"
