"""The question sets of ``classification/``: Figure 2 of the paper and our default, read and checked."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from strongroom.policy.tiers import PolicyError

DEFAULT_SET = "strongroom-1"
SETS = ("strongroom-1", "turing-2019")
TIER_OF = {f"tier{number}": number for number in range(5)}

# Shown under the questions that use the words (P59).
DEFINITIONS = {
    "personal data": "Any information about a living person who can be identified from it, alone or with other information. "
    "Assume a life of 100 years: treat an adult of unknown age as 16, a child as just born.",
    "pseudonymised": "Everything that points straight at a person is replaced by a code, and the key is kept apart. "
    "It is still personal data. So, usually, are synthetic data and trained models.",
    "commercial-in-confidence": "Information whose disclosure would harm the commercial interests of somebody it belongs to.",
    "confidence": "Absolute: impossible, now and after any analysis. Strong: not by any means reasonably likely to be used. "
    "High: very unlikely, and little harm if it happened.",
}


@dataclass(frozen=True)
class Question:
    """One question: where each answer leads (another question or ``tier0`` … ``tier4``) and which answer is the cautious one."""

    key: str
    asks: str
    yes: str
    no: str
    cautious: str
    examples: tuple[str, str]

    def next(self, answer: str) -> str:
        """Where an answer leads; ``not_sure`` takes the cautious branch."""
        chosen = self.cautious if answer == "not_sure" else answer
        return self.yes if chosen == "yes" else self.no


@dataclass(frozen=True)
class QuestionSet:
    name: str
    start: str
    not_sure: bool
    questions: dict[str, Question]

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers a person may give."""
        return ("yes", "no", "not_sure") if self.not_sure else ("yes", "no")


def parse(text: str) -> QuestionSet:
    """Read one set; PolicyError for a dangling answer, a loop, or a question that nothing leads to."""
    raw = tomllib.loads(text)
    questions = {
        key: Question(
            key, row["asks"], row["yes"], row["no"], row["cautious"], (row["examples"][0], row["examples"][1])
        )
        for key, row in raw["questions"].items()
    }
    found = QuestionSet(raw["name"], raw["start"], raw["not_sure"], questions)
    reached: set[str] = set()
    _walk(found, found.start, (), reached)
    if unreached := set(questions) - reached:
        raise PolicyError(f"{found.name}: nothing leads to {', '.join(sorted(unreached))}")
    return found


def _walk(found: QuestionSet, key: str, before: tuple[str, ...], reached: set[str]) -> None:
    if key in TIER_OF:
        return
    if key not in found.questions:
        raise PolicyError(f"{found.name}: {before[-1] if before else 'start'} leads to {key}, which is not a question")
    if key in before:
        raise PolicyError(f"{found.name}: {key} leads back to itself")
    reached.add(key)
    for target in (found.questions[key].yes, found.questions[key].no):
        _walk(found, target, (*before, key), reached)


@cache
def question_set(name: str = DEFAULT_SET) -> QuestionSet:
    """A published set by name. Raises PolicyError for an unknown one."""
    if name not in SETS:
        raise PolicyError(f"{name!r} is not a question set: {', '.join(SETS)}")
    return parse(resources.files(__package__).joinpath("classification", f"{name}.toml").read_text(encoding="utf-8"))
