"""What must not be written, opened or seen in the file system, tried from inside."""

from __future__ import annotations

import ipaddress
import os
import socket
import stat
from collections.abc import Callable

from strongroom.platforms.probes.inside.core import Answer, Ask, attempts, check, control, scratch

HARMLESS_DEVICES = {"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"}
SECRET_FILES = (
    "/proc/sysrq-trigger",
    "/proc/kcore",
    "/proc/kmsg",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/sched_debug",
)
SOCKETS: tuple[str, ...] = (
    "/run/podman/podman.sock",
    "/run/docker.sock",
    "/var/run/docker.sock",
    "/run/containerd/containerd.sock",
)
SOCKETS += ("/run/dbus/system_bus_socket", "/run/systemd/private", "/run/strongroom", "/run/crio/crio.sock")


def can_write_at_all() -> None:
    """The control of the write checks."""
    with scratch() as place:
        control(os.path.exists(f"{place}/control"), "what was written is not there")


def creating(folder: str, name: str) -> Callable[[], object]:
    def act() -> object:
        path = f"{folder.rstrip('/')}/{name}"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        os.unlink(path)
        return "written"

    return act


def opening(path: str) -> Callable[[], object]:
    return lambda: os.open(path, os.O_WRONLY | os.O_CLOEXEC)


@check("root_writes")
def root_writes(ask: Ask) -> Answer:
    can_write_at_all()
    places = [place for place in ("/", "/usr", "/etc", "/opt", "/var", "/root", "/usr/bin") if os.path.isdir(place)]
    state, said = attempts({place: creating(place, ".probe-" + ask["nonce"]) for place in places})
    writable = [place for place in places if not os.statvfs(place).f_flag & os.ST_RDONLY]
    return ("broken", f"not read-only: {', '.join(writable)}") if writable else (state, said)


@check("data_writes")
def data_writes(ask: Ask) -> Answer:
    can_write_at_all()
    told = {}
    for place in ask["readonly"]:
        control(os.path.isdir(place), f"{place} is not there")
        told[place] = creating(place, ".probe-" + ask["nonce"])
        if not os.statvfs(place).f_flag & os.ST_RDONLY:
            return "broken", f"{place} is mounted for writing"
    return attempts(told)


@check("kernel_settings")
def kernel_settings(ask: Ask) -> Answer:
    can_write_at_all()
    names = ("kernel/hostname", "kernel/core_pattern", "vm/drop_caches", "net/ipv4/ip_forward", "fs/file-max")
    paths = [f"/proc/sys/{name}" for name in names if os.path.exists(f"/proc/sys/{name}")]
    control(paths, "/proc/sys is not there")
    writable = "" if os.statvfs("/proc/sys").f_flag & os.ST_RDONLY else "/proc/sys is mounted for writing; "
    state, said = attempts({path: opening(path) for path in paths})
    return ("broken" if writable else state), writable + said


@check("kernel_files")
def kernel_files(ask: Ask) -> Answer:
    with open("/proc/self/stat", "rb") as own:
        control(own.read(1), "/proc cannot be read")
    told, broken = [], False
    for path in SECRET_FILES:
        try:
            handle = os.open(path, (os.O_WRONLY if "sysrq" in path else os.O_RDONLY) | os.O_NONBLOCK)
        except OSError as error:
            told.append(f"{path}: {os.strerror(error.errno or 0)}")
            continue
        try:
            got = "sysrq" in path or bool(os.read(handle, 64))
        except OSError:
            got = False
        os.close(handle)
        broken = broken or got
        told.append(f"{path}: {'readable' if got else 'empty'}")
    return ("broken" if broken else "holds"), ", ".join(told)


@check("system_tree")
def system_tree(ask: Ask) -> Answer:
    can_write_at_all()
    control(os.path.isdir("/sys/kernel"), "/sys is not there")
    writable = "" if os.statvfs("/sys").f_flag & os.ST_RDONLY else "/sys is mounted for writing; "
    files = ["/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state", "/sys/kernel/uevent_helper"]
    state, said = attempts({path: opening(path) for path in files if os.path.exists(path)})
    return ("broken" if writable else state), writable + said


@check("control_groups")
def control_groups(ask: Ask) -> Answer:
    can_write_at_all()
    with open("/proc/self/mountinfo") as table:
        mounts = [line.split() for line in table]
    groups = [row[4] for row in mounts if row[row.index("-") + 1] in ("cgroup", "cgroup2") and os.path.isdir(row[4])]
    if not groups:
        return "holds", "no control group is mounted"
    writable = [place for place in groups if not os.statvfs(place).f_flag & os.ST_RDONLY]
    state, said = attempts({f"{place}/cgroup.procs": opening(f"{place}/cgroup.procs") for place in groups[:2]})
    return ("broken", f"writable: {', '.join(writable)}") if writable else (state, f"{len(groups)} read-only; {said}")


@check("devices")
def devices(ask: Ask) -> Answer:
    control(stat.S_ISCHR(os.stat("/dev/null").st_mode), "/dev/null is not there")
    odd = []
    for folder, _, names in os.walk("/dev"):
        for name in names:
            mode = os.lstat(f"{folder}/{name}").st_mode
            terminal = folder == "/dev/pts"
            if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not terminal and name not in HARMLESS_DEVICES):
                odd.append(f"{folder}/{name}")
    return ("broken", f"present: {', '.join(odd[:8])}") if odd else ("holds", "only the harmless ones")


@check("loop_devices")
def loop_devices(ask: Ask) -> Answer:
    os.close(os.open("/dev/null", os.O_RDWR))
    paths = ["/dev/loop-control", *(f"/dev/loop{number}" for number in range(8))]
    state, said = attempts({path: lambda path=path: os.close(os.open(path, os.O_RDONLY)) for path in paths})  # type: ignore[misc]
    seen = [path for path in paths if os.path.lexists(path)]
    return ("broken" if seen else state), f"present: {', '.join(seen)}" if seen else "none is there"


@check("host_files")
def host_files(ask: Ask) -> Answer:
    """A file the host has just made must not be found: not directly, not below any mount, not through /proc."""
    with scratch() as own:
        control(os.path.exists(f"/proc/self/root{own}/control"), "/proc/self/root leads nowhere")
    with open("/proc/self/mountinfo") as table:
        places = {line.split()[4] for line in table}
    places |= {f"/proc/{pid}/root" for pid in os.listdir("/proc") if pid.isdigit()} | {"/proc/self/cwd" + "/.." * 12}
    found = [place for place in places if os.path.exists(f"{place.rstrip('/')}{ask['canary']}")]
    return (
        ("broken", f"seen below {', '.join(found)}") if found else ("holds", f"not below any of {len(places)} places")
    )


@check("host_sockets")
def host_sockets(ask: Ask) -> Answer:
    control(os.path.exists("/proc/self"), "/proc is not there")
    found = [path for path in SOCKETS if os.path.exists(path)]
    return (
        ("broken", f"present: {', '.join(found)}")
        if found
        else ("holds", "none of the host's control sockets is there")
    )


def started(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()[19]


@check("host_processes")
def host_processes(ask: Ask) -> Answer:
    """The process that runs the probes on the host must not be here; names prove nothing, as anybody may take one."""
    control(started(os.getpid()), "own process is not in /proc")
    number, when = ask["runner"]
    seen = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    try:
        visible = started(number) == when
    except OSError:
        visible = False
    return (
        ("broken", f"process {number} of the host is visible") if visible else ("holds", f"{len(seen)} processes seen")
    )


@check("host_name")
def host_name(ask: Ask) -> Answer:
    control(socket.gethostname(), "there is no host name")
    told = [socket.gethostname()] if socket.gethostname() == ask["hostname"] else []
    lines: list[list[str]] = []
    if os.path.exists("/etc/hosts"):
        with open("/etc/hosts") as file:
            lines = [line.split("#")[0].split() for line in file]
    for address, *names in filter(None, lines):
        try:
            near = ipaddress.ip_address(address).is_loopback or ipaddress.ip_address(address).is_multicast
        except ValueError:
            near = False
        if ask["hostname"] in names or not (near or address.startswith(("fe00::", "ff00::", "ff02::"))):
            told.append(f"/etc/hosts: {address} {' '.join(names)}")
    return (
        ("broken", "; ".join(told)) if told else ("holds", f"own name {socket.gethostname()}, no address in /etc/hosts")
    )


@check("resolver_address")
def resolver_address(ask: Ask) -> Answer:
    control(os.path.isdir("/etc"), "/etc is not there")
    try:
        with open("/etc/resolv.conf") as file:
            rows = [line.split() for line in file]
    except FileNotFoundError:
        return "holds", "there is no resolver file"
    told = [row[1] for row in rows if row[:1] == ["nameserver"] and not ipaddress.ip_address(row[1]).is_loopback]
    told += [" ".join(row) for row in rows if row[:1] in (["search"], ["domain"]) and row[1:] not in ([], ["."])]
    return ("broken", f"names {', '.join(told)}") if told else ("holds", "names no outside resolver")
