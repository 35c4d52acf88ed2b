"""A volume store of its own for each test, with nothing left behind."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator

import pytest

from strongroom.layout import Layout
from strongroom.warden.volumes import VolumeStore, mounting


@pytest.fixture
def layout() -> Iterator[Layout]:
    layout = Layout(f"t{secrets.token_hex(4)}", 0)
    yield layout
    VolumeStore(layout).close_all()
    assert not [mount for mount in mounting.mounted() if mount.is_relative_to(layout.run)]
    assert not mounting.loops_of(layout.volumes)
    shutil.rmtree(layout.state, ignore_errors=True)
    shutil.rmtree(layout.run, ignore_errors=True)


@pytest.fixture
def store(layout: Layout) -> VolumeStore:
    return VolumeStore(layout)
