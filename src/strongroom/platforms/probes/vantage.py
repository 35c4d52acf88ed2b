"""Runs the inside checks in a container as one user, and looks at the running process from the host's side."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

PACKAGE = "strongroom.platforms.probes.inside"
PARTS = ("core", "network", "kernel", "files")
PARENTS = ("strongroom", "strongroom.platforms", "strongroom.platforms.probes", PACKAGE)
BOOT = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"
PROBER = 65000
MOST = 1 << 20


def script() -> str:
    """The inside checks as one self-contained program."""
    folder = resources.files(PACKAGE)
    sources = {f"{PACKAGE}.{part}": folder.joinpath(f"{part}.py").read_text(encoding="utf-8") for part in PARTS}
    lines = [
        "import sys, types",
        f"for name in {PARENTS!r}:",
        "    sys.modules[name] = types.ModuleType(name)",
        "    sys.modules[name].__path__ = []",
        f"for name, text in {sources!r}.items():",
        "    module = sys.modules[name] = types.ModuleType(name)",
        "    exec(compile(text, name, 'exec'), module.__dict__)",
        f"sys.modules[{PACKAGE + '.core'!r}].main()",
    ]
    return "\n".join(lines) + "\n"


class Silent(Exception):
    """The process inside did not answer as it must; says how."""


@dataclass(frozen=True)
class Engine:
    """How podman is called, and which Python the image has."""

    podman: Sequence[str]
    environ: Mapping[str, str] | None
    python: str

    def inspect(self, kind: str, *names: str) -> list[dict[str, Any]]:
        """What podman was told of pods or containers; Silent if it does not say."""
        command = [*self.podman, kind, "inspect", *names]
        done = subprocess.run(command, capture_output=True, timeout=20, check=False, env=self.environ)
        if done.returncode:
            words = done.stderr.decode(errors="replace").strip().splitlines()
            raise Silent(words[-1][:200] if words else "podman gives no answer")
        value = json.loads(done.stdout)
        return value if isinstance(value, list) else [value]


@dataclass
class Vantage:
    """One process inside one container; ``role/uid`` names it in evidence."""

    role: str
    container: str
    uid: int
    nonce: str
    process: subprocess.Popen[bytes] | None = None
    hello: Mapping[str, Any] = field(default_factory=dict)
    answers: Mapping[str, Any] = field(default_factory=dict)
    failure: str = ""
    _rest: bytes = b""

    @property
    def name(self) -> str:
        return f"{self.role} as {self.uid}"

    def start(self, engine: Engine, program: bytes, ask: Mapping[str, Any]) -> None:
        """Start it and put the question."""
        user = ("--user", f"{self.uid}:{self.uid}", "--workdir", "/")
        command = [*engine.podman, "exec", "--interactive", *user, self.container, engine.python, "-I", "-c", BOOT]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=engine.environ)
        self._send(str(len(program)).encode() + b"\n" + program + json.dumps({**ask, "nonce": self.nonce}).encode())

    def greet(self, deadline: float) -> None:
        """Read its process number and the port it listens on."""
        self.hello = self._line(deadline)
        if not all(isinstance(self.hello.get(key), int) for key in ("pid", "uid", "port")):
            raise Silent("greeted wrongly")

    def proceed(self, victims: Sequence[tuple[int, int]]) -> None:
        """Tell it the processes of other users, and let it try."""
        self._send(json.dumps(victims).encode())

    def collect(self, deadline: float) -> None:
        """Read its answers."""
        found = self._line(deadline).get("answers")
        if not isinstance(found, dict):
            raise Silent("gave no answers")
        self.answers = found

    def release(self) -> None:
        """Let it end: its standard input closes."""
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr) if self.process else ():
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def stop(self) -> None:
        """Wait for its end; after a second, make it end."""
        if self.process is None:
            return
        try:
            self.process.wait(1)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _send(self, line: bytes) -> None:
        if self.process is None or self.process.stdin is None:
            raise Silent("was not started")
        try:
            self.process.stdin.write(line + b"\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Silent(f"ended before it was asked{self._complaint()}") from error

    def _complaint(self) -> str:
        if self.process is None or self.process.stderr is None:
            return ""
        ready, _, _ = select.select([self.process.stderr], [], [], 0.2)
        text = os.read(self.process.stderr.fileno(), 4096).decode(errors="replace").strip() if ready else ""
        return f": {text.splitlines()[-1][:200]}" if text else ""

    def _line(self, deadline: float) -> dict[str, Any]:
        if self.process is None or self.process.stdout is None:
            raise Silent("was not started")
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Silent("did not answer in time")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk or len(self._rest) > MOST:
                raise Silent(f"ended without an answer{self._complaint()}")
            self._rest += chunk
        raw, self._rest = self._rest.split(b"\n", 1)
        try:
            value = json.loads(raw)
        except ValueError as error:
            raise Silent("did not answer in the form agreed") from error
        if not isinstance(value, dict) or value.get("nonce") != self.nonce:
            raise Silent("answered without this run's nonce")
        return value
