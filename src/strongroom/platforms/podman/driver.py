"""Environments as Podman pods on this host; see ``platforms.protocol`` for what each call promises."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from strongroom.layout import Layout
from strongroom.platforms import manifests
from strongroom.platforms.podman import engine, readback, session, translate
from strongroom.platforms.podman.compare import container_drift, pair_drift
from strongroom.platforms.protocol import (
    DISPLAY,
    RESEARCHER,
    ContainerState,
    EnvironmentSpec,
    Observation,
    Phase,
    PlatformError,
    Ran,
)

PARTS = ("display", "work")
SCREEN_KB = 1024
REMOVAL_PATIENCE = 20
OUTPUT_LIMIT = 4 * 1024 * 1024
# Gives the listening socket the number that the container expects, and names this process as its receiver.
HAND_OVER = (
    "import os,sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
    "os.execvp(sys.argv[2], sys.argv[2:])"
)


class PodmanPlatform:
    """The driver of one instance; holds no state of its own."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    # The contract -----------------------------------------------------------------------------------------
    def apply(self, spec: EnvironmentSpec) -> None:
        """Make it run as asked."""
        manifests.check(spec)
        state = self._inspect(spec.id)
        if state and self._as_left(state, spec):
            return
        self.destroy(spec.id)
        try:
            self._start(spec)
        except (engine.PodmanError, OSError) as problem:
            self.destroy(spec.id)
            raise PlatformError(f"Environment {spec.id} could not be started: {problem}") from problem

    def observe(self, spec: EnvironmentSpec) -> Observation:
        """What really runs, read from the kernel."""
        state = self._inspect(spec.id)
        if not state:
            return Observation("absent", (), ())
        try:
            facts = {part: readback.read(state[part]["State"]["Pid"]) for part in PARTS if _pid(state.get(part))}
        except OSError:
            facts = {}
        seen = tuple(
            ContainerState(part, facts[part].pid if part in facts else 0, part in facts and facts[part].frozen)
            for part in PARTS
        )
        if len(facts) < len(PARTS):
            return Observation("failed", seen, ("a container has ended",))
        drift = _drift(spec, state, facts, self._folder(spec.id) / "screen", self._claims(spec))
        return Observation(self._phase(spec.id, facts), seen, tuple(drift))

    def suspend(self, environment: str) -> None:
        """Freeze."""
        state = self._inspect(environment)
        if state and any(_status(state[part]) == "running" for part in PARTS if part in state):
            engine.podman("pod", "pause", self._pod(environment))

    def resume(self, environment: str) -> None:
        """Thaw."""
        state = self._inspect(environment)
        if state and any(_status(state[part]) == "paused" for part in state):
            engine.podman("pod", "unpause", self._pod(environment))

    def destroy(self, environment: str) -> None:
        """Remove containers, session socket and screen folder; volumes stay."""
        session.forget(self._layout, environment)
        name = self._pod(environment)
        if engine.succeeds("pod", "exists", name):
            # A frozen process does not take the signal that ends it.
            self.resume(environment)
            _remove(name)
        folder = self._folder(environment)
        if folder.exists():
            _unmount(folder / "screen")
            shutil.rmtree(folder)

    def list(self) -> tuple[str, ...]:
        """Ids of this instance."""
        label = f"label=strongroom.instance={self._layout.instance}"
        pods = json.loads(engine.podman("pod", "ps", "--filter", label, "--format", "json") or b"[]") or []
        return tuple(sorted(pod["Labels"]["strongroom.environment"] for pod in pods))

    def session_socket(self, environment: str) -> Path:
        """Where the gateway connects."""
        return session.socket_path(self._layout, environment)

    def clipboard_counts(self, environment: str) -> dict[str, Any]:
        """What the relay let through and stopped since the environment started."""
        return session.counts(self.session_socket(environment))

    def run_script(
        self, environment: str, argv: Sequence[str], stdin: bytes = b"", timeout: float = 600, cwd: str = "/"
    ) -> Ran:
        """Run a command as the researcher, with the surroundings that JupyterLab has; output is cut at 4 MiB."""
        surroundings = {"HOME": "/home/researcher", "USER": "researcher", "MPLCONFIGDIR": "/tmp/matplotlib"}
        command = [
            *("podman", "exec", "--interactive", "--user", f"{RESEARCHER}:{RESEARCHER}", "--workdir", cwd),
            *(part for key, value in surroundings.items() for part in ("--env", f"{key}={value}")),
            *(f"{self._pod(environment)}-work", "timeout", "--kill-after=5", str(int(timeout)), *argv),
        ]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=timeout + 30, env=engine.environ(), check=False
            )
        except subprocess.TimeoutExpired:
            raise PlatformError(f"{argv[0]} did not end within {timeout:.0f} seconds.") from None
        return Ran(done.returncode, done.stdout[:OUTPUT_LIMIT], done.stderr[:OUTPUT_LIMIT])

    def pids(self, environment: str) -> dict[str, int]:
        """Host pid of the first process of ``infra``, ``display`` and ``work``, where they run."""
        return {part: pid for part, data in self._inspect(environment).items() if (pid := _pid(data))}

    # Starting ---------------------------------------------------------------------------------------------
    def _start(self, spec: EnvironmentSpec) -> None:
        pod, name = manifests.pod(spec), self._pod(spec.id)
        screen, claims = self._make_screen(spec), self._claims(spec)
        engine.podman("pod", "create", *translate.pod_arguments(pod, name, self._layout.instance))
        for container in pod["spec"]["containers"]:
            engine.podman("create", *self._container_arguments(pod, container, name, screen, claims))
        engine.podman("start", f"{name}-infra")
        pid = int(engine.podman("inspect", "--format", "{{.State.Pid}}", f"{name}-infra"))
        with session.listen(self._layout, spec.id, pid) as listening:
            self._start_display(f"{name}-display", listening.fileno())
        engine.podman("start", f"{name}-work")

    def _container_arguments(
        self,
        pod: Mapping[str, Any],
        container: Mapping[str, Any],
        name: str,
        screen: Path,
        claims: Mapping[str, Path],
    ) -> Sequence[str]:
        return translate.container_arguments(pod, container, name, screen, claims)

    def _start_display(self, name: str, number: int) -> None:
        command = [sys.executable, "-c", HAND_OVER, str(number), "podman", "start", name]
        done = subprocess.run(
            command, capture_output=True, pass_fds=(number,), timeout=60, env=engine.environ(), check=False
        )
        if done.returncode:
            raise engine.PodmanError(f"podman start {name}: {engine.said(done.stderr)}")

    def _make_screen(self, spec: EnvironmentSpec) -> Path:
        """A bounded folder in memory for the X socket and its secret; the display's user owns it."""
        screen = self._folder(spec.id) / "screen"
        screen.mkdir(parents=True, mode=0o755)
        owner = spec.uid_base + DISPLAY
        options = f"size={SCREEN_KB}k,mode=0755,uid={owner},gid={owner},nosuid,nodev,noexec"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "strongroom-screen", str(screen)], capture_output=True, check=False
        )
        if done.returncode:
            raise engine.PodmanError(f"mount {screen}: {engine.said(done.stderr)}")
        return screen

    # Looking ----------------------------------------------------------------------------------------------
    def _pod(self, environment: str) -> str:
        return self._layout.label(environment)

    def _folder(self, environment: str) -> Path:
        return self._layout.run / "environments" / environment

    @staticmethod
    def _claims(spec: EnvironmentSpec) -> dict[str, Path]:
        return {f"{spec.id}-{volume.name}": volume.path for volume in spec.volumes}

    def _inspect(self, environment: str) -> dict[str, dict[str, Any]]:
        """The engine's record of each container, by part; used to find them, not to judge them."""
        name = self._pod(environment)
        if not engine.succeeds("pod", "exists", name):
            return {}
        records = json.loads(engine.podman("pod", "inspect", name))
        records = records[0] if isinstance(records, list) else records
        names = [entry["Name"] for entry in records.get("Containers") or []]
        found = json.loads(engine.podman("container", "inspect", *names)) if names else []
        state = {entry["Name"].removeprefix(f"{name}-"): entry for entry in found}
        for entry in state.values():
            entry["PodLabels"] = records.get("Labels") or {}
        return state

    @staticmethod
    def _as_left(state: Mapping[str, dict[str, Any]], spec: EnvironmentSpec) -> bool:
        return all(
            part in state
            and _status(state[part]) in ("running", "paused")
            and state[part]["PodLabels"].get("strongroom.spec") == spec.digest
            for part in (*PARTS, "infra")
        )

    def _phase(self, environment: str, facts: Mapping[str, readback.Facts]) -> Phase:
        if all(fact.frozen for fact in facts.values()):
            return "suspended"
        desktop = session.desktop_answers(self.session_socket(environment))
        return "ready" if desktop and session.notebook_answers(facts["work"].pid) else "starting"


def _status(record: Mapping[str, Any]) -> str:
    return str(record["State"]["Status"])


def _pid(record: Mapping[str, Any] | None) -> int:
    return int(record["State"]["Pid"]) if record else 0


def _drift(
    spec: EnvironmentSpec,
    state: Mapping[str, dict[str, Any]],
    facts: Mapping[str, readback.Facts],
    screen: Path,
    claims: Mapping[str, Path],
) -> list[str]:
    pod, host = manifests.pod(spec), readback.host_namespaces()
    drift: list[str] = []
    for container in pod["spec"]["containers"]:
        part = container["name"]
        drift += container_drift(pod, container, facts[part], screen, claims, host)
        if state[part]["OCIRuntime"] != engine.runtime():
            drift.append(f"{part}: runs under {state[part]['OCIRuntime']}, asked {engine.runtime()}")
        if spec.image not in (state[part]["ImageName"], state[part]["Image"]):
            drift.append(f"{part}: runs the image {state[part]['ImageName']}, asked {spec.image}")
    drift += pair_drift(facts["display"], facts["work"])
    if state["work"]["PodLabels"].get("strongroom.spec") != spec.digest:
        drift.append("was started from another spec")
    return drift


def _remove(pod: str) -> None:
    """Remove a pod; a mount of it may be held for a moment by a container that is just starting elsewhere."""
    limit = time.monotonic() + REMOVAL_PATIENCE
    while engine.succeeds("pod", "exists", pod):
        try:
            engine.podman("pod", "rm", "--force", "--time", "0", pod)
        except engine.PodmanError:
            if time.monotonic() > limit:
                raise
            time.sleep(0.5)


def _unmount(path: Path) -> None:
    while os.path.ismount(path):
        subprocess.run(["umount", "--lazy", str(path)], capture_output=True, check=True)
