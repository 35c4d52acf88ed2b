"""What closing a project will destroy, and the certificate of what was destroyed, as rows that a page can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.domain.project import Project
from strongroom.web.presenting.words import size, spoken, when


@dataclass(frozen=True)
class Doomed:
    """One thing that goes: what kind it is, which one, and what it holds."""

    kind: str
    name: str
    holds: str


@dataclass(frozen=True)
class Table:
    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Certificate:
    """Single facts of the certificate, and its lists as tables."""

    facts: tuple[tuple[str, str], ...]
    tables: tuple[Table, ...]


def doomed(project: Project) -> tuple[Doomed, ...]:
    """Every environment, volume and unmounted deposit that closing destroys."""
    things = []
    for environment in project.environments.values():
        if environment.state != "destroyed":
            package = project.work_packages[environment.work_package]
            things.append(
                Doomed("Environment", environment.id, f"Tier {environment.tier}, for work package {package.name}")
            )
    for name, volume in project.volumes.items():
        if not volume.get("destroyed"):
            kind = spoken(str(volume.get("kind", "")))
            owner = volume.get("environment") or volume.get("deposit") or ""
            things.append(Doomed("Volume", name, f"{kind} {f'of {owner}' if owner else ''}".strip()))
    for deposit in project.deposits.values():
        if deposit.state not in ("mounted", "expired", "withdrawn"):
            things.append(Doomed("Deposit", deposit.id, f"of dataset {project.datasets[deposit.dataset].name}"))
    return tuple(things)


def kept(project: Project) -> tuple[str, ...]:
    """What stays after closing."""
    released = [request for request in project.requests.values() if request.state == "released"]
    words = ["The project, its people and its whole history", "Signed agreements and classifications"]
    if released:
        count = len(released)
        words.append(
            f"{count} published output{'' if count == 1 else 's'} with release record{'' if count == 1 else 's'}"
        )
    return tuple(words)


def certificate_of(raw: Mapping[str, Any]) -> Certificate:
    """A certificate as facts and tables, whatever it lists: nothing of it is left out."""
    facts, tables = [], []
    for key, value in raw.items():
        if isinstance(value, list | tuple) and value and all(isinstance(item, Mapping) for item in value):
            tables.append(_table(spoken(key), value))
        else:
            facts.append((spoken(key), _plain(key, value)))
    return Certificate(tuple(facts), tuple(tables))


def _table(caption: str, items: list[Mapping[str, Any]] | tuple[Mapping[str, Any], ...]) -> Table:
    keys = list(dict.fromkeys(key for item in items for key in item))
    rows = tuple(tuple(_plain(key, item.get(key, "")) for key in keys) for item in items)
    return Table(caption, tuple(spoken(key) for key in keys), rows)


def _plain(key: str, value: object) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, int) and key in ("size", "bytes"):
        return size(value)
    if isinstance(value, Mapping):
        return "; ".join(f"{spoken(str(name))}: {_plain(str(name), item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(key, item) for item in value)
    if isinstance(value, str) and (key.endswith("_at") or key in ("at", "created", "destroyed")):
        return when(value)
    return str(value)
