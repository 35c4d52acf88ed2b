"""The same station as for the client."""

from __future__ import annotations

from tests.deposit.conftest import station

__all__ = ["station"]
