"""Freezing an output folder that its owner changes, hides things in, or fills without end."""

from __future__ import annotations

import os
import socket
import threading
import unicodedata
from pathlib import Path

import pytest

from strongroom.deposit.manifest import Manifest
from strongroom.warden.volumes import VolumeError, tree
from strongroom.warden.volumes.freeze import Frozen, Limits, freeze
from tests.proves import proves


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "output"
    folder.mkdir()
    return folder


def reasons(frozen: Frozen) -> dict[str, str]:
    return {entry.name: entry.reason for entry in frozen.refused}


def test_plain_files_are_copied_with_their_hash_and_made_read_only(source: Path, tmp_path: Path) -> None:
    (source / "table.csv").write_text("a,b\n")
    (source / "figures").mkdir()
    (source / "figures" / "one.png").write_bytes(b"png")
    target = tmp_path / "requests" / "r1"
    frozen = freeze(source, target)
    assert [(file.name, file.size) for file in frozen.files] == [("figures/one.png", 3), ("table.csv", 4)]
    assert not frozen.refused
    assert tree.manifest(target) == Manifest.of(frozen.files)
    assert frozen.digest == tree.manifest(source).digest
    assert oct((target / "table.csv").stat().st_mode & 0o777) == "0o400"
    with pytest.raises(VolumeError, match="frozen already"):
        freeze(source, target)


@proves("satre:3.1.12")
def test_nothing_but_plain_files_leaves(source: Path, tmp_path: Path) -> None:
    (source / "good.txt").write_text("good")
    (source / "passwd").symlink_to("/etc/passwd")
    (source / "etc").symlink_to("/etc")
    (source / "hard").write_text("x")
    os.link(source / "hard", tmp_path / "second-name")
    os.mkfifo(source / "pipe")
    (source / ".hidden").write_text("x")
    (source / "new\nline").write_text("x")
    (source / "back\\slash").write_text("x")
    (source / "rtl\u202egnp.exe").write_text("x")
    (source / ("x" * 201)).write_text("x")
    with open(os.fsencode(source) + b"/\xff", "wb"):
        pass
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(source / "socket"))
        frozen = freeze(source, tmp_path / "frozen")
    assert [file.name for file in frozen.files] == ["good.txt"]
    assert [path.name for path in (tmp_path / "frozen").rglob("*")] == ["good.txt"]
    why = reasons(frozen)
    assert "symbolic link" in why["passwd"] and "symbolic link" in why["etc"]
    assert "hard link" in why["hard"] and "pipe" in why["pipe"] and "socket" in why["socket"]
    assert "dot" in why[".hidden"] and "U+202E" in why["rtl\u202egnp.exe"] and "path" in why["back\\slash"]
    assert "UTF-8" in why["\\udcff"] and "longer" in why["x" * 201] and "U+000A" in why["new\nline"]


@pytest.mark.real
def test_devices_are_refused(source: Path, tmp_path: Path) -> None:
    os.mknod(source / "zero", 0o020666, os.makedev(1, 5))
    assert "device" in reasons(freeze(source, tmp_path / "frozen"))["zero"]


def test_names_are_composed_and_collisions_refused(source: Path, tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        (source / unicodedata.normalize(form, "é.txt")).write_text(form)
    frozen = freeze(source, tmp_path / "frozen")
    assert [file.name for file in frozen.files] == ["\u00e9.txt"]
    assert "same name" in frozen.refused[0].reason


def test_depth_count_and_sizes_are_bounded(source: Path, tmp_path: Path) -> None:
    deep = source / "a" / "b" / "c"
    deep.mkdir(parents=True)
    (deep / "kept").write_text("x")
    (deep / "d").mkdir()
    (deep / "d" / "lost").write_text("x")
    with (source / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    for number in range(5):
        (source / f"n{number}").write_bytes(bytes(300))
    frozen = freeze(source, tmp_path / "frozen", Limits(files=4, file_bytes=1000, total_bytes=800))
    assert [file.name for file in frozen.files] == ["a/b/c/kept", "n0", "n1"]
    assert "deeper" in reasons(frozen)["a/b/c/d"] and "too large" in reasons(frozen)["sparse"]
    assert "too large" in reasons(frozen)["n2"]
    many = freeze(source, tmp_path / "many", Limits(files=2))
    assert len(many.files) == 2 and "more than 2 files" in reasons(many)["n4"]


def test_a_folder_of_endless_entries_is_cut_off(source: Path, tmp_path: Path) -> None:
    for number in range(60):
        (source / f"n{number}").touch()
    frozen = freeze(source, tmp_path / "frozen", Limits(entries=20))
    assert len(frozen.files) == 20 and "more than 20 entries" in frozen.refused[0].reason


def test_a_file_that_grows_without_end_is_cut_off(source: Path, tmp_path: Path) -> None:
    growing, stop = source / "log", threading.Event()

    def grow() -> None:
        with growing.open("wb") as file:
            while not stop.is_set() and file.tell() < 64 << 20:
                file.write(bytes(1 << 16))

    (source / "a").write_text("a")
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        while not growing.exists() or growing.stat().st_size < 1 << 20:
            assert thread.is_alive()
        frozen = freeze(source, tmp_path / "frozen", Limits(file_bytes=8 << 20))
    finally:
        stop.set()
        thread.join()
    assert all(file.name == "a" or file.size <= 8 << 20 for file in frozen.files)
    assert {file.name for file in frozen.files} | set(reasons(frozen)) == {"a", "log"}


def test_a_source_that_is_a_link_is_refused(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(VolumeError, match="symbolic link"):
        freeze(tmp_path / "link", tmp_path / "frozen")
    assert not list(tmp_path.glob("frozen*"))


def test_a_half_made_copy_is_made_anew(source: Path, tmp_path: Path) -> None:
    (source / "a").write_text("a")
    (tmp_path / "frozen.partial").mkdir()
    (tmp_path / "frozen.partial" / "stranger").write_text("x")
    assert [file.name for file in freeze(source, tmp_path / "frozen").files] == ["a"]
    assert [path.name for path in (tmp_path / "frozen").iterdir()] == ["a"]


@pytest.mark.real
def test_swapping_names_while_we_copy_gains_nothing(source: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("SECRET")
    (source / "file").write_text("honest")
    (source / "folder").mkdir()
    (source / "folder" / "file").write_text("honest")
    stop, swaps = threading.Event(), 0

    def swap() -> None:
        nonlocal swaps
        (source / "evil").symlink_to(secret / "file")
        (tmp_path / "evil-folder").symlink_to(secret)
        (tmp_path / "good").write_text("honest")
        while not stop.is_set():
            os.rename(source / "file", tmp_path / "held")
            os.symlink(secret / "file", source / "file")
            os.unlink(source / "file")
            os.rename(tmp_path / "held", source / "file")
            os.rename(source / "folder", tmp_path / "held-folder")
            os.rename(tmp_path / "evil-folder", source / "folder")
            os.rename(source / "folder", tmp_path / "evil-folder")
            os.rename(tmp_path / "held-folder", source / "folder")
            swaps += 1

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        refused = 0
        for number in range(300):
            frozen = freeze(source, tmp_path / f"frozen{number}")
            refused += len(frozen.refused)
            for file in frozen.files:
                assert (tmp_path / f"frozen{number}" / file.name).read_text() == "honest"
    finally:
        stop.set()
        thread.join()
    assert swaps > 100 and refused > 300  # "evil" each time, and some of the others
