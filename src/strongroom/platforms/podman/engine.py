"""Runs podman with a configuration of our own, fitted to what this host's kernel offers; never touches the host's."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from strongroom.layout import Layout

UNIFIED = Path("/sys/fs/cgroup/cgroup.controllers")
OPEN_FILES = 20_000
PROCESSES = 8_192


class PodmanError(RuntimeError):
    """A podman command failed; the text is what it said."""


def host_folder() -> Path:
    """Folder shared by all instances of this host (images and the engine's configuration are shared)."""
    folder = Layout().run.parent
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    return folder


def unified_cgroups() -> bool:
    """Whether the host has cgroup v2 only (crun refuses the older and the mixed layout)."""
    return UNIFIED.exists()


def runtime() -> str:
    """The container runtime that works with this host's cgroups."""
    wanted = ("crun", "runc") if unified_cgroups() else ("runc",)
    for name in wanted:
        if shutil.which(name):
            return name
    raise PodmanError(f"No container runtime: install the Debian package {wanted[0]}.")


def _limit(kind: int, wanted: int) -> int:
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(hard, wanted)


def default_limits() -> dict[str, int]:
    """Resource limits that every container gets; never above the host's hard limit, which podman may not raise."""
    return {
        "nofile": _limit(resource.RLIMIT_NOFILE, OPEN_FILES),
        "nproc": _limit(resource.RLIMIT_NPROC, PROCESSES),
        "core": 0,
    }


def configuration() -> str:
    """Text of our containers.conf."""
    limits = ", ".join(f'"{name}={value}:{value}"' for name, value in default_limits().items())
    return (
        "[containers]\n"
        f"default_ulimits = [{limits}]\n"
        'log_driver = "none"\n'
        "[engine]\n"
        f'runtime = "{runtime()}"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "none"\n'
    )


@lru_cache(maxsize=1)
def configuration_file() -> Path:
    """Write the configuration (atomically, as several instances may) and return its path."""
    text = configuration()
    # Named by its content: processes of this host may have been started under different limits.
    path = host_folder() / f"containers-{hashlib.sha256(text.encode()).hexdigest()[:12]}.conf"
    if not path.exists():
        fresh = path.with_suffix(f".{os.getpid()}")
        fresh.write_text(text)
        fresh.replace(path)
    return path


def environ() -> dict[str, str]:
    """Environment of every podman process."""
    path = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
    return {"PATH": path, "HOME": os.environ.get("HOME", "/root"), "CONTAINERS_CONF": str(configuration_file())}


def podman(*arguments: str, stdin: bytes | None = None, timeout: float = 120) -> bytes:
    """Run one podman command and return what it printed; PodmanError with its own words if it failed."""
    done = _run(arguments, stdin, timeout)
    if done.returncode:
        raise PodmanError(f"podman {' '.join(arguments[:2])}: {said(done.stderr)}")
    return done.stdout


def succeeds(*arguments: str) -> bool:
    """Whether a podman command ends well (``pod exists``, ``image exists``)."""
    return _run(arguments, None, 60).returncode == 0


def said(stderr: bytes) -> str:
    """The last words of a failed command."""
    return stderr.decode(errors="replace").strip()[-2000:] or "failed without a word"


def _run(arguments: Sequence[str], stdin: bytes | None, timeout: float) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["podman", *arguments],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            timeout=timeout,
            env=environ(),
            check=False,
        )
    except FileNotFoundError:
        raise PodmanError("podman is not installed: install the Debian package podman.") from None
    except subprocess.TimeoutExpired:
        raise PodmanError(f"podman {' '.join(arguments[:2])} did not end within {timeout:.0f} seconds.") from None
