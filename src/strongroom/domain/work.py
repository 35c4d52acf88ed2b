"""What the world still lacks to match the record: the warden's reconcile loop carries these out, again and again until true."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.domain.project import Project


@dataclass(frozen=True)
class Work:
    """One thing to bring about: ``kind`` names the handler, ``subject`` the id it is about."""

    kind: str
    project: str
    subject: str


ENVIRONMENT = {
    "preparing": "environment.prepare",
    "running": "environment.keep",
    "suspended": "environment.freeze",
    "rebuilding": "environment.rebuild",
    "ending": "environment.end",
}
DEPOSIT = {
    "preparing": "deposit.prepare",
    "waiting": "deposit.receive",
    "sealing": "deposit.seal",
    "mounting": "deposit.mount",
    "mounted": "deposit.verify",
    "mismatched": "deposit.discard",
    "expired": "deposit.discard",
    "withdrawn": "deposit.discard",
}
EGRESS = {
    "freezing": "egress.freeze",
    "checking": "egress.check",
    "releasing": "egress.release",
    "withdrawn": "egress.discard",
    "returned": "egress.discard",
    "refused": "egress.discard",
}


def pending(state: Project) -> Iterator[Work]:
    """Everything to bring about or keep true for one project, most urgent (taking away) first."""
    if state.state == "destroyed":
        return
    if state.state == "closing":
        yield Work("project.end", state.id, state.id)
        return
    mounting = {item.environment for item in state.deposits.values() if item.state == "mounting"}
    for environment in sorted(state.environments.values(), key=lambda item: item.state not in ("ending", "suspended")):
        if environment.state == "running" and environment.id in mounting:
            # The mount starts it anew; until then what runs is not what shall run.
            continue
        if kind := ENVIRONMENT.get(environment.state):
            yield Work(kind, state.id, environment.id)
        if environment.state == "running" and environment.probe_asked:
            yield Work("environment.probe", state.id, environment.id)
    for deposit in state.deposits.values():
        if deposit.state == "mounting" and state.environments[deposit.environment].state != "running":
            continue
        if kind := DEPOSIT.get(deposit.state):
            yield Work(kind, state.id, deposit.id)
    for request in state.requests.values():
        if kind := EGRESS.get(request.state):
            yield Work(kind, state.id, request.id)
