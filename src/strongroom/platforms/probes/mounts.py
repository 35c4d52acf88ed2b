"""Compare a mount table with what was asked for; every surplus, every missing or looser mount is a fault."""

from __future__ import annotations

from collections.abc import Sequence

from strongroom.platforms.probes.kernel_view import Row
from strongroom.platforms.probes.model import Mount

FILES = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/run/.containerenv"}
DEVICES = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom", "tty", "console")}
PSEUDO = {"/proc": "proc", "/sys": "sysfs", "/dev": "tmpfs", "/dev/pts": "devpts", "/dev/mqueue": "mqueue"}


def compare(rows: Sequence[Row], asked: Sequence[Mount]) -> list[str]:
    """What is wrong, in plain words; empty if the table is exactly as asked."""
    wanted = {mount.target: mount for mount in asked}
    missing = sorted(set(wanted) - {row.target for row in rows})
    faults = [f"{target} is not mounted" for target in missing]
    for row in rows:
        fault = _asked(row, wanted[row.target]) if row.target in wanted else _usual(row)
        faults += [f"{row.target} {fault}"] if fault else []
        faults += [f"{row.target} passes mounts on to the host"] if row.shared else []
    return faults


def _asked(row: Row, mount: Mount) -> str:
    if row.writable != mount.writable:
        return "is writable" if row.writable else "is read-only, asked writable"
    lax = [flag for flag in ("nosuid", "nodev") if flag not in row.options]
    if lax:
        return f"lacks {', '.join(lax)}"
    if row.kind == "tmpfs" and row.writable:
        if row.size is None:
            return "has no size limit"
        if mount.size is not None and row.size != mount.size:
            return f"has {row.size} bytes, asked {mount.size}"
    return ""


def _usual(row: Row) -> str:
    if row.target == "/":
        return ""  # Judged by the probe root_mount.
    if row.target in PSEUDO:
        right = row.kind == PSEUDO[row.target] and (row.target != "/sys" or not row.writable)
        return "" if right else f"is a {'writable ' if row.writable else ''}{row.kind}"
    if row.target in FILES:
        return "is writable" if row.writable else ""
    if row.target in DEVICES:
        return "" if row.kind in ("devtmpfs", "tmpfs") else f"is a {row.kind}"
    if row.target == "/dev/shm":
        return "" if row.kind == "tmpfs" and row.size is not None else "has no size limit"
    if row.target.startswith("/sys/fs/cgroup"):
        return "is writable" if row.writable and row.kind != "tmpfs" else ""
    if row.target.startswith(("/proc/", "/sys/")):
        covered = row.kind == "devtmpfs" or (row.kind in ("proc", "tmpfs", "sysfs") and not row.writable)
        return "" if covered else f"is a writable {row.kind}"
    return f"({row.kind}) was not asked for"
