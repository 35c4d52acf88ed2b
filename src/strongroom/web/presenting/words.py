"""Plain words for states, times, sizes and acts, so that every page says the same thing the same way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.project import Project


@dataclass(frozen=True)
class Tag:
    """A state in words, with the colour of its GOV.UK tag; the words alone carry the meaning."""

    words: str
    colour: str


STATES = {
    "preparing": Tag("Being prepared", "yellow"),
    "waiting": Tag("Waiting for files", "blue"),
    "sealing": Tag("Being sealed", "yellow"),
    "sealed": Tag("Sealed, hash to be compared", "blue"),
    "confirmed": Tag("Hash confirmed", "turquoise"),
    "mismatched": Tag("Hashes differ", "red"),
    "mounting": Tag("Being mounted", "yellow"),
    "mounted": Tag("Mounted", "green"),
    "expired": Tag("Window ended", "grey"),
    "withdrawn": Tag("Withdrawn", "grey"),
    "running": Tag("Running", "green"),
    "suspended": Tag("Suspended", "red"),
    "rebuilding": Tag("Being built anew", "yellow"),
    "failed": Tag("Failed", "red"),
    "ending": Tag("Being destroyed", "yellow"),
    "destroyed": Tag("Destroyed", "grey"),
    "freezing": Tag("Being copied", "yellow"),
    "checking": Tag("Being checked", "yellow"),
    "review": Tag("In review", "blue"),
    "returned": Tag("Returned", "orange"),
    "approved": Tag("Approved", "turquoise"),
    "releasing": Tag("Being released", "yellow"),
    "released": Tag("Released", "green"),
    "refused": Tag("Refused", "red"),
    "open": Tag("Open", "green"),
    "closing": Tag("Closing", "yellow"),
}
PASSING = frozenset(
    {"preparing", "rebuilding", "sealing", "mounting", "ending", "freezing", "checking", "releasing", "closing"}
)

ANSWER_WORDS = {"yes": "Yes", "no": "No", "not_sure": "Not sure"}


def tag(state: str) -> Tag:
    """The tag of a state; an unknown state is shown by its own name."""
    return STATES.get(state, Tag(state.capitalize(), "grey"))


def passing(state: str) -> bool:
    """Whether a state passes by itself, so that its page should look again by itself."""
    return state in PASSING


def instant(text: str) -> datetime:
    """A time of the record as a moment in UTC. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def when(text: str) -> str:
    """``25 November 2026, 14:05 UTC``; what cannot be read as a time is shown as it stands."""
    try:
        moment = instant(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def size(amount: int) -> str:
    """``512 bytes``, ``1.5 kB``, ``20 MB``."""
    if amount < 1000:
        return f"{amount} byte{'' if amount == 1 else 's'}"
    value = float(amount)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 1000 or unit == "TB":
            break
    return f"{value:.1f} {unit}".replace(".0 ", " ")


def spoken(name: str) -> str:
    """``member_approval`` as ``Member approval``."""
    return name.replace("_", " ").replace("-", " ").strip().capitalize()


def name_of(project: Project, person: str) -> str:
    """What somebody was called in this project's record; the identifier when it never named them."""
    people = [*project.members.values(), *project.former]
    named = {member.person: member.name for member in people}
    if person in named:
        return named[person]
    acted = (entry.actor.name for entry in reversed(project.history) if entry.actor.id == person and entry.actor.name)
    return next(acted, person)


def awaited_words(project: Project, awaited: tuple[str, ...]) -> tuple[str, ...]:
    """Who a classification waits for, by role and name."""
    found = []
    for item in awaited:
        role, _, person = item.partition(" ")
        names = [person and name_of(project, person)] if person else [m.name for m in project.holders(role)]
        words = ROLE_WORDS[role]
        found.append(f"{words}: {' or '.join(names)}" if names else f"{words} (nobody is appointed yet)")
    return tuple(found)
