"""The cast and an attacker, for one run of these tests."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from strongroom.operate.demo.person import Person
from tests.attacks.attacker import Attacker
from tests.installation import Installation

Who = Callable[[str], Person]


@pytest.fixture(scope="session")
def attacker(whole: Installation) -> Attacker:
    """Somebody who has everything the web app has."""
    return Attacker(whole.layout)


@pytest.fixture(scope="session")
def who(whole: Installation) -> Who:
    """Somebody of the cast, signed in once for all tests: each one-time code counts once."""
    known: dict[str, Person] = {}

    def found(key: str) -> Person:
        if key not in known:
            known[key] = whole.person(key)
            known[key].open("/projects")
        return known[key]

    return found
