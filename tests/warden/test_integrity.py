"""Regular checks: a mounted deposit is hashed again each day; what has changed is told (P103)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from strongroom.domain.work import Work, pending
from strongroom.warden.hands import Hands
from strongroom.warden.record import Record
from strongroom.warden.works.integrity import VERIFY_EVERY, verify
from tests.domain.story import DIGEST, Story
from tests.proves import proves


@dataclass
class Shelf:
    """Says which digest a volume has now."""

    digest: str

    def open(self, _volume: str) -> None:
        """It is open."""

    def sha256_tree(self, _volume: str) -> Any:
        return SimpleNamespace(digest=self.digest)


@proves("P103")
@pytest.mark.parametrize(
    ("now", "kind", "damaged"), [(DIGEST, "deposit.verified", False), ("e" * 64, "deposit.damaged", True)]
)
def test_a_mounted_deposit_is_verified_each_day(tmp_path: Path, now: str, kind: str, damaged: bool) -> None:
    record = Record(tmp_path / "warden.sqlite3")
    story = Story().begin().agree().deposit()
    for entry in story.entries:
        with record.transaction() as db:
            record.append(db, entry)
    assert Work("deposit.verify", "chem97", "delivery") in set(pending(record.state("chem97")))
    later = [story.now]
    hands = Hands(*(cast(Any, None),) * 8)
    hands.record, hands.volumes, hands.clock = record, cast(Any, Shelf(now)), lambda: later[0]
    verify(hands, "chem97", "delivery")
    assert len(record.entries(0, 500)) == len(story.entries)
    later[0] += VERIFY_EVERY + timedelta(minutes=1)
    verify(hands, "chem97", "delivery")
    assert record.entries(0, 500)[-1].kind == kind
    assert record.state("chem97").deposits["delivery"].damaged is damaged
    verify(hands, "chem97", "delivery")
    assert len(record.entries(0, 500)) == len(story.entries) + 1
