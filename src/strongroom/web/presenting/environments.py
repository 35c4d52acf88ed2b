"""An environment as its page shows it: controls with who holds them, the probe grid, volumes and data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.domain.environment import SETTABLE
from strongroom.domain.project import Environment, Project
from strongroom.policy.tiers import controls_for, matrix
from strongroom.web.presenting.words import size, spoken, when

ENFORCER_WORDS = {
    "platform": "The platform",
    "gateway": "The gateway",
    "application": "This application",
    "people": "People",
}
ORDER = {"broken": 0, "unknown": 1, "holds": 2, "known": 3}
STATE_WORDS = {"broken": "Broken", "unknown": "Unknown", "holds": "Holds", "known": "Known, cannot be closed"}


@dataclass(frozen=True)
class ControlRow:
    """``tier_value`` is the tier's own where it is stricter here, else empty."""

    name: str
    value: str
    tier_value: str
    enforcer: str
    source: str


@dataclass(frozen=True)
class ProbeCell:
    """One probe: what it tried, whether the isolation held, and the evidence it brought back."""

    name: str
    state: str
    words: str
    evidence: str
    about: str


@dataclass(frozen=True)
class VolumeRow:
    mount: str
    kind: str
    size: str
    encryption: str
    state: str


def control_rows(environment: Environment) -> tuple[ControlRow, ...]:
    """Every control of an environment with the one who enforces it."""
    rules, tier = matrix(), controls_for(environment.tier)
    return tuple(
        ControlRow(
            spoken(name),
            spoken(value),
            spoken(tier[name]) if name in environment.tightened else "",
            ENFORCER_WORDS[rules[name].enforcer],
            rules[name].source,
        )
        for name, value in environment.controls.items()
    )


def stricter_values(environment: Environment) -> list[tuple[str, str]]:
    """What one environment could still be tightened to: ``control=value`` and words."""
    return [
        (f"{name}={value}", f"{spoken(name)}: {spoken(value).lower()} (now {spoken(environment.controls[name]).lower()})")
        for name in SETTABLE
        for value in matrix()[name].scale
        if matrix()[name].strictness(value) > matrix()[name].strictness(environment.controls[name])
    ]


def probe_cells(results: tuple[Mapping[str, Any], ...]) -> tuple[ProbeCell, ...]:
    """One cell for each probe, what is broken first. A state that is not known counts as unknown."""
    cells = [_cell(result) for result in results]
    return tuple(sorted(cells, key=lambda cell: (ORDER[cell.state], cell.name)))


def _cell(result: Mapping[str, Any]) -> ProbeCell:
    name = str(result["probe"])
    state = str(result["state"]) if result["state"] in ORDER else "unknown"
    evidence = str(result.get("evidence") or "No evidence was brought back.")
    about = str(result.get("words") or "")
    return ProbeCell(spoken(name), state, STATE_WORDS[state], evidence, about)


def probe_summary(cells: tuple[ProbeCell, ...]) -> dict[str, int]:
    """How many probes hold, are broken or unknown; facts that cannot be closed are shown but not counted."""
    return {state: sum(cell.state == state for cell in cells) for state in ("holds", "broken", "unknown")}


def volume_rows(project: Project, environment: Environment) -> tuple[VolumeRow, ...]:
    """Volumes of one environment, by where they are mounted."""
    rows = []
    for mount, name in sorted(environment.volumes.items()):
        volume = project.volumes.get(name, {})
        gone = volume.get("destroyed")
        state = f"Key destroyed, {when(str(gone['destroyed_at']))}" if gone else "In use"
        amount = volume.get("size")
        rows.append(
            VolumeRow(
                mount,
                spoken(str(volume.get("kind", "volume"))),
                size(amount) if isinstance(amount, int) else "",
                str(volume.get("encryption", "not stated")),
                state,
            )
        )
    return tuple(rows)


def reason_words(environment: Environment) -> str:
    """Why an environment is not running; names of probes in it as their cells spell them."""
    names = {str(result["probe"]) for result in environment.results}
    parts = environment.reason.split(", ")
    return ", ".join(spoken(part) if part in names else part for part in parts)
