"""Users, folders and the services' copy of the code; may be run again at any time and changes only what differs."""

from __future__ import annotations

import fcntl
import grp
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from strongroom import site
from strongroom.domain.place import Places, PlacesError
from strongroom.layout import Layout
from strongroom.operate import gateway, virtualenv

PARTS = ("web", "worker", "identity", "gateway", "deposit")
# Who is in whose group. A member may open the other's sockets; the gateway is never a member of web's group, whose
# members may write the records.
MEMBERS = {"identity": ("web", "gateway"), "web": ("worker",)}
COPIED = ("src", "deploy")
LEFT_OUT = ("__pycache__", ".mypy_cache", ".ruff_cache", "*.egg-info")


class InstallFailed(Exception):
    """The installation could not be made; the text says what to do."""


@dataclass(frozen=True)
class Folder:
    """A folder with its one owner, the group that may look in, and its mode."""

    path: Path
    owner: str
    group: str
    mode: int


def folders(layout: Layout) -> tuple[Folder, ...]:
    """Every folder that is made before anything starts, parents first."""
    web, identity = layout.user("web"), layout.user("identity")
    worker, gate = layout.user("worker"), layout.user("gateway")
    return (
        Folder(layout.state.parent, "root", "root", 0o755),
        Folder(layout.state, "root", "root", 0o755),
        # Web and worker share the records' database, and each file in it gets the group of both.
        Folder(layout.state_of("web"), web, web, 0o2770),
        Folder(layout.state_of("worker"), worker, worker, 0o700),
        # Passed through to the one file that the web app reads there.
        Folder(layout.state_of("identity"), identity, identity, 0o711),
        Folder(layout.state_of("warden"), "root", "root", 0o700),
        Folder(layout.state_of("gateway"), "root", "root", 0o755),
        Folder(gateway.storage(layout), gate, gate, 0o700),
        Folder(layout.logs, "root", "root", 0o750),
        Folder(layout.run.parent, "root", "root", 0o755),
        Folder(layout.run, "root", "root", 0o755),
        Folder(layout.web_socket.parent, web, gate, 0o750),
        Folder(layout.identity_socket.parent, identity, identity, 0o750),
        Folder(layout.warden_socket.parent, "root", web, 0o750),
        Folder(layout.entry_socket.parent, "root", gate, 0o750),
        Folder(layout.sessions, "root", gate, 0o750),
        # The receivers' own user passes through to the warden's door there; each socket names who may open it.
        Folder(layout.receivers, "root", gate, 0o711),
        Folder(gateway.caddyfile_path(layout).parent, "root", gate, 0o750),
        Folder(layout.mounts, "root", "root", 0o711),
    )


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise InstallFailed(f"{' '.join(command)} failed: {done.stderr.strip()}")


def make_users(layout: Layout) -> None:
    """System users without a home or a shell, and their memberships."""
    for part in PARTS:
        name = layout.user(part)
        try:
            pwd.getpwnam(name)
        except KeyError:
            options = ("--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent")
            _run("useradd", *options, "--shell", "/usr/sbin/nologin", name)
    for group, members in MEMBERS.items():
        inside = grp.getgrnam(layout.user(group)).gr_mem
        for part in members:
            if layout.user(part) not in inside:
                _run("usermod", "--append", "--groups", layout.user(group), layout.user(part))


def remove_users(layout: Layout) -> None:
    """Remove the users of this instance; their groups go with them."""
    for part in PARTS:
        try:
            pwd.getpwnam(layout.user(part))
        except KeyError:
            continue
        _run("userdel", layout.user(part))
    for part in PARTS:
        try:
            grp.getgrnam(layout.user(part))
        except KeyError:
            continue
        _run("groupdel", layout.user(part))


def make_folders(layout: Layout) -> None:
    """Make each folder, or put right its owner, group and mode."""
    for folder in folders(layout):
        if folder.path.is_symlink():
            raise InstallFailed(f"{folder.path} is a link; remove it, nothing of ours makes links there")
        folder.path.mkdir(parents=True, exist_ok=True)
        os.chown(folder.path, pwd.getpwnam(folder.owner).pw_uid, grp.getgrnam(folder.group).gr_gid)
        folder.path.chmod(folder.mode)
    database = layout.state_of("web") / "web.sqlite3"
    if not database.exists():
        # SQLite gives its helper files the mode of the database; it would make one that the worker cannot write.
        database.touch()
        user = pwd.getpwnam(layout.user("web"))
        os.chown(database, user.pw_uid, user.pw_gid)
        database.chmod(0o660)


def _sources(checkout: Path) -> list[Path]:
    found = []
    for top in COPIED:
        for path in sorted((checkout / top).rglob("*")):
            if path.is_file() and not any(part.match(pattern) for part in _own_parts(path) for pattern in LEFT_OUT):
                found.append(path)
    return found


def _own_parts(path: Path) -> tuple[Path, ...]:
    return tuple(Path(part) for part in path.parts)


def code_digest(checkout: Path) -> str:
    """Digest of what would be copied, and of the lock of the environment that it runs in."""
    digest = hashlib.sha256(virtualenv.digest(checkout / "requirements.lock").encode())
    for path in _sources(checkout):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(checkout)}\0{path.stat().st_mode & 0o111}\0{content}\n".encode())
    return digest.hexdigest()[:16]


def installed_digest(layout: Layout) -> str:
    """Digest of the code that the instance has now; empty when there is none."""
    try:
        return layout.code.readlink().name.rpartition(".")[2]
    except OSError:
        return ""


@contextmanager
def one_at_a_time(layout: Layout) -> Iterator[None]:
    """Only one command at a time changes an instance."""
    layout.code.parent.mkdir(parents=True, exist_ok=True)
    with (layout.code.parent / f".{layout.instance}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def copy_code(layout: Layout, checkout: Path) -> bool:
    """Put the services' own copy of the code in place, all at once; True when it changed.

    The copy lies in a folder named after its digest, and the instance's path is a link to it.
    """
    digest = code_digest(checkout)
    target = layout.code.parent / f"{layout.instance}.{digest}"
    if installed_digest(layout) == digest and target.is_dir():
        return False
    fresh = layout.code.parent / f"{layout.instance}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    before = os.umask(0o022)
    try:
        for path in _sources(checkout):
            copy = fresh / path.relative_to(checkout)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
            copy.chmod(0o755 if path.stat().st_mode & 0o111 else 0o644)
        (fresh / "venv").symlink_to(virtualenv.shared_path(checkout / "requirements.lock"))
        python = str(virtualenv.PYTHON)  # the one that the environment was made from, so of its version
        # The services cannot write here: without this each start would compile everything anew. Programs meant for
        # an environment's own Python may not compile with ours, which is no fault.
        subprocess.run(
            [python, "-m", "compileall", "-q", "-s", str(fresh), "-p", str(layout.code), str(fresh / "src")],
            capture_output=True,
            check=False,
        )
    finally:
        os.umask(before)
    shutil.rmtree(target, ignore_errors=True)
    fresh.rename(target)
    link = layout.code.parent / f"{layout.instance}.link"
    link.unlink(missing_ok=True)
    link.symlink_to(target)
    link.replace(layout.code)
    return True


def forget_old_code(layout: Layout) -> None:
    """Remove copies that are not in use any more."""
    current = layout.code.readlink() if layout.code.is_symlink() else None
    for path in layout.code.parent.glob(f"{layout.instance}.*"):
        if path != current and path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)


def prepare(layout: Layout) -> bool:
    """Users, folders and the gateway's configuration; True when that configuration changed. Runs at each boot."""
    make_users(layout)
    make_folders(layout)
    path = gateway.caddyfile_path(layout)
    text = gateway.caddyfile(layout, _places(layout))
    if path.exists() and path.read_text() == text:
        return False
    path.write_text(text)
    path.chmod(0o640)
    os.chown(path, 0, grp.getgrnam(layout.user("gateway")).gr_gid)
    return True


def _places(layout: Layout) -> Places:
    """The organisation's places; the file of a first start is written where there is none."""
    if not layout.places.exists():
        layout.places.write_text(site.FIRST, encoding="utf-8")
        layout.places.chmod(0o644)
    try:
        return site.read(layout.places)
    except PlacesError as error:
        raise InstallFailed(f"{error}. Mend it, then run `./strongroom up` again.") from error


def install(layout: Layout, checkout: Path) -> bool:
    """All that the processes need before they start; True when running ones would have to be restarted."""
    lock = checkout / "requirements.lock"
    if not virtualenv.is_complete(virtualenv.shared_path(lock), lock):
        raise InstallFailed("the services' virtual environment is missing; start this with ./strongroom, as root")
    new_configuration = prepare(layout)
    return copy_code(layout, checkout) or new_configuration


def remove(layout: Layout) -> None:
    """Remove everything of a stopped instance from this machine: state, code, users."""
    for folder in (layout.state, layout.run):
        shutil.rmtree(folder, ignore_errors=True)
    layout.code.unlink(missing_ok=True)
    forget_old_code(layout)
    (layout.code.parent / f".{layout.instance}.lock").unlink(missing_ok=True)
    remove_users(layout)


if __name__ == "__main__":
    prepare(Layout.current())
