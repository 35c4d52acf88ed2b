"""From where: the same person with the same rights is let in at one address and refused at another."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from strongroom.deposit.transport import LoopbackNames
from strongroom.operate.demo.desktop import enter, stream
from strongroom.operate.demo.person import Person, Refused
from tests.attacks.attacker import Attacker, as_browser
from tests.attacks.conftest import Who
from tests.attacks.test_pages import desktop_of
from tests.proves import proves

pytestmark = pytest.mark.real

AWAY = "127.0.5.9"
NARROW = """
[networks]
institutional = ["127.0.0.0/24"]
restricted = ["127.0.0.0/28"]
"""


@pytest.fixture
def narrowed(attacker: Attacker) -> Iterator[Attacker]:
    """The organisation's networks, narrowed while everything runs."""
    file = attacker.layout.places
    before = file.read_text()
    try:
        _put(attacker, NARROW)
        yield attacker
    finally:
        _put(attacker, before)


def _put(attacker: Attacker, text: str) -> None:
    fresh = attacker.layout.places.with_suffix(".new")
    fresh.write_text(text)
    fresh.chmod(0o644)
    fresh.replace(attacker.layout.places)


def away(person: Person) -> Person:
    """The same person in the same session, at another address."""
    moved = replace(person)
    context = ssl.create_default_context(cafile=str(person.layout.authority))
    inner = httpx.HTTPTransport(verify=context, local_address=AWAY)
    moved.client = httpx.Client(transport=LoopbackNames(inner), cookies=person.client.cookies, timeout=60)
    moved._signin = type(person._signin)(moved.client)
    return moved


@proves("P144", "P148", "satre:1.5.03", "control:inbound_network")
def test_tier_2_opens_from_the_institution_alone(narrowed: Attacker, who: Who) -> None:
    researcher, laboratory = who("researcher"), narrowed.laboratory.id
    cookie = enter(researcher.client, desktop_of(researcher, laboratory))
    stream(narrowed.layout, laboratory, cookie).close()
    with pytest.raises(Refused, match="the institution's network"):
        desktop_of(away(researcher), laboratory)


@proves("P138", "P147", "control:physical_space")
def test_tier_3_needs_a_room_too(narrowed: Attacker, who: Who) -> None:
    with pytest.raises(Refused, match="a room of medium security"):
        desktop_of(who("investigator"), narrowed.assessment.id)


@proves("P148", "control:inbound_network")
def test_whoever_moves_away_is_refused_at_the_gateway(narrowed: Attacker, who: Who) -> None:
    """A running session does not count at another address, nor at its own once that is not the institution's any more."""
    researcher, laboratory = who("researcher"), narrowed.laboratory.id
    cookie = enter(researcher.client, desktop_of(researcher, laboratory))
    host = f"https://{narrowed.layout.environment_host(laboratory)}/"
    assert as_browser(away(researcher), host, Cookie=cookie).status_code == 401
    _put(narrowed, '[networks]\ninstitutional = ["192.0.2.0/24"]')
    assert as_browser(researcher, host, Cookie=cookie).status_code == 403
