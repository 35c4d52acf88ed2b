"""The answer to "may this happen?": Allowed, or Refused with a reason and what to do next."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Allowed:
    """It may happen; ``relies_on`` are the sequence numbers of the recorded decisions that allow it."""

    role: str
    relies_on: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        return True


@dataclass(frozen=True)
class Refused:
    """It may not: ``reason`` in plain words, ``next_step`` what would mend it, ``missing`` the recorded decision that is not there."""

    reason: str
    next_step: str = ""
    missing: str = ""

    def __bool__(self) -> bool:
        return False


Verdict = Allowed | Refused
