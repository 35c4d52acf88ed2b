"""What a machine can and cannot do for environments, found by trying, said in plain words."""

from __future__ import annotations

import importlib
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from strongroom import site
from strongroom.layout import Layout
from strongroom.operate import packages, supervisor

GIB = 1024**3
TRIAL_PACKAGES = ("e2fsprogs", "mount")
LEAST_MEMORY, LEAST_DISK = 4 * GIB, 8 * GIB


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `needed` ones must be good before environments of Tier 2 and above may run."""

    name: str
    good: bool
    words: str
    needed: bool = False


def _packages(layout: Layout) -> Finding:
    gone = packages.missing(packages.RUN)
    words = f"missing: {', '.join(gone)}; ./strongroom up installs them" if gone else "all installed"
    return Finding("Debian packages", not gone, words)


def _encryption(layout: Layout) -> Finding:
    name = "Encrypted volumes"
    if os.geteuid() != 0:
        return Finding(name, False, "only root can try this: run sudo ./strongroom doctor", needed=True)
    if packages.missing(TRIAL_PACKAGES):
        words = f"cannot be tried before {' and '.join(TRIAL_PACKAGES)} are installed: ./strongroom up does that"
        return Finding(name, False, words, needed=True)
    method = importlib.import_module("strongroom.warden.volumes").VolumeStore(layout).capability()
    if method == "none":
        return Finding(name, False, "neither fscrypt nor LUKS works here: both were tried on a small volume", needed=True)
    return Finding(name, True, f"{method}: a small volume was made, locked and looked through for its text", needed=True)


def _sandbox(layout: Layout) -> Finding:
    runsc = shutil.which("runsc")
    if not runsc:
        return Finding("gVisor", False, "runsc is not installed; environments share the host's kernel, and say so")
    done = subprocess.run([runsc, "--version"], capture_output=True, text=True, check=False)
    first = done.stdout.splitlines()[0] if done.stdout else "does not start"
    return Finding("gVisor", done.returncode == 0, first)


def cgroup_version(root: Path = Path("/sys/fs/cgroup")) -> int:
    """2 for the unified hierarchy, 1 for the older one."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def _cgroups(layout: Layout) -> Finding:
    version = cgroup_version()
    words = f"version {version}" + ("" if version == 2 else "; limits hold, but per-environment pressure is not shown")
    return Finding("Control groups", True, words)


def memory(meminfo: str) -> dict[str, int]:
    """The lines of /proc/meminfo in bytes."""
    rows = (line.split() for line in meminfo.splitlines() if line.strip())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows}


def _memory(layout: Layout) -> Finding:
    total = memory(Path("/proc/meminfo").read_text())["MemTotal"]
    enough = total >= LEAST_MEMORY
    words = f"{total / GIB:.1f} GiB" + ("" if enough else f"; environments need a machine with {LEAST_MEMORY // GIB} GiB")
    return Finding("Memory", enough, words)


def _disk(layout: Layout) -> Finding:
    folder = layout.state
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    enough = free >= LEAST_DISK
    words = f"{free / GIB:.1f} GiB free for {layout.state}"
    return Finding("Disk", enough, words + ("" if enough else f"; {LEAST_DISK // GIB} GiB are needed for a first project"))


def plain_swaps(swaps: str, is_encrypted: Callable[[str], bool]) -> list[str]:
    """Swap areas of /proc/swaps that would keep data in plain form; those in memory (zram) keep none."""
    names = [line.split()[0] for line in swaps.splitlines()[1:] if line.strip()]
    return [name for name in names if not name.startswith("/dev/zram") and not is_encrypted(name)]


def _is_crypt(device: str) -> bool:
    done = subprocess.run(["lsblk", "--noheadings", "--output", "TYPE", device], capture_output=True, text=True, check=False)
    return done.returncode == 0 and "crypt" in done.stdout.split()


def _swap(layout: Layout) -> Finding:
    plain = plain_swaps(Path("/proc/swaps").read_text(), _is_crypt)
    words = f"{', '.join(plain)} would keep data in plain form: swapoff, or encrypt it" if plain else "none in plain form"
    return Finding("Swap", not plain, words, needed=True)


def core_pattern_finding(pattern: str) -> Finding:
    """A pattern that pipes crashes to a program carries memory out of an environment."""
    piped = pattern.startswith("|")
    words = (
        f"crashes are piped to {pattern[1:].split()[0]}: set kernel.core_pattern=core with sysctl"
        if piped
        else f"'{pattern}' stays inside the environment"
    )
    return Finding("Core dumps", not piped, words, needed=True)


def _core_pattern(layout: Layout) -> Finding:
    return core_pattern_finding(Path("/proc/sys/kernel/core_pattern").read_text().strip())


def _ports(layout: Layout) -> Finding:
    if supervisor.is_running(layout):
        return Finding("Ports", True, f"{layout.port} and {layout.outside_port} are this installation's own")
    taken = []
    for port in (layout.port, layout.outside_port):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(str(port))
    words = f"taken: {', '.join(taken)}; choose others with --port" if taken else f"{layout.port} and {layout.outside_port} free"
    return Finding("Ports", not taken, words)


def _places(layout: Layout) -> Finding:
    found = site.read(layout.places)
    ranges = f"{len(found.institutional)} institutional and {len(found.restricted)} restricted ranges"
    words = f"{ranges}, {len(found.spaces)} rooms: {layout.places}"
    return Finding("Networks and rooms", bool(found.inside), words)


LOOKS: tuple[Callable[[Layout], Finding], ...] = (
    _packages,
    _encryption,
    _sandbox,
    _cgroups,
    _memory,
    _disk,
    _swap,
    _core_pattern,
    _ports,
    _places,
)


def examine(layout: Layout) -> list[Finding]:
    """Look at everything; a look that fails is a bad finding, not the end of the others."""
    found = []
    for look in LOOKS:
        try:
            found.append(look(layout))
        except (OSError, subprocess.SubprocessError, ValueError, KeyError) as problem:
            found.append(Finding(look.__name__.strip("_"), False, f"could not be looked at: {problem}"))
    return found


def told(findings: list[Finding]) -> str:
    """The findings as lines of text, and what follows from them."""
    lines = [f"{'yes' if finding.good else 'NO ':4} {finding.name}: {finding.words}" for finding in findings]
    against = [finding.name for finding in findings if finding.needed and not finding.good]
    verdict = (
        f"Environments of Tier 2 and above are refused here until this is mended: {', '.join(against)}."
        if against
        else "Environments of every tier up to 3 can run here."
    )
    return "\n".join([*lines, "", verdict])
