"""Mark a test with what it proves: numbers P, D, F, U, L of the requirement pages, ``satre:N.N.NN``, ``control:NAME``."""

from __future__ import annotations

import re

import pytest

NUMBER = re.compile(r"([PDFUL]\d+|satre:\d+\.\d+\.\d+|control:[a-z_]+)")


def proves(*numbers: str) -> pytest.MarkDecorator:
    """A pytest mark naming requirement numbers; the generated reference lists them beside the test's id.

    Raises ValueError for a number of another form.
    """
    for number in numbers:
        if not NUMBER.fullmatch(number):
            raise ValueError(f"{number!r} is not a requirement number: P1, D1, F1, U1, L1, satre:1.1.1 or control:name")
    return pytest.mark.proves(numbers)
