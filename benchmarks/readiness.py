"""From asking for an environment to its use, against bare ``podman kube play`` of the same pod: ``python benchmarks/readiness.py``.

Both start the same image with the same commands, limits and folders and wait until JupyterLab answers on its loopback
and the X server greets on its socket. The bare pod has none of our doing: no mapped users, no seccomp profile, no relay,
nothing read back, no probe. Ours is ready when it runs as asked and every probe holds. Five rounds, interleaved; medians
in seconds. Needs root, Podman, and the environment image (built at the first run).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from strongroom.layout import Layout
from strongroom.platforms import manifests
from strongroom.platforms.podman import engine, session
from strongroom.platforms.podman.driver import PodmanPlatform
from strongroom.platforms.podman.images import ensure_image
from strongroom.platforms.podman.probing import probe
from strongroom.platforms.protocol import EnvironmentSpec, Volume

ROUNDS = 5
# Issue of the product: what our own doing may add, in seconds.
ALLOWED = 20.0
UID_BASE = 3_000_000 + 65_536 * 4_100
PLACES = (("home", "rw", "/home/researcher"), ("work", "rw", "/work"), ("output", "rw", "/output"))


def spec(folder: Path, image: str) -> EnvironmentSpec:
    """A Tier 2 environment with folders for volumes."""
    volumes = tuple(Volume(name, "working", folder / name, mode, mount) for name, mode, mount in PLACES)
    for volume in volumes:
        volume.path.mkdir()
        os.chown(volume.path, UID_BASE + 1000, UID_BASE + 1000)
        volume.path.chmod(0o777)
    return EnvironmentSpec(id="bench", tier=2, image=image, uid_base=UID_BASE, volumes=volumes)


def bare_pod(wanted: EnvironmentSpec, name: str, screen: Path) -> dict[str, Any]:
    """The same pod with plain folders and nothing that only our driver understands."""
    pod = manifests.pod(wanted)
    pod["metadata"] = {"name": name}
    places = {f"volume-{volume.name}": volume.path for volume in wanted.volumes} | {"screen": screen}
    paths = [{"name": key, "hostPath": {"path": str(path), "type": "Directory"}} for key, path in places.items()]
    containers = [_plain(container, set(places)) for container in pod["spec"]["containers"]]
    pod["spec"] = {"hostname": "environment", "restartPolicy": "Never", "containers": containers, "volumes": paths}
    return pod


def _plain(container: Mapping[str, Any], places: set[str]) -> dict[str, Any]:
    mounts = [mount for mount in container["volumeMounts"] if mount["name"] in places]
    user = {"runAsUser": container["securityContext"]["runAsUser"]}
    return {**container, "securityContext": user, "volumeMounts": mounts}


def greets(pid: int) -> bool:
    """Whether the X server of a container greets on its socket."""
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(f"/proc/{pid}/root/tmp/rfb.sock")
            client.settimeout(2)
            return client.recv(12) == session.BANNER
        except OSError:
            return False


def until(done: Callable[[], bool]) -> None:
    """Look every tenth of a second, at most two minutes."""
    ends = time.monotonic() + 120
    while not done():
        if time.monotonic() > ends:
            raise SystemExit("it did not come up within two minutes")
        time.sleep(0.1)


def bare(wanted: EnvironmentSpec, folder: Path) -> float:
    """Seconds of bare ``podman kube play`` until both doors answer."""
    name, screen = f"bench-{secrets.token_hex(3)}", folder / "screen"
    screen.mkdir()
    screen.chmod(0o777)
    file = folder / "pod.json"
    file.write_text(json.dumps(bare_pod(wanted, name, screen)))
    began = time.monotonic()
    try:
        engine.podman("kube", "play", "--network", "none", str(file))
        pids = [
            int(engine.podman("inspect", "--format", "{{.State.Pid}}", f"{name}-{part}")) for part in ("display", "work")
        ]
        until(lambda: greets(pids[0]) and session.notebook_answers(pids[1]))
        return time.monotonic() - began
    finally:
        engine.succeeds("pod", "rm", "--force", "--time", "0", name)
        shutil.rmtree(screen)


def ours(wanted: EnvironmentSpec, platform: PodmanPlatform, layout: Layout) -> tuple[float, float]:
    """Seconds until it runs as asked, and until every probe holds too."""
    began = time.monotonic()
    try:
        platform.apply(wanted)
        until(lambda: platform.observe(wanted).as_asked)
        running = time.monotonic() - began
        found = [one for one in probe(layout, wanted) if one.state not in ("holds", "known")]
        if found:
            raise SystemExit(f"a probe does not hold: {found}")
        return running, time.monotonic() - began
    finally:
        platform.destroy(wanted.id)


def main() -> None:
    """Measure and print."""
    image = ensure_image(lambda words, share: None).id
    layout = Layout(f"b{secrets.token_hex(3)}", 19_200)
    platform = PodmanPlatform(layout)
    folder = Path(tempfile.mkdtemp(prefix="strongroom-bench-"))
    times: dict[str, list[float]] = {"bare": [], "running": [], "probed": []}
    try:
        wanted = spec(folder, image)
        for _ in range(ROUNDS):
            times["bare"].append(bare(wanted, folder))
            running, probed = ours(wanted, platform, layout)
            times["running"].append(running)
            times["probed"].append(probed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(layout.run, ignore_errors=True)
    middle = {name: statistics.median(values) for name, values in times.items()}
    words = {"bare": "bare podman kube play", "running": "ours, runs as asked", "probed": "ours, every probe holds"}
    for name, value in middle.items():
        each = " ".join(f"{one:.1f}" for one in times[name])
        print(f"{words[name]:<24} {value:5.1f} s   {value / middle['bare']:.2f} of bare   ({each})")
    added = middle["probed"] - middle["bare"]
    print(f"ours adds {added:.1f} s; at most {ALLOWED:.0f} s are allowed: {'kept' if added <= ALLOWED else 'NOT KEPT'}")


if __name__ == "__main__":
    main()
