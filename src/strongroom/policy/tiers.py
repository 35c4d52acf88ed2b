"""The control matrix of ``tiers.toml``, read and checked."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

TIERS = (0, 1, 2, 3, 4)
ENFORCERS = ("platform", "gateway", "application", "people")


class PolicyError(ValueError):
    """The rules themselves are wrong; says where and how to mend it."""


@dataclass(frozen=True)
class Control:
    """One row of the matrix: ``values[tier]``, each on ``scale`` (loosest first)."""

    name: str
    scale: tuple[str, ...]
    values: tuple[str, ...]
    enforcer: str
    source: str

    def strictness(self, value: str) -> int:
        """Place of a value on the scale; 0 is loosest. Raises PolicyError for a value that is not on it."""
        if value not in self.scale:
            raise PolicyError(f"{self.name}: {value!r} is not one of {', '.join(self.scale)}")
        return self.scale.index(value)


def parse(text: str) -> dict[str, Control]:
    """Read a matrix; PolicyError for unknown keys, missing cells, or a row that loosens as the tier rises."""
    raw = tomllib.loads(text)
    if set(raw) != {"version", "controls"}:
        raise PolicyError("the file needs exactly: version, controls")
    return {name: _control(name, row) for name, row in raw["controls"].items()}


def _control(name: str, row: Mapping[str, Any]) -> Control:
    if set(row) != {"scale", "values", "enforcer", "source"}:
        raise PolicyError(f"{name}: needs exactly scale, values, enforcer, source")
    control = Control(name, tuple(row["scale"]), tuple(row["values"]), row["enforcer"], row["source"])
    if len(control.values) != len(TIERS):
        raise PolicyError(f"{name}: needs five values, one for each tier, but has {len(control.values)}")
    if control.enforcer not in ENFORCERS:
        raise PolicyError(f"{name}: enforcer {control.enforcer!r} is not one of {', '.join(ENFORCERS)}")
    steps = [control.strictness(value) for value in control.values]
    if steps != sorted(steps):
        raise PolicyError(f"{name}: loosens as the tier rises: {' → '.join(control.values)}")
    return control


@cache
def matrix() -> dict[str, Control]:
    """The matrix that this release ships."""
    return parse(_text())


def _text() -> str:
    return resources.files(__package__).joinpath("tiers.toml").read_text(encoding="utf-8")


def controls_for(tier: int) -> dict[str, str]:
    """Control name → value at a tier (0–4). Raises PolicyError for another number."""
    if tier not in TIERS:
        raise PolicyError(f"{tier} is not a tier: 0, 1, 2, 3 or 4")
    return {name: control.values[tier] for name, control in matrix().items()}


@cache
def digest() -> str:
    """SHA-256 over every file of rules; stored with each decision that they settled."""
    total = hashlib.sha256()
    folder = resources.files(__package__)
    names = ["tiers.toml", "permissions.py", "workflows.py"]
    for name in names:
        total.update(folder.joinpath(name).read_bytes())
    for item in sorted(folder.joinpath("classification").iterdir(), key=lambda entry: entry.name):
        if item.name.endswith(".toml"):
            total.update(item.read_bytes())
    return total.hexdigest()
