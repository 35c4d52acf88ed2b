"""Networks and rooms by address range, and which tier opens from where."""

from __future__ import annotations

import pytest

from strongroom import site
from strongroom.domain.place import NOWHERE, Place, Places, PlacesError, parse
from strongroom.domain.verdict import Refused
from tests.domain.story import CAST, TIER_2, TIER_3, Story
from tests.proves import proves

HOUSE = parse(
    """
    [networks]
    institutional = ["10.0.0.0/8", "fd00:1::/32"]
    restricted = ["10.9.0.0/16"]
    [spaces.library]
    class = "medium"
    ranges = ["10.9.1.0/24"]
    [spaces.vault]
    class = "high"
    ranges = ["10.9.1.128/25"]
    """
)


@proves("P144", "P145", "P146")
@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.5", NOWHERE),
        ("10.1.2.3", Place("institutional", "none")),
        ("fd00:1::7", Place("institutional", "none")),
        ("10.9.2.3", Place("restricted", "none")),
        ("10.9.1.3", Place("restricted", "medium")),
        ("10.9.1.200", Place("restricted", "high")),
        ("::ffff:10.9.1.200", Place("restricted", "high")),
        ("", NOWHERE),
        ("unix", NOWHERE),
        ("10.9.1.200, 10.9.1.3", NOWHERE),
    ],
)
def test_an_address_has_its_place(address: str, place: Place) -> None:
    assert HOUSE.of(address) == place


def test_without_a_file_everything_is_the_internet() -> None:
    assert Places().of("127.0.0.1") == NOWHERE


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[networks", "not TOML"),
        ("[network]", "'network' is not known: use networks, spaces"),
        ('[networks]\nopen = ["10.0.0.0/8"]', "'open' is not known"),
        ('[networks]\nrestricted = "10.0.0.0/8"', "needs a list of ranges"),
        ('[networks]\nrestricted = ["10.0.0.1/8"]', "has host bits set"),
        ('networks = "10.0.0.0/8"', "needs to be a table"),
        ('[spaces.a]\nclass = "low"\nranges = []', "class needs to be one of medium, high"),
        ('[spaces.a]\nclass = "high"\nranges = ["10.0.0.0/8"]', "not within a restricted network"),
    ],
)
def test_a_wrong_file_says_how_to_mend_it(text: str, words: str) -> None:
    with pytest.raises(PlacesError, match=words):
        parse(text)


@proves("P138", "P144", "P147", "P148", "control:physical_space", "control:inbound_network")
@pytest.mark.parametrize(
    ("answers", "place", "missing"),
    [
        (TIER_2, NOWHERE, "inbound_network"),
        (TIER_2, Place("institutional"), ""),
        (TIER_2, Place("restricted", "high"), ""),
        (TIER_3, NOWHERE, "inbound_network"),
        (TIER_3, Place("institutional", "medium"), "inbound_network"),
        (TIER_3, Place("restricted", "none"), "physical_space"),
        (TIER_3, Place("restricted", "medium"), ""),
    ],
)
def test_a_tier_opens_from_its_places_alone(answers: list[str], place: Place, missing: str) -> None:
    story = Story().begin().agree().deposit().classify(answers).analyse()
    story.act("representative", "person.counter_approve", role="researcher", person=CAST["researcher"].id)
    story.place = place
    verdict = story.ask("researcher", "environment.enter", environment="lab")
    assert isinstance(verdict, Refused) == bool(missing)
    if isinstance(verdict, Refused):
        assert verdict.missing == missing
        assert "System Manager" in verdict.next_step


def test_the_file_is_read_again_and_a_wrong_one_changes_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("site") / "places.toml"
    told = site.Site(file)
    assert told.places.of("127.0.0.1") == Place("restricted", "medium")
    file.write_text('[networks]\ninstitutional = ["127.0.0.0/8"]')
    assert told.places.of("127.0.0.1") == Place("institutional", "none")
    fresh = file.with_suffix(".new")
    fresh.write_text("[networks")
    fresh.replace(file)
    assert told.places.of("127.0.0.1") == Place("institutional", "none")


def test_a_wrong_file_at_the_start_opens_nothing(tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("site") / "places.toml"
    file.write_text("[networks")
    assert site.Site(file).places.of("127.0.0.1") == NOWHERE
