"""Directory encryption of the kernel (fscrypt, policy version 2) by its ioctls alone.

Structures follow ``<linux/fscrypt.h>``. The kernel keeps a key only while it is added; names, contents and symlink
targets below an encrypted directory are unreadable without it (sizes, times and owners are not hidden by fscrypt).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
from enum import Enum
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 64
IDENTIFIER_BYTES = 16

_SET_POLICY = 0x800C6613
_GET_POLICY_EX = 0xC0096616
_ADD_KEY = 0xC0506617
_REMOVE_KEY = 0xC0406618
_KEY_STATUS = 0xC080661A

_SPEC_IDENTIFIER = 2
_AES_256_XTS, _AES_256_CTS, _PAD_32 = 1, 4, 3
_FILES_BUSY = 1

_libc = ctypes.CDLL(None, use_errno=True)


class KeyState(Enum):
    """What the kernel says about a key of one file system."""

    ABSENT = 1
    PRESENT = 2
    INCOMPLETELY_REMOVED = 3


def identifier(key: bytes) -> bytes:
    """The name the kernel gives to a key (its own derivation, so it can be compared with a directory's policy)."""
    return HKDF(SHA512(), IDENTIFIER_BYTES, None, b"fscrypt\x00\x01").derive(key)


def _call(path: Path, request: int, argument: bytearray) -> None:
    # A directory descriptor serves every call, and needs no write access to the files below it.
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, request, argument, True)
    finally:
        os.close(descriptor)


def _specifier(name: bytes) -> bytes:
    return struct.pack("<II32s", _SPEC_IDENTIFIER, 0, name)


def add_key(mount: Path, key: bytes) -> bytes:
    """Give the file system at ``mount`` a key; returns its identifier. Adding it again changes nothing."""
    if len(key) != KEY_BYTES:
        raise ValueError(f"a volume key has {KEY_BYTES} bytes, not {len(key)}")
    argument = bytearray(_specifier(b"") + struct.pack("<II32x", len(key), 0) + key)
    # The fixed part is 80 bytes and the key follows it, so the whole is passed by address and wiped afterwards.
    view = (ctypes.c_char * len(argument)).from_buffer(argument)
    descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Not fcntl.ioctl: it would leave a copy of the key in a buffer of its own.
        if _libc.ioctl(descriptor, ctypes.c_ulong(_ADD_KEY), ctypes.byref(view)) != 0:
            raise OSError(
                ctypes.get_errno(), f"adding an encryption key: {os.strerror(ctypes.get_errno())}", str(mount)
            )
        return bytes(argument[8 : 8 + IDENTIFIER_BYTES])
    finally:
        os.close(descriptor)
        ctypes.memset(ctypes.addressof(view), 0, len(argument))


def remove_key(mount: Path, name: bytes) -> bool:
    """Take a key out of the kernel; True when nothing below is still open (else those files stay readable)."""
    argument = bytearray(_specifier(name) + bytes(24))
    _call(mount, _REMOVE_KEY, argument)
    return not struct.unpack_from("<I", argument, 40)[0] & _FILES_BUSY


def key_state(mount: Path, name: bytes) -> KeyState:
    """Whether the file system holds this key now."""
    argument = bytearray(_specifier(name) + bytes(88))
    _call(mount, _KEY_STATUS, argument)
    return KeyState(struct.unpack_from("<I", argument, 64)[0])


def set_policy(directory: Path, name: bytes) -> None:
    """Encrypt everything made below an empty directory: AES-256-XTS contents, AES-256-CTS names padded to 32."""
    policy = struct.pack("<BBBBB3x16s", 2, _AES_256_XTS, _AES_256_CTS, _PAD_32, 0, name)
    # The request number carries the size of a version 1 policy; the kernel reads the version byte for the real size.
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _SET_POLICY, policy)
    finally:
        os.close(descriptor)


def policy_key(directory: Path) -> bytes | None:
    """Identifier of the key that encrypts a directory, or None when it is not encrypted by such a policy."""
    argument = bytearray(struct.pack("<Q", 24) + bytes(24))
    try:
        _call(directory, _GET_POLICY_EX, argument)
    except OSError:
        return None
    return bytes(argument[16:32]) if argument[8] == 2 else None
