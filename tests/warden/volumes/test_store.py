"""Volumes as they really are: images, mounts, keys in the kernel, and what is left on the disk."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

import strongroom
from strongroom.layout import Layout
from strongroom.warden.volumes import (
    UnexpectedEntry,
    UnknownVolume,
    VolumeBusy,
    VolumeClosed,
    VolumeDestroyed,
    VolumeError,
    VolumeExists,
    VolumeFull,
    VolumeLocked,
    VolumeStore,
    fscrypt,
    methods,
    mounting,
)
from tests.proves import proves

pytestmark = pytest.mark.real
MIB = 1 << 20
PATHS = {**os.environ, "PYTHONPATH": str(Path(strongroom.__file__).parents[1])}


def make(store: VolumeStore, volume: str = "v1", kind: str = "data", size: int = 2 * MIB) -> Path:
    return store.create(volume, kind, size, 12345, 0o700)


def raw(store: VolumeStore, volume: str = "v1") -> bytes:
    return (store.layout.volumes / volume / "image").read_bytes()


def test_this_host_encrypts_by_really_doing_it(store: VolumeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.capability() == "fscrypt"
    monkeypatch.setattr(fscrypt, "set_policy", lambda *_: None)
    # Without the policy the canary lies in clear, which the trial notices; LUKS is tried next, and lacks dm-crypt here.
    assert VolumeStore(store.layout).capability() in ("luks", "none")


@proves("control:encrypted_volumes")
def test_a_host_that_cannot_encrypt_is_refused_with_the_way_out(
    store: VolumeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(methods.Fscrypt, "make", lambda *_: (_ for _ in ()).throw(VolumeError("no")))
    monkeypatch.setattr(methods.Luks, "make", lambda *_: (_ for _ in ()).throw(VolumeError("no")))
    with pytest.raises(VolumeError, match=r"Tier 2 or above.*use a kernel"):
        make(store)


def test_created_volume_has_its_owner_mode_and_mount_options(store: VolumeStore) -> None:
    path = make(store)
    assert path == store.layout.mounts / "v1" / "data" == store.path("v1")
    status = path.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12345, 0o700)
    flags = os.statvfs(path).f_flag
    assert flags & os.ST_NOSUID and flags & os.ST_NODEV and flags & os.ST_NOEXEC
    assert not os.statvfs(make(store, "w", "working")).f_flag & os.ST_NOEXEC
    assert fscrypt.policy_key(path) == bytes.fromhex(store.find("v1").key_id)  # type: ignore[union-attr]
    assert make(store) == path
    with pytest.raises(VolumeExists):
        make(store, size=3 * MIB)


@proves("satre:2.8.01", "control:encrypted_volumes")
def test_no_text_and_no_name_lies_in_the_image(store: VolumeStore) -> None:
    text, name = secrets.token_hex(16), f"canary-{secrets.token_hex(16)}"
    path = make(store)
    (path / name).write_text(text * 1000)
    (path / f"{name}-folder").mkdir()
    (path / "link").symlink_to(f"/{name}")
    os.sync()
    for _ in range(2):
        assert text.encode() not in raw(store) and name.encode() not in raw(store)
        store.close("v1")
    assert not path.exists()
    assert (store.open("v1") / name).read_text() == text * 1000


def test_a_locked_volume_opens_again_also_after_a_restart(store: VolumeStore) -> None:
    (make(store) / "a").write_text("kept")
    store.close("v1")
    store.close("v1")
    with pytest.raises(VolumeClosed):
        store.path("v1")
    shutil.rmtree(store.layout.run)  # /run is empty after a restart
    again = VolumeStore(store.layout)
    assert (again.open("v1") / "a").read_text() == "kept"
    assert again.open("v1") == again.path("v1")


def test_a_key_taken_from_the_kernel_is_given_back_by_open(store: VolumeStore) -> None:
    path = make(store)
    (path / "a").write_text("kept")
    fscrypt.remove_key(path.parent, bytes.fromhex(store.find("v1").key_id))  # type: ignore[union-attr]
    with pytest.raises(VolumeClosed):
        store.path("v1")
    assert (store.open("v1") / "a").read_text() == "kept"


def test_wrong_missing_or_swapped_keys_open_nothing(store: VolumeStore) -> None:
    make(store, "v1"), make(store, "v2")
    store.close_all()
    one, two = (store.layout.volumes / volume / "key.json" for volume in ("v1", "v2"))
    kept = one.read_bytes()
    one.write_bytes(two.read_bytes())
    with pytest.raises(VolumeLocked, match="another volume"):
        store.open("v1")
    one.write_bytes(b"{")
    with pytest.raises(VolumeLocked, match="damaged"):
        store.open("v1")
    one.unlink()
    with pytest.raises(VolumeLocked, match="missing"):
        store.open("v1")
    one.write_bytes(store.keys.wrap("v1", os.urandom(64)).dump())
    with pytest.raises(VolumeLocked, match="not the one"):
        store.open("v1")
    one.write_bytes(kept)
    assert store.open("v1").is_dir()


def test_another_volumes_image_is_not_taken(store: VolumeStore) -> None:
    make(store, "v1"), make(store, "v2")
    store.close_all()
    shutil.copyfile(store.layout.volumes / "v2" / "image", store.layout.volumes / "v1" / "image")
    with pytest.raises(VolumeLocked, match="not by its own key"):
        store.open("v1")


def test_the_size_is_a_limit(store: VolumeStore) -> None:
    path = make(store, size=4 * MIB)
    (path / "all").write_bytes(os.urandom(4 * MIB))
    with pytest.raises(OSError) as full:
        (path / "more").write_bytes(bytes(16 * MIB))
    assert full.value.errno == errno.ENOSPC
    with pytest.raises(VolumeFull, match="no room"):
        store.create("huge", "data", 1 << 50, 0, 0o700)
    with pytest.raises(VolumeError, match="at least"):
        store.create("tiny", "data", 1, 0, 0o700)


@pytest.mark.parametrize("volume", ["", "../x", "a/b", "A", "-a", "x" * 64])
def test_ids_are_plain(store: VolumeStore, volume: str) -> None:
    with pytest.raises(UnknownVolume):
        make(store, volume)


def test_a_busy_volume_is_said_to_be_busy_and_all_can_be_closed(store: VolumeStore) -> None:
    path = make(store)
    with (path / "open").open("w"):
        with pytest.raises(VolumeBusy, match="still in use"):
            store.destroy("v1")
        assert store.find("v1").state == "ready"  # type: ignore[union-attr]
        assert store.close_all() == ("v1",)
        assert path.parent not in mounting.mounted()
    assert not mounting.loops_of(store.layout.volumes)


@proves("P105", "satre:3.1.10", "satre:2.8.05")
def test_destroyed_means_that_no_copy_of_anything_opens_it(store: VolumeStore, tmp_path: Path) -> None:
    text = secrets.token_hex(32)
    (make(store) / "secret").write_text(text)
    (make(store, "other") / "kept").write_text("kept")
    store.close("v1")
    backup = tmp_path / "backup"
    shutil.copytree(store.layout.volumes / "v1", backup)
    host_key = (store.keys.directory / "host-1.key").read_bytes()

    made = store.destroy("v1")
    assert (made.id, made.kind, made.method, made.host_key_rotated) == ("v1", "data", "fscrypt", True)
    assert store.destroy("v1") == made
    assert [volume.state for volume in store.list()] == ["ready", "destroyed"]
    assert store.keys.numbers() == [2]
    everywhere = [path.read_bytes() for path in store.layout.state.rglob("*") if path.is_file()]
    assert not any(text.encode() in content or host_key in content for content in everywhere)

    shutil.copytree(backup, store.layout.volumes / "v1", dirs_exist_ok=True)
    with pytest.raises(VolumeLocked, match="host key 1 is gone"):
        store.open("v1")
    assert (store.open("other") / "kept").read_text() == "kept"


def test_a_destroyed_id_is_never_used_again(store: VolumeStore) -> None:
    make(store)
    store.destroy("v1")
    with pytest.raises(VolumeDestroyed):
        make(store)
    with pytest.raises(UnknownVolume):
        store.destroy("never")


def test_destruction_may_be_cut_after_every_step(store: VolumeStore) -> None:
    for name in ("keep1", "keep2"):
        (make(store, name) / "file").write_text(name)
    cuts = 0
    while True:
        volume = f"v{cuts}"
        make(store, volume)
        steps = store.destruction(volume)
        for step in steps[:cuts]:
            step()
        again = VolumeStore(store.layout)  # as a new process would
        if cuts > 1:
            with pytest.raises(VolumeDestroyed):
                again.open(volume)
        done = again.destroy(volume)
        assert done.host_key_rotated and len(again.keys.numbers()) == 1
        assert not (store.layout.volumes / volume / "image").exists()
        assert not (store.layout.volumes / volume / "key.json").exists()
        again.close_all()
        for name in ("keep1", "keep2"):
            assert (again.open(name) / "file").read_text() == name
        cuts += 1
        if cuts > len(steps):
            break


def test_two_destructions_cut_in_the_middle_both_finish(store: VolumeStore) -> None:
    make(store, "a"), make(store, "b")
    (make(store, "kept") / "file").write_text("kept")
    for volume in ("a", "b"):
        for step in store.destruction(volume)[:3]:
            step()
    assert store.destroy("b").host_key_rotated and store.destroy("a").host_key_rotated
    store.close("kept")
    assert (store.open("kept") / "file").read_text() == "kept"


LOOP = """
import sys
import strongroom
from strongroom.layout import Layout
from strongroom.warden.volumes import VolumeStore
store = VolumeStore(Layout(sys.argv[1], 0))
start = int(sys.argv[2])
for number in range(start, start + 50):
    store.create(f"v{number}", "scratch", 1 << 20, 0, 0o700)
    print(number, flush=True)
    store.destroy(f"v{number}")
"""


def test_kill_minus_nine_at_any_moment(store: VolumeStore, layout: Layout) -> None:
    (make(store, "kept") / "file").write_text("kept")
    for run in range(6):
        child = subprocess.Popen(
            [sys.executable, "-c", LOOP, layout.instance, str(run * 50)], stdout=subprocess.PIPE, env=PATHS
        )
        try:
            assert child.stdout and child.stdout.readline()
            deadline = time.monotonic() + secrets.randbelow(400) / 1000
            while time.monotonic() < deadline:
                assert child.poll() is None
        finally:
            child.kill()
            child.wait()
        again = VolumeStore(layout)
        for volume in again.list():
            if volume.id != "kept" and volume.state != "destroyed":
                again.destroy(volume.id)
        assert len(again.keys.numbers()) == 1
        again.close_all()
        assert not mounting.loops_of(layout.volumes)
        assert (again.open("kept") / "file").read_text() == "kept"


def test_a_volume_cut_while_being_made_is_made_again(store: VolumeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store.capability() == "fscrypt"

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    for module, name in ((fscrypt, "add_key"), (fscrypt, "set_policy"), (os, "chown"), (methods, "_format")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(module, name, cut)
            make(store, name.strip("_").replace("_", "-"))
    for volume in store.list():
        assert volume.state == "creating"
        assert make(store, volume.id).is_dir()
        assert store.find(volume.id).state == "ready"  # type: ignore[union-attr]


@proves("P100", "P103")
def test_the_manifest_notices_any_change(store: VolumeStore) -> None:
    path = make(store)
    (path / "b").write_bytes(b"b")
    (path / "folder").mkdir()
    (path / "folder" / "a").write_bytes(b"")
    first = store.sha256_tree("v1")
    assert [(file.name, file.size) for file in first.files] == [("b", 1), ("folder/a", 0)]
    (path / "b").write_bytes(b"c")
    assert store.sha256_tree("v1").digest != first.digest
    (path / "b").write_bytes(b"b")
    assert store.sha256_tree("v1") == first
    (path / "link").symlink_to("b")
    with pytest.raises(UnexpectedEntry, match="link: it is a symbolic link"):
        store.sha256_tree("v1")


def test_copy_compares_and_goes_on_after_a_cut(store: VolumeStore) -> None:
    source, destination = make(store, "a"), make(store, "b", size=3 * MIB)
    (source / "folder").mkdir()
    for name in ("one", "folder/two"):
        (source / name).write_bytes(os.urandom(MIB // 2 + 7))
    (destination / ".copying").write_bytes(b"half")
    shutil.copyfile(source / "one", destination / "one")
    assert store.copy("a", "b") == store.sha256_tree("a") == store.sha256_tree("b")
    assert (destination / "folder" / "two").stat().st_uid == 12345
    assert store.copy("a", "b") == store.sha256_tree("a")
    (destination / "stranger").write_text("x")
    with pytest.raises(VolumeError, match="stranger"):
        store.copy("a", "b")


def test_copy_into_a_smaller_volume_is_refused_cleanly(store: VolumeStore) -> None:
    (make(store, "a", size=40 * MIB) / "big").write_bytes(os.urandom(40 * MIB))
    destination = make(store, "b", size=MIB)
    with pytest.raises(VolumeFull, match="larger volume"):
        store.copy("a", "b")
    assert not list(destination.iterdir())
