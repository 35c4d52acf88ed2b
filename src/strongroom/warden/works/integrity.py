"""Regular re-verification of mounted deposits (P103): it looks and tells, and changes nothing."""

from __future__ import annotations

from datetime import timedelta

from strongroom.warden.hands import Hands
from strongroom.warden.works.environments import data_volume, due

VERIFY_EVERY = timedelta(days=1)


def verify(hands: Hands, project: str, deposit: str) -> None:
    """Hash a mounted deposit again each day; Programme and Project Managers get mail about a difference."""
    item = hands.state(project).deposits[deposit]
    if not due(hands, item.verified_at, VERIFY_EVERY):
        return
    hands.volumes.open(data_volume(deposit))
    found = hands.volumes.sha256_tree(data_volume(deposit)).digest
    kind = "deposit.verified" if found == item.digest else "deposit.damaged"
    hands.fact(kind, project, deposit=deposit, digest=found)
