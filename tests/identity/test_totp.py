"""One-time codes against the test vectors of RFC 6238."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.identity.totp import matching_step, step_of, totp_code

RFC_SECRET = base64.b32encode(b"12345678901234567890").decode()


@pytest.mark.parametrize(
    ("at", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_standard(at: int, code: str) -> None:
    assert totp_code(RFC_SECRET, at) == code
    assert totp_code(RFC_SECRET.lower(), at + 0.5) == code


def test_a_secret_that_is_not_base32_is_refused() -> None:
    with pytest.raises(ValueError, match="base32"):
        totp_code("not a secret!", 0)


@given(st.integers(100, 10**11), st.integers(-90, 90))
def test_a_code_matches_only_one_step_away(at: int, drift: int) -> None:
    found = matching_step(RFC_SECRET, totp_code(RFC_SECRET, at + drift), at)
    if abs(step_of(at + drift) - step_of(at)) <= 1:
        assert found is not None and abs(found - step_of(at)) <= 1
    else:
        assert found is None or totp_code(RFC_SECRET, found * 30) == totp_code(RFC_SECRET, at + drift)
