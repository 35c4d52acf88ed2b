"""Runs the probes on a pod: three users in each container tell what they could do, the host looks on."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from strongroom.platforms.probes import host, kernel_view
from strongroom.platforms.probes.canary import Canaries
from strongroom.platforms.probes.catalogue import BY_ID, PROBES
from strongroom.platforms.probes.model import PodView, Probe, ProbeError, Result, State
from strongroom.platforms.probes.vantage import PROBER, Engine, Silent, Vantage, script

OUTSIDE_NAMES = ("example.org", "example.com")
RESOLVERS = ("1.1.1.1", "8.8.8.8", "169.254.1.1", "10.0.2.3", "10.88.0.1")
PRIVATE = ("10.0.2.2", "10.88.0.1", "10.89.0.1", "172.17.0.1", "192.168.1.1", "fd00::1")
SEEN_WITH_VANTAGES = ("witness", "listeners", "reachable_from_host")
WORST: dict[str, int] = {"holds": 0, "unknown": 1, "broken": 2}


def run_probes(
    pod: PodView,
    *,
    podman: Sequence[str] = ("podman",),
    environ: Mapping[str, str] | None = None,
    python: str = "/usr/bin/python3",
    only: Collection[str] | None = None,
    seconds: float = 20.0,
) -> list[Result]:
    """Put every applicable probe (or those of ``only``) to a running pod; needs root on the host.

    A probe whose process was killed, kept silent or was late is ``unknown``. Raises ProbeError for an unknown id.
    """
    probes = _applicable(pod, only)
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found: dict[str, tuple[State, str]] = {}
    engine = Engine(podman, environ, python)
    needed = any(probe.where == "inside" or probe.id in SEEN_WITH_VANTAGES for probe in probes)
    vantages = [
        Vantage(role, pod.containers[role], uid, secrets.token_hex(16))
        for role in (pod.containers if needed else ())
        for uid in dict.fromkeys((PROBER, pod.expected.roles[role].uid, 0))
    ]
    try:
        sight = _look(pod, engine, vantages)
    except (Silent, OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
        text = f"the pod cannot be looked at: {error}"
        return [Result(probe.id, _state(probe, "unknown"), text, at, probe.asks) for probe in probes]
    deadline = time.monotonic() + seconds
    with Canaries(secrets.token_hex(8)) as canaries:
        try:
            _begin(pod, vantages, [probe.id for probe in probes], canaries, engine, deadline)
            found |= {probe.id: _on_host(probe, sight) for probe in probes if probe.where == "host"}
            for vantage in vantages:
                _try(vantage, lambda one: one.collect(deadline))
            visits = canaries.visits()
        finally:
            for vantage in vantages:
                vantage.release()
            for vantage in vantages:
                vantage.stop()
        inside = [probe for probe in probes if probe.where == "inside"]
        found |= {probe.id: _merge(probe, vantages, _visits(probe, canaries, visits)) for probe in inside}
    return [Result(probe.id, *found[probe.id], at, probe.asks) for probe in probes]


def _applicable(pod: PodView, only: Collection[str] | None) -> list[Probe]:
    strange = set(only or ()) - set(BY_ID)
    if strange:
        raise ProbeError(f"no such probe: {', '.join(sorted(strange))}; see the reference of probes for the names")
    readonly = any(not mount.writable for role in pod.expected.roles.values() for mount in role.mounts)
    absent = set() if readonly else {"data_writes"}
    absent |= set() if pod.expected.pixels_only and "display" in pod.containers else {"clipboard"}
    return [probe for probe in PROBES if probe.id not in absent and (only is None or probe.id in only)]


def _look(pod: PodView, engine: Engine, vantages: Sequence[Vantage]) -> host.Sight:
    """Find the containers' first processes; Silent if one does not run."""
    infra = str(engine.inspect("pod", pod.name)[0].get("InfraContainerID") or "")
    rows = engine.inspect("container", *pod.containers.values(), *([infra] if infra else []))
    by_name = {row["Name"]: row for row in rows}
    told = {role: by_name[name] for role, name in pod.containers.items() if name in by_name}
    stopped = [role for role in pod.containers if not told.get(role, {}).get("State", {}).get("Running")]
    if stopped:
        raise Silent(f"not running: {', '.join(stopped)}")
    first = {role: int(facts["State"]["Pid"]) for role, facts in told.items()}
    keeper = sum(int(row["State"]["Pid"]) for row in rows if row["Id"] == infra)
    logs = tuple(f"{row['StaticDir']}/ctr.log" for row in rows)
    return host.Sight(pod, first, keeper, told, logs, vantages)


def _begin(
    pod: PodView,
    vantages: Sequence[Vantage],
    ids: Sequence[str],
    canaries: Canaries,
    engine: Engine,
    deadline: float,
) -> None:
    """Start every vantage, then tell each which other processes it may try to trace."""
    program = script().encode()
    ask: dict[str, Any] = {
        "names": OUTSIDE_NAMES,
        "resolvers": [*RESOLVERS, *_own_resolvers()],
        "private": PRIVATE,
        "host": canaries.host,
        "bridges": canaries.bridges,
        "link_local": canaries.link_local,
        "peers": pod.expected.peers,
        "abstract": canaries.abstract,
        "canary": canaries.file,
        "hostname": socket.gethostname(),
        "runner": (os.getpid(), kernel_view.started(os.getpid())),
    }
    for vantage in vantages:
        readonly = [mount.target for mount in pod.expected.roles[vantage.role].mounts if not mount.writable]
        mine = [name for name in ids if readonly or name != "data_writes"]
        question = {**ask, "probes": mine, "readonly": readonly}
        _try(vantage, lambda one, question=question: one.start(engine, program, question))  # type: ignore[misc]
    for vantage in vantages:
        _try(vantage, lambda one: one.greet(deadline))
    for vantage in vantages:
        known = [(one.hello["pid"], one.uid) for one in vantages if one.hello and one.role == vantage.role]
        _try(vantage, lambda one, known=known: one.proceed(known))  # type: ignore[misc]


def _try(vantage: Vantage, step: Callable[[Vantage], None]) -> None:
    if vantage.failure:
        return
    try:
        step(vantage)
    except (Silent, OSError) as error:
        vantage.failure = str(error)


def _own_resolvers() -> list[str]:
    try:
        with open("/etc/resolv.conf", encoding="utf-8") as file:
            rows = [line.split() for line in file]
    except OSError:
        return []
    return [row[1] for row in rows if row[:1] == ["nameserver"] and len(row) > 1]


def _state(probe: Probe, state: str) -> State:
    if probe.kind == "known":
        return "known"
    return "broken" if state == "broken" else "holds" if state == "holds" else "unknown"


def _on_host(probe: Probe, sight: host.Sight) -> tuple[State, str]:
    if probe.kind == "known":
        return "known", host.known()[probe.id]
    try:
        state, evidence = host.CHECKS[probe.id](sight)
    except (OSError, ValueError, LookupError) as error:
        return "unknown", f"cannot judge: {type(error).__name__}: {error}"
    return _state(probe, state), evidence


def _visits(probe: Probe, canaries: Canaries, visits: dict[tuple[str, int], str]) -> list[str]:
    listening = {"host_address": canaries.host, "host_bridge": canaries.bridges, "host_link_local": canaries.link_local}
    return [f"the host saw {visits[at]} connect to {at[0]}" for at in listening.get(probe.id, ()) if at in visits]


def _merge(probe: Probe, vantages: Sequence[Vantage], visits: list[str]) -> tuple[State, str]:
    """The worst of all vantages; a visit the host itself saw outweighs every denial."""
    told: dict[str, tuple[str, str]] = {}
    for vantage in vantages:
        answer = vantage.answers.get(probe.id)
        if vantage.failure:
            told[vantage.name] = ("unknown", vantage.failure)
        elif isinstance(answer, list) and len(answer) == 2 and answer[0] in WORST and isinstance(answer[1], str):
            told[vantage.name] = (answer[0], answer[1][:300])
        elif answer is not None or probe.id != "data_writes":
            told[vantage.name] = ("unknown", "gave no answer")
    if visits:
        return "broken", "; ".join(visits)
    if not told:
        return "unknown", "nobody answered"
    worst = max((state for state, _ in told.values()), key=WORST.__getitem__)
    says = [(name, text) for name, (state, text) in told.items() if state == worst]
    if worst == "holds":
        return "holds", f"{says[0][1]} ({len(says)} of {len(told)} users tried)"
    return _state(probe, worst), "; ".join(f"{name}: {text}" for name, text in says[:3])
