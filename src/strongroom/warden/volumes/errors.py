"""What can go wrong with a volume, each in words that say how to mend it."""

from __future__ import annotations


class VolumeError(Exception):
    """Base of all refusals about volumes."""


class NoEncryption(VolumeError):
    """This host can encrypt volumes neither by fscrypt nor by LUKS."""

    def __init__(self) -> None:
        super().__init__(
            "this host cannot encrypt volumes: neither fscrypt (ext4 with CONFIG_FS_ENCRYPTION and loop devices) nor "
            "LUKS (cryptsetup with dm-crypt) works here. Nothing at Tier 2 or above can be kept on it; use a kernel "
            "with one of the two, then run `strongroom doctor`"
        )


class UnknownVolume(VolumeError):
    """No volume of that id."""


class VolumeExists(VolumeError):
    """A volume of that id exists with other parameters."""


class VolumeDestroyed(VolumeError):
    """The volume's key was destroyed, or is being destroyed."""


class VolumeLocked(VolumeError):
    """The volume cannot be unlocked: its key is missing, damaged or another volume's."""


class VolumeClosed(VolumeError):
    """The volume is not open."""


class VolumeBusy(VolumeError):
    """Something still has a file of the volume open."""


class VolumeFull(VolumeError):
    """No room left, in the volume or on the host for its image."""


class UnexpectedEntry(VolumeError):
    """Something in a volume is neither a directory nor a plain file with one name."""
