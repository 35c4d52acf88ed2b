"""Encrypted volumes: one image, one key each; destroying the key is the deletion."""

from __future__ import annotations

from strongroom.warden.volumes.errors import (
    NoEncryption,
    UnexpectedEntry,
    UnknownVolume,
    VolumeBusy,
    VolumeClosed,
    VolumeDestroyed,
    VolumeError,
    VolumeExists,
    VolumeFull,
    VolumeLocked,
)
from strongroom.warden.volumes.store import Destroyed, Volume, VolumeStore

__all__ = [
    "Destroyed",
    "NoEncryption",
    "UnexpectedEntry",
    "UnknownVolume",
    "Volume",
    "VolumeBusy",
    "VolumeClosed",
    "VolumeDestroyed",
    "VolumeError",
    "VolumeExists",
    "VolumeFull",
    "VolumeLocked",
    "VolumeStore",
]
