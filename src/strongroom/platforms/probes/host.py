"""The probes on the host's side: each compares what the kernel says of the pod with what was asked for."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from strongroom.platforms.probes import kernel_view as kernel
from strongroom.platforms.probes.canary import host_addresses
from strongroom.platforms.probes.model import PodView
from strongroom.platforms.probes.mounts import compare
from strongroom.platforms.probes.vantage import Vantage

Answer = tuple[str, str]
CHECKS: dict[str, Callable[[Sight], Answer]] = {}
SECRET = re.compile(r"(token|secret|passw|api_?key|private_?key|credential|cookie|_proxy$)", re.IGNORECASE)
CLIPBOARD = ("-noclipboard", "-SendCutText=0", "-AcceptCutText=0", "-SendPrimary=0", "-SetPrimary=0")
XVNC = ("Xvnc", "Xtigervnc")


@dataclass(frozen=True)
class Sight:
    """The pod as seen from the host: first process of each role, the pod's own, what Podman was told, logs, vantages."""

    pod: PodView
    first: Mapping[str, int]
    keeper: int
    told: Mapping[str, Mapping[str, Any]]
    logs: tuple[str, ...]
    vantages: Sequence[Vantage]

    @property
    def pid_namespaces(self) -> set[str]:
        return {kernel.namespace(pid, "pid") for pid in self.first.values()}

    @property
    def any_pid(self) -> int:
        return next(iter(self.first.values()))


def check(name: str) -> Callable[[Callable[[Sight], Answer]], Callable[[Sight], Answer]]:
    """Register a check under the id of its probe."""

    def register(function: Callable[[Sight], Answer]) -> Callable[[Sight], Answer]:
        CHECKS[name] = function
        return function

    return register


def verdict(faults: Sequence[str], fine: str) -> Answer:
    """Broken with at most five faults told, or holds."""
    more = f" and {len(faults) - 5} more" if len(faults) > 5 else ""
    return ("broken", "; ".join(faults[:5]) + more) if faults else ("holds", fine)


@check("witness")
def witness(sight: Sight) -> Answer:
    """Find each answering process: right user, right container, filtered, listening where it said."""
    faults, found = [], 0
    heard = {listener.port for pid in sight.first.values() for listener in kernel.listeners(pid) if listener.near}
    silent = [vantage.name for vantage in sight.vantages if not vantage.hello]
    for vantage in sight.vantages:
        if not vantage.hello:
            continue
        inside = (str(vantage.hello["pid"]), str(sight.pod.expected.uid_base + vantage.uid))
        processes = kernel.processes_in({kernel.namespace(sight.first[vantage.role], "pid")})
        matching = [pid for pid in processes if _is(pid, *inside)]
        if len(matching) != 1 or vantage.hello["port"] not in heard or vantage.hello["uid"] != vantage.uid:
            faults.append(f"{vantage.name}: what answered is not the process that was started")
        found += len(matching)
    if faults or not silent:
        return verdict(faults, f"{found} answering processes seen, each with its listener and its own host user")
    return "unknown", f"no answer from {', '.join(silent)}"


def _is(pid: int, number: str, user: str) -> bool:
    try:
        fields = kernel.status(pid)
    except OSError:  # It ended meanwhile.
        return False
    return fields["NSpid"].split()[-1] == number and fields["Uid"].split()[0] == user


@check("user_mapping")
def user_mapping(sight: Sight) -> Answer:
    base, size = sight.pod.expected.uid_base, sight.pod.expected.uid_size
    faults = ["the range includes users of the host"] if base < 65536 else []
    for role, pid in sight.first.items():
        for kind in ("uid", "gid"):
            if kernel.map_of(pid, kind) != [(0, base, size)]:
                faults.append(f"{role}: {kind} map is {kernel.map_of(pid, kind)}")
    inside = set(kernel.processes_in(sight.pid_namespaces))
    for pid in kernel.pids():
        try:
            user = int(kernel.status(pid)["Uid"].split()[0])
            mapped = kernel.map_of(pid, "uid")
        except OSError:
            continue
        if base <= user < base + size and pid not in inside and mapped != [(0, base, size)]:
            faults.append(f"host process {pid} has user {user} of this range")
    return verdict(faults, f"0 to {size - 1} inside are {base} to {base + size - 1} on the host, nobody else's")


@check("namespaces")
def namespaces(sight: Sight) -> Answer:
    faults = []
    own: dict[str, set[str]] = {kind: set() for kind in kernel.NAMESPACES}
    for role, pid in sight.first.items():
        for kind in kernel.NAMESPACES:
            name = kernel.namespace(pid, kind)
            if name in kernel.hosts_namespaces(kind):
                faults.append(f"{role}: {kind} namespace is the host's")
            own[kind].add(name)
    faults += [f"containers share one {kind} namespace" for kind in ("pid", "mnt") if len(own[kind]) < len(sight.first)]
    for pid in kernel.pids():
        try:
            place = kernel.namespace(pid, "pid")
            shared = [kind for kind in ("net", "ipc", "user", "mnt") if kernel.namespace(pid, kind) in own[kind]]
        except OSError:
            continue
        if shared and place not in own["pid"] and pid != sight.keeper:
            faults.append(f"process {pid} of elsewhere shares {', '.join(shared)}")
    return verdict(faults, f"own {', '.join(kernel.NAMESPACES)}; shared with nothing outside the pod")


@check("process_rights")
def process_rights(sight: Sight) -> Answer:
    """A process just being put into the container still has its starter's rights, so faults are looked at again."""
    bad: dict[int, str] = {}
    for attempt in range(6):
        seen = kernel.processes_in(sight.pid_namespaces)
        found = {pid: fault for pid in seen if (fault := _rights(pid))}
        bad = {pid: fault for pid, fault in found.items() if attempt == 0 or pid in bad}
        if not bad:
            return "holds", f"{len(seen)} processes, none with capabilities, all filtered"
        time.sleep(0.1)
    return verdict(list(bad.values()), "")


def _rights(pid: int) -> str:
    try:
        fields = kernel.status(pid)
    except OSError:
        return ""
    held = [name for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb") if int(fields[name], 16)]
    held += [] if fields["NoNewPrivs"] == "1" else ["may gain rights"]
    held += [] if fields["Seccomp"] == "2" else ["no system call filter"]
    return f"{fields['Name']}: {', '.join(held)}" if held else ""


@check("interfaces")
def interfaces(sight: Sight) -> Answer:
    seen = {role: kernel.devices(pid) for role, pid in sight.first.items()}
    return verdict([f"{role}: {', '.join(names)}" for role, names in seen.items() if names != ["lo"]], "only lo")


@check("routes")
def routes(sight: Sight) -> Answer:
    seen = {role: kernel.routes(pid) for role, pid in sight.first.items()}
    return verdict([f"{role}: over {', '.join(names)}" for role, names in seen.items() if names], "none but loopback")


@check("listeners")
def listeners(sight: Sight) -> Answer:
    faults, count = [], 0
    for role, pid in sight.first.items():
        alone = kernel.devices(pid) == ["lo"]
        heard = kernel.listeners(pid)
        count += len(heard)
        faults += [f"{role}: {one.address} port {one.port}" for one in heard if not (one.near or alone)]
    if not count:
        return "unknown", "not even our own listeners are seen"
    return verdict(faults, f"{count} seen, none can be reached from another machine")


@check("reachable_from_host")
def reachable_from_host(sight: Sight) -> Answer:
    ports = {listener.port for pid in sight.first.values() for listener in kernel.listeners(pid)}
    if not ports:
        return "unknown", "not even our own listeners are seen"
    taken = {listener.port for listener in kernel.listeners("self")}
    published = [f"{role} publishes ports" for role, facts in sight.told.items() if _published(facts)]
    addresses = ["127.0.0.1", *(address for _, address in host_addresses() if not address.startswith("fe80"))]
    for address in addresses:
        for port in sorted(ports - taken)[:32]:
            try:
                socket.create_connection((address, port), 0.2).close()
            except OSError:
                continue
            published.append(f"{address} port {port} answers")
    return verdict(
        published, f"{len(ports)} ports listen inside, none answers at {len(addresses)} addresses of the host"
    )


def _published(facts: Mapping[str, Any]) -> bool:
    ports = (facts.get("NetworkSettings") or {}).get("Ports") or {}
    return any(ports.values()) or any(((facts.get("HostConfig") or {}).get("PortBindings") or {}).values())


@check("root_mount")
def root_mount(sight: Sight) -> Answer:
    faults = []
    for role, pid in sight.first.items():
        if [row.writable for row in kernel.mounts(pid) if row.target == "/"][-1:] != [False]:
            faults.append(f"{role}: writable")
    return verdict(faults, "ro")


@check("mounts")
def mounts(sight: Sight) -> Answer:
    faults: list[str] = []
    for role, pid in sight.first.items():
        faults += [f"{role}: {fault}" for fault in compare(kernel.mounts(pid), sight.pod.expected.roles[role].mounts)]
    return verdict(faults, "exactly the expected ones, with the expected modes and sizes")


@check("memory_limit")
def memory_limit(sight: Sight) -> Answer:
    return _limits(sight, "memory", "memory.limit_in_bytes", "memory.max", os.sysconf("SC_PAGE_SIZE"))


@check("process_limit")
def process_limit(sight: Sight) -> Answer:
    return _limits(sight, "pids", "pids.max", "pids.max", 1)


def _limits(sight: Sight, controller: str, old: str, new: str, step: int) -> Answer:
    faults: list[str] = []
    fine: list[str] = []
    for role, pid in sight.first.items():
        expected = sight.pod.expected.roles[role]
        asked = (expected.memory if controller == "memory" else expected.pids) // step * step
        found = kernel.limit(pid, controller, old, new)
        text = "no limit" if found >= kernel.UNLIMITED else str(found)
        (fine if found == asked else faults).append(f"{role}: {text}, asked {asked}")
    return verdict(faults, "; ".join(fine))


@check("log_driver")
def log_driver(sight: Sight) -> Answer:
    faults = []
    for role, facts in sight.told.items():
        config = (facts.get("HostConfig") or {}).get("LogConfig") or {}
        if config.get("Type") != "none":
            faults.append(f"{role}: driver {config.get('Type') or 'unknown'}")
    faults += [f"{path} holds output" for path in sight.logs if Path(path).exists() and Path(path).stat().st_size]
    return verdict(faults, "none, and no log file")


@check("core_dumps")
def core_dumps(sight: Sight) -> Answer:
    pattern = kernel.core_pattern()
    return verdict([f"handed to {pattern[1:]}"] if pattern[:1] in ("|", "@") else [], f"pattern {pattern!r}")


@check("swap")
def swap(sight: Sight) -> Answer:
    return verdict([f"{name} is not encrypted" for name in kernel.swaps()], "none, or encrypted")


@check("secrets")
def secrets(sight: Sight) -> Answer:
    """Only names are told, as evidence is kept; what a researcher sets in a later process is no fault."""
    faults = []
    for role, pid in sight.first.items():
        told = (sight.told[role].get("Config") or {}).get("Env") or []
        pairs = [item.partition("=") for item in (*told, *kernel.environment(pid))]
        faults += sorted({f"{role}: {name}" for name, _, value in pairs if value and SECRET.search(name)})
    return verdict(faults, "none")


@check("clipboard")
def clipboard(sight: Sight) -> Answer:
    pid = sight.first["display"]
    seen = kernel.processes_in({kernel.namespace(pid, "pid")})
    # A process that has ended and waits for its parent has no command line.
    servers = [line for line in map(kernel.command, seen) if line and Path(line[0]).name in XVNC]
    if not servers:
        return "unknown", "no display server runs"
    faults = [f"lacks {flag}" for line in servers for flag in CLIPBOARD if flag not in line]
    pairs = [tuple(line[at : at + 2]) for line in servers for at in range(len(line) - 1)]
    faults += [f"lacks {' '.join(pair)}" for pair in (("-rfbport", "-1"), ("-nolisten", "tcp")) if pair not in pairs]
    return verdict(faults, "off, and cannot be switched on from inside")


def known() -> dict[str, str]:
    """Facts of the host that a shared kernel shows to everybody."""
    memory = (kernel.PROC / "meminfo").read_text().splitlines()[0].split(":")[1].strip()
    return {
        "kernel_version": os.uname().release,
        "memory_total": memory,
        "load_average": "as /proc/loadavg of the host",
        "storage_path": "in /proc/self/mountinfo and /proc/self/cgroup",
    }
