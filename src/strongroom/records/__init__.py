"""What the web side remembers: a copy of the warden's record for showing and searching, people, mail, the app's ledger.

Nothing here authorises anything. Only use cases and the worker write (``guard``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from strongroom.domain.acts import Actor
    from strongroom.domain.project import Project


def project(name: str) -> Project:
    """State of a project as far as the records know; state ``-`` when there is none. Read it, never change it."""
    from strongroom.records import reading

    return reading.project(name)


def projects_for(person: Actor) -> list[Project]:
    """Projects somebody may see: their own; all for Programme Managers, System Managers and auditors."""
    from strongroom.records import reading

    return reading.projects_for(person)
