"""Reminders: one message a day and person about what has waited for more than a day."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from strongroom.domain.acts import Actor
from strongroom.records import reading
from strongroom.records.guard import writing
from strongroom.records.models import Mail
from strongroom.usecases.tasks import Task, tasks_of

AFTER = timedelta(days=1)


def overdue(tasks: list[Task], at: datetime) -> list[Task]:
    """Tasks that have waited for longer than a day."""
    return [task for task in tasks if task.since and datetime.fromisoformat(task.since) < at - AFTER]


def remind(at: datetime) -> int:
    """Write today's reminders that are not written yet; how many."""
    states, made = reading.all_projects(), 0
    for person in reading.people():
        me = Actor("person", person.sub, person.name, tuple(person.groups))
        mine = [state for state in states if reading.may_see(me, state)]
        waiting = overdue(tasks_of(me, mine), at)
        if not waiting:
            continue
        lines = "\n".join(f"- {task.project_name}: {task.title}" for task in waiting)
        defaults = {
            "to": person.sub,
            "subject": f"{len(waiting)} task{'s' if len(waiting) > 1 else ''} waiting for you",
            "text": f"These have waited for more than a day:\n\n{lines}\n\nSign in to do them.\n",
            "at": at.isoformat(timespec="milliseconds"),
        }
        with writing(), transaction.atomic():
            _, new = Mail.objects.get_or_create(key=f"reminder {at.date()} {person.sub}", defaults=defaults)
        made += new
    return made
