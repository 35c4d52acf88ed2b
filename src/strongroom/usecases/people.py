"""Who is signed in, and what the records remember of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from django.db import transaction

from strongroom.domain.acts import Actor
from strongroom.records.guard import writing
from strongroom.records.ledger import line
from strongroom.records.storing import store_person
from strongroom.usecases.clock import now_text


@dataclass(frozen=True)
class SignedIn:
    """A person with a live session; ``access_token`` gives a token for the warden, fresh when need be."""

    sub: str
    name: str
    email: str
    groups: tuple[str, ...]
    access_token: Callable[[], str] = field(repr=False, compare=False)

    @property
    def actor(self) -> Actor:
        """The same person as the domain knows them."""
        return Actor("person", self.sub, self.name, self.groups)


def meet(person: SignedIn, listener: str) -> None:
    """Remember a person who has just signed in, with a line in the ledger."""
    at = now_text()
    with writing(), transaction.atomic():
        store_person(person.sub, person.name, person.email, person.groups, at)
        line(at, person.actor, "session.sign_in", {"person": person.sub}, body={"listener": listener})


def leave(person: SignedIn) -> None:
    """Note in the ledger that a person has signed out."""
    with writing():
        line(now_text(), person.actor, "session.sign_out", {"person": person.sub})


def note_reading(person: SignedIn, action: str, subject: dict[str, str], project: str = "") -> None:
    """One ledger line for one look at something sensitive; ``action`` such as ``document.read``."""
    with writing():
        line(now_text(), person.actor, action, subject, project=project)
