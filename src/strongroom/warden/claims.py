"""Which names on the host an act would take, and which are taken: ids come from the asker, so no two things may share one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from strongroom.domain.acts import Act
from strongroom.domain.environment import OWN_VOLUMES
from strongroom.domain.project import Project
from strongroom.domain.verdict import Refused
from strongroom.warden.works.environments import data_volume, documents_volume, moved_volume, own_volume
from strongroom.warden.works.outputs import sealed_volume

LONGEST = 63
CONTAINERS = ("display", "infra")
# A deposit's socket lies beside the one by which all receivers reach the warden.
RESERVED = frozenset({"warden"})


def _environment(ident: str, datasets: Iterable[str]) -> Iterator[str]:
    yield ident
    yield from (own_volume(ident, name) for name in OWN_VOLUMES)
    yield from (f"{ident}-{name}" for name in CONTAINERS)
    yield from (moved_volume(ident, dataset) for dataset in datasets)


def held(project: Project) -> Iterator[str]:
    """Every name that a project has ever taken; what was destroyed keeps its name."""
    yield documents_volume(project.id)
    for environment in project.environments.values():
        yield from _environment(environment.id, project.work_packages[environment.work_package].datasets)
    for deposit in project.deposits:
        yield from (deposit, data_volume(deposit))
    for request in project.requests:
        yield from (request, sealed_volume(request))


def asked(act: Act, project: Project) -> tuple[str, ...]:
    """Names that an act takes once it is allowed."""
    body = act.body
    match act.kind:
        case "project.create":
            return (documents_volume(body["id"]),)
        case "environment.create":
            return tuple(_environment(body["id"], project.work_packages[body["work_package"]].datasets))
        case "deposit.open":
            return (body["id"], data_volume(body["id"]))
        case "egress.submit":
            return (body["id"], sealed_volume(body["id"]))
    return ()


def refusal(act: Act, project: Project, others: Iterable[Project]) -> Refused | None:
    """Why an allowed act may not have its names; None when it may. ``others`` are all projects, its own as well."""
    names = asked(act, project)
    if not names:
        return None
    if max(map(len, names)) > LONGEST:
        return Refused("this id, with the name of its dataset, is too long", "Choose shorter ids.")
    taken = {name for other in others if other.state != "-" for name in held(other)} | RESERVED
    if len(set(names)) < len(names) or not taken.isdisjoint(names):
        return Refused("this id is taken", "Choose another id and try again.")
    return None
