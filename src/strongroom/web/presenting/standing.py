"""The classification of one work package as one person may see it: blind until everybody needed has answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.domain.case import ROLE_WORDS
from strongroom.domain.classification import Opinion
from strongroom.domain.project import Project, WorkPackage
from strongroom.policy.questions import question_set
from strongroom.web.presenting.words import ANSWER_WORDS, awaited_words, name_of


@dataclass(frozen=True)
class Column:
    """One person's opinion, as the head of a column of the comparison."""

    name: str
    role: str
    tier: int
    statement: str
    mine: bool


@dataclass(frozen=True)
class Compared:
    """One question and each person's answer; ``differs`` when people gave different answers to it."""

    asks: str
    answers: tuple[str, ...]
    differs: bool


@dataclass(frozen=True)
class ClassificationPage:
    """``columns`` and ``compared`` are empty while the viewer must stay blind; ``answered`` says only that somebody answered."""

    state: str
    tier: int | None
    proceeded: bool
    awaited: tuple[str, ...]
    answered: tuple[str, ...]
    mine: Column | None
    columns: tuple[Column, ...]
    compared: tuple[Compared, ...]
    forms: tuple[tuple[str, str], ...]


def classifies(project: Project, package: WorkPackage, person: str) -> bool:
    """Whether somebody's opinion on this work package would count."""
    roles = project.roles_of(person)
    return bool(roles & {"investigator", "referee"}) or person in project.representatives_of(package)


def may_see_others(project: Project, package: WorkPackage, person: str) -> bool:
    """Others' answers and tiers are shown only once everybody needed, and the viewer who classifies too, has answered."""
    if package.tier is not None:
        return True
    if not package.opinions or project.standing_of(package).awaited:
        return False
    own = any(who == person for _, who in package.opinions)
    return own or not classifies(project, package, person)


def columns_of(project: Project, opinions: Mapping[tuple[str, str], Opinion], person: str) -> tuple[Column, ...]:
    """Heads of the comparison, in the order in which the opinions were given."""
    ordered = sorted(opinions.values(), key=lambda item: item.seq)
    return tuple(
        Column(
            name_of(project, item.person), ROLE_WORDS[item.role], item.tier, item.statement, mine=item.person == person
        )
        for item in ordered
    )


def compare(opinions: Mapping[tuple[str, str], Opinion]) -> tuple[Compared, ...]:
    """Questions that anybody answered, side by side in the order of the question set."""
    ordered = sorted(opinions.values(), key=lambda item: item.seq)
    said = [dict(item.answers) for item in ordered]
    asked = {key: row for item in ordered for key, row in question_set(item.question_set).questions.items()}
    # In the order of asking: after everything that anybody was asked before it.
    place: dict[str, int] = {}
    for answers in said:
        for number, key in enumerate(answers):
            place[key] = max(number, place.get(key, 0))
    rows = []
    for key in sorted(place, key=lambda name: place[name]):
        given = [answers.get(key) for answers in said]
        words = tuple(ANSWER_WORDS[answer] if answer else "Not asked" for answer in given)
        rows.append(Compared(asked[key].asks, words, len({answer for answer in given if answer}) > 1))
    return tuple(rows)


def classification_page(project: Project, package: WorkPackage, person: str) -> ClassificationPage:
    """What the page of one work package's classification may say to one person."""
    where = project.standing_of(package)
    if package.tier is not None:
        state = "closed"
    elif where.disagreement:
        state = "disagreement"
    else:
        state = "waiting"
    seen = may_see_others(project, package, person)
    everybody = columns_of(project, package.opinions, person)
    return ClassificationPage(
        state,
        package.tier,
        package.proceeded,
        () if state == "closed" else awaited_words(project, where.awaited),
        tuple(f"{column.name}, {column.role}" for column in everybody),
        next((column for column in everybody if column.mine), None),
        everybody if seen else (),
        compare(package.opinions) if seen else (),
        tuple((name_of(project, who), form) for who, form in package.forms.items()),
    )
