"""What all tests share: the one whole installation, made when the first test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import installation

# A busy machine is no failure: no example is judged by its time.
settings.register_profile("strongroom", deadline=None)
settings.load_profile("strongroom")


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[installation.Installation]:
    """The demonstration, run whole; destroyed after the last test."""
    installation.tear_down()
    try:
        yield installation.raise_up(tmp_path_factory.mktemp("whole") / "report.json")
    finally:
        installation.tear_down()
