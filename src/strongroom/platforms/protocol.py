"""What a platform is asked for and what it promises.

A platform runs environments. Whoever asks holds the volumes (already unlocked and mounted on the host) and decided what
shall run; a platform decides nothing. Each call may be repeated at any time, also after a crash in the middle of the
same call, and ends in the same state.

``apply(spec)``
    Make the environment run as the spec says. Running as asked: nothing happens. Frozen: it stays frozen. Anything else
    under that id (another spec, a container that ended) is removed and started again; volumes are never touched.
``observe(spec)``
    What runs, read back from the kernel and not from the engine's own records, with every difference from the spec.
    An empty ``drift`` in phase ``ready`` is what must be seen before anyone enters.
``suspend(id)`` / ``resume(id)``
    Freeze and thaw. Nothing inside ends, nothing inside runs. ``suspend`` of an absent environment does nothing.
``destroy(id)``
    Remove containers, session socket and folders of the run. Volumes stay with whoever mounted them.
``list()``
    Ids of the environments this platform holds, of this instance only.
``session_socket(id)``
    Where the gateway connects for the desktop (WebSocket, RFB inside). No environment can write in its folder.
``run_script(id, argv, …)``
    Run a command as the researcher would, in the work container.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

Phase = Literal["absent", "starting", "ready", "suspended", "failed"]
Mode = Literal["ro", "rw"]

RESEARCHER = 1000
DISPLAY = 2000


class PlatformError(RuntimeError):
    """The platform could not do as asked; the text says why and what to do."""


@dataclass(frozen=True)
class Volume:
    """A folder of the host (the mounted volume) and where it appears inside; ``kind`` is one of the paper's."""

    name: str
    kind: str
    path: Path
    mode: Mode
    mount: str


@dataclass(frozen=True)
class EnvironmentSpec:
    """What shall run. ``id`` is lower case letters, digits and dashes; ``uid_base`` the first host uid of its range."""

    id: str
    tier: int
    image: str
    uid_base: int
    volumes: tuple[Volume, ...] = ()
    cpus: float = 1.5
    memory_mb: int = 3072
    tmp_mb: int = 256
    pids: int = 600
    kernel_isolation: str = "shared"
    clipboard: bool = False
    network: Literal["none"] = "none"
    env: tuple[tuple[str, str], ...] = ()

    @property
    def digest(self) -> str:
        """Digest of the whole spec."""
        return hashlib.sha256(json.dumps(asdict(self), default=str, sort_keys=True).encode()).hexdigest()

    @property
    def researcher_uid(self) -> int:
        """Host uid that must own what the researcher may write."""
        return self.uid_base + RESEARCHER


@dataclass(frozen=True)
class ContainerState:
    """One container as seen: its name, and the host pid of its first process (0: none)."""

    name: str
    pid: int
    frozen: bool


@dataclass(frozen=True)
class Observation:
    """What runs. ``drift`` has one plain sentence for each difference from what was asked."""

    phase: Phase
    containers: tuple[ContainerState, ...]
    drift: tuple[str, ...]

    @property
    def as_asked(self) -> bool:
        """Whether people may enter."""
        return self.phase == "ready" and not self.drift


@dataclass(frozen=True)
class Ran:
    """A command that ended: exit code and what it printed (cut at the limit asked for)."""

    code: int
    stdout: bytes
    stderr: bytes


class Platform(Protocol):
    """See the text above."""

    def apply(self, spec: EnvironmentSpec) -> None:
        """Make it run as asked."""

    def observe(self, spec: EnvironmentSpec) -> Observation:
        """What really runs."""

    def suspend(self, environment: str) -> None:
        """Freeze."""

    def resume(self, environment: str) -> None:
        """Thaw."""

    def destroy(self, environment: str) -> None:
        """Remove all but volumes."""

    def list(self) -> tuple[str, ...]:
        """Ids held."""

    def session_socket(self, environment: str) -> Path:
        """Where the gateway connects."""

    def run_script(
        self, environment: str, argv: Sequence[str], stdin: bytes = b"", timeout: float = 600, cwd: str = "/"
    ) -> Ran:
        """Run a command as the researcher."""
