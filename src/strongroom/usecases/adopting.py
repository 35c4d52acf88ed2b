"""Taking the warden's record over, in its order, each entry once, with the mail that it calls for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import transaction

from strongroom.domain.acts import Entry
from strongroom.domain.project import Project, fold
from strongroom.records import reading
from strongroom.records.guard import writing
from strongroom.records.storing import store_entry, store_letter
from strongroom.usecases.letters import Directory, letters

PAGE = 500


def adopt(entries: Sequence[Entry]) -> int:
    """Take entries over in one transaction; those that are here already are passed by. How many were new."""
    new = 0
    with writing(), transaction.atomic():
        last = reading.last_seq()
        states: dict[str, Project] = {}
        directory = _directory()
        for entry in sorted(entries, key=lambda item: item.seq):
            if entry.seq <= last:
                continue
            if entry.project:
                state = states.get(entry.project) or fold(entry.project, reading.entries(entry.project))
                states[entry.project] = state
                found = letters(state, entry, directory)
            else:
                found = []
            store_entry(entry)
            for letter in found:
                store_letter(entry, letter)
            last, new = entry.seq, new + 1
    return new


def catch_up(feed: Callable[[int, int], list[Entry]]) -> int:
    """Adopt page after page until the feed has no more."""
    total = 0
    while entries := feed(reading.last_seq(), PAGE):
        total += adopt(entries)
        if len(entries) < PAGE:
            break
    return total


def _directory() -> Directory:
    groups: dict[str, list[str]] = {}
    for person in reading.people():
        for group in person.groups:
            groups.setdefault(group, []).append(person.sub)
    return Directory({group: tuple(subs) for group, subs in groups.items()})
