"""What the kernel says of a running process: read from /proc and cgroupfs, not from the engine's records."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
CGROUPS = Path("/sys/fs/cgroup")
CPU_PERIOD = 100_000


@dataclass(frozen=True)
class Mount:
    """One mount point: options of the mount and of the file system, and which folder it really is."""

    path: str
    kind: str
    options: frozenset[str]
    super_options: frozenset[str]
    identity: tuple[int, int] | None

    @property
    def size_kb(self) -> int | None:
        """Size of a tmpfs."""
        for option in self.super_options:
            if found := re.fullmatch(r"size=(\d+)k", option):
                return int(found[1])
        return None


@dataclass(frozen=True)
class Facts:
    """The first process of a container."""

    pid: int
    uid_map: tuple[tuple[int, int, int], ...]
    gid_map: tuple[tuple[int, int, int], ...]
    uid: int
    gid: int
    groups: tuple[int, ...]
    capabilities: int
    no_new_privileges: bool
    seccomp: bool
    core_limit: str
    memory: int
    swap: int | None
    pids: int
    cpu: float
    frozen: bool
    networks: tuple[str, ...]
    namespaces: dict[str, int]
    mounts: dict[str, Mount]


def read(pid: int) -> Facts:
    """Read all facts of one process; OSError when it is gone."""
    folder = PROC / str(pid)
    status = dict(line.split(":\t", 1) for line in (folder / "status").read_text().splitlines() if ":\t" in line)
    groups = _cgroups(folder)
    return Facts(
        pid=pid,
        uid_map=_id_map(folder / "uid_map"),
        gid_map=_id_map(folder / "gid_map"),
        uid=int(status["Uid"].split()[1]),
        gid=int(status["Gid"].split()[1]),
        groups=tuple(int(group) for group in status["Groups"].split()),
        capabilities=int(status["CapBnd"], 16) | int(status["CapEff"], 16) | int(status["CapPrm"], 16),
        no_new_privileges=status["NoNewPrivs"].strip() == "1",
        seccomp=status["Seccomp"].strip() == "2",
        core_limit=_core_limit(folder),
        memory=_memory(groups),
        swap=_swap(groups),
        pids=_pids(groups),
        cpu=_cpu(groups),
        frozen=_frozen(groups),
        networks=_networks(folder),
        namespaces={name: _namespace(pid, name) for name in ("user", "net", "pid", "mnt", "ipc", "uts", "cgroup")},
        mounts=_mounts(folder),
    )


def _namespace(pid: int | str, name: str) -> int:
    return os.stat(PROC / str(pid) / "ns" / name).st_ino


def host_namespaces() -> dict[str, int]:
    """Namespaces of this process, that no container may share."""
    return {name: _namespace("self", name) for name in ("user", "net", "pid", "mnt", "ipc", "uts")}


def _id_map(path: Path) -> tuple[tuple[int, int, int], ...]:
    rows = [tuple(int(part) for part in line.split()) for line in path.read_text().splitlines()]
    return tuple((row[0], row[1], row[2]) for row in rows)


def _core_limit(folder: Path) -> str:
    for line in (folder / "limits").read_text().splitlines():
        if line.startswith("Max core file size"):
            return line.split()[5]
    return "unlimited"


def _networks(folder: Path) -> tuple[str, ...]:
    lines = (folder / "net/dev").read_text().splitlines()[2:]
    return tuple(line.split(":")[0].strip() for line in lines)


def _mounts(folder: Path) -> dict[str, Mount]:
    found = {}
    for line in (folder / "mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _source, super_options) = left.split(), right.split(" ", 2)
        path = fields[4].encode().decode("unicode_escape")
        try:
            seen = os.stat(folder / "root" / path.lstrip("/"))
            identity: tuple[int, int] | None = (seen.st_dev, seen.st_ino)
        except OSError:
            identity = None
        found[path] = Mount(
            path, kind, frozenset(fields[5].split(",")), frozenset(super_options.strip().split(",")), identity
        )
    return found


# Control groups, both generations ---------------------------------------------------------------------------
def _cgroups(folder: Path) -> dict[str, Path]:
    """Controller name (empty for the unified tree) to folder."""
    found = {}
    for line in (folder / "cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            unified = CGROUPS / "unified" if (CGROUPS / "unified").exists() else CGROUPS
            found[""] = unified / path.lstrip("/")
        for controller in filter(None, controllers.split(",")):
            found[controller] = CGROUPS / controllers / path.lstrip("/")
            if not found[controller].exists():
                found[controller] = CGROUPS / controller / path.lstrip("/")
    return found


def _value(groups: dict[str, Path], controller: str, old: str, new: str) -> str:
    path = groups[controller] / old if controller in groups else groups[""] / new
    try:
        return path.read_text().strip()
    except OSError:
        return "max"


def _number(text: str) -> int:
    return -1 if text == "max" or int(text) >= 1 << 60 else int(text)


def _memory(groups: dict[str, Path]) -> int:
    return _number(_value(groups, "memory", "memory.limit_in_bytes", "memory.max"))


def _swap(groups: dict[str, Path]) -> int | None:
    """Bytes of swap allowed; None where the kernel keeps no account of it."""
    if "memory" in groups:
        both = groups["memory"] / "memory.memsw.limit_in_bytes"
        return _number(both.read_text().strip()) - _memory(groups) if both.exists() else None
    path = groups[""] / "memory.swap.max"
    return _number(path.read_text().strip()) if path.exists() else None


def _pids(groups: dict[str, Path]) -> int:
    return _number(_value(groups, "pids", "pids.max", "pids.max"))


def _cpu(groups: dict[str, Path]) -> float:
    if "cpu" in groups:
        quota = _number(_value(groups, "cpu", "cpu.cfs_quota_us", ""))
        period = _number(_value(groups, "cpu", "cpu.cfs_period_us", ""))
        return quota / period if quota > 0 else -1
    quota_text, _, period_text = _value(groups, "", "", "cpu.max").partition(" ")
    return -1 if quota_text == "max" else int(quota_text) / int(period_text or CPU_PERIOD)


def _frozen(groups: dict[str, Path]) -> bool:
    if "freezer" in groups:
        return _value(groups, "freezer", "freezer.state", "") in ("FROZEN", "FREEZING")
    return _value(groups, "", "", "cgroup.freeze") == "1"
