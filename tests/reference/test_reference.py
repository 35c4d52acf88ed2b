"""The reference pages say what the rules say."""

from __future__ import annotations

from pathlib import Path

import pytest

from strongroom.operate.reference import pages

ROOT = Path(__file__).parents[2]
PAGES = pages(ROOT)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_reference_page_is_current(name: str) -> None:
    path = ROOT / "docs" / "reference" / name
    assert path.read_text(encoding="utf-8") == PAGES[name](), "run: python -m strongroom.operate.reference"
