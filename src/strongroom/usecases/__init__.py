"""What people and the worker can do with the records: ask the warden, take its record over, see what waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.domain.acts import Act
    from strongroom.orders.protocol import Outcome
    from strongroom.usecases.people import SignedIn
    from strongroom.usecases.tasks import Task


def perform(person: SignedIn, act: Act, key: str, id_token: str = "", address: str = "") -> Outcome:
    """Ask the warden for an act with the person's token, then take its record over. Raises WardenUnreachable."""
    from strongroom.usecases import acting

    return acting.perform(person, act, key, id_token, address)


def refresh() -> int:
    """Take over what is new in the warden's record; how many entries. Raises WardenUnreachable."""
    from strongroom.usecases import acting

    return acting.refresh()


def waiting_for(person: SignedIn) -> list[Task]:
    """What waits for a person, longest first."""
    from strongroom import records
    from strongroom.usecases.tasks import tasks_of

    return tasks_of(person.actor, records.projects_for(person.actor))
