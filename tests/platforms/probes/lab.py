"""Pods for the probes to look at: one as an environment shall be, and some with holes opened on purpose."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from strongroom.platforms.podman import engine
from strongroom.platforms.podman.images import debian_sources
from strongroom.platforms.podman.seccomp import PROFILE
from strongroom.platforms.probes import Expected, Mount, PodView, Result, Role, run_probes

IMAGE = "localhost/strongroom-probe-base:2"
MEGABYTE = 1 << 20
UIDS = {"display": 2000, "work": 1000}
HARD = ("--cap-drop", "all", "--security-opt", "no-new-privileges", "--security-opt", f"seccomp={PROFILE}")
QUIET = (
    "--read-only",
    "--read-only-tmpfs=false",
    "--log-driver",
    "none",
    "--cgroupns",
    "private",
    "--http-proxy=false",
    "--no-hosts",
)
LIMITS = ("--pids-limit", "500", "--memory", "256m")
TMP = ("--tmpfs", "/tmp:rw,size=16m,nosuid,nodev,noexec")
MAPPED = ("--share", "net,ipc,uts", "--userns", "auto:size=65536,uidmapping=0:{base}:65536,gidmapping=0:{base}:65536")


def podman(*arguments: str, check: bool = True) -> str:
    """Run podman as the driver would; on failure say what it said."""
    done = subprocess.run(
        ["podman", *arguments], capture_output=True, text=True, env=engine.environ(), timeout=120, check=False
    )
    assert not check or done.returncode == 0, f"podman {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def ensure_image() -> None:
    """A minimal Debian with Python, made once and kept by podman."""
    if subprocess.run(["podman", "image", "exists", IMAGE], env=engine.environ(), check=False).returncode == 0:
        return
    with tempfile.TemporaryDirectory() as folder:
        include = "--include=python3-minimal,libpython3-stdlib"
        nameless = '--customize-hook=rm -f "$1/etc/resolv.conf"'
        command = [
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            include,
            nameless,
            "bookworm",
            f"{folder}/base.tar",
            *debian_sources("bookworm"),
        ]
        subprocess.run(command, check=True, timeout=600)
        podman("import", f"{folder}/base.tar", IMAGE)


@dataclass(frozen=True)
class Design:
    """Flags of a pod. The default is what an environment of Tier 2 and above has."""

    pod: tuple[str, ...] = ("--network", "none", "--no-hosts", *MAPPED)
    container: tuple[str, ...] = (*HARD, *QUIET, *LIMITS, *TMP)
    work: tuple[str, ...] = ()
    command: tuple[str, ...] = ("sleep", "infinity")
    display_command: tuple[str, ...] = ("sleep", "infinity")
    data: str = "ro"
    extra: dict[str, object] = field(default_factory=dict)


@contextmanager
def running(design: Design, number: int) -> Iterator[PodView]:
    """Start a pod with its own range of users; afterwards nothing of it is left."""
    name = f"probes-{uuid.uuid4().hex[:8]}"
    base = 1_500_000_000 + 65536 * (number + 32 * (os.getpid() % 500))
    with tempfile.TemporaryDirectory(prefix="probe-data-") as data:
        Path(data, "pupils.csv").write_text("school,score\n1,2\n")
        for path in (Path(data), Path(data, "pupils.csv")):
            os.chown(path, base + 1000, base + 1000)
        try:
            podman("pod", "create", "--name", name, *(flag.format(base=base) for flag in design.pod))
            for role, uid in UIDS.items():
                own = (*design.work, "-v", f"{data}:/data:{design.data},nosuid,nodev") if role == "work" else ()
                command = design.command if role == "work" else design.display_command
                user = ("--user", f"{uid}:{uid}")
                podman(
                    "run",
                    "-d",
                    "--pod",
                    name,
                    "--name",
                    f"{name}-{role}",
                    *user,
                    *design.container,
                    *own,
                    IMAGE,
                    *command,
                )
            yield view(name, base)
        finally:
            remove(name)


def remove(name: str) -> None:
    """Remove a pod; podman at times removes the containers only, and the pod when asked again."""
    for _ in range(5):
        podman("pod", "rm", "-f", "-t", "0", name, check=False)
        if subprocess.run(["podman", "pod", "exists", name], env=engine.environ(), check=False).returncode == 1:
            return
    raise AssertionError(f"pod {name} is still there")


def view(name: str, base: int) -> PodView:
    """What the clean design promises; holes are measured against the same promise."""
    tmp = Mount("/tmp", True, 16 * MEGABYTE)
    roles = {
        "display": Role(2000, 256 * MEGABYTE, 500, (tmp,)),
        "work": Role(1000, 256 * MEGABYTE, 500, (tmp, Mount("/data", False))),
    }
    return PodView(name, {role: f"{name}-{role}" for role in roles}, Expected(base, roles))


def probe(pod: PodView, only: Sequence[str] | None = None, **expected: object) -> dict[str, Result]:
    """Run the probes and give the results by id."""
    if expected:
        pod = replace(pod, expected=replace(pod.expected, **expected))  # type: ignore[arg-type]
    return {one.probe: one for one in run_probes(pod, environ=engine.environ(), only=only)}


def until(seen: object, seconds: float = 10) -> None:
    """Poll until ``seen()`` is true."""
    deadline = time.monotonic() + seconds
    while not seen():  # type: ignore[operator]
        assert time.monotonic() < deadline, "did not come in time"
        time.sleep(0.05)
