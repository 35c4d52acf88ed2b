"""Asked against running: one plain sentence for each difference; pure but for naming the folders volumes must be."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from strongroom.platforms.podman.readback import Facts, Mount
from strongroom.platforms.podman.translate import UIDS, annotation, cpus, no_programs, volumes

# What the runtime itself mounts, by file system; a path under /dev of another kind is somebody's volume.
RUNTIME_FILES = frozenset({"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/run/.containerenv"})
RUNTIME_KINDS = frozenset({"tmpfs", "devpts", "mqueue", "proc", "sysfs", "cgroup", "cgroup2", "devtmpfs"})


def container_drift(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    facts: Facts,
    screen: Path,
    claims: Mapping[str, Path],
    host_namespaces: Mapping[str, int],
) -> Iterator[str]:
    """Differences of one container."""
    name = container["name"]
    for difference in (
        *_identity(pod, container, facts),
        *_limits(pod, container, facts),
        *_namespaces(facts, host_namespaces),
        *_mounts(pod, container, facts, screen, claims),
    ):
        yield f"{name}: {difference}"


def pair_drift(display: Facts, work: Facts) -> Iterator[str]:
    """Differences in what the two containers share."""
    for shared in ("net", "user"):
        if display.namespaces[shared] != work.namespaces[shared]:
            yield f"display and work do not share the {shared} namespace"
    for apart in ("pid", "mnt"):
        if display.namespaces[apart] == work.namespaces[apart]:
            yield f"display and work share the {apart} namespace"


def _identity(pod: Mapping[str, Any], container: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    base = int(annotation(pod, "uid-base"))
    security = container["securityContext"]
    if facts.uid_map != ((0, base, UIDS),) or facts.gid_map != ((0, base, UIDS),):
        yield f"users are mapped as {facts.uid_map} and groups as {facts.gid_map}, asked 0 to {base}"
    if facts.uid != base + security["runAsUser"] or facts.gid != base + security["runAsGroup"]:
        yield f"runs as host user {facts.uid}:{facts.gid}, asked {security['runAsUser']} inside"
    if set(facts.groups) - {base + security["runAsGroup"]}:
        yield f"is in the further groups {facts.groups}"
    if facts.capabilities:
        yield f"holds capabilities {facts.capabilities:#x}, asked none"
    if not facts.no_new_privileges:
        yield "may gain privileges by set-uid programs"
    if not facts.seccomp:
        yield "has no filter of system calls"


def _limits(pod: Mapping[str, Any], container: Mapping[str, Any], facts: Facts) -> Iterator[str]:
    limits = container["resources"]["limits"]
    memory = int(limits["memory"].removesuffix("Mi")) << 20
    pids = int(annotation(pod, f"pids.{container['name']}"))
    if facts.memory != memory:
        yield f"memory limit is {facts.memory} bytes, asked {memory}"
    if facts.swap:
        yield f"may use {facts.swap} bytes of swap, asked none"
    if facts.pids != pids:
        yield f"process limit is {facts.pids}, asked {pids}"
    if abs(facts.cpu - cpus(container)) > 0.01:
        yield f"processor limit is {facts.cpu:g}, asked {cpus(container):g}"
    if facts.core_limit != "0":
        yield f"core files up to {facts.core_limit} bytes may be written, asked none"


def _namespaces(facts: Facts, host: Mapping[str, int]) -> Iterator[str]:
    for name, number in host.items():
        if facts.namespaces[name] == number:
            yield f"shares the host's {name} namespace"
    if facts.networks != ("lo",):
        yield f"has network devices {', '.join(facts.networks)}, asked loopback only"


def _mounts(
    pod: Mapping[str, Any], container: Mapping[str, Any], facts: Facts, screen: Path, claims: Mapping[str, Path]
) -> Iterator[str]:
    root = facts.mounts.get("/")
    if root is None or (container["securityContext"]["readOnlyRootFilesystem"] and "ro" not in root.options):
        yield "root file system is writable"
    declared = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    for path, mount in declared.items():
        seen = facts.mounts.get(path)
        if seen is None:
            yield f"{path} is not mounted"
        else:
            yield from _mount(volumes(pod)[mount["name"]], mount, seen, screen, claims)
    for path, seen in facts.mounts.items():
        if path not in declared and path != "/" and not _of_runtime(seen):
            yield f"{path} is mounted ({seen.kind}), not asked for"


def _mount(
    volume: Mapping[str, Any], mount: Mapping[str, Any], seen: Mount, screen: Path, claims: Mapping[str, Path]
) -> Iterator[str]:
    wanted = {"nosuid", "nodev", "ro" if mount.get("readOnly") else "rw"}
    folder: Path | None = None
    if volume["name"] == "screen":
        folder = screen
    elif "persistentVolumeClaim" in volume:
        folder = claims[volume["persistentVolumeClaim"]["claimName"]]
        wanted |= {"noexec"} if no_programs(seen.path) else set()
    else:
        size = int(volume["emptyDir"]["sizeLimit"].removesuffix("Mi")) << 10
        if seen.kind != "tmpfs" or seen.size_kb != size:
            yield f"{seen.path} is {seen.kind} of {seen.size_kb} KiB, asked memory of {size} KiB"
    if missing := wanted - seen.options:
        yield f"{seen.path} is not mounted {', '.join(sorted(missing))}"
    if folder is not None and seen.identity != _of_folder(folder):
        yield f"{seen.path} is another folder than asked"


def _of_folder(folder: Path) -> tuple[int, int] | None:
    try:
        seen = os.stat(folder)
    except OSError:
        return None
    return seen.st_dev, seen.st_ino


def _of_runtime(mount: Mount) -> bool:
    if mount.path in RUNTIME_FILES:
        return True
    if mount.path.startswith(("/proc", "/sys", "/dev")):
        return mount.kind in RUNTIME_KINDS
    return False
