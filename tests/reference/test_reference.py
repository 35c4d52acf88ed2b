"""The reference pages say what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.operate.reference import NOT_HELD, _proofs, control_proofs, pages
from strongroom.policy.tiers import matrix

ROOT = Path(__file__).parents[2]
PAGES = pages(ROOT)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_current(name: str) -> None:
    path = ROOT / "docs" / "reference" / name
    assert path.read_text(encoding="utf-8") == PAGES[name](), "run: python -m strongroom.operate.reference"


@pytest.mark.parametrize("name", sorted(matrix()))
def test_a_control_is_shown_to_hold_or_said_not_to(name: str) -> None:
    watched, shown = control_proofs(ROOT / "tests")[name]
    assert bool(watched or shown) != (name in NOT_HELD), "cite it in the test that shows it: @proves('control:NAME')"


def test_no_test_names_a_control_that_does_not_exist() -> None:
    cited = {
        number.removeprefix("control:") for number, _ in _proofs(ROOT / "tests") if number.startswith("control:")
    }
    assert cited <= set(matrix())
