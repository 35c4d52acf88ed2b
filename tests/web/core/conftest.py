"""One real site serves all tests of this folder that are marked real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.records.conftest import migrated, records_db
from tests.web.core.site import Site, running_site

__all__ = ["migrated", "records_db"]


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Identity, warden, web and worker, all real."""
    with running_site() as made:
        yield made
