"""Specs for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from strongroom.platforms.protocol import EnvironmentSpec, Mode, Volume

PLACES: tuple[tuple[str, str, Mode, str], ...] = (
    ("home", "home", "rw", "/home/researcher"),
    ("scratch", "scratch", "rw", "/scratch"),
    ("documents", "document", "ro", "/documents"),
    ("work", "working", "rw", "/work"),
    ("output", "output", "rw", "/output"),
    ("pupils", "data", "ro", "/data/pupils"),
)


def spec(tier: int = 2, folder: Path = Path("/volumes"), **changes: Any) -> EnvironmentSpec:
    """An environment with all kinds of volumes; a Tier 3 one is the first-assessment environment, without output."""
    volumes = tuple(
        Volume(name, kind, folder / name, mode, mount)
        for name, kind, mode, mount in PLACES
        if tier != 3 or name not in ("work", "output")
    )
    values: dict[str, Any] = {
        "id": f"env-{tier}",
        "tier": tier,
        "image": "localhost/strongroom/environment:test",
        "uid_base": 3_000_000,
        "volumes": volumes,
        "clipboard": tier < 2,
    }
    return EnvironmentSpec(**{**values, **changes})
