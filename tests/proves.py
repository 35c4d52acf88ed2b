"""Mark a test with the requirements it proves: numbers P, D, F, U, L of the requirement pages, or ``satre:N.N.NN``."""

from __future__ import annotations

import re

import pytest

NUMBER = re.compile(r"([PDFUL]\d+|satre:\d+\.\d+\.\d+)")


def proves(*numbers: str) -> pytest.MarkDecorator:
    """A pytest mark naming requirement numbers; the generated reference lists them beside the test's id.

    Raises ValueError for a number of another form.
    """
    for number in numbers:
        if not NUMBER.fullmatch(number):
            raise ValueError(f"{number!r} is not a requirement number: P1, D1, F1, U1, L1 or satre:1.1.1")
    return pytest.mark.proves(numbers)
