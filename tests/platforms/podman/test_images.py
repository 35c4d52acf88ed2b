"""The recipe: its digest, its lock, and nothing of any one host in it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from strongroom.platforms.podman import images


def test_any_changed_byte_changes_the_name(tmp_path: Path) -> None:
    folder = tmp_path / "environment"
    shutil.copytree(images.Recipe().folder, folder)
    recipe = images.Recipe(folder)
    before, base = recipe.name, recipe.base_name
    assert before == images.Recipe().name
    (folder / "rootfs/usr/local/lib/strongroom/desktop.py").open("a").write("# changed\n")
    assert recipe.name != before and recipe.base_name == base
    (folder / "packages.txt").open("a").write("nano\n")
    assert recipe.base_name != base


def test_the_lock_pins_everything_by_hash_and_names_no_index() -> None:
    recipe = images.Recipe()
    lines = recipe.lines("requirements.lock")
    pinned = [line.split("==")[0] for line in lines if "==" in line]
    assert set(recipe.lines("requirements.in")) <= set(pinned)
    assert all("==" in line or line.strip().startswith("--hash=sha256:") for line in lines)
    assert not [line for line in lines if "://" in line or "index" in line]


def test_without_a_mirror_the_message_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(images.MIRROR_VARIABLE, raising=False)
    monkeypatch.setattr(images, "_apt_mirror", lambda label: "")
    with pytest.raises(images.ImageError, match=images.MIRROR_VARIABLE):
        images.debian_sources()


def test_an_own_mirror_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(images.MIRROR_VARIABLE, "http://mirror.test/debian")
    assert images.debian_sources("trixie") == ["deb http://mirror.test/debian trixie main"]
