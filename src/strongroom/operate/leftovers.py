"""What an instance has on this machine right now: processes, mounts, loop devices, containers, networks, nft tables."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from strongroom.layout import Layout

PROC = Path("/proc")


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot: with the number it names a process for good."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def sessions_of(leader: int) -> list[int]:
    """Processes of the session that a process began."""
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == leader and fields[0] != "Z":
                    found.append(int(entry.name))
    return found


def kill_session(leader: int) -> None:
    """Kill whoever is left of a session."""
    for pid in sessions_of(leader):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def end(pid: int, since: int | None, seconds: float = 5.0) -> None:
    """End one process, if it is still the one that was recorded: asked first, killed after the given time."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if since is None or start_time(pid) != since:
                return
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            if not select.select([descriptor], [], [], seconds)[0]:
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
                select.select([descriptor], [], [], seconds)
        finally:
            os.close(descriptor)


def end_recorded(status: dict[str, Any]) -> None:
    """End the processes that a supervisor recorded and did not live to stop, in reverse order."""
    for row in reversed(list(status.get("processes", {}).values())):
        pid = row.get("pid")
        if pid and start_time(pid) is not None and start_time(pid) == row.get("start_time"):
            end(pid, row["start_time"])
            kill_session(pid)
        elif pid and start_time(pid) is None:
            kill_session(pid)


def users_processes(layout: Layout) -> list[int]:
    """Processes that run as one of the instance's own users."""
    uids = set()
    for part in ("web", "worker", "identity", "gateway", "deposit"):
        with contextlib.suppress(KeyError):
            uids.add(pwd.getpwnam(layout.user(part)).pw_uid)
    found = []
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                status = (entry / "status").read_text()
                real = int(status.partition("\nUid:")[2].split()[0])
                if real in uids and start_time(int(entry.name)) is not None:
                    found.append(int(entry.name))
    return found


def kill_users_processes(layout: Layout, seconds: float = 10.0) -> None:
    """Kill every process of the instance's users; nobody else runs as them."""
    ends = time.monotonic() + seconds
    while (pids := users_processes(layout)) and time.monotonic() < ends:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def mounts(layout: Layout) -> list[str]:
    """Mount points below the instance's folders."""
    inside = tuple(f"{folder}/" for folder in (layout.run, layout.state))
    lines = (PROC / "self" / "mountinfo").read_text().splitlines()
    return [point for point in (line.split()[4] for line in lines) if point.startswith(inside)]


def _lines(*command: str) -> list[str]:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except FileNotFoundError:
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def find(layout: Layout) -> list[str]:
    """Everything that a stopped instance should not have any more, one line each; an empty list is the good answer."""
    prefix = layout.label("")
    table = prefix.replace("-", "_")
    found = [f"process {pid}" for pid in users_processes(layout)]
    found += [f"mount {point}" for point in mounts(layout)]
    loops = _lines("losetup", "--noheadings", "--list", "--output", "NAME,BACK-FILE")
    found += [f"loop device {line}" for line in loops if f"{layout.state}/" in line]
    found += [
        f"container {line}"
        for line in _lines("podman", "ps", "--all", "--format", "{{.Names}}")
        if line.startswith(prefix)
    ]
    found += [
        f"network {line}"
        for line in _lines("podman", "network", "ls", "--format", "{{.Name}}")
        if line.startswith(prefix)
    ]
    rules = _lines("nft", "list", "tables")
    return found + [f"nft {line}" for line in rules if line.split()[-1].startswith((prefix, table))]
