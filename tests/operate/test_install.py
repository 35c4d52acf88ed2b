"""Users, folders and modes of an installation, as data and as made."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.layout import Layout
from strongroom.operate import install
from tests.operate import standins


def test_only_the_web_group_may_look_into_the_records_and_the_gateway_is_not_in_it() -> None:
    assert install.MEMBERS["web"] == ("worker",)
    assert "gateway" not in install.MEMBERS["web"]
    modes = {folder.path: folder.mode & 0o777 for folder in install.folders(Layout())}
    assert modes[Layout().state_of("web")] == 0o770
    assert modes[Layout().state_of("warden")] == 0o700


def test_parents_come_before_children_and_belong_to_root() -> None:
    seen: dict[Path, install.Folder] = {}
    for folder in install.folders(Layout()):
        parent = seen.get(folder.path.parent)
        if parent is not None:
            assert parent.owner == "root", folder.path
        seen[folder.path] = folder


def checkout(folder: Path, text: str) -> Path:
    (folder / "src" / "strongroom" / "__pycache__").mkdir(parents=True, exist_ok=True)
    (folder / "src" / "strongroom" / "__init__.py").write_text(text)
    (folder / "src" / "strongroom" / "__pycache__" / "x.pyc").write_text("no")
    (folder / "deploy").mkdir(exist_ok=True)
    (folder / "deploy" / "run").write_text("#!/bin/sh\n")
    (folder / "deploy" / "run").chmod(0o700)
    (folder / "requirements.lock").write_text("")
    return folder


@pytest.fixture
def layout() -> Iterator[Layout]:
    made = standins.free_layout("in")
    try:
        yield made
    finally:
        install.remove(made)


@pytest.mark.real
def test_made_twice_and_removed_without_a_trace(layout: Layout) -> None:
    for _ in range(2):
        install.make_users(layout)
        install.make_folders(layout)
    for folder in install.folders(layout):
        seen = folder.path.stat()
        assert (seen.st_mode & 0o7777, pwd.getpwuid(seen.st_uid).pw_name, grp.getgrgid(seen.st_gid).gr_name) == (
            folder.mode, folder.owner, folder.group,
        ), folder.path  # fmt: skip
    assert pwd.getpwnam(layout.user("web")).pw_shell == "/usr/sbin/nologin"
    assert layout.user("worker") in grp.getgrnam(layout.user("web")).gr_mem
    layout.state.chmod(0o777)
    install.make_folders(layout)
    assert layout.state.stat().st_mode & 0o777 == 0o755
    install.remove(layout)
    assert not layout.state.exists()
    for part in install.PARTS:
        with pytest.raises(KeyError):
            pwd.getpwnam(layout.user(part))


@pytest.mark.real
def test_code_is_swapped_whole_and_only_when_it_changed(layout: Layout, tmp_path: Path) -> None:
    source = checkout(tmp_path, "one = 1\n")
    assert install.copy_code(layout, source)
    assert not install.copy_code(layout, source)
    first = layout.code.readlink()
    module = layout.code / "src" / "strongroom" / "__init__.py"
    assert module.read_text() == "one = 1\n"
    assert module.stat().st_mode & 0o777 == 0o644
    assert (layout.code / "deploy" / "run").stat().st_mode & 0o777 == 0o755
    assert not (layout.code / "src" / "strongroom" / "__pycache__" / "x.pyc").exists()
    assert install.copy_code(layout, checkout(tmp_path, "two = 2\n"))
    assert module.read_text() == "two = 2\n"
    assert first.is_dir()
    install.forget_old_code(layout)
    assert not first.exists()


@pytest.mark.real
def test_a_link_in_place_of_a_folder_is_refused(layout: Layout, tmp_path: Path) -> None:
    install.make_users(layout)
    layout.state.mkdir(parents=True)
    layout.state_of("web").symlink_to(tmp_path)
    with pytest.raises(install.InstallFailed, match="is a link"):
        install.make_folders(layout)
