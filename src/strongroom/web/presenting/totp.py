"""The one-time code of a demonstration account (RFC 6238: SHA-1, six digits, thirty seconds)."""

from __future__ import annotations

import base64
import hashlib
import hmac

PERIOD = 30
DIGITS = 6


def totp(secret: str, seconds: float) -> str:
    """The code of a Base32 secret at a time in seconds since 1970. Raises ValueError for a secret that is not Base32."""
    padded = secret.strip().replace(" ", "").upper()
    key = base64.b32decode(padded + "=" * (-len(padded) % 8))
    counter = int(seconds) // PERIOD
    total = hmac.new(key, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = total[-1] & 0x0F
    number = int.from_bytes(total[start : start + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


def seconds_left(seconds: float) -> int:
    """How long the present code still counts."""
    return PERIOD - int(seconds) % PERIOD
