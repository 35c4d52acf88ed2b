"""The Figure 2 dialogue, one question to a page: where somebody is, what they said, where "back" leads.

It never says where an answer leads: no tier is computed here before the whole path is walked, and none is shown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from strongroom.domain.classification import AnswersError, next_question
from strongroom.policy.questions import DEFINITIONS, TIER_OF, Question, QuestionSet, question_set
from strongroom.web.presenting.words import ANSWER_WORDS

# "commercial-in-confidence" has a definition of its own and is not a degree of confidence.
USES = {
    "personal data": re.compile(r"personal data"),
    "pseudonymised": re.compile(r"pseudonymised"),
    "commercial-in-confidence": re.compile(r"commercial-in-confidence"),
    "confidence": re.compile(r"(absolute|strong|high) confidence"),
}


@dataclass(frozen=True)
class Definition:
    word: str
    meaning: str


@dataclass(frozen=True)
class QuestionPage:
    """One page of the dialogue; ``number`` counts from 1, ``chosen`` is the answer given before."""

    number: int
    question: Question
    definitions: tuple[Definition, ...]
    choices: tuple[tuple[str, str], ...]
    chosen: str


@dataclass(frozen=True)
class Answered:
    """One line of "check your answers"."""

    number: int
    asks: str
    words: str


@dataclass(frozen=True)
class Dialogue:
    """Answers so far; always a walk from the first question. Build with ``start`` or ``resume``."""

    set_name: str
    answers: tuple[tuple[str, str], ...] = ()

    @property
    def questions(self) -> QuestionSet:
        return question_set(self.set_name)

    @property
    def complete(self) -> bool:
        """Whether the path is walked to its end."""
        return next_question(self.questions, self.answers) in TIER_OF

    @property
    def position(self) -> int:
        """Number of the first question without an answer (one past the last when complete)."""
        return len(self.answers) + 1

    def page(self, number: int) -> QuestionPage:
        """The page of one question. Raises AnswersError for a number that this path has not reached."""
        if not 1 <= number <= self.position or (number == self.position and self.complete):
            raise AnswersError(f"question {number} is not on the path walked so far")
        key = next_question(self.questions, self.answers[: number - 1])
        question = self.questions.questions[key]
        return QuestionPage(
            number,
            question,
            tuple(Definition(word, DEFINITIONS[word]) for word, used in USES.items() if used.search(question.asks)),
            tuple((answer, ANSWER_WORDS[answer]) for answer in self.questions.answers),
            self.answers[number - 1][1] if number <= len(self.answers) else "",
        )

    def answer(self, number: int, answer: str) -> Dialogue:
        """The dialogue after one answer. Later answers are kept only while the path still leads to their questions.

        Raises AnswersError for an answer that may not be given here.
        """
        page = self.page(number)
        if answer not in self.questions.answers:
            raise AnswersError("Select yes, no or not sure" if self.questions.not_sure else "Select yes or no")
        before = (*self.answers[: number - 1], (page.question.key, answer))
        after = self.answers[number:]
        kept = before if not after or next_question(self.questions, before) != after[0][0] else (*before, *after)
        return replace(self, answers=kept)

    def summary(self) -> tuple[Answered, ...]:
        """What was asked and answered, in order."""
        asked = self.questions.questions
        return tuple(
            Answered(number, asked[key].asks, ANSWER_WORDS[answer])
            for number, (key, answer) in enumerate(self.answers, start=1)
        )


def resume(set_name: str, answers: Sequence[Sequence[str]]) -> Dialogue:
    """A dialogue with answers given before. Raises AnswersError when they are not a walk from the first question."""
    pairs = tuple((key, answer) for key, answer in answers)
    next_question(question_set(set_name), pairs)
    return Dialogue(set_name, pairs)
