"""Which mail an entry calls for: to whom and in which words. Pure; names no secrets and no data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from strongroom.domain.acts import Actor, Entry
from strongroom.domain.project import Project, apply
from strongroom.policy.permissions import DIRECTORY_ROLES
from strongroom.records.letter import Letter
from strongroom.usecases.tasks import Task, tasks_in

GROUP_OF = {role: group for group, role in DIRECTORY_ROLES.items()}


@dataclass(frozen=True)
class Directory:
    """Who is in which group of the directory, as far as anybody has signed in."""

    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def role(self, role: str) -> tuple[str, ...]:
        """Subjects of everybody who holds a directory role."""
        return self.groups.get(GROUP_OF[role], ())

    def groups_of(self, sub: str) -> tuple[str, ...]:
        """Groups of one person."""
        return tuple(group for group, subs in self.groups.items() if sub in subs)


def letters(state: Project, entry: Entry, directory: Directory) -> list[Letter]:
    """Bring the state forward by the entry and say which letters follow: alarms, and tasks that were not there before."""
    before = _waiting(state, directory)
    apply(state, entry)
    found = list(_alarms(state, entry, directory)) if entry.outcome == "done" else []
    told = {letter.to for letter in found}
    for sub, tasks in _waiting(state, directory).items():
        old = before.get(sub, {})
        for key, task in tasks.items():
            if key not in old and sub != entry.actor.id and sub not in told:
                found.append(_task_letter(state, sub, task))
    return found


def _waiting(state: Project, directory: Directory) -> dict[str, dict[tuple[str, str], Task]]:
    people = {member.person for member in state.members.values()}
    people |= {sub for subs in directory.groups.values() for sub in subs}
    return {
        sub: {task.key: task for task in tasks_in(state, Actor("person", sub, "", directory.groups_of(sub)))}
        for sub in people
    }


def _task_letter(state: Project, sub: str, task: Task) -> Letter:
    text = f"{task.title}\n\nProject: {state.name}\nWhy: {task.why}\n\nSign in to do it: it is on your list of tasks.\n"
    return Letter(sub, f"{state.name}: {task.title}", text, f"task {task.title}")


def _alarms(state: Project, entry: Entry, directory: Directory) -> Iterator[Letter]:
    managers = tuple(member.person for member in state.holders("project_manager"))
    if entry.kind == "classification.opinion":
        yield from _disagreement(state, entry, managers)
    elif entry.kind in ("deposit.confirm", "deposit.mismatched"):
        deposit = state.deposits[entry.body["deposit"]]
        if deposit.state == "mismatched":
            yield from _to(
                (*directory.role("programme_manager"), *managers),
                f"{state.name}: a deposit does not match",
                f"The hash that the Representative sees differs from the one in the receipt of deposit {deposit.id}. "
                "Nothing is mounted. Speak to the Representative, then withdraw the deposit or open another.",
            )
    elif entry.kind == "deposit.damaged":
        yield from _to(
            (*directory.role("programme_manager"), *managers),
            f"{state.name}: deposit {entry.body['deposit']} has changed",
            "The regular check found another hash than the one in its receipt. Suspend the environments that use it, and "
            "speak to the System Manager and the Representative.",
        )
    elif entry.kind in ("environment.broken", "environment.failed"):
        yield from _to(
            (*directory.role("system_manager"), *managers),
            f"{state.name}: environment {entry.body['environment']} needs you",
            "A check of its isolation failed or it could not be made. It is frozen; nothing in it is lost. "
            "Its page shows which check it was.",
        )


def _disagreement(state: Project, entry: Entry, managers: tuple[str, ...]) -> Iterator[Letter]:
    package = state.work_packages[entry.body["work_package"]]
    if not state.standing_of(package).disagreement or package.tier is not None:
        return
    needed = tuple(person for _, person in package.opinions)
    yield from _to(
        (*needed, *managers),
        f"{state.name}: the opinions on {package.name} differ",
        "Everybody needed has answered, and the answers lead to different tiers. Open the classification, compare the "
        "reasons and talk. Each may answer again; the Investigator may proceed at the highest tier given.",
    )


def _to(people: tuple[str, ...], subject: str, text: str) -> Iterator[Letter]:
    for sub in dict.fromkeys(people):
        yield Letter(sub, subject, f"{text}\n", "alarm")
