"""The rules load, are complete, and say what the paper says."""

from __future__ import annotations

import itertools

import pytest

from strongroom.domain import conditions as _registers  # noqa: F401  (fills the register of conditions)
from strongroom.domain.case import CONDITIONS
from strongroom.domain.classification import AnswersError, tier_of
from strongroom.policy import permissions, tiers, workflows
from strongroom.policy.questions import SETS, TIER_OF, QuestionSet, question_set
from strongroom.policy.questions import parse as parse_questions
from tests.proves import proves


def paths(found: QuestionSet) -> list[tuple[list[list[str]], int]]:
    walks: list[tuple[list[list[str]], int]] = []

    def walk(place: str, before: list[list[str]]) -> None:
        if place in TIER_OF:
            walks.append((before, TIER_OF[place]))
            return
        for answer in ("yes", "no"):
            walk(found.questions[place].next(answer), [*before, [place, answer]])

    walk(found.start, [])
    return walks


@proves("P41", "P61", "satre:3.1.03")
def test_turing_2019_has_the_figures_28_paths() -> None:
    walks = paths(question_set("turing-2019"))
    assert len(walks) == 28
    assert [sum(tier == one for _, tier in walks) for one in range(5)] == [3, 6, 5, 7, 7]
    lengths = [len(answers) for answers, _ in walks]
    assert (min(lengths), max(lengths)) == (2, 9)


@proves("P34", "P178")
def test_our_set_never_puts_personal_data_at_tier_0_and_asks_both_limbs_of_tier_4() -> None:
    for answers, tier in paths(question_set("strongroom-1")):
        said = dict(map(tuple, answers))
        anonymous = said.get("no_reidentify_absolute", said.get("no_reidentify_absolute_special", "no"))
        if said.get("closed_personal") == "yes" and anonymous == "no":
            assert tier >= 1
        if tier == 3:
            assert said.get("substantial_threat") == "no"
            assert said.get("sophisticated_attack") == "no"


@proves("P12")
def test_pseudonymised_data_with_strong_confidence_has_a_middle_tier() -> None:
    found = [
        tier
        for answers, tier in paths(question_set("strongroom-1"))
        if ["no_reidentify_strong", "yes"] in answers and ["include_commercial_personal", "no"] in answers
    ]
    assert found and set(found) == {2}


@proves("P35", "P39")
def test_what_the_work_creates_or_uncovers_counts() -> None:
    """Personal data that comes into being, and people found again by the analysis itself."""
    questions = question_set("strongroom-1").questions
    assert all(
        tier >= 3 for answers, tier in paths(question_set("strongroom-1")) if ["open_generate_new", "yes"] in answers
    )
    for key in ("no_reidentify_absolute", "no_reidentify_strong", "no_reidentify_absolute_special"):
        assert "after any analysis" in questions[key].asks
        assert all(tier >= 2 for answers, tier in paths(question_set("strongroom-1")) if [key, "no"] in answers)


@proves("P179")
@pytest.mark.parametrize("name", SETS)
def test_the_tier_is_computed_from_the_path(name: str) -> None:
    for answers, tier in paths(question_set(name)):
        assert tier_of(name, answers) == tier
        with pytest.raises(AnswersError):
            tier_of(name, answers[:-1])
        with pytest.raises(AnswersError):
            tier_of(name, [*answers, ["open_generate_new", "no"]])


def test_not_sure_is_never_looser_than_the_cautious_answer() -> None:
    found = question_set("strongroom-1")
    for question in found.questions.values():
        assert question.next("not_sure") == question.next(question.cautious)
    with pytest.raises(AnswersError):
        tier_of("turing-2019", [["open_generate_new", "not_sure"]])


@pytest.mark.parametrize("key", sorted(question_set("strongroom-1").questions))
def test_the_cautious_answer_leads_at_least_as_high(key: str) -> None:
    found = question_set("strongroom-1")

    def worst(place: str) -> int:
        if place in TIER_OF:
            return TIER_OF[place]
        return max(worst(found.questions[place].yes), worst(found.questions[place].no))

    question = found.questions[key]
    other = "no" if question.cautious == "yes" else "yes"
    assert worst(question.next(question.cautious)) >= worst(question.next(other))


def test_a_broken_question_set_is_refused() -> None:
    text = 'name="x"\nstart="a"\nnot_sure=false\n[questions.a]\nasks="?"\nyes="b"\nno="tier0"\ncautious="yes"\nexamples=["1","2"]\n'
    with pytest.raises(tiers.PolicyError, match="not a question"):
        parse_questions(text)


@proves("P32", "P4")
def test_controls_never_loosen_as_the_tier_rises() -> None:
    for name, control in tiers.matrix().items():
        for lower, higher in itertools.pairwise(control.values):
            assert control.strictness(lower) <= control.strictness(higher), name


@proves("P1")
def test_each_subject_has_a_choice_of_its_own_in_every_tier() -> None:
    subjects = {
        "classification_referee",
        "data_ingress",
        "egress_referee",
        "publishing",
        "software_ingress",
        "package_mirrors",
        "member_approval",
        "connection",
        "user_devices",
        "physical_space",
        "inbound_network",
        "outbound_network",
    }
    for tier in tiers.TIERS:
        assert subjects <= set(tiers.controls_for(tier))
    values = 'values = ["allowed", "allowed", "forbidden"'
    tightened = tiers.parse(tiers._text().replace(values, 'values = ["allowed", "forbidden", "forbidden"', 1))
    changed = {name for name, control in tightened.items() if control.values != tiers.matrix()[name].values}
    assert changed == {"publishing"}


@pytest.mark.parametrize(
    ("mend", "words"),
    [
        (('values = ["internet", "internet", "none"', 'values = ["none", "internet", "none"'), "loosens"),
        (('enforcer = "people"', 'enforcer = "nobody"'), "enforcer"),
        (('scale = ["required"]', 'scale = ["wanted"]'), "is not one of"),
        (('source = "P66"', 'sauce = "P66"'), "needs exactly"),
    ],
)
def test_a_wrong_matrix_is_refused(mend: tuple[str, str], words: str) -> None:
    text = tiers._text()
    assert mend[0] in text
    with pytest.raises(tiers.PolicyError, match=words):
        tiers.parse(text.replace(*mend, 1))


@pytest.mark.parametrize("name", sorted(workflows.WORKFLOWS))
def test_every_state_is_reached_and_has_a_way_out(name: str) -> None:
    rows = workflows.WORKFLOWS[name]
    reached = {"-"} | set(rows.values())
    starts = {state for state, _ in rows}
    assert starts <= reached
    assert reached - starts <= workflows.FINAL[name]
    with pytest.raises(workflows.WorkflowError):
        workflows.advance(name, "-", "nonsense")


def test_every_condition_of_the_table_exists_and_is_used() -> None:
    used = {name for row in permissions.PERMISSIONS.values() for name in row.conditions}
    assert used == set(CONDITIONS)


def test_the_digest_covers_every_rule_file() -> None:
    assert len(tiers.digest()) == 64
