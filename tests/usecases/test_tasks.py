"""What waits for whom, at each station of a project's life."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.domain.acts import Actor
from strongroom.usecases.tasks import RULES, tasks_in, tasks_of
from tests.proves import proves
from tests.web.pages import history
from tests.web.pages.history import PEOPLE, History


def waiting(story: History) -> dict[str, list[str]]:
    """Titles for each of the cast for whom something waits."""
    found = {who: [task.title for task in tasks_in(story.project, actor)] for who, actor in PEOPLE.items()}
    return {who: titles for who, titles in found.items() if titles}


LOOK = ["Check the isolation of environment look"]
BOTH = [*LOOK, "Check the isolation of environment analysis"]


def begun_but_empty() -> History:
    story = History()
    story.do("pat", "project.create", id=story.id, name="A project", summary="Something")
    return story


STATIONS: list[tuple[Callable[[], History], dict[str, list[str]]]] = [
    (
        begun_but_empty,
        {
            "pat": [
                "Appoint the Investigator",
                "Appoint a Project Manager",
                "Appoint a Dataset Provider Representative",
            ]
        },
    ),
    (
        history.begun,
        {
            "max": ["Create the first-assessment environment of Attainment by authority"],
            "ref": ["Certify your training", "Accept the project's terms"],
        },
    ),
    (
        history.assessed,
        {
            "max": ["Open the deposit of Chem97"],
            "ref": ["Certify your training", "Accept the project's terms"],
            "sys": LOOK,
        },
    ),
    (
        history.opened,
        {
            "rep": ["Upload the deposit of Chem97"],
            "ref": ["Certify your training", "Accept the project's terms"],
            "sys": LOOK,
        },
    ),
    (
        history.sealed,
        {
            "rep": ["Compare the hash of Chem97"],
            "ref": ["Certify your training", "Accept the project's terms"],
            "sys": LOOK,
        },
    ),
    (
        history.confirmed,
        {
            "ines": ["Authorise the mount of Chem97"],
            "ref": ["Certify your training", "Accept the project's terms"],
            "sys": LOOK,
        },
    ),
    (
        history.mounted,
        {
            "ines": ["Classify Attainment by authority", "Look at the data in environment look"],
            "rep": ["Classify Attainment by authority"],
            "ref": ["Certify your training", "Accept the project's terms"],
            "sys": LOOK,
        },
    ),
    (
        history.disagreed,
        {
            "pat": ["Follow the disagreement about Attainment by authority"],
            "ines": ["Settle the disagreement about Attainment by authority"],
            "rep": [
                "Settle the disagreement about Attainment by authority",
                "Agree the form of outputs of Attainment by authority",
            ],
            "ref": ["Settle the disagreement about Attainment by authority"],
            "sys": LOOK,
        },
    ),
    (
        history.classified,
        {
            "max": ["Create the Tier 2 environment of Attainment by authority"],
            "rep": ["Agree the form of outputs of Attainment by authority"],
            "sys": LOOK,
        },
    ),
    (
        history.submitted,
        {
            "ines": ["Review the output out-1", "Work in environment analysis"],
            "rosa": ["Work in environment analysis"],
            "rep": ["Review the output out-1"],
            "ref": ["Review the output out-1"],
            "sys": BOTH,
        },
    ),
    (
        history.approved,
        {
            "max": ["Release the output out-1"],
            "ines": ["Work in environment analysis"],
            "rosa": ["Work in environment analysis"],
            "sys": BOTH,
        },
    ),
    (
        history.released,
        {
            "pat": ["Close the project when its work is done"],
            "ines": ["Work in environment analysis"],
            "rosa": ["Work in environment analysis"],
            "sys": BOTH,
        },
    ),
]


@proves("satre:1.5.02")
@pytest.mark.parametrize(("station", "expected"), STATIONS, ids=[station.__name__ for station, _ in STATIONS])
def test_each_station_waits_for_the_right_people(
    station: Callable[[], History], expected: dict[str, list[str]]
) -> None:
    assert waiting(station()) == expected


def test_a_returned_request_goes_back_to_its_author_until_there_is_a_newer_one() -> None:
    story = history.submitted()
    history.review(story, "ines", decision="return", note="A cell is too small")
    assert "Mend the request out-1" in waiting(story)["rosa"]
    history.submit(story, "out-2")
    assert "Mend the request out-1" not in waiting(story)["rosa"]


def test_a_mismatch_waits_for_both_managers() -> None:
    story = history.sealed()
    story.do("rep", "deposit.confirm", deposit="pupils", digest="0" * 64)
    found = waiting(story)
    assert found["pat"] == found["max"] == ["Settle the mismatch of deposit pupils"]


def test_a_broken_environment_waits_for_the_system_manager() -> None:
    story = history.working()
    story.fact("environment.broken", environment="analysis", summary={}, results=[], drift=[], reason="a probe is red")
    tasks = tasks_in(story.project, PEOPLE["sys"])
    assert ("Look at the suspended environment analysis", "a probe is red") in [(one.title, one.why) for one in tasks]
    assert "Check the isolation of environment analysis" not in [one.title for one in tasks]


def test_each_running_environment_is_looked_at_once_by_a_system_manager() -> None:
    story = history.working()
    assert waiting(story)["sys"] == BOTH
    story.do("sys", "environment.probe", environment="look")
    assert waiting(story)["sys"] == BOTH[1:]


def test_a_missing_referee_is_found_by_the_project_manager() -> None:
    story = history.mounted()
    story.do("pat", "person.remove", role="referee", person="sub-ref", reason="")
    history.opinion(story, "ines", history.TIER_2)
    assert "Appoint a Referee" in waiting(story)["max"]


@proves("P154")
def test_at_tier_3_the_representative_approves_members() -> None:
    story = history.mounted()
    history.join(story, "ref")
    for who in ("ines", "rep", "ref"):
        history.opinion(story, who, history.TIER_3)
    mine = waiting(story)["rep"]
    assert {"Approve Rosa Iyer as a member", "Approve Noor Haddad as a member"} <= set(mine)
    story.do("rep", "person.counter_approve", role="researcher", person="sub-rosa")
    assert "Approve Rosa Iyer as a member" not in waiting(story)["rep"]


def test_nothing_waits_in_a_closed_project() -> None:
    story = history.released()
    story.do("pat", "project.close", note="")
    assert waiting(story) == {}


def test_an_auditor_always_has_the_ledgers() -> None:
    auditor = Actor("person", "sub-aud", "Aud", ("auditors",))
    assert [task.page for task in tasks_of(auditor, [history.begun().project])] == ["audit"]


def test_every_role_of_people_has_its_rules() -> None:
    from strongroom.policy.permissions import MACHINE_ROLES, ROLES

    assert set(RULES) == set(ROLES) - set(MACHINE_ROLES)
