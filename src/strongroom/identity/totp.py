"""Time-based one-time codes (RFC 6238: SHA-1, 6 digits, 30 s), as every authenticator app makes them. Pure."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

PERIOD = 30
DIGITS = 6
TOLERANCE = 1


def step_of(at: float) -> int:
    """Number of the 30 s step that contains this Unix time."""
    return int(at // PERIOD)


def code_of_step(secret: str, step: int) -> str:
    """The code of one step. Raises ValueError when the secret is not base32."""
    try:
        key = base64.b32decode(secret.replace(" ", "").upper())
    except binascii.Error as error:
        raise ValueError("a TOTP secret is base32: letters A-Z and digits 2-7, padded to a multiple of 8") from error
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    start = digest[-1] & 0x0F
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def totp_code(secret: str, at: float) -> str:
    """The code an authenticator app shows at this Unix time."""
    return code_of_step(secret, step_of(at))


def matching_step(secret: str, code: str, at: float) -> int | None:
    """The step, at most one away from now, whose code this is (clocks of telephones differ); None if there is none."""
    now = step_of(at)
    found = None
    for step in range(now - TOLERANCE, now + TOLERANCE + 1):
        if hmac.compare_digest(code_of_step(secret, step), code):
            found = step
    return found
