"""What a probe is, what is expected of a pod, and what a run of the probes found."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from strongroom.policy.tiers import controls_for

State = Literal["holds", "broken", "unknown", "known"]
STATES = ("holds", "broken", "unknown", "known")
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


class ProbeError(ValueError):
    """The question cannot be asked as given; says how to mend it."""


@dataclass(frozen=True)
class Probe:
    """One question. ``where``: tried from ``inside`` the containers or read from the kernel on the ``host`` side.

    ``kind`` is ``probe`` (attests ``control``) or ``known`` (a fact that cannot be closed, shown but never counted).
    """

    id: str
    asks: str
    control: str
    where: Literal["inside", "host"]
    expects: str
    kind: Literal["probe", "known"] = "probe"


@dataclass(frozen=True)
class Mount:
    """A mount that a container shall have beyond the usual ones.

    A writable tmpfs must be bounded; with ``size`` (bytes) by exactly that.
    """

    target: str
    writable: bool
    size: int | None = None


@dataclass(frozen=True)
class Role:
    """What is expected of one container: user inside, memory in bytes, most processes, mounts."""

    uid: int
    memory: int
    pids: int
    mounts: tuple[Mount, ...] = ()


@dataclass(frozen=True)
class Expected:
    """What is expected of the pod: its range of host uids, and each container by role.

    ``peers`` are (address, port) pairs of other environments that listen; ``pixels_only`` demands an Xvnc in the
    container of the role ``display`` with every clipboard switch off.
    """

    uid_base: int
    roles: Mapping[str, Role]
    uid_size: int = 65536
    peers: tuple[tuple[str, int], ...] = ()
    pixels_only: bool = False


@dataclass(frozen=True)
class PodView:
    """A running pod: its name, and for each role the name of the container."""

    name: str
    containers: Mapping[str, str]
    expected: Expected

    def __post_init__(self) -> None:
        if not self.containers:
            raise ProbeError(f"pod {self.name} has no container to probe: give at least one role")
        if set(self.containers) != set(self.expected.roles):
            raise ProbeError(
                f"pod {self.name}: containers are given for {sorted(self.containers)}, "
                f"expectations for {sorted(self.expected.roles)}; give both for the same roles"
            )
        for name in (self.name, *self.containers.values()):
            if not NAME.fullmatch(name):
                raise ProbeError(f"{name!r} is not a container name: letters, digits, '_', '.' and '-' only")


@dataclass(frozen=True)
class Result:
    """What one probe found; ``at`` is UTC in ISO 8601, ``words`` the question in plain words."""

    probe: str
    state: State
    evidence: str
    at: str
    words: str = ""


@dataclass(frozen=True)
class Judgement:
    """Whether an environment of a tier may be entered, and the probes that say no."""

    passed: bool
    failing: tuple[str, ...] = field(default=())


def summary(results: Iterable[Result]) -> dict[str, int]:
    """How many hold, are broken, are unknown (facts of kind ``known`` are not counted)."""
    counts = Counter(result.state for result in results)
    return {state: counts[state] for state in ("holds", "broken", "unknown")}


def judge(results: Iterable[Result], tier: int) -> Judgement:
    """Decide for a tier: broken always fails; unknown fails where the tier says so, and so does an empty run."""
    found = list(results)
    strict = controls_for(tier)["unknown_probe"] == "broken"
    bad = ("broken", "unknown") if strict else ("broken",)
    failing = tuple(result.probe for result in found if result.state in bad)
    ran = any(result.state in ("holds", "broken") for result in found)
    return Judgement(not failing and (ran or not strict), failing)
