"""From where somebody works: the organisation's networks and rooms by address range; pure.

The organisation writes them in one file (``places.toml``); an address that it does not name is on the internet and in
no particular room. Rules: P144-P148 of the paper.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.policy.tiers import matrix

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PlacesError(ValueError):
    """The file of places is wrong; says where and how to mend it."""


@dataclass(frozen=True)
class Place:
    """Class of network and class of room, each a value of the control of that name."""

    network: str = "internet"
    space: str = "none"


NOWHERE = Place()


@dataclass(frozen=True)
class Space:
    """A room: its security class and the address ranges of the sockets and access points in it."""

    name: str
    kind: str
    ranges: tuple[Network, ...]


@dataclass(frozen=True)
class Places:
    """The organisation's networks and rooms."""

    institutional: tuple[Network, ...] = ()
    restricted: tuple[Network, ...] = ()
    spaces: tuple[Space, ...] = ()

    @property
    def inside(self) -> tuple[Network, ...]:
        """Every range from which the management pages are reached (P132)."""
        return (*self.institutional, *self.restricted)

    def of(self, address: str) -> Place:
        """Where an address is. What is no address is nowhere."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return NOWHERE
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        classes = matrix()["physical_space"]
        kinds = [space.kind for space in self.spaces if _within(found, space.ranges)]
        space = max(kinds, key=classes.strictness, default="none")
        if _within(found, self.restricted):
            return Place("restricted", space)
        return Place("institutional" if _within(found, self.institutional) else "internet", space)


def _within(address: ipaddress.IPv4Address | ipaddress.IPv6Address, ranges: tuple[Network, ...]) -> bool:
    return any(address in one for one in ranges)


def parse(text: str) -> Places:
    """Read ``places.toml``. PlacesError for unknown names, bad ranges, a room outside the restricted network (P144)."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PlacesError(f"it is not TOML: {error}") from error
    _only(raw, {"networks", "spaces"}, "the file")
    networks = raw.get("networks", {})
    _only(networks, {"institutional", "restricted"}, "[networks]")
    spaces = tuple(_space(name, row) for name, row in raw.get("spaces", {}).items())
    places = Places(
        _ranges(networks.get("institutional", []), "[networks] institutional"),
        _ranges(networks.get("restricted", []), "[networks] restricted"),
        spaces,
    )
    for space in spaces:
        for one in space.ranges:
            if not any(one.version == wide.version and one.subnet_of(wide) for wide in places.restricted):  # type: ignore[arg-type]
                raise PlacesError(
                    f"[spaces.{space.name}]: {one} is not within a restricted network: add it to [networks] restricted"
                )
    return places


def _only(found: Any, known: set[str], where: str) -> None:
    if not isinstance(found, Mapping):
        raise PlacesError(f"{where} needs to be a table")
    if strange := sorted(set(found) - known):
        raise PlacesError(f"{where}: {strange[0]!r} is not known: use {', '.join(sorted(known))}")


def _space(name: str, row: Any) -> Space:
    _only(row, {"class", "ranges"}, f"[spaces.{name}]")
    classes = [value for value in matrix()["physical_space"].scale if value != "none"]
    if row.get("class") not in classes:
        raise PlacesError(f"[spaces.{name}]: class needs to be one of {', '.join(classes)}")
    return Space(name, row["class"], _ranges(row.get("ranges", []), f"[spaces.{name}] ranges"))


def _ranges(found: Any, where: str) -> tuple[Network, ...]:
    if not isinstance(found, list):
        raise PlacesError(f'{where} needs a list of ranges such as ["10.1.0.0/16"]')
    try:
        return tuple(ipaddress.ip_network(str(one)) for one in found)
    except ValueError as error:
        raise PlacesError(f"{where}: {error}") from error
