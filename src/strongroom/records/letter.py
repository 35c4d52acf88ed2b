"""A message in the making. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Letter:
    """A message to one person (``to`` is their subject) about one entry; ``topic`` keeps two about the same apart."""

    to: str
    subject: str
    text: str
    topic: str = ""
