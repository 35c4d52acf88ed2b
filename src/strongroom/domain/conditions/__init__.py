"""The named conditions of the permission table, by subject; importing this registers them all."""

from strongroom.domain.conditions import data, environments, outputs, people

__all__ = ["data", "environments", "outputs", "people"]
