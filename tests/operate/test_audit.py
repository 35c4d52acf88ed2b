"""Exporting both logs of an installation, and verifying the export."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom import ledger
from strongroom.layout import Layout
from strongroom.ledger import cli
from strongroom.operate import audit
from strongroom.operate.control import ControlFailed
from tests.ledger.conftest import entry, opened
from tests.operate import standins
from tests.proves import proves

pytestmark = pytest.mark.real
WARDEN_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
APP_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@pytest.fixture
def layout() -> Iterator[Layout]:
    made = standins.free_layout("au")
    (made.state_of("warden") / "keys").mkdir(parents=True)
    made.state_of("web").mkdir()
    (made.state_of("warden") / "keys" / "warden.ed25519").write_bytes(bytes(range(32)))
    (made.state_of("web") / audit.APP_KEY).write_text(ledger.key_line("app", APP_KEY.public_key()) + "\n")
    try:
        yield made
    finally:
        shutil.rmtree(made.state)


def fill(path: Path, origin: str, key: Ed25519PrivateKey, count: int) -> None:
    log = opened(path)
    for number in range(count):
        ledger.append(log.execute, entry(number))
    ledger.checkpoint(log.execute, origin, key)
    log.close()


def fill_both(layout: Layout, count: int = 3) -> None:
    fill(layout.state_of("warden") / "warden.sqlite3", "warden", WARDEN_KEY, count)
    fill(layout.state_of("web") / "web.sqlite3", "app", APP_KEY, count)


@proves("satre:2.5.03")
def test_an_export_verifies_and_a_changed_byte_is_found(layout: Layout, tmp_path: Path) -> None:
    fill_both(layout)
    said = audit.export(layout, tmp_path / "out")
    assert "3 entries (0 newer" in said[0]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "app.jsonl", "app.key", "warden.jsonl", "warden.key",
    ]  # fmt: skip
    assert cli.verify(tmp_path / "out") == 0
    text = (tmp_path / "out" / "app.jsonl").read_text()
    (tmp_path / "out" / "app.jsonl").write_text(text.replace('"dataset":"d1"', '"dataset":"d9"'))
    assert cli.verify(tmp_path / "out") == 1


def test_an_empty_log_says_so_and_leaves_nothing_behind(layout: Layout, tmp_path: Path) -> None:
    fill(layout.state_of("warden") / "warden.sqlite3", "warden", WARDEN_KEY, 2)
    fill(layout.state_of("web") / "web.sqlite3", "app", APP_KEY, 0)
    with pytest.raises(ControlFailed, match="app log cannot be exported yet: nothing has been recorded"):
        audit.export(layout, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(layout: Layout, tmp_path: Path) -> None:
    fill_both(layout)
    (tmp_path / "mine").write_text("x")
    with pytest.raises(ControlFailed, match="is not empty"):
        audit.export(layout, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_a_planted_link_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    fill_both(layout)
    key = layout.state_of("web") / audit.APP_KEY
    key.rename(tmp_path / "elsewhere")
    key.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ControlFailed, match="app log"):
        audit.export(layout, tmp_path / "out")
