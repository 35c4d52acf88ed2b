"""What a page offers somebody to do: judged by the same pure rules as the warden, so that no button leads to a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from strongroom.domain.acts import Act, Actor
from strongroom.domain.classification import next_question
from strongroom.domain.evidence import evidence, roles_of
from strongroom.domain.place import NOWHERE, Place
from strongroom.domain.project import Project
from strongroom.domain.verdict import Refused
from strongroom.policy.permissions import PERMISSIONS
from strongroom.policy.questions import DEFAULT_SET, TIER_OF, question_set


@dataclass(frozen=True)
class Offer:
    """Whether an act is open to somebody now; ``concerns`` when one of their roles could do it at another time."""

    allowed: bool
    concerns: bool
    reason: str = ""
    next_step: str = ""

    def __bool__(self) -> bool:
        return self.allowed


def offer(
    project: Project, actor: Actor, kind: str, body: Mapping[str, Any], now: datetime, place: Place = NOWHERE
) -> Offer:
    """Judge an act without asking for it."""
    verdict = evidence(Act(kind, project.id, body), actor, project, now, place)
    concerns = any(role in PERMISSIONS[kind].roles for role in roles_of(actor, project))
    if isinstance(verdict, Refused):
        return Offer(False, concerns, verdict.reason, verdict.next_step)
    return Offer(True, True)


def egress_offer(project: Project, actor: Actor, environment: str, now: datetime) -> Offer:
    """Whether somebody may ask for outputs of an environment to leave."""
    names = {"id": "new-request", "environment": environment, "work_package": "new-output"}
    body = {**names, "description": "-", "script": "-", "files": ["-"]}
    return offer(project, actor, "egress.submit", body, now)


def any_walk() -> list[list[str]]:
    """Some whole path of answers, for judging whether an opinion would be welcome before anything is answered."""
    found = question_set(DEFAULT_SET)
    answers: list[list[str]] = []
    while (key := next_question(found, answers)) not in TIER_OF:
        answers.append([key, "no"])
    return answers
