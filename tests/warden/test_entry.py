"""Entry tickets: one person, one environment, one address, once; and the right is judged anew each time."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from strongroom.domain.acts import Entry
from strongroom.domain.place import Places
from strongroom.layout import Layout
from strongroom.warden.entry import COOKIE, SESSION_SECONDS, Entrance
from tests.domain.story import Story
from tests.proves import proves
from tests.warden.desk import Bench

LAYOUT = Layout("entrytest", 9480)
HOST = LAYOUT.environment_host("lab")
HERE = "127.0.0.1"


class Hall(Bench):
    """A bench whose record holds a project in analysis, and the entrance to its environments."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        for entry in Story().begin().agree().deposit().classify().analyse().entries:
            self.tell(entry)
        self.entrance = Entrance(self.record, LAYOUT, lambda: self.places, lambda: datetime.fromtimestamp(self.provider.now, UTC))
        self.desk.extra = {"environment.enter": self.entrance.ticket}

    def tell(self, entry: Entry) -> None:
        with self.record.transaction() as db:
            self.record.append(db, entry)

    def ticket(self) -> str:
        outcome = self.do("researcher", "environment.enter", environment="lab")
        assert outcome.done, outcome
        assert outcome.extra["host"] == HOST
        return str(outcome.extra["ticket"])

    def cookie(self) -> str:
        passage = self.entrance.enter(self.ticket(), HOST, HERE)
        assert passage.status == 303
        return f"{COOKIE}={passage.cookie}"


@pytest.fixture
def hall(tmp_path: Path) -> Hall:
    return Hall(tmp_path)


@proves("P139", "P140")
def test_a_ticket_opens_its_environment_once(hall: Hall) -> None:
    ticket = hall.ticket()
    assert hall.entrance.enter(ticket, HOST, HERE).status == 303
    assert hall.entrance.enter(ticket, HOST, HERE).status == 403


@pytest.mark.parametrize(
    ("host", "address", "later"),
    [(LAYOUT.environment_host("other"), HERE, 0), (HOST, "127.0.0.9", 0), (HOST, HERE, 61), ("", HERE, 0)],
)
def test_a_ticket_elsewhere_or_later_opens_nothing(hall: Hall, host: str, address: str, later: int) -> None:
    ticket = hall.ticket()
    hall.provider.now += later
    assert hall.entrance.enter(ticket, host, address).status == 403
    assert hall.entrance.enter(ticket, HOST, HERE).status == 403


def test_a_session_counts_at_its_host_and_address_for_its_time(hall: Hall) -> None:
    cookie = hall.cookie()
    assert hall.entrance.check(cookie, HOST, HERE).status == 204
    assert hall.entrance.check(cookie, LAYOUT.environment_host("look"), HERE).status == 401
    assert hall.entrance.check(cookie, HOST, "127.0.0.9").status == 401
    assert hall.entrance.check("", HOST, HERE).status == 401
    assert hall.entrance.check(f"{COOKIE}=guess", HOST, HERE).status == 401
    hall.provider.now += SESSION_SECONDS + 1
    assert hall.entrance.check(cookie, HOST, HERE).status == 401


@proves("satre:1.5.03")
def test_a_removed_person_does_not_pass_any_more(hall: Hall) -> None:
    cookie = hall.cookie()
    assert hall.do("manager", "person.remove", role="researcher", person="u-researcher", reason="left").done
    passage = hall.entrance.check(cookie, HOST, HERE)
    assert passage.status == 403
    assert "cannot stay" in passage.words


def test_whoever_leaves_has_no_desktop_open_and_no_ticket(hall: Hall) -> None:
    cookie, ticket = hall.cookie(), hall.ticket()
    hall.entrance.leave("u-somebody-else")
    assert hall.entrance.check(cookie, HOST, HERE).status == 204
    hall.entrance.leave("u-researcher")
    assert hall.entrance.check(cookie, HOST, HERE).status == 401
    assert hall.entrance.enter(ticket, HOST, HERE).status == 403


@proves("P147", "P148")
def test_whoever_moves_away_does_not_pass_any_more(hall: Hall) -> None:
    cookie = hall.cookie()
    hall.places = Places()
    assert hall.entrance.check(cookie, HOST, HERE).status == 403
    outcome = hall.do("researcher", "environment.enter", environment="lab")
    assert outcome.missing == "inbound_network"


@proves("satre:3.2.01", "control:sessions")
def test_a_second_session_of_one_person_ends_the_first(hall: Hall) -> None:
    first = hall.cookie()
    second = hall.cookie()
    assert hall.entrance.check(second, HOST, HERE).status == 204
    assert hall.entrance.check(first, HOST, HERE).status == 401


def test_a_suspended_environment_lets_nobody_pass(hall: Hall) -> None:
    cookie = hall.cookie()
    assert hall.do("system", "environment.suspend", environment="lab", reason="look").done
    assert hall.entrance.check(cookie, HOST, HERE).status == 403


def test_a_ticket_is_no_session_and_a_dump_of_the_database_holds_neither(hall: Hall) -> None:
    ticket = hall.ticket()
    assert hall.entrance.check(f"{COOKIE}={ticket}", HOST, HERE).status == 401
    cookie = hall.cookie().partition("=")[2]
    hall.record.close()
    dump = b"".join(path.read_bytes() for path in hall.path.parent.iterdir())
    assert ticket.encode() not in dump
    assert cookie.encode() not in dump
