"""Pure view models: the dialogue, blindness, findings, swimlane, certificate, one-time codes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.disclosure import check_and_render
from strongroom.domain.classification import AnswersError, tier_of
from strongroom.policy.questions import SETS
from strongroom.web.presenting import closing, deposits, drawing, environments, life, requests, standing, words
from strongroom.web.presenting.dialogue import Dialogue, resume
from strongroom.web.presenting.totp import seconds_left, totp
from tests.proves import proves
from tests.web.pages import history


def walk(set_name: str, choices: list[str]) -> Dialogue:
    dialogue = Dialogue(set_name)
    for choice in choices:
        if dialogue.complete:
            break
        answers = dialogue.questions.answers
        dialogue = dialogue.answer(dialogue.position, answers[int(choice) % len(answers)])
    return dialogue


paths = st.lists(st.sampled_from("012"), min_size=20, max_size=20)


@given(st.sampled_from(SETS), paths)
def test_every_walk_of_the_dialogue_ends_at_a_tier(set_name: str, choices: list[str]) -> None:
    dialogue = walk(set_name, choices)
    assert dialogue.complete
    assert tier_of(set_name, dialogue.answers) in range(5)
    assert [row.number for row in dialogue.summary()] == list(range(1, len(dialogue.answers) + 1))


@given(paths, st.data())
def test_going_back_keeps_only_answers_that_are_still_on_the_path(choices: list[str], data: st.DataObject) -> None:
    dialogue = walk("strongroom-1", choices)
    number = data.draw(st.integers(1, len(dialogue.answers)))
    changed = dialogue.answer(number, data.draw(st.sampled_from(("yes", "no", "not_sure"))))
    assert changed.answers[: number - 1] == dialogue.answers[: number - 1]
    assert resume("strongroom-1", changed.answers) == changed


@proves("P59")
def test_a_question_shows_the_definitions_of_its_words_and_two_examples() -> None:
    page = resume("strongroom-1", history.TIER_2[:5]).page(6)
    assert page.question.key == "no_reidentify_absolute"
    assert [item.word for item in page.definitions] == ["confidence"]
    commercial = resume("strongroom-1", history.TIER_0[:2]).page(3)
    assert [item.word for item in commercial.definitions] == ["commercial-in-confidence"]
    assert len(commercial.question.examples) == 2


def test_a_stray_answer_and_a_page_ahead_of_the_path_are_refused() -> None:
    with pytest.raises(AnswersError, match="not sure"):
        Dialogue("strongroom-1").answer(1, "perhaps")
    with pytest.raises(AnswersError, match="not on the path"):
        Dialogue("strongroom-1").page(2)
    with pytest.raises(AnswersError):
        resume("strongroom-1", [("publishable", "yes")])
    with pytest.raises(AnswersError, match="not on the path"):
        resume("strongroom-1", history.TIER_0).page(5)


@proves("P50")
def test_opinions_are_blind_until_everybody_needed_has_answered() -> None:
    story = history.mounted()
    package = story.project.work_packages["attainment"]
    assert standing.classification_page(story.project, package, "sub-ines").answered == ()
    history.opinion(story, "ines", history.TIER_2)
    project = story.project
    page = standing.classification_page(project, project.work_packages["attainment"], "sub-ines")
    assert page.mine is not None and page.mine.tier == 2
    assert page.columns == () and page.compared == ()
    other = standing.classification_page(project, project.work_packages["attainment"], "sub-rep")
    assert other.answered == ("Ines Marques, Investigator",)
    assert other.mine is None and other.columns == ()
    assert "Referee: Noor Haddad" in other.awaited
    assert "Dataset Provider Representative: Tom Ashdown" in other.awaited


@proves("P164")
def test_a_referee_without_an_opinion_stays_blind_even_when_all_needed_are_in() -> None:
    story = history.mounted()
    for who in ("ines", "rep"):
        history.opinion(story, who, history.TIER_0)
    project = story.project
    package = project.work_packages["attainment"]
    assert package.tier == 0, "no personal data: nobody else is needed"
    open_again = history.disagreed().project
    package = open_again.work_packages["attainment"]
    del package.opinions["referee", "sub-ref"]
    assert not standing.may_see_others(open_again, package, "sub-ref")


def test_a_disagreement_is_shown_side_by_side_with_the_question_where_people_part() -> None:
    project = history.disagreed().project
    page = standing.classification_page(project, project.work_packages["attainment"], "sub-rep")
    assert page.state == "disagreement"
    assert [column.tier for column in page.columns] == [2, 3, 2]
    parted = [row for row in page.compared if row.differs]
    assert [row.asks for row in parted] == ["Is that personal data pseudonymised?"]
    assert parted[0].answers == ("Yes", "No", "Yes")
    assert any("Not asked" in row.answers for row in page.compared)


def test_a_closed_classification_names_the_tier_and_awaits_nobody() -> None:
    project = history.classified().project
    page = standing.classification_page(project, project.work_packages["attainment"], "sub-rosa")
    assert (page.state, page.tier, page.awaited) == ("closed", 2, ())
    assert len(page.columns) == 3


def test_probes_are_shown_broken_first_and_strange_states_count_as_unknown() -> None:
    cells = environments.probe_cells((*history.PROBES, {"probe": "odd", "state": "fine", "evidence": "exit 3"}))
    assert [cell.state for cell in cells] == ["broken", "unknown", "holds", "holds", "holds"]
    assert cells[1].evidence == "exit 3"
    assert environments.probe_summary(cells) == {"holds": 3, "broken": 1, "unknown": 1}


def test_every_control_names_who_enforces_it() -> None:
    rows = environments.control_rows(history.working().project.environments["analysis"])
    assert ("Copy out", "Blocked", "The platform") in [(row.name, row.value, row.enforcer) for row in rows]
    assert all(row.source for row in rows)


def test_findings_are_grouped_by_file_and_the_worst_decides() -> None:
    mild = {**history.SMALL_CELL, "severity": "review", "locator": {"row": 4}, "words": "A percentage"}
    story = history.submitted(findings=(mild, history.SMALL_CELL), verdict="fail")
    files = {item.name: item for item in requests.checked_files(story.project.requests["out-1"])}
    assert files["analysis.py"].verdict == "pass" and files["analysis.py"].findings == ()
    assert files["table.csv"].verdict == "fail"
    assert [item.verdict for item in files["table.csv"].findings] == ["fail", "review"]


def test_the_flagged_cell_of_a_table_says_what_was_found_and_pictures_are_png_only() -> None:
    flag = {"column": 2, "severity": "fail", "rule": "cell-threshold"}
    rows = [{"row": n, "cells": cells, "flags": []} for n, cells in ((1, ["lea", "n"]), (2, ["1", "12"]))]
    rows += [{"row": 3, "cells": ["2", "4"], "flags": [flag]}, {"row": 4, "cells": ["3", "5"], "flags": [flag]}]
    table = {"name": None, "first_column": 1, "rows": rows, "total_rows": 9, "cut": True}
    svg = {"name": "figure", "png": "PHN2Zz4=", "width": 1, "height": 1}
    shape = {"file": "table.csv", "kind": "csv", "tables": [table], "images": [svg], "text": None, "cut": False}
    (drawn,) = drawing.draw({"previews": [shape]}, [history.SMALL_CELL])
    assert [cell.text for cell in drawn.tables[0].head] == ["lea", "n"]
    assert [[cell.flags for cell in row] for row in drawn.tables[0].rows] == [
        [(), ()],
        [(), ("This cell counts 4 people, fewer than 10.",)],
        [(), ("Must not leave",)],
    ]
    assert drawn.tables[0].flagged == 2 and drawn.tables[0].note.startswith("4 of 9 rows")
    assert drawn.images == ()
    assert requests.place_words({"sheet": "Table 1", "row": 4, "column": None}) == "Table 1, row 4"


def test_a_short_drawing_without_flags_is_marked_by_its_findings() -> None:
    rows = [["lea", "n"], ["1", "12"], ["2", "4"]]
    short = {"name": "table.csv", "tables": [{"sheet": None, "rows": rows}], "image": "", "text": ""}
    (drawn,) = drawing.draw({"files": [short]}, [history.SMALL_CELL])
    flagged = [cell for row in drawn.tables[0].rows for cell in row if cell.severity]
    assert flagged == [drawing.Cell("4", ("This cell counts 4 people, fewer than 10.",), "fail")]


def test_what_the_checker_really_draws_is_drawn_with_its_findings(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("authority,pupils\nNorth,120\nSouth,4\nEast,77\n")
    (tmp_path / "analysis.py").write_text("print('mean')\n")
    result, previews = check_and_render(tmp_path)
    findings = [asdict(one) for one in result.findings]
    drawn = {one.name: one for one in drawing.draw({"previews": previews}, findings)}
    (table,) = drawn["table.csv"].tables
    flagged = [cell for row in table.rows for cell in row if cell.severity]
    assert [cell.text for cell in flagged] == ["4"] and flagged[0].severity == "fail"
    assert flagged[0].flags == tuple(one["words"] for one in findings if one["locator"]["column"] == 2)
    assert "print" in drawn["analysis.py"].text


@proves("P66")
def test_reviews_of_others_are_hidden_until_the_request_is_decided() -> None:
    story = history.submitted()
    history.review(story, "ines", note="Fine")
    project = story.project
    request = project.requests["out-1"]
    assert requests.reviews_seen(project, request, "sub-rep") == ()
    assert [row.mine for row in requests.reviews_seen(project, request, "sub-ines")] == [True]
    assert [item.partition(":")[0] for item in requests.reviewers_awaited(project, request)] == [
        "Referee",
        "Dataset Provider Representative",
    ]
    done = history.approved().project
    assert len(requests.reviews_seen(done, done.requests["out-1"], "sub-rosa")) == 3
    assert requests.reviewers_awaited(done, done.requests["out-1"]) == ()


def test_the_life_has_a_lane_for_everybody_who_acted_and_time_never_runs_back() -> None:
    story = history.ended()
    story.refused("rosa", "environment.enter", environment="analysis")
    drawn = life.life(story.project)
    assert {lane.name for lane in drawn.lanes} == {
        entry.actor.name for entry in story.entries if entry.project and entry.actor.kind == "person"
    } | {life.PLATFORM}
    places = [mark.x for mark in drawn.marks]
    assert places == sorted(places) and max(places) < drawn.width
    assert all(0 < mark.y < drawn.height for mark in drawn.marks)
    assert drawn.marks[-1].part == "refused" and drawn.lines[-1].refused
    assert len(drawn.lines) == len(story.project.history)


def test_every_act_and_state_has_plain_words() -> None:
    from strongroom.policy.permissions import PERMISSIONS
    from strongroom.policy.workflows import WORKFLOWS

    assert set(PERMISSIONS) <= set(life.ACT_WORDS)
    states = {state for rows in WORKFLOWS.values() for state in rows.values()}
    assert states <= set(words.STATES)


@proves("P105")
def test_closing_lists_what_goes_and_what_stays_and_the_certificate_leaves_nothing_out() -> None:
    project = history.released().project
    assert [thing.name for thing in closing.doomed(project)] == [
        "look",
        "analysis",
        "look-home",
        "look-scratch",
        "analysis-working",
        "analysis-output",
    ]
    assert "1 published output with release record" in closing.kept(project)
    done = history.ended().project
    assert closing.doomed(done) == ()
    assert done.certificate is not None
    certificate = closing.certificate_of(done.certificate)
    shown = {name for name, _ in certificate.facts} | {table.caption for table in certificate.tables}
    assert shown == {words.spoken(key) for key in done.certificate}


def test_a_pasted_hash_is_cleaned_and_anything_else_is_refused() -> None:
    assert deposits.clean_hash(f" {'AB' * 16} {'ab' * 16}\n") == "ab" * 32
    with pytest.raises(ValueError, match="64 letters and digits"):
        deposits.clean_hash("abc")


def test_the_steps_of_a_deposit_say_where_it_is() -> None:
    story = history.sealed()
    steps = deposits.steps_of(story.project.deposits["pupils"])
    assert [step.state for step in steps] == ["Done", "Done", "Done", "Now", "To come", "To come", "To come"]
    done = deposits.steps_of(history.mounted().project.deposits["pupils"])
    assert {step.state for step in done} == {"Done"}


# The test vectors of RFC 6238 for SHA-1, shortened to six digits.
@pytest.mark.parametrize(
    ("seconds", "code"), [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")]
)
def test_one_time_codes_are_those_of_the_standard(seconds: int, code: str) -> None:
    assert totp("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", seconds) == code


def test_a_code_counts_for_at_most_thirty_seconds() -> None:
    assert seconds_left(60) == 30 and seconds_left(89) == 1


def test_sizes_and_times_are_spoken_plainly() -> None:
    assert [words.size(amount) for amount in (1, 999, 1500, 20_000_000)] == ["1 byte", "999 bytes", "1.5 kB", "20 MB"]
    assert words.when("2026-11-24T15:05:00+01:00") == "24 November 2026, 14:05 UTC"
    assert words.when("soon") == "soon"
