"""Which mail follows from which entry."""

from __future__ import annotations

from strongroom.domain.acts import Entry
from strongroom.domain.project import fold
from strongroom.records.letter import Letter
from strongroom.usecases.letters import Directory, letters
from tests.proves import proves
from tests.web.pages import history
from tests.web.pages.history import PEOPLE, History

DIRECTORY = Directory({"programme-managers": ("sub-pat",), "system-managers": ("sub-sys",)})


def after(story: History) -> list[Letter]:
    """Letters that the story's last entry calls for."""
    *before, last = story.entries
    return letters(fold(story.id, before), last, DIRECTORY)


@proves("P50")
def test_a_disagreement_is_told_to_everybody_needed() -> None:
    found = after(history.disagreed())
    told = {letter.to for letter in found if "opinions on Attainment" in letter.subject}
    assert told == {"sub-ines", "sub-rep", "sub-ref", "sub-max"}


@proves("P101")
def test_a_mismatch_is_told_to_both_managers() -> None:
    story = history.sealed()
    story.do("rep", "deposit.confirm", deposit="pupils", digest="0" * 64)
    found = after(story)
    assert {letter.to for letter in found} == {"sub-pat", "sub-max"}
    assert all("does not match" in letter.subject for letter in found)


def test_a_broken_environment_is_told_to_the_system_manager() -> None:
    story = history.working()
    story.fact(
        "environment.broken", environment="analysis", summary={}, results=[], drift=[], reason="dns_does_not_leak"
    )
    assert {letter.to for letter in after(story)} == {"sub-sys", "sub-max"}


def test_a_new_task_is_told_once_and_not_to_whoever_made_it() -> None:
    story = history.confirmed()
    assert [(letter.to, letter.subject) for letter in after(story)] == [
        ("sub-ines", "A-level chemistry 1997: Authorise the mount of Chem97")
    ]
    story.do("rosa", "training.certify", module="data-handling", version="2026-1")
    *before, last = story.entries
    about = Entry(**{**last.__dict__, "project": story.id})
    assert letters(fold(story.id, before), about, DIRECTORY) == []


def test_no_letter_names_a_hash_a_file_or_a_refused_act() -> None:
    story = history.released()
    state, found = fold(story.id, []), []
    for entry in story.entries:
        if entry.project:
            found += letters(state, entry, DIRECTORY)
    words = "\n".join(f"{letter.subject}\n{letter.text}" for letter in found)
    assert len(found) > 10
    assert "table.csv" not in words
    assert history.FILE_DIGEST not in words
    refused = story.refused("rosa", "project.close", note="")
    assert letters(state, refused, DIRECTORY) == []


def test_the_directory_knows_roles_and_groups() -> None:
    assert DIRECTORY.role("system_manager") == ("sub-sys",)
    assert DIRECTORY.role("auditor") == ()
    assert DIRECTORY.groups_of(PEOPLE["pat"].id) == ("programme-managers",)
