"""Reading the records: states folded from the copied entries, people, mail."""

from __future__ import annotations

import json
from threading import Lock

from django.db.models import Max, Q

from strongroom.domain.acts import Actor, Entry
from strongroom.domain.project import Project, fold
from strongroom.policy.permissions import DIRECTORY_ROLES
from strongroom.records.models import Event, Mail, Person

_cache: dict[str, tuple[int, Project]] = {}
_lock = Lock()


def last_seq() -> int:
    """Number of the newest entry that was taken over; 0 when there is none."""
    return int(Event.objects.aggregate(last=Max("seq"))["last"] or 0)


def entries(name: str) -> list[Entry]:
    """Entries of a project and those of no project, in the order of the record."""
    rows = Event.objects.filter(Q(project=name) | Q(project="")).order_by("seq").values_list("raw", flat=True)
    return [Entry.from_json(json.loads(raw)) for raw in rows]


def project(name: str) -> Project:
    """State of a project; folded anew only when an entry that matters to it has come."""
    newest = int(Event.objects.filter(Q(project=name) | Q(project="")).aggregate(last=Max("seq"))["last"] or 0)
    with _lock:
        known = _cache.get(name)
    if known and known[0] == newest and newest:
        return known[1]
    state = fold(name, entries(name))
    if state.state != "-":
        with _lock:
            _cache[name] = (newest, state)
    return state


def forget() -> None:
    """Empty the memory of folded states (another database is in use now)."""
    with _lock:
        _cache.clear()


def all_projects() -> list[Project]:
    """Every project, newest first."""
    made = Event.objects.filter(kind="project.create", outcome="done").order_by("-seq")
    return [project(name) for name in made.values_list("project", flat=True)]


def may_see(person: Actor, state: Project) -> bool:
    """Whether somebody may look at a project: members, and the directory's managers and auditors."""
    if state.state == "-":
        return False
    return bool(state.roles_of(person.id)) or any(group in DIRECTORY_ROLES for group in person.groups)


def projects_for(person: Actor) -> list[Project]:
    return [state for state in all_projects() if may_see(person, state)]


def people() -> list[Person]:
    """Everybody who has signed in, by name."""
    return list(Person.objects.all())


def person(sub: str) -> Person | None:
    return Person.objects.filter(sub=sub).first()


def mail_for(sub: str) -> list[Mail]:
    """Messages to one person, newest first."""
    return list(Mail.objects.filter(to=sub)[:100])


def all_mail(limit: int = 200) -> list[Mail]:
    """Newest messages to anybody."""
    return list(Mail.objects.all()[:limit])


def certified(sub: str, module: str, version: str) -> str:
    """When somebody certified a training module in this version; "" when they have not."""
    mine = Event.objects.filter(kind="training.certify", actor_id=sub, outcome="done").order_by("-seq")
    wanted = {"module": module, "version": version}
    return next((row.at for row in mine if row.body == wanted), "")
