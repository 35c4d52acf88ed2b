"""What a condition of the permission table may look at, and the register of conditions by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from strongroom.domain.acts import Act, Actor
from strongroom.domain.place import NOWHERE, Place
from strongroom.domain.project import Project
from strongroom.domain.verdict import Allowed, Verdict

ROLE_WORDS = {
    "programme_manager": "Programme Manager",
    "project_manager": "Project Manager",
    "investigator": "Investigator",
    "researcher": "Researcher",
    "referee": "Referee",
    "representative": "Dataset Provider Representative",
    "system_manager": "System Manager",
    "auditor": "Auditor",
    "checker": "checker",
    "reducer": "reducer",
}


@dataclass(frozen=True)
class Case:
    """All that a condition may look at."""

    act: Act
    actor: Actor
    role: str
    project: Project
    now: datetime
    place: Place = NOWHERE


Condition = Callable[[Case], Verdict]
CONDITIONS: dict[str, Condition] = {}
OK = Allowed("")


def condition(function: Condition) -> Condition:
    """Register a condition under its function's name, for the last column of the permission table."""
    CONDITIONS[function.__name__] = function
    return function
