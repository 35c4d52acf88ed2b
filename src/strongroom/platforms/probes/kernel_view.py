"""What the host's kernel says about the processes of a pod: read from /proc and the control groups, never from Podman."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")
NAMESPACES = ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup")
LISTEN = "0A"
UNLIMITED = 1 << 60


@dataclass(frozen=True)
class Row:
    """One line of a mount table."""

    target: str
    options: frozenset[str]
    shared: bool
    kind: str
    source: str
    detail: frozenset[str]

    @property
    def writable(self) -> bool:
        return "ro" not in self.options

    @property
    def size(self) -> int | None:
        """Size of a tmpfs in bytes; None where the kernel states none."""
        for part in self.detail:
            if part.startswith("size="):
                text = part[5:]
                unit = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1].lower(), 1)
                return int(text.rstrip("kmgKMG")) * unit
        return None


def mounts(pid: int) -> list[Row]:
    """The mount table a process sees."""
    rows = []
    for line in (PROC / str(pid) / "mountinfo").read_text().splitlines():
        parts = line.split()
        dash = parts.index("-")
        shared = any(tag.startswith("shared:") for tag in parts[6:dash])
        kind, source, detail = parts[dash + 1], parts[dash + 2], parts[dash + 3]
        target = parts[4].encode().decode("unicode_escape")
        rows.append(Row(target, frozenset(parts[5].split(",")), shared, kind, source, frozenset(detail.split(","))))
    return rows


def status(pid: int) -> dict[str, str]:
    """Fields of /proc/PID/status."""
    lines = (PROC / str(pid) / "status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def namespace(pid: int, kind: str) -> str:
    """Identity of a namespace of a process."""
    return os.readlink(PROC / str(pid) / "ns" / kind)


def hosts_namespaces(kind: str) -> set[str]:
    """Namespaces of this process and, where it may be looked at, of the host's first process."""
    found = {namespace(os.getpid(), kind)}
    with suppress(OSError):
        found.add(namespace(1, kind))
    return found


def started(pid: int) -> str:
    """When a process started, in ticks since the host did; with its number it tells it from all others."""
    return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[19]


def pids() -> Iterator[int]:
    """Every process of the host."""
    return (int(name) for name in os.listdir(PROC) if name.isdigit())


def processes_in(pid_namespaces: set[str]) -> list[int]:
    """Processes inside any of the given process namespaces."""
    found = []
    for pid in pids():
        try:
            if namespace(pid, "pid") in pid_namespaces:
                found.append(pid)
        except OSError:  # It ended meanwhile.
            continue
    return found


def _of_process(pid: int, name: str) -> bytes:
    """A file of a process; nothing when it has ended meanwhile."""
    try:
        return (PROC / str(pid) / name).read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def environment(pid: int) -> list[str]:
    """Variables a process was started with, as NAME=value."""
    raw = _of_process(pid, "environ")
    return [item.decode(errors="replace") for item in raw.split(b"\0") if item]


def command(pid: int) -> list[str]:
    """Command line of a process."""
    raw = _of_process(pid, "cmdline")
    return [item.decode(errors="replace") for item in raw.rstrip(b"\0").split(b"\0") if raw]


def devices(pid: int) -> list[str]:
    """Network devices in the process's network namespace."""
    lines = (PROC / str(pid) / "net/dev").read_text().splitlines()[2:]
    return [line.split(":")[0].strip() for line in lines]


def routes(pid: int) -> list[str]:
    """Devices other than loopback that routes lead over."""
    found = [line.split()[0] for line in (PROC / str(pid) / "net/route").read_text().splitlines()[1:]]
    table = PROC / str(pid) / "net/ipv6_route"
    found += [line.split()[-1] for line in table.read_text().splitlines()] if table.exists() else []
    return sorted({device for device in found if device != "lo"})


@dataclass(frozen=True)
class Listener:
    """A socket that waits for others."""

    address: str
    port: int

    @property
    def near(self) -> bool:
        return self.address.startswith("127.") or self.address in ("::1", "::ffff:127.0.0.1")


def listeners(pid: int | str) -> list[Listener]:
    """TCP sockets that listen in the process's network namespace."""
    found = []
    for name, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        path = PROC / str(pid) / "net" / name
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            parts = line.split()
            if parts[3] == LISTEN:
                raw, port = parts[1].split(":")
                found.append(Listener(_address(raw, family), int(port, 16)))
    return found


def _address(raw: str, family: int) -> str:
    data = bytes.fromhex(raw)
    words = b"".join(data[start : start + 4][::-1] for start in range(0, len(data), 4))
    return socket.inet_ntop(family, words)


def limit(pid: int, controller: str, old: str, new: str) -> int:
    """The strictest limit on the way up from a process's control group, in either version of control groups."""
    strictest = UNLIMITED
    for line in (PROC / str(pid) / "cgroup").read_text().splitlines():
        number, names, path = line.split(":", 2)
        if controller in names.split(","):
            base, name = GROUPS / controller, old
        elif number == "0":
            base, name = GROUPS, new
        else:
            continue
        folder = base / path.lstrip("/")
        while folder != base and base in folder.parents:
            file = folder / name
            text = file.read_text().strip() if file.exists() else "max"
            strictest = min(strictest, UNLIMITED if text == "max" else int(text))
            folder = folder.parent
    return strictest


def map_of(pid: int, kind: str) -> list[tuple[int, int, int]]:
    """``uid`` or ``gid`` map of a process: (inside, outside, length)."""
    rows = [line.split() for line in (PROC / str(pid) / f"{kind}_map").read_text().splitlines()]
    return [(int(inside), int(outside), int(length)) for inside, outside, length in rows]


def swaps() -> list[str]:
    """Swap areas that write memory out unencrypted."""
    found = []
    for line in (PROC / "swaps").read_text().splitlines()[1:]:
        device = Path(line.split()[0])
        kept = Path(f"/sys/class/block/{device.resolve().name}")
        uuid, backing = kept / "dm/uuid", kept / "backing_dev"
        encrypted = uuid.exists() and uuid.read_text().startswith("CRYPT-")
        memory = device.name.startswith("zram") and (not backing.exists() or backing.read_text().strip() == "none")
        if not (encrypted or memory):
            found.append(str(device))
    return found


def core_pattern() -> str:
    return (PROC / "sys/kernel/core_pattern").read_text().strip()
