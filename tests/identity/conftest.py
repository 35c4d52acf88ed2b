"""One provider serves all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.identity.server import Provider, running_provider


@pytest.fixture(scope="session")
def provider() -> Iterator[Provider]:
    """The running provider."""
    with running_provider() as made:
        yield made
