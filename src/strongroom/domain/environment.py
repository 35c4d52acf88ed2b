"""From a tier to what shall run: controls, volumes and limits of one environment, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strongroom.domain.verdict import Refused
from strongroom.policy.tiers import controls_for

MEGABYTE = 1024 * 1024
UID_FIRST = 3_000_000
UID_STEP = 65_536
# Controls that can be made stricter for one environment (P172): what holds them looks at the environment, not its tier.
SETTABLE = ("inbound_network", "physical_space", "sessions", "member_approval", "copy_out", "paste_in")
# Those that what runs is built by: a change counts once the environment is built anew.
BUILT_IN = ("copy_out", "paste_in")
OWN_VOLUMES = ("home", "scratch", "documents", "work", "output")


@dataclass(frozen=True)
class VolumePlan:
    """One volume: kind (paper 5.5), where it is mounted inside, whether inside may write, its size in bytes."""

    name: str
    kind: str
    mount: str
    writable: bool
    size: int


@dataclass(frozen=True)
class EnvironmentPlan:
    """What an environment of a tier shall be; ``assessment`` is the fixed Tier 3 one of P45, without output volume."""

    id: str
    tier: int
    assessment: bool
    controls: tuple[tuple[str, str], ...]
    volumes: tuple[VolumePlan, ...]
    datasets: tuple[str, ...]
    cpus: float
    memory_mb: int
    tmp_mb: int
    pids: int

    def control(self, name: str) -> str:
        """Value of one control."""
        return dict(self.controls)[name]


def compile_plan(
    environment: str,
    tier: int,
    datasets: tuple[str, ...],
    *,
    assessment: bool,
    tightened: Mapping[str, str] | None = None,
) -> EnvironmentPlan | Refused:
    """Compile the tier's controls, and what is stricter here, to a plan; Refused where this platform cannot give it."""
    controls = {**controls_for(tier), **(tightened or {})}
    if controls["kernel_isolation"] != "shared":
        return Refused(
            f"Tier {tier} needs kernel isolation of its own ({controls['kernel_isolation']}), which one shared host cannot give",
            "Use a platform that gives each environment its own machine.",
        )
    own = [
        VolumePlan("home", "home", "/home/researcher", True, 256 * MEGABYTE),
        VolumePlan("scratch", "scratch", "/scratch", True, 512 * MEGABYTE),
        VolumePlan("documents", "document", "/documents", False, 64 * MEGABYTE),
    ]
    if not assessment:
        own += [
            VolumePlan("work", "working", "/work", True, 512 * MEGABYTE),
            VolumePlan("output", "output", "/output", True, 128 * MEGABYTE),
        ]
    return EnvironmentPlan(
        environment,
        tier,
        assessment,
        tuple(sorted(controls.items())),
        tuple(own),
        datasets,
        cpus=1.5,
        memory_mb=3072,
        tmp_mb=256,
        pids=600,
    )


def uid_base(slot: int) -> int:
    """First host uid of an environment's range (its slot is given once and for all by the warden)."""
    return UID_FIRST + slot * UID_STEP
