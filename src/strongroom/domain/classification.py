"""From answers to a tier, and from everybody's opinions to a consensus (the paper's 4.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from strongroom.policy.questions import TIER_OF, QuestionSet, question_set
from strongroom.policy.tiers import controls_for


class AnswersError(ValueError):
    """The answers do not walk one path to a tier; says where they stop."""


@dataclass(frozen=True)
class Opinion:
    """One classifier's answers; the tier is always computed anew from the path that was walked."""

    person: str
    role: str
    seq: int
    tier: int
    answers: tuple[tuple[str, str], ...]
    question_set: str
    statement: str = ""


def next_question(found: QuestionSet, answers: Sequence[Sequence[str]]) -> str:
    """Key of the question to ask next, or ``tierN`` when the path is walked. Raises AnswersError for a stray answer."""
    place = found.start
    for key, answer in answers:
        if place in TIER_OF:
            raise AnswersError(f"{key} was answered after the path had ended")
        if key != place:
            raise AnswersError(f"the next question is {place}, not {key}")
        if answer not in found.answers:
            raise AnswersError(f"{key}: answer with {', '.join(found.answers)}")
        place = found.questions[key].next(answer)
    return place


def tier_of(set_name: str, answers: Sequence[Sequence[str]]) -> int:
    """The tier that a whole path of answers ends at. Raises AnswersError when it ends before a tier."""
    place = next_question(question_set(set_name), answers)
    if place not in TIER_OF:
        raise AnswersError(f"the question {place} is not answered yet")
    return TIER_OF[place]


def anonymised_personal(answers: Iterable[Sequence[str]]) -> bool:
    """Whether the path says: personal data, made anonymous (then a Referee is needed at Tier 0 and 1 as well, P49)."""
    said = {pair[0]: pair[1] for pair in answers}
    return any(said.get(key) == "yes" for key in ("no_reidentify_absolute", "no_reidentify_absolute_special"))


@dataclass(frozen=True)
class Standing:
    """How far a classification is: who is awaited, and the tier once everybody needed agrees."""

    awaited: tuple[str, ...]
    tier: int | None
    disagreement: bool
    highest: int | None


def needs_referee(opinions: Iterable[Opinion]) -> bool:
    """A Referee is needed when anybody says Tier 2 or above, or puts anonymised personal data lower (P48, P49)."""
    return any(
        controls_for(opinion.tier)["classification_referee"] == "required" or anonymised_personal(opinion.answers)
        for opinion in opinions
    )


def standing(
    opinions: Mapping[tuple[str, str], Opinion], representatives: Iterable[str], *, referee_always: bool = False
) -> Standing:
    """Judge the opinions of one work package (keys: role, person).

    Needed: the Investigator, the Representative of every dataset, and a Referee where ``needs_referee`` or ``referee_always`` says so.
    """
    awaited = []
    if not any(role == "investigator" for role, _ in opinions):
        awaited.append("investigator")
    awaited += [f"representative {person}" for person in representatives if ("representative", person) not in opinions]
    referee = any(role == "referee" for role, _ in opinions)
    if not referee and (referee_always or needs_referee(opinions.values())):
        awaited.append("referee")
    tiers = {opinion.tier for opinion in opinions.values()}
    highest = max(tiers, default=None)
    complete = not awaited and bool(opinions)
    agreed = complete and len(tiers) == 1
    return Standing(tuple(awaited), highest if agreed else None, complete and len(tiers) > 1, highest)
